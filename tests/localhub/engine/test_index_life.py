"""An index: what ends it, what makes room for it, and what is in no snapshot."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from azext_iotjobs.localhub.query.lookups import Lookup
from azext_iotjobs.localhub.query.parser import parse_query
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.index_entries import IndexEntries
from tests.localhub.engine.indexed_hub import ALL, Hub, forty_devices


@pytest.fixture
def database() -> Iterator[Database]:
    with closing(Database(None)) as database:
        yield database


@pytest.fixture
def hub() -> Iterator[Hub]:
    with forty_devices() as hub:
        yield hub


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


def test_queries_at_the_same_time_do_not_take_indices_from_each_other_again_and_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Hub(database, max_paths=2)
    for number in range(80):
        hub.add(f"d{number:02}", {"a": number % 2, "b": number % 3, "c": number % 5})
    queries = [parse_query(f"SELECT * FROM devices WHERE tags.{name} = 1 AND tags.x != 1") for name in "abc"]
    begun: list[int] = []
    create = IndexEntries.create

    def begin(entries: IndexEntries, number: int) -> None:
        begun.append(number)
        create(entries, number)

    monkeypatch.setattr(IndexEntries, "create", begin)

    async def story() -> None:
        await asyncio.gather(*(hub.paced.page(each.collection, each.where, after=0, count=ALL) for each in queries))
        await hub.keeper.made()

    asyncio.run(story())
    assert len(begun) <= 2 * len(queries)  # before its first slice, and after it


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


@pytest.mark.parametrize("is_restored", [True, False])
def test_queries_go_on_when_the_entries_fail_as_several_indices_end(hub: Hub, is_restored: bool) -> None:
    texts = [f"SELECT * FROM devices WHERE {each}" for each in ("tags.ring = '3'", "tags.load = 5", "tags.on = true")]
    hub.assert_alike(*texts)
    entries = hub.index._entries
    assert entries is not None
    entries.close()
    if is_restored:
        hub.database.generation += 1
    else:
        hub.index._max_paths = 3
    hub.assert_alike(*texts, "SELECT * FROM devices WHERE status = 'disabled'")
    assert hub.database.rows("SELECT name FROM sqlite_temp_master") == []


def test_a_hub_may_end_while_an_index_is_made(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        hub.keeper.want([Lookup(("tags", "ring"), (b"3",))])
        await asyncio.sleep(0)
        assert hub.index.are_behind
        hub.database.close()
        await hub.keeper.made()

    asyncio.run(story())
    assert caplog.text == ""
