"""Devices at a hub whose tier limits them, second by second."""

import asyncio

import pytest

from azext_iotjobs.localhub.engine.quotas import Quotas
from azext_iotjobs.localhub.mqtt.packets import Connack, Pingreq, Pingresp, Puback, Publish
from azext_iotjobs.localhub.rules.quota import Quota, Sku, Throttle, quotas
from tests.helpers.moved_loop import MovedLoop, run, turns, within_limit
from tests.helpers.raw_device import ALL_FILTERS, DOORS, Door, Hub, hello, listening

EVENTS = "devices/pump-1/messages/events/"
IN, PUT_OFF, REFUSED = (Connack(session_present=False, return_code=code) for code in (0, 3, 5))


def one_a_second(hub: Hub, throttle: Throttle, *, queue_s: float = 10) -> None:
    others = {each: Quota(rate=1000, burst=1000) for each in Throttle}
    hub.backend.quotas = Quotas({**others, throttle: Quota(rate=1, burst=1, queue_s=queue_s)}, hub.clock)


async def until_asked(hub: Hub, throttle: Throttle, times: int) -> None:
    async def look() -> None:
        assert hub.backend.quotas is not None
        meter = hub.backend.quotas.meters[throttle]
        while meter.passed + meter.refused < times:
            await asyncio.sleep(0)

    await within_limit(look())
    await turns()


@pytest.mark.parametrize("door", DOORS)
def test_connections_are_accepted_late_and_then_deferred(door: Door) -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, door) as hub:
            one_a_second(hub, Throttle.CONNECTIONS, queue_s=1)
            await hub.device("pump-1")
            late, later = await hub.wire(), await hub.wire()
            late.send(hello("pump-2"))
            await until_asked(hub, Throttle.CONNECTIONS, 2)
            later.send(hello("pump-3"))
            assert await later.next() == PUT_OFF
            assert await later.is_dropped()
            assert hub.backend.calls == [("connected", "pump-1")]
            hub.advance(1)
            assert await late.next() == IN
            await hub.until_said("connected", "pump-2")

    run(main)


def test_the_hundred_and_first_connection_within_a_second_waits_in_the_smallest_tier() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            hub.backend.quotas = Quotas(quotas(Sku.S1, 1), hub.clock)
            for number in range(100):
                await hub.device(f"pump-{number}")
            late = await hub.wire()
            late.send(hello("late"))
            await until_asked(hub, Throttle.CONNECTIONS, 101)
            assert hub.links.count_devices() == 100
            hub.advance(0.01)
            assert await late.next() == IN

    run(main)


def test_who_may_not_come_in_is_told_at_once_and_is_not_counted() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            one_a_second(hub, Throttle.CONNECTIONS, queue_s=0)
            for _ in range(3):
                device = await hub.wire()
                device.send(hello(password=b"another token"))
                assert await device.next() == REFUSED
            await hub.device()

    run(main)


def test_a_device_that_is_disabled_while_it_waits_is_refused() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            one_a_second(hub, Throttle.CONNECTIONS)
            await hub.device("pump-1")
            late = await hub.wire()
            late.send(hello("pump-2"))
            await until_asked(hub, Throttle.CONNECTIONS, 2)
            hub.backend.refuses_everyone = True
            hub.advance(1)
            assert await late.next() == REFUSED
            assert hub.backend.calls == [("connected", "pump-1")]

    run(main)


@pytest.mark.parametrize("door", DOORS)
def test_telemetry_is_acknowledged_late_in_order_and_what_is_behind_it_waits_too(door: Door) -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, door) as hub:
            one_a_second(hub, Throttle.SENDS)
            device = await hub.device()
            for number in (1, 2, 3):
                device.send(Publish(EVENTS, str(number).encode(), qos=1, packet_id=number))
            device.send(Pingreq())
            assert await device.next() == Puback(1)
            for number in (2, 3):
                await until_asked(hub, Throttle.SENDS, number)
                told = [calls for calls in hub.backend.calls if calls[0] == "telemetry"]
                assert [calls[3] for calls in told] == [str(each).encode() for each in range(1, number)]
                hub.advance(1)
                assert await device.next() == Puback(number)
            assert await device.next() == Pingresp()

    run(main)


def test_a_hub_that_holds_a_packet_does_not_take_it_for_silence() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            one_a_second(hub, Throttle.SENDS)
            device = await hub.device(keep_alive_s=2)
            assert hub.backend.quotas is not None
            hub.backend.quotas.wait_s(Throttle.SENDS, 6)
            device.send(Publish(EVENTS, b"", qos=1, packet_id=1))
            await until_asked(hub, Throttle.SENDS, 2)
            hub.advance(4)  # 3 are too many for one that says nothing
            await turns()
            assert hub.links.count_devices() == 1
            hub.advance(2)
            assert await device.next() == Puback(1)
            hub.advance(4)
            assert await device.is_dropped()

    run(main)


def test_telemetry_for_which_the_queue_has_no_room_ends_the_connection_and_is_not_taken() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            one_a_second(hub, Throttle.SENDS, queue_s=0.5)
            device = await hub.device()
            device.send(Publish(EVENTS, b"1", qos=1, packet_id=1), Publish(EVENTS, b"2", qos=1, packet_id=2))
            assert await device.next() == Puback(1)
            assert await device.is_dropped()
            assert [calls for calls in hub.backend.calls if calls[0] == "telemetry"] == [
                ("telemetry", "pump-1", {}, b"1")
            ]

    run(main)


def test_a_device_whose_connection_is_ended_while_its_message_waits_sends_nothing_more() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            one_a_second(hub, Throttle.SENDS)
            device = await hub.device()
            device.send(*(Publish(EVENTS, b"", qos=1, packet_id=number) for number in (1, 2, 3)))
            assert await device.next() == Puback(1)
            await until_asked(hub, Throttle.SENDS, 2)
            hub.links.drop_all()
            hub.advance(5)
            assert await device.is_dropped()
            assert sum(calls[0] == "telemetry" for calls in hub.backend.calls) == 1

    run(main)


@pytest.mark.parametrize(
    ("throttle", "topic", "body", "answer"),
    [
        (Throttle.TWIN_READS, "$iothub/twin/GET/?$rid=", b"", "$iothub/twin/res/200/?$rid=2"),
        (Throttle.TWIN_UPDATES, "$iothub/twin/PATCH/properties/reported/?$rid=", b'{"a": 1}', "$iothub/twin/res/204/"),
    ],
)
def test_a_twin_is_answered_late_and_then_with_429(throttle: Throttle, topic: str, body: bytes, answer: str) -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            one_a_second(hub, throttle, queue_s=1)
            device = await hub.device("pump-1", *ALL_FILTERS)
            other = await hub.device("pump-2", *ALL_FILTERS)
            device.send(Publish(f"{topic}1", body))
            await device.message()
            device.send(Publish(f"{topic}2", body))
            await until_asked(hub, throttle, 2)
            before = hub.backend.version
            other.send(Publish(f"{topic}3", body, qos=1, packet_id=9))
            refused = await other.message()
            assert refused.topic == "$iothub/twin/res/429/?$rid=3" and b"429003" in refused.payload
            assert await other.next() == Puback(9)
            assert hub.backend.version == before
            hub.advance(1)
            assert (await device.message()).topic.startswith(answer)

    run(main)
