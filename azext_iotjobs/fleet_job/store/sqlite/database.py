"""The file of fleet jobs: open, migrate, one transaction at a time; SQLite's errors in our words.

One file, journal_mode=DELETE: several processes use it, also on file systems where WAL cannot work. `synchronous=FULL`:
an intent that was committed is there after a power cut. Readable by its owner alone. Pages are kept in memory for a
step, not for a run: with a million devices as with a hundred.

Reading needs no right to write, and leaves no trace: nothing is made, and an older format is read from a copy that
lives as long as the connection.
"""

import os
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from azext_iotjobs.fleet_job.store.contract import Access
from azext_iotjobs.fleet_job.store.sql.database import RowsChange, TwoVersions
from azext_iotjobs.fleet_job.store.sql.dialect import Dialect
from azext_iotjobs.fleet_job.store.sqlite.file_row import FileRow
from azext_iotjobs.fleet_job.store.sqlite.schema import MIGRATIONS
from azext_iotjobs.fleet_job.store.sqlite.state_errors import BUSY_S, damaged, not_a_store, state_error
from azext_iotjobs.model.errors import BadValue, StateTooNew, StateUnusable
from azext_iotjobs.model.text import Field, Text, command

FILE_NAME = "fleet-jobs.db"
CACHE_KIB = 256  # of pages, twice: of the file, and of the devices that are being chosen
WANTS_TO_WRITE = ("readonly", "unable to open")  # what SQLite says then of a file that it may only read
DIALECT = Dialect(
    index_hint="INDEXED BY {}",
    greatest="max",
    is_same="IS",
    nulls_first="",
    counting_key="INTEGER PRIMARY KEY",
    text="TEXT",
)
NUMBERED = re.compile(r"\?(\d+)")
PRIVATE = ""  # SQLite's name for a database that goes with its connection; it spills to a temporary file


