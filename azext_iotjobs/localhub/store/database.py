"""The hub's SQLite database: open, migrate, one transaction at a time.

All of it runs on the hub's one loop, so a transaction never meets another: what is read in it is still true when it is
written. WAL and NORMAL: what was acknowledged survives the end of the process, however it comes.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from azext_iotjobs.localhub.query.functions import install
from azext_iotjobs.localhub.rules.etags import identity_etag, twin_etag
from azext_iotjobs.localhub.store.schema import MIGRATIONS

STEPS_BETWEEN_LOOKS = 20_000  # of SQLite's machine: some milliseconds
TWIN_ETAG, IDENTITY_ETAG = "twin_etag_text", "identity_etag_text"  # SQL functions: counter -> etag


class NewerDatabase(Exception):
    """The file was written by a newer version."""


class TooSlow(Exception):
    """A SELECT took longer than it may."""


class Database:
    """One open database."""

    def __init__(self, path: Path | None) -> None:
        """Open and migrate; None is a database in memory. Raises NewerDatabase, sqlite3.Error."""
        self._connection = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=5000"):
            self._connection.execute(f"PRAGMA {pragma}")
        for name, function in ((TWIN_ETAG, twin_etag), (IDENTITY_ETAG, identity_etag)):
            self._connection.create_function(name, 1, function, deterministic=True)
        install(self._connection)
        self._depth = 0
        self._migrate()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or nothing; one inside another is part of it."""
        if self._depth:
            yield
            return
        self._connection.execute("BEGIN IMMEDIATE")
        self._depth += 1
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        else:
            self._connection.execute("COMMIT")
        finally:
            self._depth -= 1

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """The rows of a SELECT."""
        return self._connection.execute(sql, values).fetchall()

    def rows_within(self, limit_s: float, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """The rows of a SELECT that somebody else thought of. Raises TooSlow.

        limit_s: of computing, so that what else the machine does refuses nobody.
        """
        deadline = time.thread_time() + limit_s
        self._connection.set_progress_handler(lambda: time.thread_time() > deadline, STEPS_BETWEEN_LOOKS)
        try:
            return self.rows(sql, values)
        except sqlite3.OperationalError as err:
            if time.thread_time() > deadline:
                raise TooSlow from err
            raise
        finally:
            self._connection.set_progress_handler(None, 0)

    def row(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Row | None:
        """The first row of a SELECT, or None."""
        found: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
        return found

    def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Carry out a change; gives how many rows it touched."""
        return self._connection.execute(sql, values).rowcount

    def change_many(self, sql: str, values: Sequence[Sequence[Any]]) -> None:
        """Carry out one change for each of `values`."""
        self._connection.executemany(sql, values)

    def empty(self) -> None:
        """Remove every row of every table."""
        tables = self.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        with self.transaction():
            for table in tables:
                self.change(f"DELETE FROM {table['name']}")

    def close(self) -> None:
        """Close; the write-ahead log is folded into the file."""
        self._connection.close()

    def _migrate(self) -> None:
        found = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if found > len(MIGRATIONS):
            raise NewerDatabase(f"its format is {found}, this version knows up to {len(MIGRATIONS)}")
        for number, statements in enumerate(MIGRATIONS[found:], start=found + 1):
            with self.transaction():
                for statement in statements:
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA user_version = {number}")
