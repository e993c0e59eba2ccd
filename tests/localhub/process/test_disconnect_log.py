"""The log says why a connection ended by its client's mistake: one line, safe to read, and not too many."""

import logging
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.localhub.errors import StoreUnavailable
from azext_iotjobs.localhub.mqtt.codec import encode
from azext_iotjobs.localhub.mqtt.connection import MAX_PACKET_BYTES
from azext_iotjobs.localhub.mqtt.lifetime import CONNECT_LIMIT_S
from azext_iotjobs.localhub.mqtt.packets import Connack, Connect, Disconnect, Packet, Pingreq, Publish, Subscribe, Will
from azext_iotjobs.localhub.process.disconnect_log import REFILL_S, REPEAT_S, STOCK, DisconnectLog, LogRateLimit, quoted
from azext_iotjobs.localhub.rules.address import Address
from tests.helpers.moved_loop import MovedLoop, run, turns
from tests.helpers.raw_device import DOORS, Door, Hub, RawDevice, hello, listening
from tests.helpers.websocket_wire import TEXT, masked_frame

EVENTS = "devices/pump-1/messages/events/"
LOGGER = "azext_iotjobs.localhub"
BAD_USER = "localhost/pump-2/?api-version=2021-04-12"


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> Door:
    chosen: Door = request.param
    return chosen


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What is in the log at the default level."""
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]


BEFORE_CONNECT: dict[str, tuple[bytes, str]] = {
    "HTTP": (b"GET / HTTP/1.1\r\n\r\n", "a client that had not said who it is ended: what it sent is not MQTT"),
    "PING": (encode(Pingreq()), "a client that had not said who it is ended: it sent PINGREQ before CONNECT"),
    "MQTT 5": (
        b"\x10\x10\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x03abc",
        "client 'abc' ended: it speaks MQTT 5; this hub speaks 3.1.1",
    ),
    "MQTT 5 with properties": (
        b"\x10\x15\x00\x04MQTT\x05\x02\x00\x3c\x05\x11\x00\x00\x00\x0a\x00\x03abc",
        "client 'abc' ended: it speaks MQTT 5; this hub speaks 3.1.1",
    ),
    "MQTT 3.1": (
        b"\x10\x11\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x03abc",
        "client 'abc' ended: it speaks MQTT 3.1; this hub speaks 3.1.1",
    ),
    "MQTT 5, cut short": (
        b"\x10\x0b\x00\x04MQTT\x05\x02\x00\x3c\xff",
        "a client that had not said who it is ended: it speaks MQTT 5; this hub speaks 3.1.1",
    ),
    "too large": (
        b"\x10\xff\xff\xff\x7f",
        f"what it sent is not MQTT: a packet of 268435460 bytes; at most {MAX_PACKET_BYTES} are accepted",
    ),
    "client id": (
        encode(hello(client_id="a b\n\x1b[31m")),
        r"client 'a b\n\x1b[31m' ended: its client id is neither device nor device/module",
    ),
    "user name": (
        encode(hello(username=BAD_USER)),
        f"client 'pump-1' ended: its user name is '{BAD_USER}'; it must be HOST/{{client id}}/?api-version=...",
    ),
    "no user name": (encode(Connect(client_id="pump-1")), "client 'pump-1' ended: its user name is none;"),
    "token": (encode(hello(password=b"no")), "client 'pump-1' ended: it was not let in: Not this token."),
    "will": (
        encode(hello(will=Will("other", b"", 0, False))),
        "client 'pump-1' ended: its will is for 'other', which is not a topic of its telemetry",
    ),
}
WHILE_CONNECTED: dict[str, tuple[bytes, str]] = {
    "second CONNECT": (encode(hello()), "it sent CONNECT where it has no place"),
    "QoS 2": (encode(Publish(EVENTS, b"x", qos=2, packet_id=1)), "it published with QoS 2; 0 and 1 are accepted"),
    "topic": (
        encode(Publish("devices/ü\n/x", b"x")),
        r"it published to 'devices/\xfc\n/x', which is not a topic that it may publish to",
    ),
    "filter": (
        encode(Subscribe(1, (("devices/pump-2/#", 0),))),
        "it subscribed to 'devices/pump-2/#', which covers none of its own topics",
    ),
    "message": (encode(Publish(EVENTS, b"x" * 262_145)), "it published 262145 bytes; at most 262144 are accepted"),
    "reserved flags": (b"\xc1\x00", "what it sent is not MQTT: reserved flags"),
}


@pytest.mark.parametrize("kind", BEFORE_CONNECT)
def test_why_a_client_did_not_come_in_is_in_the_log(caplog: pytest.LogCaptureFixture, door: Door, kind: str) -> None:
    data, reason = BEFORE_CONNECT[kind]

    async def main(loop: MovedLoop) -> None:
        async with listening(loop, door) as hub:
            device = await hub.wire()
            device.writer.write(data)
            while await device.next() is not None:
                pass

    with caplog.at_level(logging.DEBUG, LOGGER):
        run(main)
    (line,) = lines(caplog)
    assert line.startswith("connection of ") and reason in line


@pytest.mark.parametrize("kind", WHILE_CONNECTED)
def test_why_a_device_was_put_out_is_in_the_log(caplog: pytest.LogCaptureFixture, door: Door, kind: str) -> None:
    data, reason = WHILE_CONNECTED[kind]

    async def main(loop: MovedLoop) -> None:
        async with listening(loop, door) as hub:
            device = await hub.device()
            device.writer.write(data)
            assert await device.is_dropped()

    with caplog.at_level(logging.DEBUG, LOGGER):
        run(main)
    assert [line.partition(" ended: ")[::2] for line in lines(caplog)] == [("connection of client 'pump-1'", reason)]


def test_that_the_hub_cannot_read_what_it_has_of_a_device_is_in_the_log(
    caplog: pytest.LogCaptureFixture, door: Door
) -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, door) as hub:
            hub.backend.is_damaged = True
            device = await hub.wire()
            device.send(hello())
            assert await device.is_dropped()

    with caplog.at_level(logging.DEBUG, LOGGER):
        run(main)
    assert lines(caplog) == ["connection of client 'pump-1' ended: the hub could not do it: The row is damaged."]


async def silent(hub: Hub, device: RawDevice) -> None:
    hub.advance(91)


async def expired(hub: Hub, device: RawDevice) -> None:
    for _ in range(11):
        device.send(Pingreq())
        await device.next()
        hub.advance(59)


async def doubled(hub: Hub, device: RawDevice) -> None:
    await hub.device()


async def refused(hub: Hub, device: RawDevice) -> None:
    hub.backend.refuses_telemetry = True
    device.send(Publish(EVENTS, b"x"))


LATER: dict[str, tuple[Callable[..., object], str]] = {
    "keep-alive": (silent, "keep-alive: nothing came for 90 s, one and a half times what it promised"),
    "expiry": (expired, "its token or certificate has expired"),
    "second connection": (
        doubled,
        "another connection came for the same device or module, which may have one at a time",
    ),
    "refused message": (refused, "its message was refused: No messages today."),
}


@pytest.mark.parametrize("kind", LATER)
def test_what_time_or_another_does_to_a_connection_is_in_the_log(
    caplog: pytest.LogCaptureFixture, door: Door, kind: str
) -> None:
    happen, reason = LATER[kind]

    async def main(loop: MovedLoop) -> None:
        async with listening(loop, door) as hub:
            hub.backend.token_ends = hub.clock.now()
            hub.clock.advance(-600)
            device = await hub.device()
            await happen(hub, device)  # type: ignore[misc]
            assert await device.is_dropped()

    with caplog.at_level(logging.DEBUG, LOGGER):
        run(main)
    assert [line.partition(" ended: ")[::2] for line in lines(caplog)] == [("connection of client 'pump-1'", reason)]


def test_a_connection_that_never_sends_anything_is_logged(caplog: pytest.LogCaptureFixture, door: Door) -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, door) as hub:
            device = await hub.wire()
            await turns()
            hub.advance(CONNECT_LIMIT_S + 1)
            assert await device.is_dropped()

    with caplog.at_level(logging.DEBUG, LOGGER):
        run(main)
    assert lines(caplog) == ["connection of a client that had not said who it is ended: no CONNECT came within 30 s"]


@pytest.mark.parametrize("end", ["farewell", "cut", "dropped by the hub"])
def test_an_end_that_is_no_client_error_is_not_logged(caplog: pytest.LogCaptureFixture, door: Door, end: str) -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, door) as hub:
            device = await hub.device()
            if end == "farewell":
                device.send(Disconnect())
                assert await device.is_dropped()
            elif end == "cut":
                await device.gone()
            else:
                hub.links.drop(Address("pump-1"))
            await hub.until_said("disconnected", "pump-1")

    with caplog.at_level(logging.DEBUG, LOGGER):
        run(main)
    assert lines(caplog) == []


def test_a_text_frame_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, "WebSocket") as hub:
            device = await hub.device()
            device.writer.transport.write(masked_frame(b"hello", TEXT))
            await hub.until_said("disconnected", "pump-1")

    with caplog.at_level(logging.DEBUG, LOGGER):
        run(main)
    assert lines(caplog) == ["connection of client 'pump-1' ended: it sent a WebSocket text frame"]


# --- no more than a disk can bear


def test_the_same_error_of_the_same_client_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    log = DisconnectLog(lambda: now[0])
    for second in range(121):
        now[0] = float(second)
        log.note("pump-1", "it was not let in: no")
    first, second_, third = lines(caplog)
    assert first == "connection of client 'pump-1' ended: it was not let in: no"
    assert second_ == third == f"{first}; 59 other ends before this one are not shown"


def test_other_client_errors_are_logged_at_once(caplog: pytest.LogCaptureFixture) -> None:
    log = DisconnectLog(lambda: 0.0)
    for client in ("pump-1", "pump-2", None):
        for reason in ("one", "another"):
            log.note(client, reason)
    assert len(lines(caplog)) == 6


def test_a_hostile_client_cannot_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    log = DisconnectLog(lambda: now[0])
    for number in range(100_000):
        now[0] = number / 100  # for 1,000 seconds
        log.note(f"{'x' * 60_000}{number}" if number % 100 == 0 else str(number), "\x1b]0;title\x07" * (number % 3))
    found = lines(caplog)
    assert STOCK < len(found) <= STOCK + 1_000 / REFILL_S + 1
    assert found[STOCK - 1].endswith("from now on one such line every 10 s at most")
    assert all(line.isprintable() and line.isascii() and len(line) < 400 for line in found)
    assert sum("other ends before this one are not shown" in line for line in found) > 90


@given(st.lists(st.tuples(st.floats(0, 50), st.sampled_from("abc")), max_size=300))
def test_every_end_is_shown_or_counted_later(ends: list[tuple[float, str]]) -> None:
    budget, now, written, counted, last_of = LogRateLimit(), 0.0, 0, 0, dict[str, float]()
    for gap_s, line in ends:
        now += gap_s
        left_out = budget.take(line, now)
        if left_out is not None:
            written, counted = written + 1, counted + left_out
            assert line not in last_of or now - last_of[line] >= REPEAT_S
            last_of[line] = now
    assert written <= STOCK + now / REFILL_S + 1
    final = budget.take("the end of the test", now + 1000)
    assert final is not None and written + counted + final == len(ends)


@given(st.text())
def test_whatever_a_client_says_is_one_safe_line(text: str) -> None:
    assert quoted(text).isascii() and quoted(text).isprintable() and len(quoted(text)) < 200


def test_a_packet_after_the_end_changes_nothing(caplog: pytest.LogCaptureFixture, door: Door) -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, door) as hub:
            device = await hub.device()
            bad: Packet = Publish("nowhere", b"")
            device.send(bad, bad, bad)
            assert await device.is_dropped()

    with caplog.at_level(logging.DEBUG, LOGGER):
        run(main)
    assert len(lines(caplog)) == 1


def test_a_client_that_is_deferred_by_an_outage_of_the_hub_is_not_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, door: Door
) -> None:
    def in_trouble(*_: object) -> None:
        raise StoreUnavailable("the disk is full")

    async def main(loop: MovedLoop) -> None:
        async with listening(loop, door) as hub:
            monkeypatch.setattr(hub.backend, "stored_filters", in_trouble)
            device = await hub.wire()
            device.send(hello())
            assert await device.next() == Connack(session_present=False, return_code=3)
            assert await device.is_dropped()

    with caplog.at_level(logging.DEBUG, LOGGER):
        run(main)
    assert lines(caplog) == []
