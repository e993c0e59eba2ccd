"""Rows of a store that schedules have -> values."""

from datetime import datetime

from azext_iotjobs.fleet_job.store.holder import Holder, is_gone
from azext_iotjobs.fleet_job.store.shapes import check_shape
from azext_iotjobs.fleet_job.store.sql.stored_row import StoredRow, instant, instant_or_none, stored, word
from azext_iotjobs.fleet_job.store.stored_json import parse_schedule
from azext_iotjobs.model.fleet_job import check_id
from azext_iotjobs.model.occurrence import Occurrence, OccurrenceState, StoredSchedule
from azext_iotjobs.model.run_state import RunState


@stored("schedule")
def schedule_of(row: StoredRow) -> StoredSchedule:
    """A row of schedule joined with its fleet job's host."""
    return StoredSchedule(
        fleet_job_id=check_id(row["fleet_job"], "fleet_job"),
        host=row["host"],
        schedule=parse_schedule(row["document"]),
        set_at=instant(row["set_at"]),
        set_by=row["set_by"],
        store_key=row["store_key"],
        polled_at=instant_or_none(row["looked_at"]),
    )


@stored("occurrence")
def occurrence_of(row: StoredRow, now: datetime | None) -> Occurrence:
    """A row of occurrence. now: whether somebody is working on it is known; None: nobody asks."""
    return Occurrence(
        fleet_job_id=check_id(row["fleet_job"], "fleet_job"),
        at=instant(row["at"]),
        state=word(OccurrenceState, row, "state"),
        decided_at=instant(row["decided_at"]),
        by=row["by"],
        note=row["note"],
        run_number=row["run"],
        run_state=None if row["run_state"] is None else word(RunState, row, "run_state"),
        is_backfill=bool(row["is_backfill"]),
        is_held=now is not None and _is_held(row, now),
    )


def _is_held(row: StoredRow, now: datetime) -> bool:
    if row["owner"] is None:
        return False
    holder = Holder(row["owner"], row["machine"], row["pid"])
    check_shape(holder)
    return instant(row["until"] - row.clock_ahead_s) > now and not is_gone(holder)
