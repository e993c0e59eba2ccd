"""Devices over AMQP on a real hub, by frames made by hand: what Microsoft's SDKs do not do."""

import base64
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from azext_iotjobs.localhub.amqp.nodes.telemetry_message import BATCH_FORMAT
from azext_iotjobs.localhub.amqp.wire.message import Message, Properties, encode_message
from azext_iotjobs.localhub.amqp.wire.performatives import Accepted, Rejected, Released
from tests.helpers.amqp_socket import AmqpSocket, Detached
from tests.helpers.hub_process import HubProcess
from tests.helpers.restart_actors import events_of, key_of
from tests.helpers.waiting import wait_until


@pytest.fixture
def wire(hub: HubProcess) -> Iterator[AmqpSocket]:
    """A connection that has proved nothing yet."""
    made = AmqpSocket(hub)
    yield made
    made.close()


@pytest.fixture
def pump(hub: HubProcess, fresh: Callable[[str], str], wire: AmqpSocket) -> str:
    """A device, whose token the connection has put."""
    device = fresh("pump")
    hub.new_device(device)
    assert wire.put_token(key_of(hub, device), f"devices/{device}") == 200
    return device


def bodies(hub: HubProcess, device: str) -> list[str]:
    return [base64.b64decode(each["body"]).decode() for each in events_of(hub) if each["deviceId"] == device]


def test_two_devices_share_a_connection_and_each_has_its_own_token(
    hub: HubProcess, fresh: Callable[[str], str], wire: AmqpSocket, pump: str
) -> None:
    other = fresh("pump")
    hub.new_device(other)
    with pytest.raises(Detached, match="unauthorized-access"):
        wire.sender(f"/devices/{other}/messages/events", 0)
    assert wire.put_token(key_of(hub, other), f"devices/{other}") == 200
    wire.sender(f"/devices/{pump}/messages/events", 1)
    wire.sender(f"/devices/{other}/messages/events", 2)
    for handle, device in ((1, pump), (2, other)):
        assert wire.message(handle, Message(data=(device.encode(),))) == Accepted()
        assert bodies(hub, device) == [device]
    hub.ok("PUT", f"/devices/{pump}", {"deviceId": pump, "status": "disabled"}, headers={"If-Match": "*"})
    assert wire.ended(1) == "amqp:link:detach-forced"
    assert wire.message(2, Message(data=(b"still here",))) == Accepted()
    assert [hub.ok("GET", f"/devices/{each}")["connectionState"] for each in (pump, other)] == [
        "Disconnected",
        "Connected",
    ]


def test_a_batch_is_stored_whole_or_not_at_all(hub: HubProcess, wire: AmqpSocket, pump: str) -> None:
    wire.sender(f"/devices/{pump}/messages/events", 0)
    good = encode_message(Message(data=(b"1",)))
    refused = wire.message(0, Message(data=(good, b"no message")), message_format=BATCH_FORMAT)
    assert isinstance(refused, Rejected) and bodies(hub, pump) == []
    assert wire.message(0, Message(data=(good, good, good)), message_format=BATCH_FORMAT) == Accepted()
    assert bodies(hub, pump) == ["1", "1", "1"]


def test_a_method_is_called_and_a_response_with_another_id_is_not_taken_for_its_own(
    hub: HubProcess, wire: AmqpSocket, pump: str
) -> None:
    address = f"/devices/{pump}/methods/devicebound"
    wire.sender(address, 0)
    wire.receiver(address, 1)
    call = {"methodName": "reboot", "payload": {"delay": 5}, "responseTimeoutInSeconds": 30}

    def respond(request: Message, correlation_id: Any, body: bytes) -> None:
        properties = Properties(correlation_id=correlation_id)
        wire.message(0, Message(properties=properties, application_properties={"IoThub-status": 201}, data=(body,)))

    with ThreadPoolExecutor(1) as caller:
        answer = caller.submit(hub.ok, "POST", f"/twins/{pump}/methods", call)
        _, request = wire.next(1)
        assert request.application_properties == {"IoThub-methodname": "reboot"}
        respond(request, "of another call", b'"wrong"')
        respond(request, request.properties.correlation_id, b'"right"')
        assert answer.result() == {"status": 201, "payload": "right"}


def test_the_device_settles_a_message_and_then_has_no_other(hub: HubProcess, wire: AmqpSocket, pump: str) -> None:
    wire.receiver(f"/devices/{pump}/messages/devicebound", 0, rcv_settle_mode=1)
    hub.ok("POST", f"/_local/devices/{pump}/messages", {"body": "MQ=="})
    first, _ = wire.next(0)
    wire.settle(first, Released())
    again, message = wire.next(0)
    assert message.body == b"1" and again.delivery_tag != first.delivery_tag
    wire.settle(again)
    wait_until("none waits", lambda: hub.ok("GET", f"/devices/{pump}")["cloudToDeviceMessageCount"] == 0)


def test_another_s_token_opens_no_link(hub: HubProcess, fresh: Callable[[str], str], wire: AmqpSocket) -> None:
    device = fresh("pump")
    hub.new_device(device)
    assert wire.put_token("AAAA", f"devices/{device}") == 401
    with pytest.raises(Detached, match="unauthorized-access"):
        wire.sender(f"/devices/{device}/twin", 0)
