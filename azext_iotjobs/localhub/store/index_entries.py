"""The entries of indices: which rows have a key. They are in a temporary file of SQLite's, which ends with the hub.

A database apart from the hub's: whatever happens to it, no change of a twin fails, and a snapshot does not have it.
"""

import sqlite3
from collections.abc import Iterable, Sequence

from azext_iotjobs.localhub.query.lookups import IndexKey

SETTINGS = ("journal_mode=OFF", "synchronous=OFF", "cache_size=-8192")  # KiB; what is beyond is in the file

Entry = tuple[IndexKey, int]  # a key, and a row that has it


class IndexEntries:
    """The entries of some indices, which have numbers. All of it raises sqlite3.Error, after which it is useless."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None)
        for setting in SETTINGS:
            self._connection.execute(f"PRAGMA {setting}")

    def create(self, number: int) -> None:
        """Begin an index."""
        # In the order of rows within a key, as a page has them.
        columns = "value NOT NULL, row_id INTEGER NOT NULL, PRIMARY KEY (value, row_id)"
        self._connection.execute(f"CREATE TABLE index_{number} ({columns}) WITHOUT ROWID")

    def drop(self, number: int) -> None:
        """End an index."""
        self._connection.execute(f"DROP TABLE index_{number}")

    def change(self, number: int, *, add: Iterable[Entry], remove: Iterable[Entry] = ()) -> None:
        """Remove entries of an index, and add others."""
        self._connection.execute("BEGIN")
        self._connection.executemany(f"DELETE FROM index_{number} WHERE value = ? AND row_id = ?", remove)
        self._connection.executemany(f"INSERT OR IGNORE INTO index_{number} VALUES (?, ?)", add)
        self._connection.execute("COMMIT")

    def rows(self, number: int, keys: Sequence[IndexKey], *, after: int, until: int, count: int) -> list[int]:
        """At most `count` rows with one of the keys, after one row and up to another, in order."""
        one = f"SELECT row_id FROM index_{number} WHERE value = ? AND row_id > ? AND row_id <= ?"
        sql = f"{' UNION ALL '.join([one] * len(keys))} ORDER BY row_id LIMIT ?"
        values = [value for key in keys for value in (key, after, until)]
        return [row[0] for row in self._connection.execute(sql, (*values, count))]

    def count(self, number: int, keys: Sequence[IndexKey], most: int) -> int:
        """How many rows have one of the keys, counted up to `most`."""
        one = f"SELECT 1 FROM index_{number} WHERE value = ?"
        sql = f"SELECT count(*) FROM ({' UNION ALL '.join([one] * len(keys))} LIMIT ?)"
        return int(self._connection.execute(sql, (*keys, most)).fetchone()[0])

    def close(self) -> None:
        """End all of it."""
        self._connection.close()
