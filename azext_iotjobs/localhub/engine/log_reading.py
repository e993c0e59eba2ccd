"""How the hub's logs are read: whose entries, page by page, and waiting for the next one.

Everything runs on one event loop.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple, Protocol, TypeVar

from azext_iotjobs.localhub.rules.address import Address

T = TypeVar("T")


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


class Waits:
    """Who waits for entries of a log."""

    def __init__(self) -> None:
        self.is_closed = False  # whether nobody may wait any more
        self._waiting: defaultdict[str | None, set[asyncio.Future[None]]] = defaultdict(set)  # by device; None: any

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    async def wait(self, wanted: Wanted, limit_s: float) -> None:
        """Wait until an entry is added that may be wanted, at most `limit_s`; not at all once this is closed."""
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

    def wake(self, address: Address | None) -> None:
        """An entry was added: let those go who may want it. address: whose entry it is."""
        if not self._waiting:
            return
        self._settle_all(None)
        if address is not None:
            self._settle_all(address.device_id)

    def wake_all(self) -> None:
        """Let all go, to look again."""
        for device_id in list(self._waiting):
            self._settle_all(device_id)

    def close(self) -> None:
        """The hub ends: let all go that wait."""
        self.is_closed = True
        self.wake_all()

    def _settle_all(self, device_id: str | None) -> None:
        for waiting in self._waiting.pop(device_id, ()):
            _settle(waiting)

    def _forget(self, device_id: str | None, waiting: "asyncio.Future[None]") -> None:
        others = self._waiting.get(device_id, set())
        others.discard(waiting)
        if not others:
            self._waiting.pop(device_id, None)


class ReadableLog(Protocol[T]):
    """A log, as its readers see it."""

    waits: Waits

    @property
    def last(self) -> int:
        """The number of the newest entry there ever was."""

    def read(self, after: int, limit: int, wanted: Wanted) -> Page[T]:
        """The oldest entries after a number. after: 0..`last`; 0: all that is kept.  limit: 1 or more."""


def _settle(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)
