"""Queries by an index have the results of those without, whatever has happened to the devices meanwhile."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from azext_iotjobs.localhub.engine.paced_selector import PacedSelector
from azext_iotjobs.localhub.engine.selector import SOURCES, among, page_sql
from azext_iotjobs.localhub.query.nodes import Collection
from azext_iotjobs.localhub.query.parser import parse_query
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.twin import new_twin
from azext_iotjobs.localhub.store.identities import CONNECTED, DISCONNECTED, Identity
from tests.localhub.engine.indexed_hub import ALL, AT, BY_INDEX, BY_RANGE, Hub, forty_devices


@pytest.fixture
def hub() -> Iterator[Hub]:
    with forty_devices() as hub:
        yield hub


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
    hub.database.change("DELETE FROM identities WHERE device_id IN ('d14', 'd01', 'new')")
    hub.assert_exact()


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
    hub.assert_exact()


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
    hub.assert_exact()


def test_a_reported_property_has_an_index_too(hub: Hub) -> None:
    text = "SELECT * FROM devices WHERE properties.reported.firmware = '1.2'"
    hub.report("d05", {"firmware": "1.2"})
    hub.assert_alike(text)
    hub.report("d06", {"firmware": "1.2"})
    hub.report("d05", {"firmware": "1.3"})
    hub.assert_alike(text)
    assert hub.is_by_index() and [row[1] for row in hub.found(text)] == ["d06"]


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
