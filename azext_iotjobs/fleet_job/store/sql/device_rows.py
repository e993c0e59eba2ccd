"""Rows of the devices of a run whose lease we have: who is due, what was begun, what came of it."""

import json
from collections.abc import Iterable
from datetime import datetime

from azext_iotjobs.fleet_job.store.sql import rows
from azext_iotjobs.fleet_job.store.sql.database import Database, RowsChange
from azext_iotjobs.fleet_job.store.sql.lease import HeldLease
from azext_iotjobs.fleet_job.store.sql.stored_row import seconds
from azext_iotjobs.model.attempt import Attempt, AttemptResult
from azext_iotjobs.model.run_state import DeviceState
from azext_iotjobs.model.when_online import OfflineWait

TYPES = {
    **dict.fromkeys(("state", "error_class", "error_code", "error_text", "payload", "reported"), "TEXT"),
    **dict.fromkeys(("run", "seq", "batch", "tries", "epoch", "part", "method_status", "times_offline"), "BIGINT"),
    **dict.fromkeys(("began_at", "ended_at", "due_at", "verify_by", "verified_at"), "DOUBLE PRECISION"),
    **dict.fromkeys(("offline_since", "wait_until", "look_at"), "DOUBLE PRECISION"),
    "is_free": "BIGINT",  # no column: whether no hub job has the device any more
}


def change_of_devices(assignments: str, names: str, only_in: DeviceState | None = None) -> RowsChange:
    """A change of devices of a run.

    names: of the values that each has, in their order, before `run` and `seq`.  only_in: the state it must be in.
    """
    key = ("run", "seq")
    values = tuple((name, TYPES[name]) for name in (*names.split(), *key))
    # Not `state` by itself: PostgreSQL would read all devices in that state by their own index, where its statistics
    # are of a time when there were few.
    only_if = f"state || '' = '{only_in.value}'" if only_in else ""
    return RowsChange("device", assignments, key, only_if, values)


WAIT_VALUES = "offline_since wait_until times_offline look_at"
SET_WAIT = (
    "offline_since = coalesce(:offline_since, offline_since), wait_until = coalesce(:wait_until, wait_until), "
    "times_offline = coalesce(:times_offline, times_offline), look_at = :look_at, "
    "part = CASE WHEN :is_free = 1 THEN NULL ELSE part END"
)
ENDS = change_of_devices(
    "state = :state, tries = :tries, began_at = :began_at, ended_at = :ended_at, error_class = :error_class, "
    "error_code = :error_code, error_text = :error_text, method_status = :method_status, payload = :payload, "
    "due_at = :due_at, verify_by = :verify_by, verified_at = NULL, reported = NULL, was_cut_off = 0, epoch = NULL, "
    + SET_WAIT,
    "state tries began_at ended_at error_class error_code error_text method_status payload due_at verify_by "
    f"{WAIT_VALUES} is_free",
)
WAITS_AGAIN = change_of_devices("state = 'pending', epoch = NULL, began_at = CASE WHEN tries > 0 THEN began_at END", "")
BREAKS_OFF = change_of_devices("state = 'pending', was_cut_off = 1, epoch = NULL", "")
BEGINS = change_of_devices("state = 'calling', epoch = :epoch, began_at = :began_at", "epoch began_at")


class DeviceRows:
    """Implements contract.DeviceRecords."""

    def __init__(self, database: Database, lease: HeldLease) -> None:
        self._database = database
        self._lease = lease
        # Of devices that were tried before, and that a resumed run begins again: when they began, until one has ended.
        self._began_before: dict[int, float | None] | None = None
        self.any_broke_off = False

    def keep(self) -> None:
        """Keep when devices began that are begun from here on, for `write_back`."""
        self._began_before = {}

    def write_back(self) -> None:
        """Have devices that were begun, and not operated after all, as they were. Called inside a transaction."""
        for seq, began_at in (self._began_before or {}).items():
            self._database.change(
                "UPDATE device SET began_at = ? WHERE run = ? AND seq = ?", (began_at, self._lease.key, seq)
            )
        self._began_before = None

    def due(self, batch: int, now: datetime, limit: int, *, after: int = 0) -> list[Attempt]:
        """Devices of a batch that wait to be operated and may be now, by their numbers, at most `limit`."""
        found = self._database.rows(
            f"SELECT {rows.ATTEMPT_COLUMNS} FROM device "
            "WHERE run = ? AND batch = ? AND seq > ? AND state = 'pending' AND part IS NULL "
            "AND coalesce(due_at, 0) <= ? ORDER BY seq LIMIT ?",
            (self._lease.key, batch, after, now.timestamp(), limit),
        )
        return [rows.attempt_of(each) for each in found]

    def write(
        self,
        now: datetime,
        *,
        ended: Iterable[AttemptResult],
        again: Iterable[int] = (),
        cut_off: Iterable[int] = (),
        begun: Iterable[Attempt] = (),
    ) -> None:
        """Record in one transaction how attempts ended, were not made, or broke off, and which begin."""
        key, epoch = self._lease.key, self._lease.epoch
        ended, begun, cut_off = list(ended), list(begun), list(cut_off)
        if ended:
            self._began_before = None
        self.any_broke_off = self.any_broke_off or bool(cut_off)
        with self._lease.transaction_of_devices(now):
            self._keep_of(begun)
            self._database.change_rows(ENDS, ((*_values_of(each), key, each.seq) for each in ended))
            self._database.change_rows(WAITS_AGAIN, ((key, seq) for seq in again))
            self._database.change_rows(BREAKS_OFF, ((key, seq) for seq in cut_off))
            self._database.change_rows(BEGINS, ((epoch, now.timestamp(), key, each.seq) for each in begun))

    def _keep_of(self, begun: Iterable[Attempt]) -> None:
        if self._began_before is None:
            return
        for each in begun:
            if each.tries and each.seq not in self._began_before:
                row = self._database.row(
                    "SELECT began_at FROM device WHERE run = ? AND seq = ?", (self._lease.key, each.seq)
                )
                self._began_before[each.seq] = None if row is None else row["began_at"]


def wait_values(wait: OfflineWait | None) -> tuple[object, ...]:
    """WAIT_VALUES; None where a device does not wait."""
    if wait is None:
        return None, None, None, None
    return wait.since.timestamp(), wait.until.timestamp(), wait.times, wait.look_at.timestamp()


def _values_of(result: AttemptResult) -> tuple[object, ...]:
    """The values of ENDS, before `run` and `seq`."""
    is_again = result.due_at is not None
    return (
        (DeviceState.PENDING if is_again else result.state).value,
        result.tries,
        result.began_at.timestamp(),
        result.ended_at.timestamp(),
        result.error_class.value if result.error_class else None,
        result.error_code,
        result.error_text,
        result.method_status,
        json.dumps(result.payload) if result.has_payload else None,
        seconds(result.due_at),
        seconds(result.verify_by),
        *wait_values(result.wait),
        int(is_again or result.wait is not None),
    )
