"""The file that is a store: its rights, its formats, damage, locks, a full disk, Ctrl-C."""

import os
import sqlite3
import stat
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun
from azext_iotjobs.fleet_job.store.sqlite import database
from azext_iotjobs.fleet_job.store.sqlite.database import FILE_NAME, SqliteDatabase
from azext_iotjobs.fleet_job.store.sqlite.schema import MIGRATIONS
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.errors import (
    StateBusy,
    StateDamaged,
    StateFull,
    StateTooNew,
    StateUnusable,
)
from azext_iotjobs.model.run_state import RunEvent, RunState
from tests.fleet_job.store.test_contract import DEFINITION, HOLDER, NOW, ended, new_run, save
from tests.helpers.old_state_file import make_older


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore.open(tmp_path / "state")
    yield store
    store.close()


@pytest.fixture
def leased(store: SqliteStore) -> LeasedRun:
    save(store)
    leased = store.take_lease(new_run(store), HOLDER, NOW)
    leased.begin(RunEvent.START, NOW, forgiven_of_run=0, forgiven_of_batch=0)
    leased.begin_batch(1, NOW)
    return leased


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
def test_folder_and_file_are_their_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        SqliteStore.open(tmp_path / "a" / "state").close()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a" / "state").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "a" / "state" / FILE_NAME).stat().st_mode) == 0o600


def test_a_file_of_the_first_version_is_taken_over_and_runs_are_counted_on(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path)
    store.definitions.add("job", "h", DEFINITION, at=NOW, by="ann", origin=None)
    new_run(store)
    store.close()
    with sqlite3.connect(tmp_path / FILE_NAME) as raw:  # as it was then
        make_older(raw, 1)
    raw.close()
    store = SqliteStore.open(tmp_path)
    assert store.definitions.get("job").definition == DEFINITION
    store.database.change("UPDATE run SET state = 'canceled', ended_at = ?", (NOW.timestamp(),))
    assert store.history.prune(NOW + timedelta(seconds=1)) == 1 and store.runs.last("job") is None
    assert new_run(store).number == 2  # a rerun of run 1 means no other
    store.close()


def test_a_file_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    SqliteStore.open(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE_NAME) as raw:
        raw.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    raw.close()
    before = (tmp_path / FILE_NAME).read_bytes()
    known = len(MIGRATIONS)
    with pytest.raises(StateTooNew, match=rf"format {known + 1}; this version knows formats up to {known}\. Nothing"):
        SqliteStore.open(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"no database at all, but some text\n" * 50, b"SQLite format 3\0" + b"\xff" * 4096]
)
def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(StateDamaged, match="not a database of fleet jobs"):
        SqliteStore.open(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == content


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StateUnusable, match="cannot be used"):
        SqliteStore.open(tmp_path / "file" / "state")


