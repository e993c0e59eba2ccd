"""The newest events of the hub as one log over all partitions, by the numbers that count all events."""

from azext_iotjobs.localhub.engine.log_reading import Page, Waits, Wanted
from azext_iotjobs.localhub.rules.event import DeviceEvent
from azext_iotjobs.localhub.store.newest_events import NewestEvents

SHOWN_EVENTS = 1000  # the newest
RESPONSE_BYTES = 4 * 1024 * 1024  # of events that are read at once; at least one is returned


class ShownEvents:
    """What is shown of the events in memory.

    Their numbers go on after a reset and a restart of a hub that keeps them; a snapshot brings back its own.
    """

    def __init__(self, newest: NewestEvents) -> None:
        self.last = 0  # the number of the newest event there ever was
        self.waits = Waits()
        self._newest = newest
        self._cleared_at = 0  # the newest number at the last reset

    def added(self, event: DeviceEvent) -> None:
        """There is another event."""
        self.last = event.number
        self.waits.wake(event.sender.address)

    def begin(self, last: int) -> None:
        """The events are others than before. last: the number of the newest one there ever was."""
        self.last, self._cleared_at = last, 0
        self.waits.wake_all()

    def cleared(self) -> None:
        """All were removed; numbers go on."""
        self._cleared_at = self.last

    def read(self, after: int, limit: int, wanted: Wanted) -> Page[DeviceEvent]:
        """The oldest of the SHOWN_EVENTS newest events after a number, at most RESPONSE_BYTES of them.

        after: 0: all that is shown; beyond `last`, when a snapshot was restored meanwhile, there is none.
        limit: 1 or more.
        """
        oldest = self._newest.oldest()
        before = self.last if oldest is None else max(oldest.number - 1, self.last - SHOWN_EVENTS)
        found: list[tuple[int, DeviceEvent]] = []
        left_bytes, next_after = RESPONSE_BYTES, self.last
        for number in range(max(after, before) + 1, self.last + 1):
            event = self._newest.numbered(number)
            if event is None or not wanted.includes(event.sender.address):
                continue
            left_bytes -= event.size_bytes
            if found and left_bytes < 0:
                next_after = found[-1][0]
                break
            found.append((number, event))
            if len(found) == limit:
                next_after = number
                break
        return Page(found, next_after, max(0, before - max(after, self._cleared_at)))
