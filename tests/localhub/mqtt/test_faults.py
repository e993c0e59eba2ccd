"""Devices over MQTT while faults are requested: at CONNECT, for what they send, for their twin."""

import asyncio
from typing import Any

import pytest

from azext_iotjobs.localhub.engine.faults import ListedFault
from azext_iotjobs.localhub.engine.quotas import Quotas
from azext_iotjobs.localhub.mqtt.packets import Connack, Pingreq, Pingresp, Puback, Publish
from azext_iotjobs.localhub.rules.fault import read_fault
from azext_iotjobs.localhub.rules.quota import Quota, Throttle
from tests.helpers.moved_loop import MovedLoop, run, turns, within_limit
from tests.helpers.raw_device import ALL_FILTERS, DOORS, Door, Hub, hello, listening

EVENTS = "devices/pump-1/messages/events/"
IN, PUT_OFF, REFUSED = (Connack(session_present=False, return_code=code) for code in (0, 3, 5))


def add(hub: Hub, kind: str, **members: Any) -> ListedFault:
    return hub.links.faults.add(read_fault({"kind": kind, **members}))


async def until_applied(fault: ListedFault, times: int = 1) -> None:
    async def look() -> None:
        while fault.applied < times:
            await asyncio.sleep(0)

    await within_limit(look())
    await turns()


def event(packet_id: int, body: bytes = b"21") -> Publish:
    return Publish(EVENTS, body, qos=1, packet_id=packet_id)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("code", "connack"), [(3, PUT_OFF), (5, REFUSED)])
def test_the_next_connection_of_a_device_is_refused_with_a_code(door: Door, code: int, connack: Connack) -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, door) as hub:
            add(hub, "connack", code=code, times=1, device="pump-1")
            await hub.device("fan-1")
            first = await hub.wire()
            first.send(hello("pump-1"))
            assert await first.next() == connack
            assert await first.is_dropped()
            await hub.device("pump-1")

    run(main)


def test_who_may_not_come_in_is_not_counted() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            fault = add(hub, "connack", code=3)
            device = await hub.wire()
            device.send(hello(password=b"another token"))
            assert await device.next() == REFUSED
            assert fault.applied == 0

    run(main)


@pytest.mark.parametrize("door", DOORS)
def test_a_connection_is_dropped_without_a_connack(door: Door) -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, door) as hub:
            add(hub, "drop", operation="connect", times=1)
            first = await hub.wire()
            first.send(hello())
            assert await first.is_dropped()
            assert hub.backend.calls == []
            await hub.device()

    run(main)


def test_a_connection_is_accepted_late_and_then_metered_as_any() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            hub.backend.quotas = Quotas({each: Quota(rate=1, burst=1) for each in Throttle}, hub.clock)
            fault = add(hub, "latency", operation="connect", delaySeconds=5)
            device = await hub.wire()
            device.send(hello())
            await until_applied(fault)
            assert hub.links.count_devices() == 0
            hub.advance(5)
            assert await device.next() == IN
            assert hub.backend.quotas.meters[Throttle.CONNECTIONS].passed == 1
            assert fault.applied == 1

    run(main)


@pytest.mark.parametrize("door", DOORS)
def test_a_message_is_stored_and_not_acknowledged(door: Door) -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, door) as hub:
            device = await hub.device()
            add(hub, "no-ack", times=1)
            device.send(event(1, b"first"), event(2, b"second"))
            assert await device.next() == Puback(2)
            await hub.until_said("telemetry", "pump-1", {}, b"first")

    run(main)


def test_a_message_drops_the_connection_and_is_not_stored() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            device = await hub.device()
            add(hub, "drop", operation="telemetry", times=1)
            device.send(event(1))
            assert await device.is_dropped()
            assert hub.backend.calls == [("connected", "pump-1"), ("disconnected", "pump-1")]
            again = await hub.device()
            again.send(event(1))
            assert await again.next() == Puback(1)

    run(main)


def test_what_comes_behind_a_late_message_waits_and_keeps_its_place() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            device = await hub.device()
            fault = add(hub, "latency", operation="telemetry", delaySeconds=2, times=1)
            device.send(event(1), Pingreq(), event(2))
            await until_applied(fault)
            assert len(hub.backend.calls) == 1
            hub.advance(2)
            assert [await device.next() for _ in range(3)] == [Puback(1), Pingresp(), Puback(2)]

    run(main)


def test_a_twin_request_is_refused_with_a_status_or_has_no_response() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            device = await hub.device("pump-1", *ALL_FILTERS)
            add(hub, "status", status=503, operation="twin", times=1)
            device.send(Publish("$iothub/twin/GET/?$rid=1", b""))
            refusal = await device.message()
            assert refusal.topic == "$iothub/twin/res/503/?$rid=1"
            assert b'"errorCode":503001' in refusal.payload
            add(hub, "no-answer", operation="twin", times=1)
            patch = "$iothub/twin/PATCH/properties/reported/?$rid="
            device.send(Publish(f"{patch}2", b'{"a": 1}', qos=1, packet_id=9), Publish(f"{patch}3", b'{"b": 1}'))
            assert await device.next() == Puback(9)
            assert (await device.message()).topic.startswith("$iothub/twin/res/204/?$rid=3")
            assert hub.backend.reported == {"b": 1}

    run(main)
