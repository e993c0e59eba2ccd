"""Selects as a Selector does, and lets others be served meanwhile: of many rows it looks at a slice at a time.

Strategy: a query is tried as a whole, which is all for a small hub. One that takes longer than others should wait is
begun anew, slice by slice. What changes meanwhile is seen or not, as on the service.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from sqlite3 import Row

from azext_iotjobs.localhub.engine.selector import (
    SOURCES,
    Selector,
    Source,
    devices_sql,
    groups_between_sql,
    groups_sql,
    page_sql,
)
from azext_iotjobs.localhub.errors import SERVICE_UNAVAILABLE, HubError
from azext_iotjobs.localhub.query.grouped_sql import SORT_KEY, AddedGroups, Group, only_counts
from azext_iotjobs.localhub.query.nodes import Collection, Expr, Query
from azext_iotjobs.localhub.query.parser import parse_condition
from azext_iotjobs.localhub.query.sql_fragments import Sql
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.store.database import TooSlow

AT_ONCE_S = 0.05  # of CPU time, that others wait for
ROWS_AT_ONCE = 2_000  # of a slice: some milliseconds; a request needs several turns of the loop
MAX_ADDED_GROUPS = 50_000  # that are kept in memory


class PacedSelector:
    """Finds rows without holding up the hub for long.

    at_once_s: of CPU time, for the attempt as a whole; 0: there is none.  rows_at_once: of a slice.
    """

    def __init__(self, selector: Selector, *, at_once_s: float = AT_ONCE_S, rows_at_once: int = ROWS_AT_ONCE) -> None:
        self._selector = selector
        self._at_once_s = min(at_once_s, selector.limit_s)
        self._rows_at_once = rows_at_once

    async def page(self, collection: Collection, where: Expr | None, *, after: int, count: int) -> list[Row]:
        """As `Selector.page`."""
        source = SOURCES[collection]
        try:
            return self._at_once(page_sql(source, where, after=after, count=count))
        except TooSlow:
            found: list[Row] = []
        slices = self._slices(
            source, after, lambda begin, end: page_sql(source, where, after=begin, until=end, count=count - len(found))
        )
        async with aclosing(slices):
            async for rows in slices:
                found += rows
                if len(found) >= count:
                    break
        return found

    async def groups(self, query: Query, *, after: str, count: int) -> list[Group]:
        """As `Selector.groups`."""
        whole = groups_sql(query, after=after, count=count)
        try:
            return list(self._at_once(whole))
        except TooSlow:
            if not only_counts(query):
                return list(self._selector.rows(whole))
        found = AddedGroups(query)
        slices = self._slices(SOURCES[query.collection], 0, lambda begin, end: groups_between_sql(query, begin, end))
        async with aclosing(slices):
            async for rows in slices:
                found.add(rows)
                if len(found) > MAX_ADDED_GROUPS:
                    return list(self._selector.rows(whole))
        return [group for group in found.groups() if not query.group_by or group[SORT_KEY] > after][:count]

    async def devices(self, condition_text: str) -> AsyncGenerator[list[Address], None]:
        """As `Selector.devices`, slice by slice."""
        condition = parse_condition(condition_text)
        source = SOURCES[condition.collection]
        slices = self._slices(
            source, 0, lambda begin, end: devices_sql(source, condition.where, after=begin, until=end)
        )
        async with aclosing(slices):
            async for rows in slices:
                yield [Address(row["device_id"], row["module_id"] or None) for row in rows]

    def is_small(self, condition_text: str) -> bool:
        """Whether the devices that a job's condition selects are found soon. Raises QueryError."""
        return self._selector.last_key(SOURCES[parse_condition(condition_text).collection]) <= self._rows_at_once

    def _at_once(self, sql: Sql) -> list[Row]:
        if not self._at_once_s:
            raise TooSlow
        return self._selector.rows_within(self._at_once_s, sql)

    async def _slices(
        self, source: Source, after: int, sql: Callable[[int, int], Sql]
    ) -> AsyncGenerator[list[Row], None]:
        """The rows of one slice after another. sql: of those after a row, up to another. Raises QueryError."""
        left_s, last = self._selector.limit_s, self._selector.last_key(source)
        generation = self._selector.generation
        while after < last:
            until, began_s = after + self._rows_at_once, time.thread_time()
            try:
                rows = self._selector.rows_within(left_s, sql(after, until))
            except TooSlow as err:
                raise self._selector.too_slow() from err
            left_s = max(0.0, left_s - (time.thread_time() - began_s))
            yield rows
            await asyncio.sleep(0)
            after = until
            if self._selector.generation != generation:
                raise HubError(SERVICE_UNAVAILABLE, "The hub was brought back to a snapshot meanwhile: try again.")
