"""Rows of the devices of a run that were operated and are being verified."""

import json
from collections.abc import Iterable
from datetime import datetime

from azext_iotjobs.fleet_job.store.sql import rows
from azext_iotjobs.fleet_job.store.sql.database import Database
from azext_iotjobs.fleet_job.store.sql.device_rows import SET_WAIT, WAIT_VALUES, change_of_devices, wait_values
from azext_iotjobs.fleet_job.store.sql.dialect import Dialect
from azext_iotjobs.fleet_job.store.sql.lease import HeldLease
from azext_iotjobs.fleet_job.store.sql.stored_row import instant_or_none, seconds
from azext_iotjobs.model.attempt import VerifiedAttempt
from azext_iotjobs.model.run_state import DeviceState
from azext_iotjobs.model.verification import VerifyingDevice

IS_DECIDED = change_of_devices(
    "state = :state, verified_at = :verified_at, reported = :reported, error_class = :error_class, "
    f"error_code = :error_code, error_text = :error_text, due_at = :due_at, {SET_WAIT}",
    f"state verified_at reported error_class error_code error_text due_at {WAIT_VALUES} is_free",
    only_in=DeviceState.VERIFYING,
)
IS_NO_MORE = change_of_devices(
    "state = 'failed', reported = :reported, error_class = :error_class, error_code = :error_code, "
    "error_text = :error_text",
    "reported error_class error_code error_text",
    only_in=DeviceState.COMPLETED,
)


class VerifyingRows:
    """Implements leased_contract.VerifyingRecords."""

    def __init__(self, database: Database, lease: HeldLease) -> None:
        self._database = database
        self._lease = lease
        self._verifying = verifying(database.dialect)

    def page(
        self, after: VerifyingDevice | None, limit: int, *, since: datetime | None = None
    ) -> list[VerifyingDevice]:
        """Some of them, the first to be verified first, at most `limit`."""
        behind = (0.0, 0) if after is None else (after.verify_by.timestamp(), after.key)
        if since is not None:
            behind = max(behind, (since.timestamp(), 0))
        found = self._database.rows(
            f"SELECT {rows.VERIFYING_COLUMNS} {self._verifying} "
            "AND (verify_by, seq) > (?, ?) ORDER BY verify_by, seq LIMIT ?",
            (self._lease.key, *behind, limit),
        )
        return [rows.verifying_device_of(each) for each in found]

    def first_deadline(self) -> datetime | None:
        """By when the first of them has to be verified; None: there are none."""
        row = self._database.row(
            f"SELECT verify_by {self._verifying} ORDER BY verify_by, seq LIMIT 1", (self._lease.key,)
        )
        return None if row is None else instant_or_none(row["verify_by"])

    def write(self, now: datetime, ended: Iterable[VerifiedAttempt]) -> None:
        """Record in one transaction what looks at their twins have decided."""
        with self._lease.transaction_of_devices(now):
            self._database.change_rows(IS_DECIDED, ((*_values_of(each), self._lease.key, each.seq) for each in ended))

    def verified(self, batch: int, limit: int, *, after: int = 0) -> list[VerifyingDevice]:
        """Devices of a batch that were verified, by their numbers, at most `limit`; those behind `after`."""
        found = self._database.rows(
            f"SELECT {rows.VERIFYING_COLUMNS} FROM device "
            "WHERE run = ? AND seq > ? AND batch = ? AND state = 'completed' ORDER BY seq LIMIT ?",
            (self._lease.key, after, batch, limit),
        )
        return [rows.verifying_device_of(each) for each in found]

    def fail_verified(self, now: datetime, ended: Iterable[VerifiedAttempt]) -> None:
        """Record in one transaction that devices that were verified are not any more."""
        with self._lease.transaction_of_devices(now):
            self._database.change_rows(
                IS_NO_MORE,
                (
                    (
                        None if each.reported is None else json.dumps(each.reported),
                        each.error_class.value if each.error_class else None,
                        each.error_code,
                        each.error_text,
                        self._lease.key,
                        each.seq,
                    )
                    for each in ended
                ),
            )


def _values_of(end: VerifiedAttempt) -> tuple[object, ...]:
    """The values of IS_DECIDED, before `run` and `seq`."""
    is_again = end.due_at is not None
    return (
        (DeviceState.PENDING if is_again else end.state).value,
        seconds(end.verified_at),
        None if end.reported is None else json.dumps(end.reported),
        end.error_class.value if end.error_class else None,
        end.error_code,
        end.error_text,
        seconds(end.due_at),
        *wait_values(end.wait),
        int(is_again or end.wait is not None),
    )


def verifying(dialect: Dialect) -> str:
    """The devices of a run that are being verified, as SQL."""
    # Left to itself, SQLite takes the primary key, and reads all devices of the run.
    return f"FROM device {dialect.by('device_verifying')} WHERE run = ? AND state = 'verifying'"
