"""Events over lost connections: none is lost, none comes twice."""

from collections.abc import Iterator

import pytest

from azext_iotjobs.model.device_event import DeviceEvent, PartitionState, Position
from azext_iotjobs.model.errors import CannotConnect, LinkError, LinkLost, NotTrusted, Unauthorized
from azext_iotjobs.operations.events.monitor import PAUSES_S, EventMonitor
from tests.helpers.clock_double import ClockDouble


class Log:
    """An event hub with two partitions; `begin_anew` is a hub that has forgotten everything."""

    def __init__(self) -> None:
        self.partitions: dict[str, list[DeviceEvent]] = {"0": [], "1": []}

    def add(self, partition: str, text: str) -> None:
        number = len(self.partitions[partition])
        self.partitions[partition].append(
            DeviceEvent(
                partition=partition,
                offset=str(number * 10),
                sequence_number=number,
                device_id="d",
                module_id="",
                body=text.encode(),
                system={},
                application={},
                annotations={"x-opt-enqueued-time": number},
            )
        )

    def begin_anew(self) -> None:
        self.partitions = {"0": [], "1": []}


class Stream:
    """A connection to a Log: `breaks` is raised behind the next `at_most` events, which were handed on by then."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.next: dict[str, int] = {}
        self.breaks: LinkError | None = None
        self.at_most = 1000
        self.is_closed = False

    def partitions(self) -> tuple[str, ...]:
        return tuple(self.log.partitions)

    def state(self, partition: str) -> PartitionState:
        events = self.log.partitions[partition]
        last = len(events) - 1
        return PartitionState(str(last * 10) if events else "-1", last, not events)

    def follow(self, partition: str, position: Position) -> None:
        if position.enqueued_after_ms is not None:
            self.next[partition] = position.enqueued_after_ms + 1
        else:
            self.next[partition] = 0 if position.offset == "-1" else int(position.offset) // 10 + 1

    def wait(self) -> None:
        if self.breaks is not None:
            raise self.breaks

    def take(self) -> Iterator[DeviceEvent]:
        for partition, events in self.log.partitions.items():
            while self.next[partition] < len(events) and self.at_most:
                self.at_most -= 1
                self.next[partition] += 1
                yield events[self.next[partition] - 1]

    def close(self) -> None:
        self.is_closed = True


class Connections:
    """Makes streams, unless an error is next."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.streams: list[Stream] = []
        self.errors: list[Exception] = []

    def __call__(self) -> Stream:
        if self.errors:
            raise self.errors.pop(0)
        self.streams.append(Stream(self.log))
        return self.streams[-1]


class Watched:
    """A monitor and what it said; `read` gives the bodies that have come."""

    def __init__(self, log: Log, enqueued_after_ms: int | None = None) -> None:
        self.connections = Connections(log)
        self.clock = ClockDouble()
        self.notices: list[str] = []
        self.events = EventMonitor(self.connections, self.clock, self.notices.append).events(enqueued_after_ms)

    def read(self, rounds: int = 2) -> list[str]:
        bodies = []
        while rounds:
            event = next(self.events)
            if event is None:
                rounds -= 1
            else:
                bodies.append(event.body.decode())
        return bodies

    def break_off(self, error: LinkError | None = None) -> None:
        self.connections.streams[-1].breaks = error or LinkLost("The connection ended.")

    def read_until_connected(self) -> list[str]:
        bodies, count = [], len(self.connections.streams)
        while len(self.connections.streams) == count:
            bodies += self.read(1)
        return bodies


@pytest.fixture
def log() -> Log:
    made = Log()
    for text in ("a", "b"):
        made.add("0", text)
    return made


def test_what_was_there_before_is_not_shown(log: Log) -> None:
    watched = Watched(log)
    assert watched.read() == []
    log.add("0", "c")
    log.add("1", "x")
    assert watched.read() == ["c", "x"]


def test_from_a_time_on_what_was_there_is_shown(log: Log) -> None:
    assert Watched(log, enqueued_after_ms=0).read() == ["b"]


def test_after_a_lost_connection_nothing_is_lost_and_nothing_comes_twice(log: Log) -> None:
    watched = Watched(log)
    watched.read()
    log.add("0", "c")
    assert watched.read() == ["c"]
    watched.connections.streams[-1].at_most = 1
    log.add("0", "d")
    log.add("0", "e")
    log.add("1", "x")
    watched.break_off()
    assert watched.read_until_connected() + watched.read() == ["d", "e", "x"]
    assert watched.connections.streams[0].is_closed and len(watched.notices) == 2


def test_before_the_first_event_a_lost_connection_changes_nothing(log: Log) -> None:
    watched = Watched(log)
    watched.read()
    watched.break_off()
    log.add("1", "while away")
    assert watched.read_until_connected() + watched.read() == ["while away"]


def test_a_hub_that_has_forgotten_its_events_is_read_from_the_beginning(log: Log) -> None:
    watched = Watched(log)
    watched.read()
    watched.break_off()
    log.begin_anew()
    log.add("0", "new")
    assert watched.read_until_connected() + watched.read() == ["new"]


def test_a_connection_is_tried_again_with_pauses_that_grow_and_given_up_in_the_end(log: Log) -> None:
    watched = Watched(log)
    watched.read()
    watched.break_off()
    watched.connections.errors = [CannotConnect(f"no {each}") for each in range(len(PAUSES_S))]
    with pytest.raises(CannotConnect, match=f"no {len(PAUSES_S) - 1}"):
        watched.read(10_000)
    assert watched.clock.passed_s == pytest.approx(sum(PAUSES_S))


@pytest.mark.parametrize("error", [NotTrusted("another CA"), Unauthorized("the key was renewed", status=401)])
def test_what_a_new_connection_cannot_help_is_raised_at_once(log: Log, error: Exception) -> None:
    watched = Watched(log)
    watched.read()
    watched.break_off()
    watched.connections.errors = [error]
    with pytest.raises(type(error)):
        watched.read(10_000)
    assert watched.clock.passed_s == pytest.approx(PAUSES_S[0])


def test_a_first_connection_that_cannot_be_made_is_raised_at_once(log: Log) -> None:
    watched = Watched(log)
    watched.connections.errors = [CannotConnect("nothing listens")]
    with pytest.raises(CannotConnect):
        watched.read()
    assert watched.clock.slept == [] and watched.notices == []


def test_whoever_stops_reading_closes_the_connection(log: Log) -> None:
    watched = Watched(log)
    watched.read()
    watched.events.close()
    assert watched.connections.streams[-1].is_closed
