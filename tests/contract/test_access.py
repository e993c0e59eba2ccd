"""Who gets in, and what a refusal looks like."""

import re

import pytest

from tests.helpers.any_hub import AnyHub
from tests.helpers.hub_process import HubProcess, sas


def test_without_a_token_every_path_is_401_existing_or_not(hub: AnyHub) -> None:
    for path in ("/devices/x", "/twins/x", "/jobs/v2/x", "/nowhere", "/_local/state"):
        response = hub.request("GET", path, token="")
        assert (response.status_code, response.headers["iothub-errorcode"]) == (401, "IotHubUnauthorized"), path


@pytest.mark.parametrize("text", ["Bearer x", "SharedAccessSignature", "SharedAccessSignature sr=a&sig=b", "x" * 5000])
def test_what_is_no_token_is_refused(hub: AnyHub, text: str) -> None:
    assert hub.refused("GET", "/devices/x", token=text) == (401, "IotHubUnauthorized")


def test_a_wrong_key_and_an_expired_token_have_codes_of_their_own(hub: AnyHub) -> None:
    wrong = sas("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", hub.host, policy=hub.policy)
    assert hub.refused("GET", "/devices", token=wrong) == (401, "IotHubUnauthorizedAccess")
    assert hub.refused("GET", "/devices", token=hub.token(life_s=-10)) == (401, "IotHubUnauthorized")


def test_a_token_for_another_host_or_a_narrower_path_is_refused(hub: AnyHub) -> None:
    key = hub.key()
    other = sas(key, "other.azure-devices.net", policy=hub.policy)
    assert hub.refused("GET", "/devices", token=other) == (401, "IotHubUnauthorized")
    narrow = sas(key, f"{hub.host}/devices", policy=hub.policy)
    assert hub.request("GET", "/devices", token=narrow).status_code == 200
    assert hub.refused("GET", "/twins/x", token=narrow) == (401, "IotHubUnauthorized")
    # A prefix is one of whole segments.
    shorter = sas(key, f"{hub.host}/dev", policy=hub.policy)
    assert hub.refused("GET", "/devices", token=shorter) == (401, "IotHubUnauthorized")


@pytest.mark.local_hub("uses the names of the local hub")
def test_a_token_may_name_the_host_with_its_port_and_in_any_case(hub: HubProcess) -> None:
    key = hub.policies["iothubowner"]
    for host in (f"localhost:{hub.info['httpsPort']}", "LOCALHOST", "127.0.0.1"):
        assert hub.request("GET", "/devices", token=sas(key, host, policy="iothubowner")).status_code == 200, host


@pytest.mark.local_hub("needs the keys of all policies")
@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        ("iothubowner", {"GET /devices", "PUT /devices", "GET /twins", "query", "job", "state"}),
        ("service", {"GET /twins", "query", "job"}),
        ("device", set()),
        ("registryRead", {"GET /devices", "job"}),
        ("registryReadWrite", {"GET /devices", "PUT /devices", "job"}),
    ],
)
def test_each_policy_may_do_just_its_part(hub: HubProcess, name: str, policy: str, allowed: set[str]) -> None:
    hub.new_device(name)
    star = {"If-Match": "*"}
    asked = {
        "GET /devices": ("GET", f"/devices/{name}", None, {}),
        "PUT /devices": ("PUT", f"/devices/{name}", {"deviceId": name}, star),
        "GET /twins": ("GET", f"/twins/{name}", None, {}),
        "query": ("POST", "/devices/query", {"query": "SELECT * FROM devices"}, {}),
        "job": ("GET", "/jobs/v2/nope", None, {}),
        "state": ("GET", "/_local/state", None, {}),
    }
    for what, (method, path, body, headers) in asked.items():
        response = hub.request(method, path, body, headers=headers, token=hub.token(policy))
        if what in allowed:
            assert response.status_code == 200, what
        else:
            assert (response.status_code, response.headers["iothub-errorcode"]) == (401, "IotHubUnauthorizedAccess")


@pytest.mark.parametrize("version", [None, "", "2000-01-01", "latest"])
def test_an_unknown_api_version_is_refused(hub: AnyHub, version: str | None) -> None:
    assert hub.refused("GET", "/devices", api_version=version) == (400, "InvalidProtocolVersion")


@pytest.mark.parametrize("version", ["2018-06-30", "2020-05-31-preview", "2021-04-12", "2024-03-31"])
def test_the_api_versions_that_clients_send_are_taken(hub: AnyHub, version: str) -> None:
    assert hub.request("GET", "/devices", api_version=version).status_code == 200


def test_a_refusal_has_the_shape_that_clients_read(hub: AnyHub) -> None:
    response = hub.request("GET", "/devices/nobody-at-all")
    body = response.json()
    assert set(body) == {"Message", "ExceptionMessage"}
    assert body["Message"].startswith("ErrorCode:DeviceNotFound;")
    assert re.match(r"Tracking ID:[0-9A-F]{32}-G2:-TimeStamp:\d{4}-", body["ExceptionMessage"])
    assert response.headers["x-ms-request-id"]
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'"x"', b"null", b"\xff", b'{"a":NaN}', b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_refused(hub: AnyHub, name: str, data: bytes) -> None:
    assert hub.refused("PUT", f"/devices/{name}", body=data) == (400, "GenericBadRequest")
    assert hub.refused("GET", f"/devices/{name}")[0] == 404


def test_a_body_that_is_too_large_is_refused(hub: AnyHub, name: str) -> None:
    assert hub.refused("PUT", f"/devices/{name}", body=b"x" * (1024 * 1024 + 1)) == (413, "MessageTooLarge")


def test_unknown_paths_and_verbs_are_refused_politely(hub: AnyHub) -> None:
    assert hub.request("GET", "/nowhere").status_code == 404
    assert hub.request("DELETE", "/devices").status_code == 405
