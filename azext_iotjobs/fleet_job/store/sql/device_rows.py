"""Rows of the devices of a run whose lease we have: who is due, what was begun, what came of it."""

import json
from collections.abc import Iterable
from datetime import datetime

from azext_iotjobs.fleet_job.store.sql import rows
from azext_iotjobs.fleet_job.store.sql.database import Database
from azext_iotjobs.fleet_job.store.sql.lease import HeldLease
from azext_iotjobs.fleet_job.store.sql.stored_row import seconds
from azext_iotjobs.model.attempt import Attempt, AttemptResult
from azext_iotjobs.model.run_state import DeviceState
from azext_iotjobs.model.when_online import OfflineWait


class DeviceRows:
    """Implements contract.DeviceRecords."""

    def __init__(self, database: Database, lease: HeldLease) -> None:
        self._database = database
        self._lease = lease

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
        with self._lease.transaction_of_devices(now):
            self._database.change_many(
                "UPDATE device SET state = ?, tries = ?, began_at = ?, ended_at = ?, error_class = ?, error_code = ?, "
                "error_text = ?, method_status = ?, payload = ?, due_at = ?, verify_by = ?, verified_at = NULL, "
                "reported = NULL, was_cut_off = 0, epoch = NULL, offline_since = coalesce(?, offline_since), "
                "wait_until = coalesce(?, wait_until), times_offline = coalesce(?, times_offline), look_at = ?, "
                "part = CASE WHEN ? = 1 THEN NULL ELSE part END WHERE run = ? AND seq = ?",
                ((*_values_of(each), key, each.seq) for each in ended),
            )
            self._database.change_many(
                "UPDATE device SET state = 'pending', epoch = NULL, began_at = CASE WHEN tries > 0 THEN began_at END "
                "WHERE run = ? AND seq = ?",
                ((key, seq) for seq in again),
            )
            self._database.change_many(
                "UPDATE device SET state = 'pending', was_cut_off = 1, epoch = NULL WHERE run = ? AND seq = ?",
                ((key, seq) for seq in cut_off),
            )
            self._database.change_many(
                "UPDATE device SET state = 'calling', epoch = ?, began_at = ? WHERE run = ? AND seq = ?",
                ((epoch, now.timestamp(), key, each.seq) for each in begun),
            )


def wait_values(wait: OfflineWait | None) -> tuple[object, ...]:
    """The values of rows.WAIT_COLUMNS; None where a device does not wait."""
    if wait is None:
        return None, None, None, None
    return wait.since.timestamp(), wait.until.timestamp(), wait.times, wait.look_at.timestamp()


def _values_of(result: AttemptResult) -> tuple[object, ...]:
    """The values of the columns above, and whether no hub job has the device any more."""
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
