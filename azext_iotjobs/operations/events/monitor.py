"""Follow the events of a hub: over lost connections, without losing or repeating one.

Strategy: of each partition it is known from the start behind which offset reading goes on. What was there before is
skipped by the offset of the last event, not by a clock; a new connection begins behind the last event handed on.
"""

from collections.abc import Callable, Generator, Iterator
from typing import Protocol

from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.device_event import DeviceEvent, PartitionState, Position
from azext_iotjobs.model.errors import HubFault, LinkError, NotTrusted, Throttled

PAUSES_S = (0.5, 1, 2, 4, 8, 15, 15, 15, 15, 15)  # before each attempt to connect again
SLICE_S = 0.2  # of a pause, between two looks at whether to go on
PASSING = (LinkError, HubFault, Throttled)  # a new connection may help


class EventStream(Protocol):
    """One connection to an event hub."""

    def partitions(self) -> tuple[str, ...]:
        """The ids of its partitions."""

    def state(self, partition: str) -> PartitionState:
        """How far a partition is."""

    def follow(self, partition: str, position: Position) -> None:
        """Let what is behind a position come."""

    def wait(self) -> None:
        """Let events come, for a moment."""

    def take(self) -> Iterator[DeviceEvent]:
        """What has come, and was not taken."""

    def close(self) -> None:
        """End the connection."""


class EventMonitor:
    """Reads all partitions, from one connection to the next."""

    def __init__(self, connect: Callable[[], EventStream], clock: Clock, on_notice: Callable[[str], None]) -> None:
        """connect: opens a connection.  on_notice: told when a connection was lost, and when there is one again."""
        self._connect = connect
        self._clock = clock
        self._on_notice = on_notice
        self._positions: dict[str, Position] = {}

    def events(self, enqueued_after_ms: int | None = None) -> Generator[DeviceEvent | None]:
        """Every event as it comes, and None after each round, so that whoever reads can end it.

        enqueued_after_ms: since 1970, from when on; None: what comes from now on.
        Raises LinkError where the first connection cannot be made, or a lost one not made again; HubAnswer.
        """
        stream = self._opened(lambda each: _beginning(each, enqueued_after_ms))
        yield None
        while True:
            try:
                lost = yield from self._until_lost(stream)
            finally:
                stream.close()
            self._on_notice(f"{lost.message} Connecting again.")
            stream = yield from self._connected_again(lost)

    def _until_lost(self, stream: EventStream) -> Generator[DeviceEvent | None, None, LinkError | HubFault | Throttled]:
        lost = None
        while lost is None:
            try:
                stream.wait()
            except NotTrusted:
                raise
            except PASSING as err:
                lost = err
            for event in stream.take():
                self._positions[event.partition] = Position(event.offset, None, event.sequence_number)
                yield event
            yield None
        return lost

    def _connected_again(self, lost: LinkError | HubFault | Throttled) -> Generator[None, None, EventStream]:
        for pause_s in PAUSES_S:
            ends_at = self._clock.monotonic() + pause_s
            while (left_s := ends_at - self._clock.monotonic()) > 0:
                self._clock.sleep(min(SLICE_S, left_s))
                yield None
            try:
                stream = self._opened(lambda each: _going_on(each, self._positions))
            except NotTrusted:
                raise
            except PASSING as err:
                lost = err
            else:
                self._on_notice("Connected again; no event was lost or is repeated.")
                return stream
        raise lost

    def _opened(self, positions_in: Callable[[EventStream], dict[str, Position]]) -> EventStream:
        stream = self._connect()
        try:
            self._positions = positions_in(stream)
            for partition, position in self._positions.items():
                stream.follow(partition, position)
        except BaseException:
            stream.close()
            raise
        return stream


def _beginning(stream: EventStream, enqueued_after_ms: int | None) -> dict[str, Position]:
    if enqueued_after_ms is not None:
        return {each: Position(enqueued_after_ms=enqueued_after_ms) for each in stream.partitions()}
    return {each: Position.behind(stream.state(each)) for each in stream.partitions()}


def _going_on(stream: EventStream, positions: dict[str, Position]) -> dict[str, Position]:
    return {each: position.still_in(stream.state(each)) for each, position in positions.items()}
