"""Selects as a Selector does, and lets others be served meanwhile: of many rows it looks at a slice at a time.

Strategy: a query is tried as a whole, which is all for a small hub. One that takes longer than others should wait is
begun anew, slice by slice, and an index of its paths is made meanwhile: as far as there is one, a slice is of the rows
that it leads to, so that a later query takes as long as what it finds. What changes meanwhile is seen or not, as on the
service.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from sqlite3 import Row

from azext_iotjobs.localhub.engine.index_keeper import IndexKeeper
from azext_iotjobs.localhub.engine.row_slices import RowSlices
from azext_iotjobs.localhub.engine.selector import (
    SOURCES,
    Selector,
    Source,
    behind,
    devices_sql,
    groups_of_sql,
    groups_sql,
    page_sql,
)
from azext_iotjobs.localhub.errors import SERVICE_UNAVAILABLE, HubError
from azext_iotjobs.localhub.query.added_groups import AddedGroups
from azext_iotjobs.localhub.query.grouped_sql import Group
from azext_iotjobs.localhub.query.lookups import Lookup, lookups_of
from azext_iotjobs.localhub.query.nodes import Collection, Expr, Query
from azext_iotjobs.localhub.query.parser import parse_condition
from azext_iotjobs.localhub.query.sql_fragments import Sql
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.store.database import TooSlow

AT_ONCE_S = 0.05  # of CPU time, that others wait for
ROWS_AT_ONCE = 2_000  # of a slice at most: some milliseconds


class PacedSelector:
    """Finds rows without holding up the hub for long.

    index: of what queries ask for; None: there is none.
    at_once_s: of CPU time, for the attempt as a whole; 0: there is none.  rows_at_once: of a slice.
    """

    def __init__(
        self,
        selector: Selector,
        index: IndexKeeper | None = None,
        *,
        at_once_s: float = AT_ONCE_S,
        rows_at_once: int = ROWS_AT_ONCE,
    ) -> None:
        self._selector = selector
        self._index = index
        self._at_once_s = min(at_once_s, selector.limit_s)
        self._rows_at_once = rows_at_once

    async def page(self, collection: Collection, where: Expr | None, *, after: int, count: int) -> list[Row]:
        """As `Selector.page`."""
        source, lookups = SOURCES[collection], lookups_of(collection, where)
        if (whole := self._at_once(lookups, page_sql(source, where, behind(source, after), count=count))) is not None:
            return whole
        found: list[Row] = []
        slices = self._slices(
            source, lookups, after, lambda rows: page_sql(source, where, rows, count=count - len(found)), first=count
        )
        async with aclosing(slices):
            async for rows in slices:
                found += rows
                if len(found) >= count:
                    break
        return found

    async def groups(self, query: Query, *, after: str, count: int) -> list[Group]:
        """As `Selector.groups`."""
        lookups = lookups_of(query.collection, query.where)
        if (whole := self._at_once(lookups, groups_sql(query, after=after, count=count))) is not None:
            return list(whole)
        found = AddedGroups(query, after=after, count=count)
        slices = self._slices(SOURCES[query.collection], lookups, 0, lambda rows: groups_of_sql(query, rows))
        async with aclosing(slices):
            async for rows in slices:
                found.add(rows)
        return found.page()

    async def devices(self, condition_text: str) -> AsyncGenerator[list[Address], None]:
        """As `Selector.devices`, slice by slice."""
        condition = parse_condition(condition_text)
        source, lookups = SOURCES[condition.collection], lookups_of(condition.collection, condition.where)
        slices = self._slices(source, lookups, 0, lambda rows: devices_sql(source, condition.where, rows))
        async with aclosing(slices):
            async for rows in slices:
                yield [Address(row["device_id"], row["module_id"] or None) for row in rows]

    def is_small(self, condition_text: str) -> bool:
        """Whether the devices that a job's condition selects are found soon. Raises QueryError."""
        return self._selector.last_key(SOURCES[parse_condition(condition_text).collection]) <= self._rows_at_once

    def _at_once(self, lookups: Sequence[Lookup], sql: Sql) -> list[Row] | None:
        """The rows of a SELECT; None when that takes too long, or an index has them sooner."""
        if self._index is not None and lookups and self._index.has(lookups):
            return None
        try:
            if self._at_once_s:
                return self._selector.rows_within(self._at_once_s, sql)
        except TooSlow:
            pass
        self._want(lookups)
        return None

    def _want(self, lookups: Sequence[Lookup]) -> None:
        """Have an index for what has taken too long."""
        if self._index is not None and lookups:
            self._index.want(lookups)

    async def _slices(
        self,
        source: Source,
        lookups: Sequence[Lookup],
        after: int,
        sql: Callable[[Sql], Sql],
        *,
        first: int | None = None,
    ) -> AsyncGenerator[list[Row], None]:
        """The rows of one slice after another. Raises QueryError.

        sql: of those rows that a condition names.  first: so many rows of the first slice; None: as of the others.
        """
        left_s, generation, is_wanted = self._selector.limit_s, self._selector.generation, False
        slices = RowSlices(
            source,
            lookups,
            self._index,
            after=after,
            last=self._selector.last_key(source),
            rows_at_once=self._rows_at_once,
            first=self._rows_at_once if first is None else first,
        )
        while not slices.is_over:
            slice_ = await slices.next()
            if self._selector.generation != generation:
                raise HubError(SERVICE_UNAVAILABLE, "The hub was brought back to a snapshot meanwhile: try again.")
            began_s = time.thread_time()
            try:
                rows = self._selector.rows_within(left_s, sql(slice_))
            except TooSlow as err:
                raise self._selector.too_slow() from err
            left_s = max(0.0, left_s - (time.thread_time() - began_s))
            if not is_wanted and self._selector.limit_s - left_s > self._at_once_s:
                # Once: queries of more paths than there may be indices would take them from each other at every slice.
                self._want(lookups)
                is_wanted = True
            yield rows
            slices.took(time.thread_time() - began_s)
            await asyncio.sleep(0)
