"""A log in memory of what was observed: the newest entries, each with a number, for readers that wait for the next.

Numbers count up and never begin again while the hub runs, also not after a reset, so that a reader that has a number
misses nothing and sees nothing twice. Everything runs on one event loop.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.observation import Entry

MAX_ENTRIES = 2000
MAX_BYTES = 4 * 1024 * 1024  # of payloads in one log; the newest entry is there in any case

T = TypeVar("T", bound=Entry)


class Wanted(NamedTuple):
    """Whose entries a reader wants; None: any."""

    device_id: str | None = None
    module_id: str | None = None

    def includes(self, address: Address | None) -> bool:
        """Whether an entry is wanted."""
        if self.device_id is None:
            return True
        if address is None or address.device_id != self.device_id:
            return False
        return self.module_id in (None, address.module_id)


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some of the entries after a number."""

    entries: list[tuple[int, T]]  # each with its number, ascending
    next_after: int  # after which to read on
    dropped: int  # how many entries after the number were kept no longer, whosever they were

    def followed_by(self, page: "Page[T]") -> "Page[T]":
        """This one, which is empty, and the one after `next_after` as one, so that no entry is looked at again."""
        return replace(page, dropped=self.dropped + page.dropped)


class ObservationLog(Generic[T]):
    """One log."""

    def __init__(self) -> None:
        self.last = 0  # the number of the newest entry there ever was
        self.is_closed = False  # whether nobody may wait any more
        self._entries: deque[tuple[T, int]] = deque()  # each with the bytes of its payloads
        self._before = 0  # the number before the oldest entry's
        self._bytes = 0
        self._cleared_at = 0  # the newest number at the last reset
        self._waiting: defaultdict[str | None, set[asyncio.Future[None]]] = defaultdict(set)  # by device; None: any

    def add(self, entry: T, size_bytes: int = 0) -> None:
        """Add an entry, and wake those that wait for it. size_bytes: of its payloads."""
        self.last += 1
        self._entries.append((entry, size_bytes))
        self._bytes += size_bytes
        while self.last - self._before > MAX_ENTRIES or (self._bytes > MAX_BYTES and self.last - self._before > 1):
            self._bytes -= self._entries.popleft()[1]
            self._before += 1
        if self._waiting:
            self._wake(entry.address)

    def read(self, after: int, limit: int, wanted: Wanted) -> Page[T]:
        """The oldest entries after a number. after: 0..`last`; 0: all that is kept.  limit: 1 or more."""
        found = list(islice(self._wanted(max(0, after - self._before), wanted), limit))
        next_after = found[-1][0] if len(found) == limit else self.last
        return Page(found, next_after, max(0, self._before - max(after, self._cleared_at)))

    async def wait(self, wanted: Wanted, limit_s: float) -> None:
        """Wait until an entry is added that may be wanted, at most `limit_s`; not at all once the log is closed."""
        if self.is_closed:
            return
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(limit_s, _settle, waiting)
        self._waiting[wanted.device_id].add(waiting)
        try:
            await waiting
        finally:
            timer.cancel()
            self._forget(wanted.device_id, waiting)

    def clear(self) -> None:
        """Forget all entries, but not how they were numbered."""
        self._entries.clear()
        self._bytes = 0
        self._before = self._cleared_at = self.last

    def close(self) -> None:
        """The hub ends: let all go that wait."""
        self.is_closed = True
        for device_id in list(self._waiting):
            self._settle_all(device_id)

    def _wanted(self, start: int, wanted: Wanted) -> Iterator[tuple[int, T]]:
        for number, (entry, _) in enumerate(islice(self._entries, start, None), self._before + start + 1):
            if wanted.includes(entry.address):
                yield number, entry

    def _wake(self, address: Address | None) -> None:
        self._settle_all(None)
        if address is not None:
            self._settle_all(address.device_id)

    def _settle_all(self, device_id: str | None) -> None:
        for waiting in self._waiting.pop(device_id, ()):
            _settle(waiting)

    def _forget(self, device_id: str | None, waiting: asyncio.Future[None]) -> None:
        others = self._waiting.get(device_id, set())
        others.discard(waiting)
        if not others:
            self._waiting.pop(device_id, None)


def _settle(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)
