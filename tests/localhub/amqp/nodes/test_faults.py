"""Devices over AMQP while faults are requested: when they come, for what they send, for their twin."""

from typing import Any

import pytest

from azext_iotjobs.localhub.amqp.wire.message import Message, Properties
from azext_iotjobs.localhub.amqp.wire.performatives import Accepted, Attach, Detach
from azext_iotjobs.localhub.engine.faults import ListedFault
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.fault import read_fault
from tests.helpers.amqp_device import AmqpClient, DeviceHub
from tests.helpers.moved_loop import MovedLoop, run, turns

EVENTS, TWIN = "/devices/pump-1/messages/events", "/devices/pump-1/twin"


class Dropped:
    """Counts the ends of a connection."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def add(hub: DeviceHub, kind: str, **members: Any) -> ListedFault:
    return hub.links.faults.add(read_fault({"kind": kind, **members}))


def droppable(hub: DeviceHub) -> tuple[AmqpClient, Dropped]:
    client, dropped = hub.connect(), Dropped()
    object.__setattr__(client.context, "drop", dropped)
    return client, dropped


@pytest.mark.parametrize(("code", "condition"), [(3, "com.microsoft:timeout"), (5, "amqp:unauthorized-access")])
def test_a_device_is_not_let_in_the_next_time(code: int, condition: str) -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        fault = add(hub, "connack", code=code, times=1)
        client = hub.connect()
        client.sender(EVENTS)
        (detach,) = [each.performative for each in client.frames if isinstance(each.performative, Detach)]
        assert detach.error is not None and detach.error.condition == condition
        assert not hub.links.is_connected(Address("pump-1"))
        client = hub.connect()
        client.sender(EVENTS)
        assert hub.links.is_connected(Address("pump-1"))
        client.sender(TWIN, 1)  # another link of a device that is there is no other connection
        assert fault.applied == 1

    run(main)


def test_a_device_is_let_in_late() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        add(hub, "latency", operation="connect", delaySeconds=5)
        client = hub.connect()
        client.sender(EVENTS)
        assert not hub.links.is_connected(Address("pump-1"))
        loop.advance(5)
        await turns()
        client.process()
        assert hub.links.is_connected(Address("pump-1"))
        assert any(isinstance(each.performative, Attach) for each in client.frames)

    run(main)


def test_the_connection_of_a_device_is_dropped_when_it_comes_and_for_a_message() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        add(hub, "drop", operation="connect", times=1)
        client, dropped = droppable(hub)
        client.sender(EVENTS)
        assert dropped.count == 1
        client, dropped = droppable(hub)
        client.sender(EVENTS)
        add(hub, "drop", operation="telemetry", times=1)
        assert client.message(0, Message(data=(b"lost",))) is None
        assert (dropped.count, hub.sent()) == (1, [])

    run(main)


def test_a_message_is_stored_and_has_no_outcome_or_a_late_one_in_its_place() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        client.sender(EVENTS)
        add(hub, "no-ack", times=1)
        assert client.message(0, Message(data=(b"0",))) is None
        assert client.message(0, Message(data=(b"1",))) == Accepted()
        add(hub, "latency", operation="telemetry", delaySeconds=2, times=1)
        assert [client.message(0, Message(data=(body,))) for body in (b"2", b"3")] == [None, None]
        loop.advance(2)
        await turns()
        assert [client.outcome(number) for number in (2, 3)] == [Accepted(), Accepted()]
        assert [each.body for each in hub.sent()] == [b"0", b"1", b"2", b"3"]

    run(main)


def test_a_twin_request_is_refused_with_a_status_has_no_response_or_drops_the_connection() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client, dropped = droppable(hub)
        client.sender(TWIN, 0)
        client.receiver(TWIN, 1)
        read = Message(annotations={"operation": "GET"}, properties=Properties(correlation_id="c"))
        add(hub, "status", status=429, operation="twin", times=1)
        assert client.message(0, read) == Accepted()
        ((_, response),) = client.arrived(1)
        assert (response.annotations["status"], b"429003" in response.body) == (429, True)
        add(hub, "no-answer", operation="twin", times=1)
        assert client.message(0, read) == Accepted()
        assert client.arrived(1) == []
        add(hub, "drop", operation="twin", times=1)
        assert client.message(0, read) is None
        assert dropped.count == 1

    run(main)
