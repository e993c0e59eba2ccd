"""How connections end, and what bounds them: over TCP and over WebSocket alike."""

from datetime import timedelta

import pytest

from azext_iotjobs.localhub.mqtt.codec import encode
from azext_iotjobs.localhub.mqtt.connection import CLOSE_LIMIT_S
from azext_iotjobs.localhub.mqtt.lifetime import CONNECT_LIMIT_S
from azext_iotjobs.localhub.mqtt.packets import Disconnect, Pingreq, Pingresp, Publish, Subscribe, Will
from azext_iotjobs.localhub.rules.address import Address
from tests.helpers.moved_loop import MovedLoop, run, turns
from tests.helpers.raw_device import ALL_FILTERS, DOORS, Door, hello, listening
from tests.helpers.waiting import looks

PUMP = Address("pump-1")
EVENTS = "devices/pump-1/messages/events/"
METHODS = "$iothub/methods/POST/#"


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> Door:
    chosen: Door = request.param
    return chosen


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00" * 100,
        b"\x30\xff\xff\xff\x7f",
        encode(hello()),
        encode(Publish(EVENTS, b"x", qos=2, packet_id=1)),
        encode(Publish("devices/pump-2/messages/events/", b"x")),
        encode(Subscribe(1, (("$SYS/#", 0),))),
    ],
    ids=["HTTP", "zeros", "oversize", "second CONNECT", "QoS 2", "another's topic", "another's filter"],
)
def test_what_may_not_be_ends_that_connection_alone(door: Door, data: bytes) -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, door) as hub:
            device, other = await hub.device("pump-1"), await hub.device("pump-2")
            device.writer.write(data)
            assert await device.is_dropped()
            other.send(Pingreq())
            assert await other.next() == Pingresp()
            assert [what for what in hub.backend.calls if what[0] == "telemetry"] == []
            assert not hub.links.is_connected(PUMP)

    run(main)


def test_a_silent_connection_is_closed(door: Door) -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, door) as hub:
            device = await hub.wire()
            device.writer.write(encode(hello())[:-1])
            await turns()
            hub.advance(CONNECT_LIMIT_S + 1)
            assert await device.is_dropped()

    run(main)


def test_a_device_lives_as_long_as_it_speaks_within_half_as_long_again_as_it_promised(door: Door) -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, door) as hub:
            device = await hub.device(keep_alive_s=60)
            for _ in range(3):
                hub.advance(80)
                device.send(Pingreq())
                assert await device.next() == Pingresp()
            hub.advance(91)
            assert await device.is_dropped()
            await hub.until_said("disconnected", "pump-1")

    run(main)


def test_a_device_without_keep_alive_is_let_go_at_the_service_s_own_limit(door: Door) -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, door) as hub:
            device = await hub.device(keep_alive_s=0)
            hub.advance(1760)
            device.send(Pingreq())
            assert await device.next() == Pingresp()
            hub.advance(1768)
            assert await device.is_dropped()

    run(main)


def test_a_connection_ends_with_its_token(door: Door) -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, door) as hub:
            hub.backend.token_ends = hub.clock.now()
            hub.clock.advance(-100)
            device = await hub.device(keep_alive_s=1000)
            hub.advance(98)
            device.send(Pingreq())
            assert await device.next() == Pingresp()
            hub.advance(3)
            assert await device.is_dropped()

    run(main)


def test_a_move_of_the_hubs_clock_uses_up_a_token_but_no_keep_alive(door: Door) -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, door) as hub:
            other = await hub.device("pump-2", keep_alive_s=60)
            hub.backend.token_ends = hub.clock.session_now() + timedelta(hours=1)
            device = await hub.device("pump-1", keep_alive_s=60)
            hub.clock.move(timedelta(minutes=59))
            device.send(Pingreq())
            assert await device.next() == Pingresp()
            hub.clock.move(timedelta(minutes=1))
            assert await device.is_dropped()
            assert not hub.links.is_connected(PUMP)
            other.send(Pingreq())
            assert await other.next() == Pingresp()

    run(main)


def test_a_dropped_device_is_off_line_at_once(door: Door) -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, door) as hub:
            device = await hub.device("pump-1", METHODS)
            hub.links.drop(PUMP)
            assert not hub.links.is_connected(PUMP)
            assert hub.backend.calls[-1] == ("disconnected", "pump-1")
            assert await device.is_dropped()

    run(main)


def test_a_device_that_does_not_read_is_let_go_and_the_others_are_served(door: Door) -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, door) as hub:
            hub.backend.reported = {"much": "x" * 200_000}
            device = await hub.device("pump-1", *ALL_FILTERS)
            device.stop_reading()
            question = encode(Publish("$iothub/twin/GET/?$rid=1", b""))
            device.writer.write(question * 200)
            await hub.until_said("disconnected", "pump-1")
            other = await hub.device("pump-2")
            other.send(Pingreq())
            assert await other.next() == Pingresp()

    run(main)


def test_a_device_that_does_not_take_its_last_bytes_is_cut(door: Door) -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, door) as hub:
            hub.backend.reported = {"much": "x" * 3_000_000}
            device = await hub.device("pump-1", *ALL_FILTERS)
            device.stop_reading()
            device.send(Publish("$iothub/twin/GET/?$rid=1", b""), Disconnect())
            await hub.until_said("disconnected", "pump-1")
            hub.advance(CLOSE_LIMIT_S + 1)
            await turns()
            assert await device.bytes_until_the_end() < 3_000_000

    run(main)


@pytest.mark.parametrize("farewell", [True, False])
def test_a_will_is_sent_when_the_device_goes_without_a_farewell(door: Door, farewell: bool) -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, door) as hub:
            device = await hub.device(will=Will(f"{EVENTS}why=lost", b"gone", 0, False))
            if farewell:
                device.send(Disconnect())
                assert await device.is_dropped()
            else:
                await device.gone()
            await hub.until_said("disconnected", "pump-1")
            will = ("telemetry", "pump-1", {"why": "lost", "iothub-MessageType": "Will"}, b"gone")
            assert (will in hub.backend.calls) is not farewell

    run(main)


def test_a_device_that_sends_much_at_once_does_not_hold_the_others_up_and_nothing_of_it_is_lost() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:

            def count() -> int:
                return sum(what[0] == "telemetry" for what in hub.backend.calls)

            much, other = await hub.device("pump-1"), await hub.device("pump-2")
            much.writer.write(encode(Publish(EVENTS, b"x")) * 1000)
            for _ in looks("the first message"):
                if count():
                    break
                await turns(1)
            other.send(Pingreq())
            assert await other.next() == Pingresp()
            assert count() < 1000
            await much.gone()
            await hub.until_said("disconnected", "pump-1")
            assert count() == 1000

    run(main)
