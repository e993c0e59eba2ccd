"""File upload with Microsoft's SDKs as they are: device SDKs and storage SDKs, for Node.js and Python."""

import json
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.localhub.testing.process import LocalHub, LocalHubRefused
from tests.conformance.conftest import Open
from tests.helpers.device_certificates import make
from tests.helpers.driven import ClientError, Driven
from tests.helpers.official_sdks import (
    needs_amqp_port,
    needs_https_port,
    needs_mqtt_port,
    needs_node,
    needs_python_sdk,
    node_program,
)
from tests.helpers.waiting import wait_until

pytestmark = [needs_mqtt_port, needs_https_port]
NOTIFICATIONS = "/messages/serviceBound/filenotifications"


def notifications_of(hub: LocalHub, device: str) -> list[dict[str, Any]]:
    """The notifications of a device; those of others are passed over."""
    found = []
    while (each := hub.request("GET", NOTIFICATIONS)) is not None:
        found.append(dict(each))
    return [each for each in found if each["deviceId"] == device]


def notification_of(hub: LocalHub, device: str) -> dict[str, Any]:
    (found,) = notifications_of(hub, device)
    return found


@needs_node
@pytest.mark.parametrize("options", [{}, {"webSocket": True}], ids=["mqtt", "websocket"])
def test_the_node_sdk_uploads_a_file_and_the_service_is_notified(
    hub: LocalHub, name: str, open_node: Open, options: dict[str, Any]
) -> None:
    device = open_node(name, **options)
    device.do("upload", "logs/of today & more.txt", "the file's content")
    notification = notification_of(hub, name)
    assert notification["blobName"] == f"{name}/logs/of today & more.txt"
    assert notification["blobSizeInBytes"] == len("the file's content")


@needs_node
def test_the_node_sdk_uploads_a_file_of_many_blocks(hub: LocalHub, name: str, open_node: Open) -> None:
    open_node(name).do("uploadLarge", "large.bin", 9 * 1024 * 1024 + 1)
    assert notification_of(hub, name)["blobSizeInBytes"] == 9 * 1024 * 1024 + 1


@needs_node
def test_a_failure_is_reported_without_a_notification(hub: LocalHub, name: str, open_node: Open) -> None:
    device = open_node(name)
    place = device.do("place", "failed.txt")
    assert (place["containerName"], place["blobName"]) == ("uploads", f"{name}/failed.txt")
    device.do("notify", place["correlationId"], False, 500, "the disk is broken")
    assert notifications_of(hub, name) == []


@needs_node
def test_an_unknown_correlation_id_is_an_error(name: str, open_node: Open) -> None:
    with pytest.raises(ClientError):
        open_node(name).do("notify", "no-such-upload", True, 200, "")


@needs_node
@needs_amqp_port
@pytest.mark.parametrize("transport", ["mqtt", "amqp"])
def test_a_service_gets_the_notification_over_amqp(
    hub: LocalHub, name: str, open_node: Open, open_amqp: Open, transport: str
) -> None:
    with node_program(hub, "c2d.js") as service:
        service.do("open")
        service.do("files", "abandon")  # the first time
        (open_amqp if transport == "amqp" else open_node)(name).do("upload", "a.txt", "12345")
        for _ in range(2):
            notification = service.event("file", lambda each: each["body"]["deviceId"] == name)
            assert notification["contentType"] == "application/vnd.microsoft.iothub.filenotification.json"
            assert (notification["body"]["blobName"], notification["body"]["blobSizeInBytes"]) == (f"{name}/a.txt", 5)
        service.do("close")


@needs_node
def test_a_device_with_a_certificate_uploads_a_file(hub: LocalHub, name: str, tmp_path: Path) -> None:
    made = make(name)
    thumbprints = {"primaryThumbprint": made.thumbprint(), "secondaryThumbprint": made.thumbprint()}
    hub.create_device(name, authentication={"type": "selfSigned", "x509Thumbprint": thumbprints})
    certificate, key = made.files(tmp_path)
    with node_program(hub, "device.js") as device:
        connection_string = hub.device_connection_string(name)
        device.do("open", {"connectionString": connection_string, "certificate": certificate, "key": key})
        device.do("upload", "a.txt", "12345")
    assert notification_of(hub, name)["blobName"] == f"{name}/a.txt"


@needs_node
def test_the_service_sdk_exports_and_imports_with_the_storage_sdk(hub: LocalHub, name: str, service: Driven) -> None:
    uri, made = str(hub.info["containerUri"]), f"{name}-imported"
    hub.create_device(name)
    wait_for_end(service, service.do("registry", "exportDevicesToBlob", uri, False))
    lines = [json.loads(each) for each in service.do("blobs", uri)["devices.txt"].splitlines()]
    (line,) = [each for each in lines if each["id"] == name]
    service.do("writeBlob", uri, "devices.txt", json.dumps({**line, "id": made, "importMode": "create"}))
    wait_for_end(service, service.do("registry", "importDevicesFromBlob", uri, uri))
    assert service.do("blobs", uri)["importErrors.log"] == ""
    keys = [hub.request("GET", f"/devices/{each}")["authentication"]["symmetricKey"] for each in (name, made)]
    assert keys[0] == keys[1]
    assert len(service.do("registry", "listJobs")) >= 2
    with pytest.raises(ClientError, match="outputBlobContainerUri: The signature does not fit"):
        service.do("registry", "exportDevicesToBlob", uri.replace("sp=racwdl", "sp=r"), False)


def wait_for_end(service: Driven, job: dict[str, Any]) -> None:
    wait_until("the job has completed", lambda: service.do("registry", "getJob", job["jobId"])["status"] == "completed")


@needs_python_sdk
def test_the_python_storage_sdk_uses_a_container(hub: LocalHub, name: str, open_python: Open) -> None:
    assert open_python(name).do("container", hub.info["containerUri"], hub.ca_certificate_path) == {
        "refused": True,
        "names": ["python/ü b.txt"],
        "part": "234",
        "type": "text/plain",
        "metadata": {"a": "b"},
        "exists": False,
    }


@needs_python_sdk
@pytest.mark.parametrize("size", [0, 1000, 5 * 1024 * 1024], ids=["empty", "one request", "blocks"])
def test_the_python_sdks_upload_a_file_and_the_service_is_notified(
    hub: LocalHub, name: str, open_python: Open, size: int
) -> None:
    device = open_python(name)
    place = device.do("place", "file name.bin")
    status = device.do("upload", place, size)
    device.do("notify", place["correlationId"], True, status, "done")
    assert notification_of(hub, name)["blobSizeInBytes"] == size


@needs_python_sdk
def test_a_disabled_device_gets_no_place(hub: LocalHub, name: str, open_python: Open) -> None:
    device = open_python(name)
    hub.request("PUT", f"/devices/{name}", {"deviceId": name, "status": "disabled"}, headers={"If-Match": "*"})
    with pytest.raises(ClientError):
        device.do("place", "file.bin")
    with pytest.raises(LocalHubRefused, match="401"):
        hub.request("POST", f"/devices/{name}/files", {"blobName": "file.bin"})
