"""Microsoft's service SDK for Python sends messages to devices; its Event Hubs SDK finds where events are read."""

from collections.abc import Iterator

import pytest

from azext_iotjobs.localhub.testing.process import LocalHub
from tests.conformance.conftest import Open
from tests.helpers.any_hub import sas
from tests.helpers.driven import ClientError, Driven
from tests.helpers.official_sdks import (
    PROGRAMS,
    SDK_PYTHON,
    needs_amqp_port,
    needs_https_port,
    needs_mqtt_port,
    needs_python_sdk,
)

pytestmark = [needs_python_sdk, needs_https_port, needs_amqp_port, needs_mqtt_port]


@pytest.fixture(scope="module")
def service(hub: LocalHub) -> Iterator[Driven]:
    """Microsoft's service SDKs for Python."""
    words = (str(SDK_PYTHON), str(PROGRAMS / "service.py"), str(hub.ca_certificate_path))
    with Driven(*words, environment=hub.environment()) as opened:
        opened.do("open", hub.connection_string)
        yield opened


def test_a_message_reaches_its_device(service: Driven, open_python: Open, name: str) -> None:
    device = open_python(name)
    device.do("listenForMessages")
    properties = {"messageId": f"{name}-1", "correlationId": "c", "contentType": "text/plain", "site": "north"}
    service.do("send", name, "hello", properties)
    received = device.event("message")
    assert (received["body"], received["properties"]) == ("hello", {"site": "north"})
    assert received["system"]["message_id"] == f"{name}-1" and received["system"]["content_type"] == "text/plain"


def test_a_message_that_is_refused_is_an_error(service: Driven, hub: LocalHub, name: str) -> None:
    with pytest.raises(ClientError, match="C2D message send failure|not.found"):
        service.do("send", f"{name}-gone", "hello")
    hub.create_device(name)
    service.do("send", name, "hello")
    assert hub.request("GET", f"/devices/{name}")["cloudToDeviceMessageCount"] == 1


def test_who_reads_events_at_the_hub_is_sent_to_the_event_hubs_endpoint(service: Driven, hub: LocalHub) -> None:
    key = hub.connection_string.partition("SharedAccessKey=")[2]
    found = service.do("discover", hub.host_name, sas(key, hub.host_name, policy="iothubowner"))
    host, port = hub.host_name, hub.amqp_port
    assert found == {
        "condition": "b'amqp:link:redirect'",
        "hostname": host,
        "network_host": host,
        "port": port,
        "address": f"amqps://{host}:{port}/local-hub/$management",
    }
