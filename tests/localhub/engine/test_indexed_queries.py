"""Queries by an index have the results of those without, whatever has happened to the devices meanwhile."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from sqlite3 import Row
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from azext_iotjobs.localhub.engine.index_keeper import IndexKeeper
from azext_iotjobs.localhub.engine.paced_selector import PacedSelector
from azext_iotjobs.localhub.engine.selector import SOURCES, Selector, among, page_sql
from azext_iotjobs.localhub.query.grouped_sql import Group, grouped_result
from azext_iotjobs.localhub.query.nodes import Collection
from azext_iotjobs.localhub.query.parser import parse_query
from azext_iotjobs.localhub.query.sql_fragments import Sql
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.twin import new_twin, patch_by_device
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.identities import CONNECTED, DISCONNECTED, Identities, Identity
from azext_iotjobs.localhub.store.path_index import PathIndex
from azext_iotjobs.localhub.store.twins import Twins
from tests.localhub.query.generated import EXAMPLES

AT = "2026-05-01T08:00:00.0000000Z"
ALL = 1000
BY_INDEX, BY_RANGE = "json_each", "row_id > ?"
# Values that are alike in one way or another.
VALUES: list[Any] = [
    *("1", "", "a", "A", "ü", "a\0", "a\0b", "true", "x" * 300, "x" * 299 + "y", "'", '"', "?", "😀"),
    *(0, 1, 1.0, -0.0, 0.1, 2**53, 2**53 + 1, float(2**53), 2**63 - 1, -(2**63), 2**63, 2**70 + 1, 1e300),
    *(True, False, None, [1], {}, {"b": 1}, ...),
]
SCALARS = [value for value in VALUES if not isinstance(value, list | dict) and value is not ...]


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

    def is_by_index(self) -> bool:
        """Whether the queries since the index was made looked at nothing else."""
        return not any(BY_RANGE in text for text in self.watched.made)


@pytest.fixture
def database() -> Iterator[Database]:
    with closing(Database(None)) as database:
        yield database


@pytest.fixture
def hub(database: Database) -> Hub:
    hub = Hub(database)
    for number in range(40):
        status = "disabled" if number % 9 == 4 else "enabled"
        hub.add(f"d{number:02}", {"ring": str(number % 10), "load": number % 8, "on": number % 6 == 0}, status=status)
        if number % 10 == 0:
            hub.add(f"d{number:02}", {"ring": "3"}, module_id="m")
    hub.database.change("DELETE FROM identities WHERE device_id IN ('d11', 'd12', 'd39')")
    return hub


QUERIES = [
    "SELECT * FROM devices WHERE tags.ring = '3'",
    "SELECT * FROM devices WHERE '3' = tags.ring AND tags.load > 3",
    "SELECT * FROM devices WHERE tags.ring IN ['3', '7', '3', 'none']",
    "SELECT * FROM devices WHERE tags.load = 5 AND tags.ring = '3'",
    "SELECT * FROM devices WHERE tags.load IN [5, '5', true]",
    "SELECT * FROM devices WHERE tags.on = true",
    "SELECT * FROM devices WHERE status = 'disabled'",
    "SELECT * FROM devices WHERE connectionState = 'Connected'",
    "SELECT * FROM devices WHERE status = 'disabled' AND tags.on = false",
    "SELECT * FROM devices WHERE tags.ring = 'none'",
    "SELECT * FROM devices.modules WHERE tags.ring = '3'",
    "SELECT COUNT() AS n FROM devices WHERE tags.ring = '3'",
    "SELECT tags.load, COUNT() AS n, SUM(tags.load) AS s FROM devices WHERE tags.ring = '3' GROUP BY tags.load",
]


@pytest.mark.parametrize("text", QUERIES)
def test_a_second_query_goes_by_the_index_and_finds_the_same(hub: Hub, text: str) -> None:
    hub.identities.presence.note_connection(Address("d07"), CONNECTED, AT)
    assert hub.found(text, is_indexed=True) == hub.expected(text)
    assert hub.is_by_index()


@pytest.mark.parametrize("text", QUERIES[:8])
def test_so_do_its_pages(hub: Hub, text: str) -> None:
    hub.found(text)
    for after in (0, 3, 17, 40, 41, 1000):
        for count in (1, 2, 5):
            assert hub.found(text, after, count) == hub.expected(text, after, count), (after, count)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM devices WHERE tags.ring = '3' OR tags.load = 1",
        "SELECT * FROM devices WHERE NOT tags.ring = '3'",
        "SELECT * FROM devices WHERE tags.ring IN ['3', null]",
        "SELECT * FROM devices WHERE tags.ring = null",
        "SELECT * FROM devices WHERE tags = '3'",
        "SELECT * FROM devices WHERE tags.load > 3",
        "SELECT * FROM devices WHERE properties.desired.$version = 1",
        "SELECT * FROM devices WHERE properties.reported.$metadata.x = 1",
        "SELECT * FROM devices WHERE tags.ring = tags.other",
        "SELECT * FROM devices WHERE version = 2",
        "SELECT * FROM devices WHERE tags.load IN [" + ", ".join(map(str, range(51))) + "]",
        "SELECT * FROM devices.jobs WHERE status = 'completed'",
    ],
)
def test_for_other_conditions_there_is_no_index(hub: Hub, text: str) -> None:
    assert hub.found(text, is_indexed=True) == hub.expected(text)
    assert not hub.index.are_behind
    hub.add("new")
    assert not hub.index.are_behind, "there is an index"


def test_a_small_hub_makes_no_index(hub: Hub) -> None:
    paced = PacedSelector(hub.watched, hub.keeper)
    query = parse_query("SELECT * FROM devices WHERE tags.ring = '3'")
    for _ in range(3):
        asyncio.run(paced.page(query.collection, query.where, after=0, count=ALL))
    assert not hub.index.are_behind
    assert hub.database.rows("SELECT * FROM sqlite_temp_master") == []


def test_what_changes_afterwards_is_found(hub: Hub) -> None:
    texts = [each for each in QUERIES if "SELECT *" in each]
    hub.assert_alike(*texts)
    hub.tag("d03", ring="7")
    hub.tag("d04", ring="3", load=5)
    hub.tag("d05", ring=None)
    hub.tag("d06", ring=..., load=..., on=...)
    hub.assert_alike(*texts)
    hub.database.change("DELETE FROM identities WHERE device_id IN ('d13', 'd23', 'd04', 'd20')")
    hub.assert_alike(*texts)
    hub.add("d13", {"ring": "3", "load": 2})
    hub.add("d23", {"ring": "4"}, status="disabled")
    hub.add("new", {"ring": "3"})
    hub.assert_alike(*texts)
    hub.identities.presence.note_connection(Address("d13"), CONNECTED, AT)
    hub.assert_alike(*texts)
    hub.identities.presence.note_connection(Address("d13"), DISCONNECTED, AT)
    hub.identities.presence.note_connection(Address("d01"), CONNECTED, AT)
    record = hub.identities.get(Address("d14"))
    assert record is not None
    hub.identities.save(replace(record, status="disabled"))
    hub.assert_alike(*texts)
    hub.identities.disconnect_all(AT)
    hub.assert_alike(*texts)
    assert hub.is_by_index()


def test_very_many_new_devices_are_found_before_and_after_the_index_has_them(hub: Hub) -> None:
    text = "SELECT * FROM devices WHERE tags.ring = '3'"
    hub.assert_alike(text)
    for ring in ("1", "3", "2"):
        new = [
            Identity(device_id=f"new-{ring}-{number}", generation_id="g", etag=7, sign_in="sas") for number in range(12)
        ]
        hub.identities.create_many(new, replace(new_twin(AT), tags={"ring": ring}))
    for after in (0, 30, 45, 60):
        assert hub.found(text, after, 5) == hub.expected(text, after, 5)
    assert len(hub.found(text)) == 16 and not hub.index.are_behind


def test_an_index_that_has_the_first_rows_is_used_for_these(hub: Hub) -> None:
    text = "SELECT * FROM devices WHERE tags.ring = '3'"
    hub.index.want([("tags", "ring")])
    hub.index.grow(20)
    hub.tag("d03", ring="4")
    hub.tag("d04", ring="3")
    hub.tag("d33", ring="4")
    hub.tag("d34", ring="3")
    hub.database.change("DELETE FROM identities WHERE device_id IN ('d13', 'd23')")
    query = parse_query(text)
    for after in (0, 5, 20, 25):
        rows = asyncio.run(hub.paced.page(query.collection, query.where, after=after, count=ALL))
        assert [tuple(row) for row in rows] == hub.expected(text, after)
    used = "".join(hub.watched.made)
    assert BY_INDEX in used and BY_RANGE in used


def test_what_changes_while_it_is_made_is_found(hub: Hub) -> None:
    text = "SELECT * FROM devices WHERE tags.ring = '3'"

    async def story() -> None:
        hub.index.want([("tags", "ring")])
        number = 0
        while hub.index.grow(2) is not None:
            hub.tag(f"d{number % 11:02}", ring=str(number % 5))
            hub.tag(f"d{39 - number % 9 - 1:02}", ring=str(number % 4))
            number += 1

    asyncio.run(story())
    assert hub.found(text) == hub.expected(text)
    assert hub.is_by_index()


def test_a_change_that_is_rolled_back_is_none(hub: Hub) -> None:
    text = "SELECT * FROM devices WHERE tags.ring = '3'"
    hub.assert_alike(text)
    before = hub.found(text)
    with pytest.raises(ZeroDivisionError), hub.database.transaction():
        hub.tag("d03", ring="9")
        hub.tag("d01", ring="3")
        hub.add("never", {"ring": "3"})
        hub.database.change("DELETE FROM identities WHERE device_id = 'd13'")
        raise ZeroDivisionError
    assert hub.found(text) == before == hub.expected(text)
    hub.add("after", {"ring": "3"})
    hub.tag("d01", ring="3")
    hub.assert_alike(text)


def test_a_reported_property_has_an_index_too(hub: Hub) -> None:
    text = "SELECT * FROM devices WHERE properties.reported.firmware = '1.2'"
    hub.report("d05", {"firmware": "1.2"})
    hub.assert_alike(text)
    hub.report("d06", {"firmware": "1.2"})
    hub.report("d05", {"firmware": "1.3"})
    hub.assert_alike(text)
    assert hub.is_by_index() and [row[1] for row in hub.found(text)] == ["d06"]


def test_after_a_reset_and_after_a_snapshot_is_restored_it_is_made_anew(hub: Hub, tmp_path: Path) -> None:
    texts = ["SELECT * FROM devices WHERE tags.ring = '3'", "SELECT * FROM devices WHERE status = 'disabled'"]
    hub.database.copy_to(tmp_path / "copy.db")
    hub.assert_alike(*texts)
    hub.database.empty()
    hub.add("only", {"ring": "3"})
    hub.assert_alike(*texts)
    hub.database.replace_by(tmp_path / "copy.db")
    hub.assert_alike(*texts)
    assert len(hub.found(texts[0])) > 1 and hub.is_by_index()


def test_a_snapshot_has_nothing_of_it(hub: Hub, tmp_path: Path) -> None:
    hub.assert_alike("SELECT * FROM devices WHERE tags.ring = '3'")
    hub.database.copy_to(tmp_path / "copy.db")
    with closing(Database(tmp_path / "copy.db")) as copy:
        assert (
            copy.rows("SELECT name FROM sqlite_master WHERE type = 'trigger' OR name LIKE 'index!_%' ESCAPE '!'") == []
        )


def test_a_path_that_is_not_used_makes_room_and_nothing_is_left_of_it(database: Database) -> None:
    hub = Hub(database, max_paths=2)
    for number in range(20):
        hub.add(f"d{number:02}", {"a": number % 2, "b": number % 3, "c": number % 5})
    texts = [f"SELECT * FROM devices WHERE tags.{name} = 1" for name in "abc"]
    for text in (*texts, texts[0], texts[2]):
        hub.assert_alike(text)
        hub.tag("d03", a=1)
    assert len(database.rows("SELECT name FROM sqlite_temp_master WHERE type = 'trigger'")) == 4
    hub.assert_alike(*texts)


def test_one_that_is_too_far_behind_is_made_anew(database: Database) -> None:
    hub = Hub(database, max_changes=3)
    for number in range(12):
        hub.add(f"d{number:02}", {"ring": str(number)})
    text = "SELECT * FROM devices WHERE tags.ring = '3'"
    hub.assert_alike(text)
    for number in range(8):
        hub.tag(f"d{number:02}", ring="3" if number == 5 else "none")
    assert hub.found(text) == hub.expected(text)
    hub.assert_alike(text)
    assert hub.is_by_index()


def test_a_damaged_row_ends_the_index_and_can_be_repaired(hub: Hub) -> None:
    text = "SELECT * FROM devices WHERE tags.ring = '3'"
    hub.assert_alike(text)
    hub.database.change("UPDATE twins SET tags = '{' WHERE device_id = 'd05'")
    # What has damaged it is seen, as it went through this connection.
    hub.database.change("UPDATE twins SET tags = '{\"ring\":\"3\"}' WHERE device_id = 'd05'")
    hub.assert_alike(text)


def test_queries_go_on_when_the_entries_cannot_be_written(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    text = "SELECT * FROM devices WHERE tags.ring = '3'"
    hub.assert_alike(text)
    entries = hub.index._entries
    assert entries is not None
    entries.close()  # as when its file is gone
    hub.tag("d01", ring="3")
    hub.assert_alike(text, "SELECT * FROM devices WHERE status = 'disabled'")
    assert "without an index" in caplog.text
    assert hub.database.rows("SELECT name FROM sqlite_temp_master") == []


def test_a_jobs_devices_are_those_of_the_whole(hub: Hub) -> None:
    async def all_of(condition: str) -> list[Address]:
        return [each async for some in hub.paced.devices(condition) for each in some]

    for condition in (
        "tags.ring = '3'",
        "status = 'disabled' AND tags.load IN [4, 5]",
        "connectionState = 'Connected'",
    ):
        hub.found(f"SELECT * FROM devices WHERE {condition}", is_indexed=True)
        assert asyncio.run(all_of(condition)) == hub.whole.devices(condition)
        assert hub.is_by_index()


def test_rows_that_an_index_leads_to_are_found_by_their_ids_alone(hub: Hub) -> None:
    source, query = SOURCES[Collection.DEVICES], parse_query(QUERIES[1])
    sql = page_sql(source, query.where, among(source, [3, 5]), count=100)
    plan = [row["detail"] for row in hub.database.rows(f"EXPLAIN QUERY PLAN {sql.text}", sql.values)]
    assert "SEARCH twins USING INTEGER PRIMARY KEY (rowid=?)" in plan
    assert not any("SCAN twins" in each or "SCAN identities" in each or "TEMP B-TREE" in each for each in plan), plan


def test_rows_of_several_keys_are_merged_in_the_order_of_the_index(hub: Hub) -> None:
    hub.assert_alike(QUERIES[0])
    entries = hub.index._entries
    assert entries is not None
    assert (
        entries.rows(1, [b"3", b"7"], after=5, until=30, count=3)
        == sorted(
            entries.rows(1, [b"3"], after=5, until=30, count=9) + entries.rows(1, [b"7"], after=5, until=30, count=9)
        )[:3]
    )


def literal(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
        return repr(float(value))
    return json.dumps(value)


CHANGES = st.lists(
    st.tuples(st.sampled_from(["patch", "patch", "delete", "create", "query"]), st.integers(0, 5), st.integers(0, 60)),
    max_size=8,
)


@settings(max_examples=EXAMPLES // 2, deadline=None)
@given(st.lists(st.sampled_from(VALUES), min_size=1, max_size=6), CHANGES, st.sampled_from(["a", 'q"q', "ü", "it's?"]))
def test_any_values_after_any_changes(values: list[Any], changes: list[tuple[str, int, int]], name: str) -> None:
    def tags(value: Any) -> dict[str, Any]:
        return {} if value is ... else {name: value}

    with closing(Database(None)) as database:
        hub = Hub(database)
        for number, value in enumerate(values):
            hub.add(f"d{number}", tags(value))
        asked = [value for value in values if value in SCALARS] + SCALARS[:3]
        member = "tags.[[" + name + "]]"
        hub.found(f"SELECT * FROM devices WHERE {member} = 1", is_indexed=True)
        for kind, device, at in changes:
            address, value = Address(f"d{device}"), VALUES[at % len(VALUES)]
            is_there = hub.identities.get(address) is not None
            if kind == "patch" and is_there:
                hub.tag(f"d{device}", **{name: value})
            elif kind == "delete":
                hub.identities.delete(address)
            elif kind == "create" and not is_there:
                hub.add(f"d{device}", tags(value))
            elif kind == "query":
                hub.found(f"SELECT * FROM devices WHERE {member} = 1")
            asked += [value] if value in SCALARS else []
        for value in asked:
            for condition in (f"{member} = {literal(value)}", f"{member} IN [{literal(value)}, 'a', 0]"):
                text = f"SELECT * FROM devices WHERE {condition}"
                assert hub.found(text) == hub.expected(text), condition
