"""Which rows a query looks at, a slice after the other: those that an index leads to, or all in a row."""

from collections.abc import Sequence

from azext_iotjobs.localhub.engine.index_keeper import IndexKeeper
from azext_iotjobs.localhub.engine.selector import Source, among, between
from azext_iotjobs.localhub.query.lookups import Lookup
from azext_iotjobs.localhub.query.sql_fragments import Sql

GROWTH = 4  # of slices: the rows of a page may be among the first that an index leads to
LONG_S = 0.008  # of CPU time, for a slice: a request needs several turns of the loop
FEWEST = 100  # rows of a slice that takes long
MAX_WITHOUT = 15  # slices without a look at an index that leads to most rows


class RowSlices:
    """The slices of one query, from the row after `after` to the row `last`.

    index: None: there is none.  rows_at_once: of a slice.  first: so many of the first one, if it is by an index.
    """

    def __init__(
        self,
        source: Source,
        lookups: Sequence[Lookup],
        index: IndexKeeper | None,
        *,
        after: int,
        last: int,
        rows_at_once: int,
        first: int,
    ) -> None:
        self._source = source
        self._lookups = lookups
        self._index = index
        self._after = after
        self._last = last
        self._rows_at_once = rows_at_once
        self._rows = rows_at_once
        self._count = first
        self._lookup: Lookup | None = None  # the one that is used; it stays the same
        self._without = self._next_without = 0  # slices

    def took(self, seconds: float) -> None:
        """How long the last slice was worked on: the next ones are smaller when that is long."""
        if seconds > LONG_S:
            self._rows = max(self._rows // 2, min(FEWEST, self._rows_at_once))
        elif seconds < LONG_S / 4:
            self._rows = min(2 * self._rows, self._rows_at_once)

    @property
    def is_over(self) -> bool:
        """Whether there are no more."""
        return self._after >= self._last

    async def next(self) -> Sql:
        """The condition of the rows of the next slice. Raises StoreUnavailable."""
        return await self._by_index() or self._in_a_row()

    async def _by_index(self) -> Sql | None:
        if self._index is None or not self._lookups:
            return None
        if self._without:
            self._without -= 1
            return None
        self._lookup = self._lookup or self._index.best(self._lookups)
        if self._lookup is None:
            return None
        found = await self._index.found(self._lookup, after=self._after, count=min(self._count, self._rows))
        if found is None:
            return None
        after, self._after = self._after, found.until
        self._count = min(GROWTH * self._count, self._rows_at_once)
        if 2 * len(found.rows) <= found.until - after:
            self._next_without = 0
            return among(self._source, found.rows)
        # Most of those in between: sooner read in a row, and perhaps the next ones too.
        self._without = self._next_without
        self._next_without = min(2 * self._next_without + 1, MAX_WITHOUT)
        return between(self._source, after, found.until)

    def _in_a_row(self) -> Sql:
        after, self._after = self._after, self._after + self._rows
        return between(self._source, after, self._after)
