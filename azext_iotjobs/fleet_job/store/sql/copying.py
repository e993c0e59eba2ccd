"""The rows of a fleet job from one database into another. Their columns have the same names everywhere."""

from collections.abc import Iterator, Sequence
from typing import Any

from azext_iotjobs.fleet_job.store.sql.database import Database
from azext_iotjobs.fleet_job.store.sql.stored_row import StoredRow

OF_JOB = ("definition", "schedule", "occurrence")
OF_RUN = ("batch", "part", "tally")
HELD = ("lease_owner", "lease_machine", "lease_pid", "lease_until", "lease_beat_at", "owner", "machine", "pid", "until")
PAGE_ROWS = 500


class RowCopier:
    """Copies from `source` to `target`."""

    def __init__(self, source: Database, target: Database) -> None:
        self._source = source
        self._target = target

    def copy(self, fleet_job_id: str) -> None:
        """Copy a fleet job that `target` has not, all of it or nothing. Leases and claims are not copied."""
        with self._target.transaction():
            self._insert("fleet_job", self._source.rows("SELECT * FROM fleet_job WHERE id = ?", (fleet_job_id,)))
            for table in OF_JOB:
                found = self._source.rows(f"SELECT * FROM {table} WHERE fleet_job = ?", (fleet_job_id,))
                self._insert(table, found)
            for run in self._source.rows("SELECT * FROM run WHERE fleet_job = ? ORDER BY number", (fleet_job_id,)):
                self._copy_run(run)

    def _copy_run(self, run: StoredRow) -> None:
        self._insert("run", [run], without="key")
        made = self._target.row(
            "SELECT key FROM run WHERE fleet_job = ? AND number = ?", (run["fleet_job"], run["number"])
        )
        assert made is not None
        for table in OF_RUN:
            found = self._source.rows(f"SELECT * FROM {table} WHERE run = ?", (run["key"],))
            self._insert(table, found, run=made["key"])
        for page in self._devices(run["key"]):
            self._insert("device", page, run=made["key"])

    def _devices(self, key: int) -> Iterator[Sequence[StoredRow]]:
        after = 0
        while page := self._source.rows(
            f"SELECT * FROM device WHERE run = ? AND seq > ? ORDER BY seq LIMIT {PAGE_ROWS}", (key, after)
        ):
            yield page
            after = page[-1]["seq"]

    def _insert(self, table: str, found: Sequence[StoredRow], without: str = "", **changed: Any) -> None:
        """Insert rows. without: a column that the target gives.  changed: columns that have another value there."""
        if not found:
            return
        names = [each for each in found[0].keys() if each != without]
        values = {**dict.fromkeys(HELD), **changed}
        self._target.change_many(
            f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
            ([values[name] if name in values else row[name] for name in names] for row in found),
        )
