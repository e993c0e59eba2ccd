"""Makes indices of paths that large hubs are asked for, while others are served, and gives what they lead to."""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from azext_iotjobs.localhub.errors import StoreUnavailable
from azext_iotjobs.localhub.query.lookups import Lookup
from azext_iotjobs.localhub.store.path_index import PathIndex
from azext_iotjobs.localhub.store.presence import Presence

ROWS_AT_ONCE = 1_000  # of the index: some milliseconds

logger = logging.getLogger(__name__)


class Found(NamedTuple):
    """Of the rows up to one, those that an index leads to, in order."""

    rows: list[int]
    until: int


class IndexKeeper:
    """The indices of a hub.

    presence: written to the rows before an index is used; None: there is none.  rows_at_once: added to an index.
    """

    def __init__(self, paths: PathIndex, presence: Presence | None = None, *, rows_at_once: int = ROWS_AT_ONCE) -> None:
        self._paths = paths
        self._presence = presence
        self._rows_at_once = rows_at_once
        self._making: asyncio.Task[None] | None = None

    def has(self, lookups: Sequence[Lookup]) -> bool:
        """Whether one of these lookups has an index, complete or not."""
        return self._paths.has(lookups)

    def best(self, lookups: Sequence[Lookup]) -> Lookup | None:
        """The lookup that leads to the fewest rows, of those that have an index."""
        return self._paths.best(lookups)

    def want(self, lookups: Sequence[Lookup]) -> None:
        """Make the indices of these lookups, in the background."""
        with suppress(StoreUnavailable):  # a later query wants them again
            self._paths.want(each.path for each in lookups)
            self._begin()

    async def made(self) -> None:
        """Wait until there is nothing left to make."""
        if self._making is not None:
            await self._making

    async def found(self, lookup: Lookup, *, after: int, count: int) -> Found | None:
        """The first rows after row `after`, at most `count`, that a lookup leads to.

        None: there is no index that is of these rows. Raises StoreUnavailable.
        """
        if self._presence is not None:
            self._presence.write()
        while not self._paths.bring_up_to_date(lookup, self._rows_at_once):
            await asyncio.sleep(0)
        self._add_new_rows()
        found = self._paths.found(lookup, after=after, count=count)
        return None if found is None else Found(*found)

    def _add_new_rows(self) -> None:
        """Add those that were created since the indices were made; if they are many, go on in the background."""
        if self._is_idle and self._paths.grow(self._rows_at_once) is not None and self._paths.are_behind:
            self._begin()

    @property
    def _is_idle(self) -> bool:
        return self._making is None or self._making.done()

    def _begin(self) -> None:
        if self._is_idle:
            self._making = asyncio.get_running_loop().create_task(self._make())
            self._making.add_done_callback(_log_failure)

    async def _make(self) -> None:
        with suppress(StoreUnavailable):
            began_s = time.thread_time()
            while self._paths.grow(self._rows_at_once) is not None:
                # As long as it took, so that a query that others wait for has at least half of the time.
                await asyncio.sleep(time.thread_time() - began_s)
                began_s = time.thread_time()


def _log_failure(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("an index could not be made", exc_info=error)
