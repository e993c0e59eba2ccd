"""A registry whose queries go by an index, slice by slice, and what they have to find."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from sqlite3 import Row
from typing import Any

from azext_iotjobs.localhub.engine.index_keeper import IndexKeeper
from azext_iotjobs.localhub.engine.paced_selector import PacedSelector
from azext_iotjobs.localhub.engine.selector import Selector
from azext_iotjobs.localhub.query.grouped_sql import Group, grouped_result
from azext_iotjobs.localhub.query.lookups import Lookup
from azext_iotjobs.localhub.query.parser import parse_query
from azext_iotjobs.localhub.query.sql_fragments import Sql
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.twin import new_twin, patch_by_device
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.identities import Identities, Identity
from azext_iotjobs.localhub.store.path_index import PathIndex
from azext_iotjobs.localhub.store.twins import Twins

AT = "2026-05-01T08:00:00.0000000Z"
ALL = 1000
BY_INDEX, BY_RANGE = "json_each", "row_id > ?"


class Watched(Selector):
    """One that says which SELECTs it has made."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.made: list[str] = []

    def rows_within(self, limit_s: float, sql: Sql) -> list[Row]:
        self.made.append(sql.text)
        return super().rows_within(limit_s, sql)


class Hub:
    """A registry whose queries go slice by slice, with an index and without."""

    def __init__(self, database: Database, **limits: int) -> None:
        self.database = database
        self.twins = Twins(database)
        self.identities = Identities(database, self.twins)
        self.whole = Selector(database, self.identities.presence)
        self.watched = Watched(database)
        self.index = PathIndex(database, **limits)
        self.keeper = IndexKeeper(self.index, self.identities.presence, rows_at_once=3)
        self.paced = PacedSelector(self.watched, self.keeper, at_once_s=0, rows_at_once=4)

    def add(self, device_id: str, tags: dict[str, Any] | None = None, **other: Any) -> None:
        identity = Identity(device_id=device_id, generation_id="g", etag=7, sign_in="sas", **other)
        self.identities.create(identity, replace(new_twin(AT), tags=tags or {}))

    def tag(self, device_id: str, **tags: Any) -> None:
        """Change some tags; ... removes one."""
        twin = self.twins.get(Address(device_id))
        assert twin is not None
        changed = {name: value for name, value in {**twin.tags, **tags}.items() if value is not ...}
        self.twins.save(Address(device_id), replace(twin, tags=changed))

    def report(self, device_id: str, reported: dict[str, Any]) -> None:
        twin = self.twins.get(Address(device_id))
        assert twin is not None
        self.twins.save(Address(device_id), patch_by_device(twin, reported, AT))

    def found(self, text: str, after: int = 0, count: int = ALL, *, is_indexed: bool = False) -> list[tuple[Any, ...]]:
        """The rows of a query. is_indexed: its index is made first."""

        async def select() -> Sequence[Group]:
            query = parse_query(text)
            if query.is_grouped:
                rows: Sequence[Group] = await self.paced.groups(query, after="", count=count)
            else:
                rows = await self.paced.page(query.collection, query.where, after=after, count=count)
            await self.keeper.made()
            return rows

        if is_indexed:
            asyncio.run(select())
            self.watched.made.clear()
        rows = asyncio.run(select())
        query = parse_query(text)
        if query.is_grouped:
            return [tuple(grouped_result(query, row).items()) for row in rows]
        return [tuple(row) for row in rows]

    def expected(self, text: str, after: int = 0, count: int = ALL) -> list[tuple[Any, ...]]:
        query = parse_query(text)
        if query.is_grouped:
            groups = self.whole.groups(query, after="", count=count)
            return [tuple(grouped_result(query, row).items()) for row in groups]
        return [tuple(row) for row in self.whole.page(query.collection, query.where, after=after, count=count)]

    def assert_alike(self, *texts: str) -> None:
        for text in texts:
            assert self.found(text, is_indexed=True) == self.expected(text), text

    def assert_exact(self) -> None:
        """The indices have what the rows have, no more and no less."""
        entries = self.index._entries
        assert entries is not None
        for path, index in self.index._indices.items():
            assert self.index.bring_up_to_date(Lookup(path, ()), ALL)
            rows = self.index._read(index, "row_id <= ?", (index.until,))
            assert rows is not None
            have = entries._connection.execute(f"SELECT row_id, value FROM index_{index.number}")
            assert sorted(have, key=repr) == sorted((row for row in rows if row[1] is not None), key=repr), path

    def is_by_index(self) -> bool:
        """Whether the queries since the index was made looked at nothing else."""
        return not any(BY_RANGE in text for text in self.watched.made)


@contextmanager
def forty_devices() -> Iterator[Hub]:
    """A registry of forty devices in ten rings, of which three are gone, and four modules."""
    with closing(Database(None)) as database:
        hub = Hub(database)
        for number in range(40):
            status = "disabled" if number % 9 == 4 else "enabled"
            hub.add(
                f"d{number:02}", {"ring": str(number % 10), "load": number % 8, "on": number % 6 == 0}, status=status
            )
            if number % 10 == 0:
                hub.add(f"d{number:02}", {"ring": "3"}, module_id="m")
        hub.database.change("DELETE FROM identities WHERE device_id IN ('d11', 'd12', 'd39')")
        yield hub
