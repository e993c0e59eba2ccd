"""Rows of the devices of a run that wait to connect."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from azext_iotjobs.fleet_job.store.sql import rows
from azext_iotjobs.fleet_job.store.sql.database import Database
from azext_iotjobs.fleet_job.store.sql.device_rows import change_of_devices
from azext_iotjobs.fleet_job.store.sql.lease import HeldLease
from azext_iotjobs.fleet_job.store.sql.stored_row import instant_or_none, seconds
from azext_iotjobs.model.result import ErrorClass
from azext_iotjobs.model.run_state import DeviceState
from azext_iotjobs.model.verification import CANCELED_TEXT as NOT_VERIFIED_TEXT
from azext_iotjobs.model.verification import VerificationFailure
from azext_iotjobs.model.when_online import CANCELED_TEXT, DID_NOT_CONNECT, Connected, WaitingDevice, over_text

CONNECTS = change_of_devices(
    "state = :state, batch = :batch, part = NULL, due_at = NULL, verify_by = :verify_by, look_at = NULL",
    "state batch verify_by",
    only_in=DeviceState.WAITING,
)
DOES_NOT_CONNECT = change_of_devices(
    "state = 'failed', error_class = :error_class, error_code = :error_code, error_text = :error_text, "
    "ended_at = :ended_at, look_at = NULL",
    "error_class error_code error_text ended_at",
    only_in=DeviceState.WAITING,
)


class WaitingRows:
    """Implements leased_contract.WaitingRecords."""

    def __init__(self, database: Database, lease: HeldLease) -> None:
        self._database = database
        self._lease = lease
        # Left to itself, SQLite takes the primary key, and reads all devices of the run.
        self._to_connect = f"device {database.dialect.by('device_to_connect')}"
        self._to_look_for = f"device {database.dialect.by('device_to_look_for')}"

    def page(self, after: int, limit: int, now: datetime) -> list[WaitingDevice]:
        """Those that are looked for now, by their numbers, at most `limit`; those behind `after`."""
        found = self._database.rows(
            f"SELECT seq, device_id, module_id, batch, tries, verify_by, {rows.WAIT_COLUMNS} FROM {self._to_connect} "
            "WHERE run = ? AND state = 'waiting' AND seq > ? AND look_at <= ? ORDER BY seq LIMIT ?",
            (self._lease.key, after, now.timestamp(), limit),
        )
        return [rows.waiting_device_of(each) for each in found]

    def next_look_at(self) -> datetime | None:
        """When the first of them is looked for next; None: nobody waits."""
        row = self._database.row(
            f"SELECT look_at FROM {self._to_look_for} WHERE run = ? AND state = 'waiting' ORDER BY look_at LIMIT 1",
            (self._lease.key,),
        )
        return None if row is None else instant_or_none(row["look_at"])

    def write(
        self, now: datetime, batch: int, *, connected: Sequence[Connected], over: Iterable[WaitingDevice]
    ) -> None:
        """Record in one transaction who has connected, and for whom the time is over."""
        key = self._lease.key
        with self._lease.transaction(now):
            self._database.change_rows(
                CONNECTS,
                ((_state_of(each).value, batch, seconds(each.verify_by), key, each.device.key) for each in connected),
            )
            self._database.change(
                "UPDATE batch SET joined = joined + ? WHERE run = ? AND ordinal = ?", (len(connected), key, batch)
            )
            self._database.change_rows(
                DOES_NOT_CONNECT,
                (
                    (ErrorClass.OFFLINE.value, DID_NOT_CONNECT, over_text(each.wait), now.timestamp(), key, each.key)
                    for each in over
                ),
            )

    def move(self, batch: int) -> int:
        """Put all of them into a batch; gives how many they are. Called inside the lease's transaction."""
        return self._database.change(
            f"UPDATE {self._to_connect} SET batch = ? WHERE run = ? AND state = 'waiting'",
            (batch, self._lease.key),
        )

    def end(self) -> None:
        """Nobody looks for them any more. Called inside the lease's transaction."""
        of_those = f"UPDATE {self._to_connect} SET state = 'failed', look_at = NULL, "
        for is_operated, error_class, code, text in (
            (
                "verify_by IS NOT NULL",
                ErrorClass.NOT_VERIFIED,
                VerificationFailure.NOT_VERIFIED.value,
                NOT_VERIFIED_TEXT,
            ),
            ("verify_by IS NULL", ErrorClass.OFFLINE, DID_NOT_CONNECT, CANCELED_TEXT),
        ):
            self._database.change(
                f"{of_those} error_class = ?, error_code = ?, error_text = ? "
                f"WHERE run = ? AND state = 'waiting' AND {is_operated}",
                (error_class.value, code, text, self._lease.key),
            )


def _state_of(connected: Connected) -> DeviceState:
    return DeviceState.PENDING if connected.verify_by is None else DeviceState.VERIFYING
