"""Saved schedules: set and remove. What was due by the one before and had not started is recorded as missed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from azext_iotjobs.fleet_job.calendar import check_rule, occurrences, zone_of
from azext_iotjobs.fleet_job.due import View, delayed, due_now, next_occurrences
from azext_iotjobs.fleet_job.store.contract import FleetJobStore
from azext_iotjobs.model.errors import BadValue, NotFound
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.occurrence import Decided, Occurrence, OccurrenceState, StoredSchedule
from azext_iotjobs.model.schedule import Schedule
from azext_iotjobs.model.text import Text, command

CHANGED, REMOVED = "changed", "removed"
MAX_BACKFILL = 100
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class SetSchedule:
    """A schedule that was set."""

    stored: StoredSchedule
    is_new: bool  # it differs from the one before
    missed: tuple[Occurrence, ...]  # by the one before


def set_schedule(
    store: FleetJobStore, fleet_job_id: str, schedule: Schedule, *, by: str, at: datetime, new_key: Callable[[], str]
) -> SetSchedule:
    """Set the schedule of a fleet job, in place of the one that it had.

    by: who sets it, for people.  at: aware UTC; no earlier occurrence is ever due.
    new_key: makes 8 random letters of a-z, 0-9.
    Raises NotFound; BadValue for a zone or a rule that means nothing, and for one that has no occurrence from `at` on.
    """
    job = store.definitions.get(fleet_job_id)
    before = store.schedules.get(fleet_job_id)
    if before is not None and before.schedule == schedule:
        return SetSchedule(before, False, ())
    check_schedule(store, fleet_job_id, job.host, schedule, at)
    missed = _missed(store, before, CHANGED, by, at)
    stored = store.schedules.save(fleet_job_id, schedule, at=at, by=by, store_key=new_key())
    return SetSchedule(stored, True, missed)


def check_schedule(store: FleetJobStore, fleet_job_id: str, host: str, schedule: Schedule, at: datetime) -> None:
    """Raise BadValue for a schedule that cannot be set. The fleet job need not be there yet.

    host: of its hub.  at: when it is set, aware UTC.
    """
    check_rule(schedule.rule)
    zone_of(schedule.zone)
    planned = StoredSchedule(
        fleet_job_id=fleet_job_id, host=host, schedule=schedule, set_at=at, set_by="", store_key=""
    )
    if not next_occurrences(planned, store.occurrences.last_at(fleet_job_id), at, 1):
        raise BadValue("This schedule has no occurrence: no day and time that it means lies ahead.")


def remove(store: FleetJobStore, fleet_job_id: str, *, by: str, at: datetime) -> tuple[Occurrence, ...]:
    """Remove the schedule of a fleet job; gives what was due by it and had not started. Raises NotFound.

    by: who removes it, for people.  at: aware UTC.
    """
    missed = _missed(store, get(store, fleet_job_id), REMOVED, by, at)
    store.schedules.remove(fleet_job_id)
    return missed


def get(store: FleetJobStore, fleet_job_id: str) -> StoredSchedule:
    """The schedule of a fleet job. Raises NotFound."""
    store.definitions.get(fleet_job_id)
    stored = store.schedules.get(fleet_job_id)
    if stored is None:
        moving = store.schedules.moving(fleet_job_id)
        if moving is not None:
            raise NotFound(
                f"The schedule of fleet job {fleet_job_id} is on its way to {moving.to}: a copy ended in the middle of "
                "it. Nothing of it starts here.",
                hint=Text(
                    "Copy it there again, which completes it. Only if it is not to go there, set it here: ",
                    command("iot hub fleet-job schedule set", fleet_job_id=fleet_job_id),
                ),
            )
        raise NotFound(
            f"Fleet job {fleet_job_id} has no schedule.",
            hint=Text("Set one: ", command("iot hub fleet-job schedule set", fleet_job_id=fleet_job_id)),
        )
    return stored


def past_occurrences(store: FleetJobStore, stored: StoredSchedule, since: datetime, until: datetime) -> list[datetime]:
    """The occurrences from `since` to `until`, both inclusive, that have not run, ascending.

    Also those before the schedule was set; not those that the next poll decides on. Raises BadValue for very many.
    """
    last = max(filter(None, (stored.set_at, store.occurrences.last_at(stored.fleet_job_id))))
    rule = replace(stored.schedule, times=None)  # which counts from when it was set
    found = []
    for at in occurrences(rule, since - SECOND, since - SECOND):
        if at > min(until, last):
            break
        known = store.occurrences.get(stored.fleet_job_id, at)
        if known is None or known.state in (OccurrenceState.MISSED, OccurrenceState.SKIPPED):
            found.append(at)
        if len(found) > MAX_BACKFILL:
            raise BadValue(f"More than {MAX_BACKFILL} occurrences are meant: give a shorter time.")
    return found


def view_of(store: FleetJobStore, stored: StoredSchedule, now: datetime, tried: frozenset[object]) -> View:
    """What the next step of a schedule is decided from.

    tried: occurrences and keys of runs that this process has tried already.
    """
    job = stored.fleet_job_id
    return View(
        stored=stored,
        last_at=store.occurrences.last_at(job),
        open=tuple(store.occurrences.open(job, now)),
        run=store.runs.last(job),
        tried=tried,
        now=now,
    )


def views_of(store: FleetJobStore, schedules: Sequence[StoredSchedule], now: datetime) -> Iterator[View]:
    """The same for many schedules, with about as many requests to the store as for one.

    Of runs, those that have not ended.
    """
    last, waiting = store.occurrences.last_of_each(), store.occurrences.open_of_each(now)
    runs = store.runs.unfinished_of_each()
    for each in schedules:
        job = each.fleet_job_id
        yield View(stored=each, last_at=last.get(job), open=tuple(waiting.get(job, ())), run=runs.get(job), now=now)


def _missed(
    store: FleetJobStore, before: StoredSchedule | None, how: str, by: str, at: datetime
) -> tuple[Occurrence, ...]:
    """Record what was due by a schedule that goes, or was delayed, and had not started."""
    if before is None:
        return ()
    view = view_of(store, before, at, frozenset())
    due = due_now(view)
    note = f"The schedule was {how} before it started."
    coming = [*due.to_start, *delayed(before, view.last_at, at)]
    not_started = [Decided(each, OccurrenceState.MISSED, note) for each in coming]
    left = [Decided(each.at, OccurrenceState.MISSED, note) for each in view.open if not each.is_held]
    decided = [*due.missed, *left, *not_started]
    return tuple(store.occurrences.record(before.fleet_job_id, decided, now=at, by=by))
