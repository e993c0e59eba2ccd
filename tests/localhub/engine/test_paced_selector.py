"""A query slice by slice has the results of the whole, in its order, and others have their turn."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from azext_iotjobs.localhub.engine.paced_selector import PacedSelector
from azext_iotjobs.localhub.engine.selector import Selector
from azext_iotjobs.localhub.errors import HubError, QueryError
from azext_iotjobs.localhub.query.grouped_sql import grouped_result
from azext_iotjobs.localhub.query.parser import parse_query
from azext_iotjobs.localhub.rules.twin import new_twin, patch_by_service
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.identities import Identities, Identity
from azext_iotjobs.localhub.store.twins import Twins

AT = "2026-05-01T08:00:00.0000000Z"
DEVICES = 23


@pytest.fixture
def database() -> Iterator[Database]:
    with closing(Database(None)) as database:
        identities = Identities(database, Twins(database))
        for number in range(DEVICES):
            tags = {"ring": str(number % 3), "load": number, "half": number / 2} if number % 5 else {"ring": number}
            twin = patch_by_service(new_twin(AT), tags=tags, desired=None, now_text=AT)
            status = "disabled" if number % 7 == 0 else "enabled"
            identity = Identity(device_id=f"d{number:02}", generation_id="g", etag=7, sign_in="sas", status=status)
            identities.create(identity, twin)
        database.change("DELETE FROM identities WHERE device_id IN ('d04', 'd05', 'd06', 'd22')")  # gaps
        yield database


def sliced(database: Database, limit_s: float = 10.0) -> PacedSelector:
    """One that never tries a query as a whole."""
    return PacedSelector(Selector(database, limit_s=limit_s), at_once_s=0, rows_at_once=2)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM devices",
        "SELECT * FROM devices WHERE tags.ring = '1'",
        "SELECT * FROM devices WHERE status = 'disabled' AND '1' = tags.ring",
        "SELECT * FROM devices WHERE deviceId IN ['d21', 'd02', 'd04']",
        "SELECT * FROM devices WHERE NOT tags.load > 3",
        "SELECT * FROM devices WHERE tags.ring = 'none'",
        "SELECT * FROM devices.modules",
        "SELECT * FROM devices.jobs",
    ],
)
@pytest.mark.parametrize(("after", "count"), [(0, 100), (0, 3), (7, 4), (1000, 5)])
def test_a_page_is_that_of_the_whole(database: Database, text: str, after: int, count: int) -> None:
    query = parse_query(text)
    whole = Selector(database).page(query.collection, query.where, after=after, count=count)
    found = asyncio.run(sliced(database).page(query.collection, query.where, after=after, count=count))
    assert [tuple(row) for row in found] == [tuple(row) for row in whole]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT COUNT() AS n FROM devices",
        "SELECT COUNT() AS n FROM devices WHERE tags.ring = 'none'",
        "SELECT status, COUNT() AS n, COUNT() AS again FROM devices GROUP BY status",
        "SELECT tags.ring, status, COUNT() AS n FROM devices GROUP BY tags.ring, status",
        "SELECT tags.half, COUNT() AS n FROM devices WHERE tags.load > 2 GROUP BY tags.half",
        "SELECT tags.ring FROM devices GROUP BY tags.ring",
        "SELECT tags.ring, SUM(tags.load) AS s, AVG(tags.half) AS a FROM devices GROUP BY tags.ring",
        "SELECT MIN(tags.load) AS least, COUNT() AS n FROM devices",
    ],
)
@pytest.mark.parametrize("count", [100, 2])
def test_groups_are_those_of_the_whole_page_by_page(database: Database, text: str, count: int) -> None:
    query = parse_query(text)

    def pages(select: Any) -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = []
        after = ""
        while rows := select(after):
            results += [grouped_result(query, row) for row in rows]
            after = rows[-1]["sort_key"]
            if not query.group_by:
                break
        return results

    paced = sliced(database)
    found = pages(lambda after: asyncio.run(paced.groups(query, after=after, count=count)))
    assert found == pages(lambda after: Selector(database).groups(query, after=after, count=count))
    assert found


def test_a_jobs_devices_are_those_of_the_whole(database: Database) -> None:
    async def all_of(condition: str) -> list[Any]:
        return [each async for some in sliced(database).devices(condition) for each in some]

    for condition in ("*", "tags.ring = '1'", "status = 'disabled' OR deviceId = 'd03'"):
        assert asyncio.run(all_of(condition)) == Selector(database).devices(condition)


def test_others_have_their_turn_between_two_slices(database: Database) -> None:
    query, turns = parse_query("SELECT * FROM devices WHERE tags.ring = 'none'"), 0

    async def story() -> None:
        async def count_turns() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count_turns())
        assert await sliced(database).page(query.collection, query.where, after=0, count=5) == []
        counting.cancel()

    asyncio.run(story())
    assert turns > DEVICES / 2 - 1


def test_all_slices_together_take_no_longer_than_a_query_may(database: Database) -> None:
    query = parse_query("SELECT * FROM devices WHERE " + " AND ".join(f"tags.a{number} <> 1" for number in range(300)))
    database.change("UPDATE twins SET tags = '{\"x\":\"' || hex(zeroblob(300000)) || '\"}'")
    with pytest.raises(QueryError, match=r"more than 0\.001 s of computing"):
        asyncio.run(sliced(database, limit_s=0.001).page(query.collection, query.where, after=0, count=5))


def test_what_goes_on_while_the_hub_is_brought_back_to_a_snapshot_is_refused(database: Database) -> None:
    query = parse_query("SELECT * FROM devices WHERE tags.ring = 'none'")

    async def story() -> None:
        reading = asyncio.create_task(sliced(database).page(query.collection, query.where, after=0, count=5))
        await asyncio.sleep(0)
        database.generation += 1
        await reading

    with pytest.raises(HubError, match="brought back to a snapshot"):
        asyncio.run(story())
