"""What the console keeps of what devices send: the newest of those that are watched, in fixed room, while they are."""

import queue
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from azext_iotjobs.console.telemetry import (
    AGAIN_S,
    MAX_DEVICES,
    MAX_MESSAGES,
    MAX_POINTS,
    MAX_SERIES,
    MAX_SHOWN,
    UNASKED_S,
    Telemetry,
)
from azext_iotjobs.model.device_event import DeviceEvent
from azext_iotjobs.model.errors import CannotConnect, MissingChoice
from tests.helpers.clock_double import ClockDouble
from tests.helpers.waiting import wait_until


def event(body: bytes, device: str = "d1", number: int = 0, enqueued_ms: int | None = None) -> DeviceEvent:
    return DeviceEvent(
        partition="0",
        offset=str(number),
        sequence_number=number,
        device_id=device,
        module_id="",
        body=body,
        system={},
        application={},
        annotations={} if enqueued_ms is None else {"x-opt-enqueued-time": enqueued_ms},
    )


class Hub:
    """A hub's events: what tests put in, each round one of them, or None."""

    def __init__(self) -> None:
        self.waiting: queue.SimpleQueue[DeviceEvent | Exception | None] = queue.SimpleQueue()
        self.opened = self.closed = 0

    def open(self, on_notice: Callable[[str], None]) -> Generator[DeviceEvent | None]:
        self.opened += 1
        return self._events()

    def _events(self) -> Generator[DeviceEvent | None]:
        try:
            while True:
                found = self.waiting.get()
                if isinstance(found, Exception):
                    raise found
                yield found
        finally:
            self.closed += 1


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
def clock() -> ClockDouble:
    return ClockDouble()


@pytest.fixture
def telemetry(hub: Hub, clock: ClockDouble) -> Iterator[Telemetry]:
    made = Telemetry(hub.open, clock)
    yield made
    hub.waiting.put(CannotConnect("the test is over"))
    made.close()


def heard(telemetry: Telemetry, hub: Hub, *events: DeviceEvent, device: str = "d1") -> Any:
    """What is known of a device once these events have come."""
    before = telemetry.newest(device)["count"]
    for each in events:
        hub.waiting.put(each)
    mine = sum(each.device_id == device for each in events)
    wait_until("they have come", lambda: telemetry.newest(device)["count"] == before + mine)
    return telemetry.newest(device)


def test_only_the_newest_messages_of_a_watched_device_are_kept(telemetry: Telemetry, hub: Hub) -> None:
    sent = [event(b'{"n": %d}' % n, number=n) for n in range(MAX_POINTS + 50)]
    others = [event(b"{}", device="other") for _ in range(100)]
    found = heard(telemetry, hub, *others, *sent)
    assert [each["key"] for each in found["messages"]] == [f"0/{n}" for n in range(MAX_POINTS + 49, MAX_POINTS - 1, -1)]
    assert len(found["messages"]) == MAX_MESSAGES and len(found["series"][0]["points"]) == MAX_POINTS
    assert telemetry.newest("other")["count"] == 0


def test_numbers_become_series_and_nothing_else_does(telemetry: Telemetry, hub: Hub) -> None:
    bodies = [
        b'{"temp": 1.5, "at": {"x": 2}, "on": true, "name": "n", "list": [1]}',
        b'{"temp": NaN, "at": {"x": 1e999}, "huge": 1' + b"0" * 400 + b"}",
        b"[1, 2]",
        b"21.5",
        b'{"temp"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ]
    found = heard(telemetry, hub, *(event(each) for each in bodies))
    assert [(each["name"], [value for _, value in each["points"]]) for each in found["series"]] == [
        ("temp", [1.5]),
        ("at.x", [2.0]),
    ]


def test_a_body_with_many_numbers_has_a_few_series_and_a_large_one_is_cut(telemetry: Telemetry, hub: Hub) -> None:
    wide = b"{" + b",".join(b'"k%d":%d' % (n, n) for n in range(10_000)) + b"}"
    found = heard(telemetry, hub, event(wide), event(b"\x00\xff" * 100_000))
    assert len(found["series"]) == MAX_SERIES
    newest, older = found["messages"]
    assert (older["isCut"], len(older["body"]), older["bytes"]) == (True, MAX_SHOWN, len(wide))
    assert (newest["isText"], newest["isCut"], len(newest["body"]), newest["bytes"]) == (
        False,
        True,
        MAX_SHOWN,
        200_000,
    )


def test_a_message_has_the_time_at_which_the_hub_took_it(telemetry: Telemetry, hub: Hub, clock: ClockDouble) -> None:
    found = heard(telemetry, hub, event(b"x"), event(b"x", enqueued_ms=1_700_000_000_000))
    assert [each["at"] for each in found["messages"]] == [1_700_000_000_000, clock.now().timestamp() * 1000]


def test_reading_ends_when_nobody_watches_and_begins_anew_for_who_does(
    telemetry: Telemetry, hub: Hub, clock: ClockDouble
) -> None:
    heard(telemetry, hub, event(b"1"))
    clock.sleep(UNASKED_S + 1)
    hub.waiting.put(None)
    wait_until("it is closed", lambda: hub.closed == 1)
    wait_until("it is read again", lambda: telemetry.newest("d1") and hub.opened == 2)
    assert heard(telemetry, hub, event(b"2"))["count"] == 1


def test_what_ends_the_reading_is_said_and_it_is_tried_again(
    telemetry: Telemetry, hub: Hub, clock: ClockDouble
) -> None:
    telemetry.newest("d1")
    hub.waiting.put(CannotConnect("h.example does not answer."))
    wait_until("it has ended", lambda: hub.closed == 1)

    def is_said() -> bool:
        try:
            telemetry.newest("d1")
        except CannotConnect:
            return True
        return False

    wait_until("it is said", is_said)
    assert hub.opened == 1
    clock.sleep(AGAIN_S)
    assert telemetry.newest("d1")["state"] == "connecting"
    wait_until("it is opened again", lambda: hub.opened == 2)


def test_so_many_devices_are_watched_at_once_and_the_longest_unasked_makes_room(
    telemetry: Telemetry, hub: Hub, clock: ClockDouble
) -> None:
    for number in range(MAX_DEVICES):
        telemetry.newest(f"d{number}")
        clock.sleep(0.01)
    heard(telemetry, hub, event(b"x", "d1"), event(b"x", "d0"), device="d1")
    telemetry.newest("one more")  # d0 was not asked for since the beginning
    assert heard(telemetry, hub, event(b"x", "d0"), device="d0")["count"] == 1


def test_without_a_hub_it_is_said(clock: ClockDouble) -> None:
    with pytest.raises(MissingChoice):
        Telemetry(None, clock).newest("d1")
