"""The fleet database's file: open, migrate, one transaction at a time; SQLite's errors in our words.

One file, journal_mode=DELETE: several processes use it, also on file systems where WAL cannot work. `synchronous=FULL`:
an intent that was committed is there after a power cut. Readable by its owner alone. Pages are kept in memory for a
step, not for a run: with a million devices as with a hundred.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from azext_iotjobs.fleet.schema import MIGRATIONS
from azext_iotjobs.model.errors import (
    BadValue,
    StateBusy,
    StateDamaged,
    StateError,
    StateFull,
    StateTooNew,
    StateUnusable,
)

FILE_NAME = "fleet-jobs.db"
CACHE_KIB = 256  # of pages, twice: of the file, and of the devices that are being chosen
BUSY_S = 10.0  # that a lock of another process is waited for
NOTHING_LOST = "Nothing that was recorded is lost; "


class Database:
    """One open database. Raises StateError from every method; BadValue for what is not text."""

    def __init__(self, folder: Path) -> None:
        """Open `folder`/FILE_NAME; both are made when they are missing."""
        self.path = folder / FILE_NAME
        self._depth = 0
        with self._in_our_words():
            _prepare(folder, self.path)
            # Its own thread is not checked: whoever closes it at the end may be another.
            self._connection = sqlite3.connect(
                self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )  # fmt: skip
            try:
                self._set_up()
            except BaseException:
                self._connection.close()
                raise

    def _set_up(self) -> None:
        self._connection.row_factory = sqlite3.Row
        caches = (f"main.cache_size=-{CACHE_KIB}", f"temp.cache_size=-{CACHE_KIB}")
        for pragma in ("journal_mode=DELETE", "synchronous=FULL", "foreign_keys=ON", *caches):
            self._connection.execute(f"PRAGMA {pragma}")
        self._migrate()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or nothing; one inside another is part of it."""
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

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """The rows of a SELECT."""
        with self._in_our_words():
            return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Row | None:
        """The first row of a SELECT, or None."""
        with self._in_our_words():
            found: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
        return found

    def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Carry out a change; gives how many rows it touched."""
        with self._in_our_words():
            return self._connection.execute(sql, values).rowcount

    def change_many(self, sql: str, values: Iterable[Sequence[Any]]) -> None:
        """Carry out one change for each of `values`, which are asked for one by one."""
        with self._in_our_words():
            self._connection.executemany(sql, values)

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
        if (found := self._version()) > len(MIGRATIONS):
            raise StateTooNew(
                f"The state file {self.path} has format {found}; this version knows up to {len(MIGRATIONS)}. Nothing "
                "was changed.",
                hint="Update the extension (az extension update -n iotjobs), or give another folder: --state-dir.",
            )

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def _in_our_words(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as err:
            raise state_error(err, self.path) from err
        except OSError as err:
            raise state_error(err, self.path) from err
        except UnicodeEncodeError as err:  # bytes that were no text, typed or sent: no name here has them
            raise BadValue(f"{err.object[:60]!r} is not text; nothing here has that name.") from err


def state_error(err: sqlite3.Error | OSError, path: Path) -> StateError:
    """What SQLite or the file system said, as one of our errors."""
    said = str(err).lower()
    if "locked" in said or "busy" in said:
        return StateBusy(
            f"The state file {path} is locked by another process for more than {BUSY_S:.0f} seconds.",
            hint=f"{NOTHING_LOST}try again when that process has ended: for example a database tool that has it open.",
        )
    if "full" in said or getattr(err, "errno", None) == 28:
        return StateFull(
            f"There is no room on the disk for the state file {path}.",
            hint=f"{NOTHING_LOST}make room and resume, or prune old history.",
        )
    if "not a database" in said or "malformed" in said or "no such table" in said or "no such column" in said:
        return StateDamaged(
            f"The state file {path} is no fleet database, or is damaged ({err}). It was left as it is.",
            hint="Restore it from a backup, or give another folder: --state-dir.",
        )
    why = err.strerror if isinstance(err, OSError) else None
    return StateUnusable(
        f"The state file {path} cannot be used: {why or err}.",
        hint="The folder and the file must be this user's own, and writable; another folder: --state-dir.",
    )


def _prepare(folder: Path, path: Path) -> None:
    """Folder and file, for their owner alone; SQLite gives its journal the file's rights."""
    missing = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if missing:
        folder.chmod(0o700)
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    os.close(handle)