def test_a_file_that_another_process_has_locked_is_a_clear_error_and_nothing_is_lost(
    store: SqliteStore, leased: LeasedRun
) -> None:
    store.database.change("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(store.database.path)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StateBusy, match="locked by another process"):
        leased.devices.write(NOW, ended=[ended(1)])
    other.rollback()
    other.close()
    assert store.runs.get("job").tally.completed == 0
    leased.devices.write(NOW, ended=[ended(1)])
    assert store.runs.get("job").tally.completed == 1


def test_a_full_disk_is_a_clear_error_and_nothing_is_lost(store: SqliteStore, leased: LeasedRun) -> None:
    page_count = store.database.rows("PRAGMA page_count")[0][0]
    store.database.change(f"PRAGMA max_page_count = {page_count}")
    large = "x" * 200_000
    with pytest.raises(StateFull, match="no room on the disk"):
        leased.devices.write(NOW, ended=[ended(1, payload=large, has_payload=True), ended(2)])
    assert store.runs.get("job").tally.completed == 0
    store.database.change("PRAGMA max_page_count = 100000")
    leased.devices.write(NOW, ended=[ended(1, payload=large, has_payload=True), ended(2)])
    assert store.runs.get("job").tally.completed == 2


def test_several_that_make_the_file_at_once_all_get_it(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as several:
        for store in several.map(lambda _: SqliteStore.open(tmp_path / "state"), range(8)):
            assert store.definitions.list_all() == []
            store.close()


def test_a_file_that_another_makes_between_two_looks_at_it_is_a_fleet_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version_of = SqliteDatabase._version
    others: list[threading.Thread] = []

    def version_before_another_made_it(database: SqliteDatabase) -> int:
        found = version_of(database)
        if not others:
            others.append(threading.Thread(target=lambda: SqliteStore.open(tmp_path).close()))
            others[0].start()
            others[0].join(0.5)
        return found

    monkeypatch.setattr(SqliteDatabase, "_version", version_before_another_made_it)
    store = SqliteStore.open(tmp_path)
    others[0].join(10)
    assert not others[0].is_alive()
    assert store.definitions.list_all() == []
    store.close()


def test_a_journal_that_a_dead_process_left_is_rolled_back(tmp_path: Path) -> None:
    SqliteStore.open(tmp_path).close()
    program = (
        "import os, sys; from pathlib import Path; from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore\n"
        "database = SqliteStore.open(Path(sys.argv[1])).database\n"
        "with database.transaction():\n"
        "    database.change(\"INSERT INTO device_group VALUES ('h', 'n', 'c')\")\n"
        "    database.change('PRAGMA cache_size = 1'); database.change('PRAGMA cache_spill = 1')\n"
        "    for number in range(3000):\n"
        "        database.change('INSERT INTO device_group VALUES (?, ?, ?)', ('h', str(number), 'c' * 500))\n"
        "    os._exit(9)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(database.__file__).parents[4])}
    ran = subprocess.run([sys.executable, "-c", program, str(tmp_path)], env=environment, check=False)
    assert ran.returncode == 9 and (tmp_path / f"{FILE_NAME}-journal").exists()
    again = SqliteStore.open(tmp_path)
    assert again.groups.list_all() == []
    again.close()


class Interrupted:
    """A connection during whose next statement of a kind somebody presses Ctrl-C."""

    def __init__(self, connection: sqlite3.Connection, at: str) -> None:
        self._connection = connection
        self._at: str | None = at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, sql: str, *values: Any) -> Any:
        found = self._connection.execute(sql, *values)
        if self._at is not None and sql.startswith(self._at):
            self._at = None
            raise KeyboardInterrupt
        return found


@pytest.mark.parametrize("at", ["BEGIN", "UPDATE", "COMMIT"])
def test_a_ctrl_c_in_a_transaction_leaves_none_open(store: SqliteStore, leased: LeasedRun, at: str) -> None:
    database = store.database
    database._connection = Interrupted(database._connection, at)  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        leased.beat(NOW + timedelta(seconds=9))
    leased.end(RunEvent.STOP, NOW, reason=None, by=None)
    assert not database._connection.in_transaction and store.runs.get("job").state is RunState.STOPPED


def test_numbered_marks_reach_sqlite_as_plain_ones_with_their_values(store: SqliteStore) -> None:
    """Python 3.14 refuses a sequence of values for numbered marks, and 3.12 warns of it."""
    database = store.database
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        row = database.row("SELECT ?2 AS a, ?1 AS b, ?2 AS c", (1, 2))
        assert row is not None and tuple(row) == (2, 1, 2)
        database.change("CREATE TEMP TABLE pairs (a, b)")
        database.change_many("INSERT INTO pairs SELECT ?2, ?1 WHERE ?1 > 0", iter([(1, 2), (0, 3), (4, 5)]))
    assert [tuple(each) for each in database.rows("SELECT * FROM pairs")] == [(2, 1), (5, 4)]
    assert [tuple(each) for each in database.rows("SELECT * FROM pairs WHERE a = ?", (5,))] == [(5, 4)]
