"""Export and import of the registry: which request is made of what was typed. Azure is a double."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from azext_iotjobs.cli.hub_access import storage_accounts
from azext_iotjobs.cli.identity import transfer
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, Forbidden, MissingChoice, NotFound, UserError
from azext_iotjobs.model.registry_transfer import container_signature
from azext_iotjobs.model.target import HubTarget
from tests.helpers.azure_double import SUBSCRIPTION, AzureDouble
from tests.helpers.transport_double import TransportDouble, answering

URI = "https://mystorage.blob.core.windows.net/devices?sv=2021&sig=abc%3D"
JOB = {"jobId": "j", "type": "export", "status": "enqueued"}
PATH = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Storage/storageAccounts"
ACCOUNT = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/mystorage"
LIST, KEYS = f"{PATH}?api-version=2023-05-01", f"{ACCOUNT}/listKeys?api-version=2023-05-01"
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> AzureDouble:
    found = {
        "id": ACCOUNT,
        "name": "mystorage",
        "properties": {"primaryEndpoints": {"blob": "https://mystorage.blob.core.windows.net/"}},
    }
    double = AzureDouble({LIST: (200, {"value": [found]}), KEYS: (200, {"keys": [{"keyName": "key1", "value": KEY}]})})
    monkeypatch.setattr(transfer, "az_login", lambda _context: double.login())
    return double


def sent(handler: Any, *, local: bool = False, **typed: Any) -> Any:
    """The body of the one request that a handler makes."""
    target = HubTarget.named("localhost" if local else "my-hub.azure-devices.net", 443, None)._replace(is_local=local)
    transport = TransportDouble(answering(JOB))
    shown = handler(SimpleNamespace(cli_ctx=None), HubClient(target, transport), **typed)
    (request,) = transport.requests
    assert (request.method, request.path, shown["jobId"]) == ("POST", "/jobs/create", "j")
    return request.body


def test_an_export_by_a_uri(azure: AzureDouble) -> None:
    assert sent(transfer.export_devices, our_blob_container_uri=URI) == {
        "type": "export",
        "outputBlobContainerUri": URI,
        "storageAuthenticationType": "keyBased",
        "excludeKeysInExport": True,
    }
    assert azure.sent == []


def test_an_import_has_two_containers_which_files_may_hold(azure: AzureDouble, tmp_path: Path) -> None:
    (tmp_path / "uri.txt").write_text(f"{URI}\n", encoding="utf-8")
    body = sent(
        transfer.import_devices,
        our_input_blob_container_uri=str(tmp_path / "uri.txt"),
        our_output_blob_container_uri=URI.replace("/devices", "/log"),
    )
    assert body == {
        "type": "import",
        "inputBlobContainerUri": URI,
        "outputBlobContainerUri": URI.replace("/devices", "/log"),
        "storageAuthenticationType": "keyBased",
    }


@pytest.mark.parametrize(
    ("typed", "identity"),
    [
        ({"our_identity": "[system]"}, None),
        ({"our_identity": "/subscriptions/s/id"}, {"userAssignedIdentity": "/subscriptions/s/id"}),
        ({"our_storage_authentication_type": "identity"}, None),
    ],
)
def test_with_an_identity_no_signature_is_needed(azure: AzureDouble, typed: dict[str, Any], identity: Any) -> None:
    plain = URI.partition("?")[0]
    body = sent(transfer.export_devices, our_blob_container_uri=plain, our_include_keys=True, **typed)
    assert (body["storageAuthenticationType"], body.get("identity")) == ("identityBased", identity)
    assert body["excludeKeysInExport"] is False


def test_a_storage_account_is_looked_up_and_its_key_signs(azure: AzureDouble) -> None:
    names: dict[str, Any] = {"our_storage_account_name": "MyStorage", "our_blob_container_name": "devices"}
    uri = urlsplit(sent(transfer.export_devices, **names)["outputBlobContainerUri"])
    assert (uri.netloc, uri.path) == ("mystorage.blob.core.windows.net", "/devices")
    fields = parse_qs(uri.query)
    assert (fields["sr"], fields["sp"], fields["spr"]) == (["c"], ["rwdl"], ["https"])
    assert azure.sent == [("GET", LIST), ("POST", KEYS)]
    azure.sent.clear()
    uri = urlsplit(sent(transfer.export_devices, **names, our_identity="[system]")["outputBlobContainerUri"])
    assert (uri.query, azure.sent) == ("", [("GET", LIST)])


def test_what_azure_refuses_says_what_to_do() -> None:
    now = SystemClock().now()
    with pytest.raises(NotFound, match="no storage account other"):
        storage_accounts.container_uri(
            AzureDouble({LIST: (200, {"value": []})}).login(), "other", "devices", signed_at=now
        )
    refused = {LIST: (403, {"error": {"code": "AuthorizationFailed", "message": "no"}})}
    with pytest.raises(Forbidden, match="AuthorizationFailed no") as caught:
        storage_accounts.container_uri(AzureDouble(refused).login(), "mystorage", "devices", signed_at=now)
    assert "signature" in str(caught.value.hint)


NAMED = {"our_storage_account_name": "s", "our_blob_container_name": "c"}


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ({}, MissingChoice),
        ({"our_storage_account_name": "s"}, MissingChoice),
        ({"our_blob_container_uri": URI, **NAMED}, ConflictingChoice),
        ({"our_blob_container_uri": URI.partition("?")[0]}, BadValue),
        ({"our_blob_container_uri": "https://"}, BadValue),
        ({"our_blob_container_uri": URI.replace("https", "http")}, BadValue),
        ({"our_blob_container_uri": "no-such-file"}, BadValue),
        ({"our_blob_container_uri": f"{URI} more"}, BadValue),
        (
            {"our_blob_container_uri": URI, "our_identity": "x", "our_storage_authentication_type": "key"},
            ConflictingChoice,
        ),
        ({"local": True, **NAMED}, MissingChoice),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_sent_and_no_signature_is_shown(
    azure: AzureDouble, typed: dict[str, Any], error: type[UserError]
) -> None:
    with pytest.raises(error) as caught:
        sent(transfer.export_devices, **typed)
    assert "abc" not in f"{caught.value} {caught.value.hint}" and azure.sent == []


def test_a_signature_is_what_the_storage_service_expects() -> None:
    """Compared with azure-storage-blob 12.31: generate_container_sas with the same key, expiry and version."""
    at = SystemClock().now().replace(year=2030, month=1, day=2, hour=3, minute=4, second=5, microsecond=0)
    signature = container_signature("mystorage", KEY, "devices", at)
    assert parse_qs(signature)["se"] == ["2030-01-02T03:04:05Z"]
    assert parse_qs(signature)["sig"] == ["8Zmk/8Z83AljqMb0tnrWrl6J42WBLOAxeZ+k0UE7yMQ="]
