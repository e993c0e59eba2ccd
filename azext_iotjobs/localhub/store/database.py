"""The hub's SQLite database: open, migrate, one transaction at a time.

What SQLite cannot do at present (a full disk, a lock of another program) is a StoreUnavailable, what it cannot read a
StoreDamaged: the listeners answer both with an error, and background tasks try again.

All of it runs on the hub's one event loop, so there is only one transaction at a time: what it has read is still true
when it writes. WAL and NORMAL: what was acknowledged survives any end of the process.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from azext_iotjobs.localhub.errors import StoreDamaged, StoreUnavailable
from azext_iotjobs.localhub.process.background import run_repeatedly
from azext_iotjobs.localhub.process.outages import Outages
from azext_iotjobs.localhub.query.functions import install
from azext_iotjobs.localhub.rules.identity import identity_etag
from azext_iotjobs.localhub.rules.twin import twin_etag
from azext_iotjobs.localhub.store.schema import MIGRATIONS

NO_UTF8 = "Could not decode to UTF-8"  # what Python says; the text itself follows
STEPS_BETWEEN_CHECKS = 20_000  # of SQLite's virtual machine: some milliseconds
TWIN_ETAG, IDENTITY_ETAG = "twin_etag_text", "identity_etag_text"  # SQL functions: counter -> etag
SETTINGS, COPY_SETTINGS = ("journal_mode=WAL", "synchronous=NORMAL"), ("synchronous=OFF", "journal_mode=MEMORY")
# No request is served while SQLite waits for another program's lock; during an outage it hardly waits.
LOCK_LIMIT_MS, LOCK_LIMIT_IN_OUTAGE_MS = 2000, 20
CHECK_INTERVAL_S = 1.0  # how late the end of an outage may be noticed
# SQLite's messages, the same in all of its versions -> our reason, which goes on the wire.
TEMPORARY = {
    "database is locked": "another program holds a lock on it",
    "database table is locked": "another program holds a lock on it",
    "database or disk is full": "the disk is full",
    "attempt to write a readonly database": "it may not be written",
    "disk I/O error": "the disk cannot be read or written, or is full (disk I/O error)",
    "unable to open database file": "it cannot be opened",
    "locking protocol": "another program holds a lock on it",
    "out of memory": "there is not enough memory",
}
DAMAGE = {
    "malformed": "it is malformed",  # JSON in a column too
    "file is not a database": "it is not a database",
    NO_UTF8: "a text in it is not UTF-8",
    "user-defined function raised exception": "a value in it is of the wrong kind",
    "no such table": "a table is missing",
    "no such column": "a column is missing",
}


class NewerDatabase(Exception):
    """The file was written by a newer version."""


class TooSlow(Exception):
    """A SELECT took longer than it may."""


class Database:
    """One open database."""

    def __init__(
        self,
        path: Path | None,
        outages: Outages | None = None,
        migrations: Sequence[Sequence[str]] = MIGRATIONS,
        *,
        is_copy: bool = False,
    ) -> None:
        """Open and migrate; None is a database in memory.

        outages: where an outage of the store is recorded.
        migrations: statements, one group for each format that it ever had; the default is the hub's own database.
        is_copy: it need not survive the end of the process, and so is not waited for until it is on the disk.
        Raises NewerDatabase, StoreUnavailable, StoreDamaged, sqlite3.Error.
        """
        self.outages = Outages() if outages is None else outages
        self.migrations = migrations
        self.generation = 0  # how often everything in it was replaced
        self._name = "The database in memory" if path is None else str(path)
        self._is_unavailable = False
        self._depth = 0
        self._when_stored: list[Callable[[], None]] = []
        self._at_close: list[Callable[[], None]] = []
        self._connection = sqlite3.connect(path or ":memory:", isolation_level=None)
        try:
            self._connection.row_factory = sqlite3.Row
            for pragma in (
                *(COPY_SETTINGS if is_copy else SETTINGS),
                "foreign_keys=ON",
                f"busy_timeout={LOCK_LIMIT_MS}",
            ):
                self._connection.execute(f"PRAGMA {pragma}")
            for name, function in ((TWIN_ETAG, twin_etag), (IDENTITY_ETAG, identity_etag)):
                self._connection.create_function(name, 1, function, deterministic=True)
            install(self._connection)
            self._migrate()
        except BaseException as err:
            self._connection.close()
            if isinstance(err, sqlite3.Error):
                raise _translated(err) from err
            raise

    async def run(self) -> None:
        """Notice the end of an outage, also when nothing is written; until cancelled."""
        await run_repeatedly("the check of the database", self._probe, self.outages)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or nothing; a nested one is part of the outer one. Raises StoreUnavailable, StoreDamaged."""
        if self._depth:
            yield
            return
        self._execute("BEGIN IMMEDIATE")
        self._depth += 1
        try:
            yield
            self._execute("COMMIT")
        except BaseException:
            self._when_stored.clear()
            if self._connection.in_transaction:  # a full disk has rolled it back already
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
            raise
        finally:
            self._depth -= 1
        self._note_success()
        callbacks, self._when_stored = self._when_stored, []
        for callback in callbacks:
            callback()

    def when_stored(self, callback: Callable[[], None]) -> None:
        """Call `callback` once the writes so far are committed: at once, or after the transaction."""
        if self._depth:
            self._when_stored.append(callback)
        else:
            callback()

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """The rows of a SELECT. Raises StoreUnavailable, StoreDamaged."""
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as err:
            if NO_UTF8 in str(err) and sql.startswith("SELECT"):
                return self._rows_as_they_are(sql, values)
            raise self._translated(err) from err

    def rows_within(self, limit_s: float, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """The rows of a SELECT that a client wrote. Raises TooSlow.

        limit_s: of CPU time, so that other load on the machine does not matter.
        """
        deadline = time.thread_time() + limit_s
        self._connection.set_progress_handler(lambda: time.thread_time() > deadline, STEPS_BETWEEN_CHECKS)
        try:
            return self.rows(sql, values)
        except sqlite3.OperationalError as err:
            if time.thread_time() > deadline:
                raise TooSlow from err
            raise
        finally:
            self._connection.set_progress_handler(None, 0)

    def row(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Row | None:
        """The first row of a SELECT, or None. Raises StoreUnavailable, StoreDamaged."""
        try:
            found: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
        except sqlite3.Error as err:
            raise self._translated(err) from err
        return found

    def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Execute a change; gives how many rows it affected. Raises StoreUnavailable, StoreDamaged."""
        count = self._execute(sql, values).rowcount
        if not self._depth:
            self._note_success()
        return count

    def change_many(self, sql: str, values: Sequence[Sequence[Any]]) -> None:
        """Execute one change for each of `values`. Raises StoreUnavailable, StoreDamaged."""
        try:
            self._connection.executemany(sql, values)
        except sqlite3.Error as err:
            raise self._translated(err) from err

    def empty(self) -> None:
        """Remove every row of every table."""
        tables = self.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        with self.transaction():
            for table in tables:
                self.change(f"DELETE FROM {table['name']}")

    def copy_to(self, path: Path) -> None:
        """Write all of it, as it is now, into a database of its own. Raises StoreUnavailable, StoreDamaged."""
        with self._other(path) as copy:
            for pragma in COPY_SETTINGS:
                copy.execute(f"PRAGMA {pragma}")
            self._connection.backup(copy)

    def replace_by(self, path: Path) -> None:
        """Have what another database of this format holds instead of everything: all of it or nothing.

        Raises StoreUnavailable, StoreDamaged.
        """
        with self._other(path) as other:
            other.backup(self._connection)
        self.generation += 1
        self._note_success()

    def close(self) -> None:
        """Close; the write-ahead log is merged into the file."""
        for callback in self._at_close:
            callback()
        self._connection.close()

    def at_close(self, callback: Callable[[], None]) -> None:
        """Call `callback` when it is closed."""
        self._at_close.append(callback)

    def change_connection(self, sql: str) -> None:
        """Execute what changes this connection alone, such as its triggers. Raises StoreUnavailable, StoreDamaged."""
        self._execute(sql)

    def function(self, name: str, count: int, function: Callable[..., None]) -> None:
        """Have a SQL function for triggers of this connection. count: of its values."""
        self._connection.create_function(name, count, function)

    @contextmanager
    def _other(self, path: Path) -> Iterator[sqlite3.Connection]:
        """Another database, to copy from or to. Raises StoreUnavailable, StoreDamaged."""
        assert not self._depth, "a copy is made between transactions"
        try:
            with closing(sqlite3.connect(path)) as other:
                yield other
        except sqlite3.Error as err:
            raise self._translated(err) from err

    def _execute(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        try:
            return self._connection.execute(sql, values)
        except sqlite3.Error as err:
            raise self._translated(err) from err

    def _rows_as_they_are(self, sql: str, values: Sequence[Any]) -> list[sqlite3.Row]:
        """The rows of a SELECT, with bytes for a text that is not UTF-8: only its row is damaged, not the others."""
        self._connection.text_factory = _text_or_bytes
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as err:
            raise self._translated(err) from err
        finally:
            self._connection.text_factory = str

    def _translated(self, err: sqlite3.Error) -> Exception:
        """Our error for one of SQLite; an outage is recorded."""
        translated = _translated(err)
        if isinstance(translated, StoreUnavailable):
            self._note_outage(str(translated))
        return translated

    def _note_outage(self, reason: str) -> None:
        if not self._is_unavailable:
            self._is_unavailable = True
            self._connection.execute(f"PRAGMA busy_timeout={LOCK_LIMIT_IN_OUTAGE_MS}")
            effect = (
                "The hub stays up, keeps what it has acknowledged, answers what it cannot store with 503, and keeps "
                "trying."
            )
            self.outages.begin(self._name, reason, effect)

    def _note_success(self) -> None:
        if self._is_unavailable:
            self._is_unavailable = False
            self._connection.execute(f"PRAGMA busy_timeout={LOCK_LIMIT_MS}")
            self.outages.end(self._name)

    def _probe(self) -> float:
        if self._is_unavailable:
            # Written with the value that it has: the smallest change that goes to the disk.
            with self.transaction():
                self._execute(f"PRAGMA user_version = {len(self.migrations)}")
        return CHECK_INTERVAL_S

    def _migrate(self) -> None:
        found = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if not 0 <= found <= len(self.migrations):
            raise NewerDatabase(f"its format is {found}; this version knows formats up to {len(self.migrations)}")
        for number, statements in enumerate(self.migrations[found:], start=found + 1):
            with self.transaction():
                for statement in statements:
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA user_version = {number}")


def _text_or_bytes(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _translated(err: sqlite3.Error) -> Exception:
    """Our error for one of SQLite; the error itself, when it is a bug of ours."""
    message = str(err)
    for text, reason in TEMPORARY.items():
        if text in message:
            return StoreUnavailable(reason)
    for text, reason in DAMAGE.items():
        if text in message:
            return StoreDamaged(f"The hub's database is damaged: {reason}.")
    return err
