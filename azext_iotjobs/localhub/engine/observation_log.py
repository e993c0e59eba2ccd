"""A log in memory of what was observed: the newest entries, each with a number, for readers that wait for the next.

Numbers count up and never begin again while the hub runs, also not after a reset, so that a reader that has a number
misses nothing and sees nothing twice. Everything runs on one event loop.
"""

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Generic, TypeVar

from azext_iotjobs.localhub.engine.log_reading import Page, Waits, Wanted
from azext_iotjobs.localhub.rules.observation import Entry

MAX_ENTRIES = 2000
MAX_BYTES = 4 * 1024 * 1024  # of payloads in one log; the newest entry is there in any case

T = TypeVar("T", bound=Entry)


class ObservationLog(Generic[T]):
    """One log."""

    def __init__(self) -> None:
        self.last = 0  # the number of the newest entry there ever was
        self.waits = Waits()
        self._entries: deque[tuple[T, int]] = deque()  # each with the bytes of its payloads
        self._before = 0  # the number before the oldest entry's
        self._bytes = 0
        self._cleared_at = 0  # the newest number at the last reset

    def add(self, entry: T, size_bytes: int = 0) -> None:
        """Add an entry, and wake those that wait for it. size_bytes: of its payloads."""
        self.last += 1
        self._entries.append((entry, size_bytes))
        self._bytes += size_bytes
        while self.last - self._before > MAX_ENTRIES or (self._bytes > MAX_BYTES and self.last - self._before > 1):
            self._bytes -= self._entries.popleft()[1]
            self._before += 1
        self.waits.wake(entry.address)

    def read(self, after: int, limit: int, wanted: Wanted) -> Page[T]:
        """The oldest entries after a number. after: 0..`last`; 0: all that is kept.  limit: 1 or more."""
        found = list(islice(self._wanted(max(0, after - self._before), wanted), limit))
        next_after = found[-1][0] if len(found) == limit else self.last
        return Page(found, next_after, max(0, self._before - max(after, self._cleared_at)))

    def clear(self) -> None:
        """Forget all entries, but not how they were numbered."""
        self._entries.clear()
        self._bytes = 0
        self._before = self._cleared_at = self.last

    def _wanted(self, start: int, wanted: Wanted) -> Iterator[tuple[int, T]]:
        for number, (entry, _) in enumerate(islice(self._entries, start, None), self._before + start + 1):
            if wanted.includes(entry.address):
                yield number, entry