class SqliteDatabase:
    """Implements sql.database.Database."""

    dialect = DIALECT

    def __init__(self, folder: Path, access: Access = Access.MAKE) -> None:
        """Open `folder`/FILE_NAME."""
        self.path = folder / FILE_NAME
        self._depth = 0
        with self._in_our_words():
            if access is Access.MAKE:
                _prepare(folder, self.path)
            _check_file(self.path)
            self._connection = self._connected(access)
            try:
                self._set_up(access)
            except BaseException:
                self._connection.close()
                raise

    @property
    def is_there(self) -> bool:
        """Whether there is a file."""
        return os.path.exists(self.path)

    def may_change(self, *tables: str) -> bool:
        """Whether rows may be changed: a file knows no roles, and whoever may not write it is told so then."""
        return True

    def _connected(self, access: Access) -> sqlite3.Connection:
        if not self.is_there:
            return _connect(PRIVATE)
        if access.writes:
            return _connect(str(self.path))
        connection = _connect(f"{self.path.absolute().as_uri()}?mode=ro")
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as err:
            connection.close()
            if not any(each in str(err) for each in WANTS_TO_WRITE):
                raise
            return self._reading_what_others_left()
        return connection

    def _reading_what_others_left(self) -> sqlite3.Connection:
        """A file that a crashed process left in the middle of a change, or that a tool has put into WAL mode: SQLite
        wants to write before it reads. Where nothing waits to be put into the file, it can do without.
        """
        waiting = [f"{self.path}{suffix}" for suffix in ("-journal", "-wal")]
        if any(os.path.exists(each) and os.path.getsize(each) for each in waiting):
            if _may_write(self.path) and _may_write(self.path.parent):
                return _connect(str(self.path))
            raise StateUnusable(
                f"The state file {self.path} was left in the middle of a change, and cannot be read before that is "
                "settled; this user may not write it.",
                hint=Text("Have its owner open it once: ", command("iot hub fleet-job list")),
            )
        return _connect(f"{self.path.absolute().as_uri()}?mode=ro&immutable=1")

    def _set_up(self, access: Access) -> None:
        self._connection.row_factory = type("RowOfFile", (FileRow,), {"path": self.path})
        caches = (f"main.cache_size=-{CACHE_KIB}", f"temp.cache_size=-{CACHE_KIB}")
        modes = ("journal_mode=DELETE", "synchronous=FULL") if access.writes else ()
        for pragma in (*modes, "foreign_keys=ON", *caches):
            self._connection.execute(f"PRAGMA {pragma}")
        self._check_version()
        if not access.writes and self._version() < len(MIGRATIONS):
            self._read_a_copy()
        self._migrate()

    def _read_a_copy(self) -> None:
        copy = _connect(PRIVATE)
        self._connection.backup(copy)
        copy.row_factory = self._connection.row_factory
        self._connection.close()
        self._connection = copy

    @contextmanager
    def transaction(self, of_run: int | None = None) -> Iterator[None]:
        """All of it or nothing; one inside another is part of it. of_run: all wait for each other here."""
        if self._depth:
            yield
            return
        with self._in_our_words():
            self._depth += 1
            try:
                self._connection.execute("BEGIN IMMEDIATE")  # in here: Ctrl-C may come while it waits for a lock
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                self._depth -= 1

    def version(self) -> TwoVersions | None:
        """Another one after each change, whoever makes it; None within a transaction, which may be taken back."""
        if self._depth:
            return None
        with self._in_our_words():
            (of_others,) = self._connection.execute("PRAGMA data_version").fetchone()
        return TwoVersions(of_others, self._connection.total_changes)

    def lease_clock(self, now: datetime) -> float:
        """What the clock says by which leases expire: this machine's."""
        return now.timestamp()

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[FileRow]:
        """The rows of a SELECT."""
        with self._in_our_words():
            return self._connection.execute(*_unnumbered(sql, values)).fetchall()

    def row(self, sql: str, values: Sequence[Any] = ()) -> FileRow | None:
        """The first row of a SELECT, or None."""
        with self._in_our_words():
            found: FileRow | None = self._connection.execute(*_unnumbered(sql, values)).fetchone()
        return found

    def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Execute a change; gives how many rows it touched."""
        with self._in_our_words():
            return self._connection.execute(*_unnumbered(sql, values)).rowcount

    def change_many(self, sql: str, values: Iterable[Sequence[Any]]) -> None:
        """Execute a change for each of `values`, which are read one by one."""
        plain, places = _unnumbered_marks(sql)
        with self._in_our_words():
            self._connection.executemany(plain, values if places is None else map(_at(places), values))

    def change_rows(self, change: RowsChange, values: Iterable[Sequence[Any]]) -> None:
        """Change a row for each of `values`, which are read one by one, as if one after the other."""
        self.change_many(_for_one_row(change), values)

    def close(self) -> None:
        """Close it."""
        self._connection.close()

    def _migrate(self) -> None:
        if self._version() < len(MIGRATIONS):
            with self.transaction():  # another process may have been quicker
                for number in range(self._version() + 1, len(MIGRATIONS) + 1):
                    for statement in MIGRATIONS[number - 1]:
                        self._connection.execute(statement)
                    self._connection.execute(f"PRAGMA user_version = {number}")
            self._check_version()

    def _check_version(self) -> None:
        found, tables = self._version_and_tables()
        if found > len(MIGRATIONS):
            raise StateTooNew(
                f"The state file {self.path} has format {found}; this version knows formats up to {len(MIGRATIONS)}. "
                "Nothing was changed.",
                hint=Text(
                    "Give another folder (",
                    Field("state_dir"),
                    "), or update the extension: ",
                    command("extension update", name="iotjobs"),
                ),
            )
        if found < 0:
            raise damaged(self.path, f"its format is {found}")
        if found == 0 and tables:
            raise not_a_store(self.path, "an SQLite database of something else")

    def _version_and_tables(self) -> tuple[int, int]:
        """The format, and how many tables and indexes there are, both of one instant: another process may be making
        the file.
        """
        self._connection.execute("BEGIN")
        try:
            tables = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            return self._version(), tables
        finally:
            if self._connection.in_transaction:  # an error of SQLite may have ended it
                self._connection.execute("COMMIT")

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def _in_our_words(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, UnicodeDecodeError) as err:
            raise state_error(err, self.path) from err
        except UnicodeEncodeError as err:  # bytes that were no text, typed or sent: no name here has them
            raise BadValue(f"{err.object[:60]!r} is not text; nothing here can have that name.") from err
        except OverflowError as err:  # SQLite's numbers have 64 bits
            raise BadValue("A number is too large; nothing here has it.") from err


def _unnumbered(sql: str, values: Sequence[Any]) -> tuple[str, Sequence[Any]]:
    """A statement and its values without numbers at its marks."""
    plain, places = _unnumbered_marks(sql)
    return plain, values if places is None else _at(places)(values)


@lru_cache(500)
def _unnumbered_marks(sql: str) -> tuple[str, tuple[int, ...] | None]:
    """A statement with `?` for `?1`, and which value stands at each of them; None: it has no numbers.

    Python 3.14 takes numbered marks for names, and no sequence of values for names.
    """
    places = tuple(int(number) - 1 for number in NUMBERED.findall(sql))
    return (NUMBERED.sub("?", sql), places) if places else (sql, None)


def _at(places: tuple[int, ...]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """What gives the value of each place."""
    return lambda values: [values[place] for place in places]


@lru_cache(50)
def _for_one_row(change: RowsChange) -> str:
    return change.sql({name: f"?{number}" for number, (name, _) in enumerate(change.values, 1)})


def _connect(name: str) -> sqlite3.Connection:
    # Its own thread is not checked: whoever closes it at the end may be another.
    return sqlite3.connect(
        name, timeout=BUSY_S, isolation_level=None, check_same_thread=False, uri=name.startswith("file:")
    )


def _may_write(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _prepare(folder: Path, path: Path) -> None:
    """Folder and file, for their owner alone; SQLite gives its journal the file's rights."""
    missing = not os.path.exists(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if missing:
        folder.chmod(0o700)
    try:  # exclusively: where a link leads to nothing, somebody else chose what would be made
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        os.close(os.open(path, os.O_RDWR))


def _check_file(path: Path) -> None:
    """Raise StateUnusable for anything but a file: opening a pipe would wait forever."""
    if os.path.exists(path) and not os.path.isfile(path):
        kind = "a folder" if path.is_dir() else "not a file"
        raise StateUnusable(
            f"The state file {path} cannot be used: it is {kind}.",
            hint=Text.of("Move it away, or give another folder: {state_dir}."),
        )
