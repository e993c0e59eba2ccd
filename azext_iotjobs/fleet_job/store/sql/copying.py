"""The rows of a fleet job from one database into another. Their columns have the same names everywhere."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from azext_iotjobs.fleet_job.store.sql.database import Database
from azext_iotjobs.fleet_job.store.sql.stored_row import StoredRow

OF_RUN = ("batch", "part", "tally")
HELD = ("lease_owner", "lease_machine", "lease_pid", "lease_until", "lease_beat_at", "owner", "machine", "pid", "until")
PAGE_ROWS = 500


class RowCopier:
    """Copies from `source` to `target`."""

    def __init__(
        self, source: Database, target: Database, reading: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> None:
        """reading: what each look at `source` is made within, such as what says whose its errors are."""
        self._source = source
        self._target = target
        self._reading = reading

    def copy(self, fleet_job_id: str, *, has_schedule: bool) -> None:
        """Copy a fleet job that `target` has not, all of it or nothing. Leases and claims are not copied.

        has_schedule: False: its schedule is left out, with what names this store in claims on the hub, and so are
        occurrences whose runs can still be made.
        """
        only = "" if has_schedule else "AND state NOT IN ('claimed', 'waiting')"
        with self._target.transaction():
            self._insert("fleet_job", self._rows("SELECT * FROM fleet_job WHERE id = ?", fleet_job_id))
            self._insert("definition", self._rows("SELECT * FROM definition WHERE fleet_job = ?", fleet_job_id))
            if has_schedule:
                found = self._rows("SELECT * FROM schedule WHERE fleet_job = ?", fleet_job_id)
                document = next((each["document"] or each["moving"] for each in found), None)
                self._insert("schedule", found, document=document, moving=None, moving_to=None)
            self._insert("occurrence", self._rows(f"SELECT * FROM occurrence WHERE fleet_job = ? {only}", fleet_job_id))
            for run in self._rows("SELECT * FROM run WHERE fleet_job = ? ORDER BY number", fleet_job_id):
                self._copy_run(run)

    def _copy_run(self, run: StoredRow) -> None:
        self._insert("run", [run], without="key")
        made = self._target.row(
            "SELECT key FROM run WHERE fleet_job = ? AND number = ?", (run["fleet_job"], run["number"])
        )
        assert made is not None
        for table in OF_RUN:
            self._insert(table, self._rows(f"SELECT * FROM {table} WHERE run = ?", run["key"]), run=made["key"])
        for page in self._devices(run["key"]):
            self._insert("device", page, run=made["key"])

    def _devices(self, key: int) -> Iterator[Sequence[StoredRow]]:
        after = 0
        while page := self._rows(
            f"SELECT * FROM device WHERE run = ? AND seq > ? ORDER BY seq LIMIT {PAGE_ROWS}", key, after
        ):
            yield page
            after = page[-1]["seq"]

    def _rows(self, sql: str, *values: Any) -> Sequence[StoredRow]:
        with self._reading():
            return self._source.rows(sql, values)

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
