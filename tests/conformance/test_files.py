"""File upload with Microsoft's SDKs as they are: device SDKs and storage SDKs, for Node.js and Python."""

from typing import Any

import pytest

from azext_iotjobs.localhub.testing.process import LocalHub, LocalHubRefused
from tests.conformance.conftest import Open
from tests.helpers.driven import ClientError
from tests.helpers.official_sdks import needs_https_port, needs_mqtt_port, needs_node, needs_python_sdk

pytestmark = [needs_mqtt_port, needs_https_port]
NOTIFICATIONS = "/messages/serviceBound/filenotifications"


def notification_of(hub: LocalHub, device: str) -> dict[str, Any]:
    """The oldest notification; others than this device's are not there: each test takes what it made."""
    found = hub.request("GET", NOTIFICATIONS)
    assert found is not None and found["deviceId"] == device
    return dict(found)


@pytest.fixture(autouse=True)
def no_notifications(hub: LocalHub) -> None:
    while hub.request("GET", NOTIFICATIONS) is not None:
        pass


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
    assert hub.request("GET", NOTIFICATIONS) is None


@needs_node
def test_an_unknown_correlation_id_is_an_error(name: str, open_node: Open) -> None:
    with pytest.raises(ClientError):
        open_node(name).do("notify", "no-such-upload", True, 200, "")


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
