"""The database: transactions, migrations, what survives."""

import sqlite3
from pathlib import Path

import pytest

from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.store.database import Database, NewerDatabase, TooSlow
from azext_iotjobs.localhub.store.identities import Identities
from azext_iotjobs.localhub.store.schema import MIGRATIONS
from azext_iotjobs.localhub.store.twins import Twins

INSERT = (
    "INSERT INTO jobs (job_id, type, status, condition, created_at, start_at, max_execution_s) "
    "VALUES (?, '', '', '', '', '', 1)"
)


class Stopped(Exception):
    """Something goes wrong in the middle."""


def job_ids(database: Database) -> list[str]:
    return [row["job_id"] for row in database.rows("SELECT job_id FROM jobs ORDER BY row_id")]


def test_a_transaction_that_fails_leaves_nothing_behind() -> None:
    database = Database(None)
    with pytest.raises(Stopped), database.transaction():
        database.change(INSERT, ("a",))
        raise Stopped
    assert job_ids(database) == []
    database.close()


def test_an_inner_transaction_is_part_of_the_outer_one() -> None:
    database = Database(None)
    with pytest.raises(Stopped), database.transaction():
        with database.transaction():
            database.change(INSERT, ("a",))
        raise Stopped
    assert job_ids(database) == []
    database.close()


def test_what_was_written_is_there_after_opening_again(tmp_path: Path) -> None:
    first = Database(tmp_path / "hub.db")
    first.change(INSERT, ("a",))
    first.close()
    second = Database(tmp_path / "hub.db")
    assert job_ids(second) == ["a"]
    second.close()


def test_a_file_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA user_version = 999")
    raw.close()
    with pytest.raises(NewerDatabase):
        Database(path)
    raw = sqlite3.connect(path)
    assert raw.execute("PRAGMA user_version").fetchone()[0] == 999
    assert raw.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    raw.close()


def test_a_file_of_an_older_version_is_brought_up_to_date_and_keeps_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    raw = sqlite3.connect(path, isolation_level=None)
    for statement in MIGRATIONS[0]:
        raw.execute(statement)
    raw.execute(
        "INSERT INTO identities VALUES "
        "('d1', '', '7', 5, 'enabled', NULL, '', '', '', '', 'sas', 'QQ==', 'Qg==', NULL, NULL, 0, NULL, '[]')"
    )
    raw.execute("PRAGMA user_version = 1")
    raw.close()
    database = Database(path)
    kept = Identities(database, Twins(database)).get(Address("d1"))
    assert kept is not None and (kept.etag, kept.primary_key, kept.managed_by, kept.message_count) == (
        5,
        "QQ==",
        None,
        0,
    )
    assert database.rows("PRAGMA user_version")[0][0] == len(MIGRATIONS)
    database.close()


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"


def test_a_select_without_end_is_ended_and_leaves_the_database_usable() -> None:
    database = Database(None)
    with pytest.raises(TooSlow):
        database.rows_within(0.01, ENDLESS)
    assert database.rows_within(60, "SELECT 1")[0][0] == 1
    database.close()


def test_what_is_no_sql_is_not_called_slow() -> None:
    database = Database(None)
    with pytest.raises(sqlite3.OperationalError):
        database.rows_within(60, "SELECT nothing")
    database.close()
