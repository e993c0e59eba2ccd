"""Rows of part: the hub jobs of a run whose lease we have."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from azext_iotjobs.fleet_job.hub_job import HubJob, HubJobState
from azext_iotjobs.fleet_job.plan import PlannedHubJob
from azext_iotjobs.fleet_job.store.sql import rows
from azext_iotjobs.fleet_job.store.sql.database import Database
from azext_iotjobs.fleet_job.store.sql.device_rows import DeviceRows, change_of_devices
from azext_iotjobs.fleet_job.store.sql.lease import HeldLease
from azext_iotjobs.fleet_job.store.sql.stored_row import (
    StoredRow,
    instant_or_none,
    number,
    seconds,
    stored,
    text,
    word,
)
from azext_iotjobs.model.attempt import Attempt, AttemptResult
from azext_iotjobs.model.job import JobTally

IS_IN_JOB = change_of_devices("part = :part", "part")
OF_HUB_JOB = "WHERE run = ? AND batch = ? AND number = ?"


@stored("part")
def _hub_job_of(row: StoredRow) -> HubJob:
    return HubJob(
        batch=row["batch"],
        number=row["number"],
        job_id=row["job_id"],
        condition=row["condition"],
        state=word(HubJobState, row, "state"),
        intended_at=instant_or_none(row["intended_at"]),
        submitted_at=instant_or_none(row["submitted_at"]),
        status=row["status"],
        was_cancel_asked=bool(row["was_cancel_asked"]),
        limit_s=row["limit_s"],
    )


class HubJobRows:
    """Implements contract.HubJobRecords."""

    def __init__(self, database: Database, lease: HeldLease, devices: DeviceRows) -> None:
        self._database = database
        self._lease = lease
        self._devices = devices
        self._in_part = database.dialect.by("device_in_part")

    def open(self) -> list[HubJob]:
        """Those that are not closed; they are all of one batch."""
        found = self._database.rows(
            "SELECT * FROM part WHERE run = ? AND state <> 'closed' ORDER BY batch, number", (self._lease.key,)
        )
        return [_hub_job_of(each) for each in found]

    def next_number(self, batch: int) -> int:
        """The first number that no hub job of a batch has had."""
        row = self._database.row(
            "SELECT max(number) AS last FROM part WHERE run = ? AND batch = ?", (self._lease.key, batch)
        )
        return 1 + ((number(row, "last") if row else None) or 0)

    def add(self, hub_job: HubJob, planned: PlannedHubJob, now: datetime) -> None:
        """Plan a hub job for some devices: they are its own until it is closed."""
        with self._lease.transaction(now):
            self._database.change(
                "INSERT INTO part (run, batch, number, job_id, condition, state, size) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*self._key_of(hub_job), hub_job.job_id, hub_job.condition, hub_job.state.value, len(planned.devices)),
            )
            self._database.change_rows(
                IS_IN_JOB, ((hub_job.number, self._lease.key, each.seq) for each in planned.devices)
            )

    def save(self, hub_job: HubJob, now: datetime) -> None:
        """Record where a hub job stands."""
        with self._lease.transaction(now):
            self._save(hub_job)

    def save_progress(self, hub_job: HubJob, tally: JobTally | None, awaited: Sequence[str], now: datetime) -> None:
        """Record what the hub says of a hub job that runs: its counts, and some devices that have not ended."""
        names = json.dumps([text(each) for each in awaited])
        with self._lease.transaction(now):
            self._database.change(
                f"UPDATE part SET counts = ?, awaited = ?, seen_at = ? {OF_HUB_JOB}",
                (rows.counts_text(tally), names, now.timestamp(), *self._key_of(hub_job)),
            )

    def size_of(self, hub_job: HubJob) -> int:
        """How many devices a hub job was made for."""
        row = self._database.row(f"SELECT size FROM part {OF_HUB_JOB}", self._key_of(hub_job))
        return 0 if row is None else int(row["size"])

    def close(self, hub_job: HubJob, now: datetime, *, ended: Iterable[AttemptResult], note: str | None = None) -> None:
        """Record the last of its results; devices of it that have none wait again."""
        with self._lease.transaction(now):
            self._devices.write(now, ended=list(ended))
            self._database.change(
                f"UPDATE device {self._in_part} SET part = NULL "
                "WHERE run = ? AND batch = ? AND part = ? AND state = 'pending'",
                self._key_of(hub_job),
            )
            self._save(replace(hub_job, state=HubJobState.CLOSED))
            self._database.change(f"UPDATE part SET note = ? {OF_HUB_JOB}", (note, *self._key_of(hub_job)))

    def devices_of(self, hub_job: HubJob) -> list[Attempt]:
        """The devices of a hub job that have not ended."""
        found = self._database.rows(
            f"SELECT {rows.ATTEMPT_COLUMNS} FROM device {self._in_part} "
            "WHERE run = ? AND batch = ? AND part = ? AND state = 'pending' ORDER BY seq",
            self._key_of(hub_job),
        )
        return [rows.attempt_of(each) for each in found]

    def _save(self, hub_job: HubJob) -> None:
        self._database.change(
            "UPDATE part SET state = ?, intended_at = ?, submitted_at = ?, status = ?, was_cancel_asked = ?, "
            f"limit_s = ? {OF_HUB_JOB}",
            (
                hub_job.state.value,
                seconds(hub_job.intended_at),
                seconds(hub_job.submitted_at),
                hub_job.status,
                int(hub_job.was_cancel_asked),
                hub_job.limit_s,
                *self._key_of(hub_job),
            ),
        )

    def _key_of(self, hub_job: HubJob) -> tuple[int, int, int]:
        """Of its row: run, batch, number."""
        return self._lease.key, hub_job.batch, hub_job.number
