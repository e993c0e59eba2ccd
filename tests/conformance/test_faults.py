"""What Microsoft's SDKs do about faults that were requested of the hub: they try again."""

import pytest

from azext_iotjobs.localhub.testing.process import LocalHub, LocalHubRefused
from tests.conformance.conftest import Open
from tests.helpers.driven import Driven
from tests.helpers.hub_messages import events_of
from tests.helpers.official_sdks import needs_https_port, needs_mqtt_port, needs_node, needs_python_sdk
from tests.helpers.waiting import wait_until

pytestmark = needs_mqtt_port


@needs_python_sdk
def test_a_python_device_sends_again_after_a_drop_and_a_refused_connection(
    hub: LocalHub, name: str, open_python: Open
) -> None:
    device = open_python(name, retrySeconds=1)
    with (
        hub.fault("drop", operation="telemetry", device=name, times=1) as drop,
        hub.fault("connack", code=3, device=name, times=1) as refusal,
        hub.fault("latency", delay_s=0.1, operation="connect", device=name) as latency,
    ):
        device.do("send", "21")
        assert (drop.count, refusal.count, drop.is_active) == (1, 1, False)
        assert latency.count >= 2
    assert [event["body"] for event in events_of(hub, name)] == ["21"]
    assert hub.faults() == []


@needs_python_sdk
def test_a_python_device_whose_message_is_not_acknowledged_sends_it_again_on_its_next_connection(
    hub: LocalHub, name: str, open_python: Open
) -> None:
    device = open_python(name, retrySeconds=1)
    device.do("listen")
    with hub.fault("no-ack", device=name, times=1) as no_ack:
        sending = device.start("send", "21")
        wait_until("the message has come", lambda: no_ack.count == 1)
        with hub.fault("drop", method="ping", device=name, times=1), pytest.raises(LocalHubRefused, match="NotOnline"):
            hub.request("POST", f"/twins/{name}/methods", {"methodName": "ping"})
        device.answer(sending)
    assert [event["body"] for event in events_of(hub, name)] == ["21", "21"]


@needs_node
@needs_https_port
def test_a_node_backend_calls_again_after_429_and_503(
    hub: LocalHub, name: str, service: Driven, open_node: Open
) -> None:
    open_node(name).do("listen")
    with (
        hub.fault("status", status=429, method="ping", device=name, times=1) as throttled,
        hub.fault("status", status=503, route="POST /twins/{id}/methods", device=name, times=1) as unavailable,
    ):
        answer = service.do("invoke", name, {"methodName": "ping", "payload": 1})
        assert answer["status"] == 202
        assert (throttled.count, unavailable.count) == (1, 1)


@needs_node
def test_a_node_device_over_amqp_connects_again_and_sends_what_was_lost(
    hub: LocalHub, name: str, open_amqp: Open
) -> None:
    device = open_amqp(name)
    device.do("send", "20")
    with (
        hub.fault("drop", operation="telemetry", device=name, times=1) as drop,
        hub.fault("connack", code=3, device=name, times=1) as refusal,
    ):
        device.do("send", "21")
        assert (drop.count, refusal.count) == (1, 1)
    assert [event["body"] for event in events_of(hub, name)] == ["20", "21"]
