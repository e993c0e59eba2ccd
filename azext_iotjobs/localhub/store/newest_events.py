"""The newest events, in memory, within a number of events and a number of bytes."""

from collections import deque

from azext_iotjobs.localhub.rules.event import DeviceEvent

KEPT_EVENTS = 30_000
KEPT_BYTES = 64 * 1024 * 1024  # of bodies, properties and what an event takes besides; one body may have 256 KB


class NewestEvents:
    """Events in the order of their numbers, without a gap."""

    def __init__(self) -> None:
        self._events: deque[DeviceEvent] = deque()
        self._by_place: dict[tuple[int, int], DeviceEvent] = {}
        self._size_bytes = 0

    def add(self, event: DeviceEvent) -> list[DeviceEvent]:
        """Add the newest event; gives those that had to go, oldest first."""
        self._events.append(event)
        self._by_place[event.partition, event.sequence_number] = event
        self._size_bytes += event.size_bytes
        gone = []
        while len(self._events) > KEPT_EVENTS or (self._size_bytes > KEPT_BYTES and len(self._events) > 1):
            gone.append(self.remove_oldest())
        return gone

    def remove_oldest(self) -> DeviceEvent:
        """Remove the oldest event."""
        event = self._events.popleft()
        del self._by_place[event.partition, event.sequence_number]
        self._size_bytes -= event.size_bytes
        return event

    def clear(self) -> None:
        """Remove all."""
        self._events.clear()
        self._by_place.clear()
        self._size_bytes = 0

    def all(self) -> list[DeviceEvent]:
        """All of them, oldest first."""
        return list(self._events)

    def get(self, partition: int, sequence_number: int) -> DeviceEvent | None:
        """The event at a place of a partition; None when it is not here."""
        return self._by_place.get((partition, sequence_number))

    def first_in(self, partition: int) -> int | None:
        """The sequence number of the oldest event of a partition; None when none is here."""
        return next((each.sequence_number for each in self._events if each.partition == partition), None)

    def oldest(self) -> DeviceEvent | None:
        """The oldest event, if there is any."""
        return self._events[0] if self._events else None

    def numbered(self, number: int) -> DeviceEvent | None:
        """The event with this number; None when it is not here."""
        index = number - self._events[0].number if self._events else -1
        return self._events[index] if 0 <= index < len(self._events) else None
