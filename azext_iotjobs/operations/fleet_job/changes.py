"""Save several fleet jobs with their schedules, as a file or documents of another system describe them: all or nothing.

What is to change is decided from what was read before. Where somebody else has changed it meanwhile, nothing is saved.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from azext_iotjobs.fleet_job.store.contract import FleetJobStore
from azext_iotjobs.model.errors import NotFound, WrongState
from azext_iotjobs.model.fleet_job import Definition, FleetJob
from azext_iotjobs.model.occurrence import Occurrence
from azext_iotjobs.model.schedule import Schedule
from azext_iotjobs.operations.fleet_job import definitions
from azext_iotjobs.operations.fleet_job.schedule import saved
from azext_iotjobs.operations.fleet_job.schedule.saved import SetSchedule


class Before(NamedTuple):
    """A fleet job as it was when its change was decided."""

    job: FleetJob | None  # None: it was not there
    schedule: Schedule | None


class JobChange(NamedTuple):
    """A fleet job that is to be saved."""

    fleet_job_id: str
    host: str  # of its hub, canonical
    definition: Definition | None  # None: as it was; a new fleet job needs one
    schedule: Schedule | None  # None: it is to have none
    before: Before


class SavedChange(NamedTuple):
    """A fleet job that was saved."""

    job: FleetJob
    scheduled: SetSchedule | None  # None: no schedule was set
    removed: tuple[Occurrence, ...] | None  # what was due by the schedule that was removed; None: none was


def read_before(store: FleetJobStore, fleet_job_id: str) -> Before:
    """A fleet job as it is now."""
    try:
        job = store.definitions.get(fleet_job_id)
    except NotFound:
        return Before(None, None)
    stored = store.schedules.get(fleet_job_id)
    return Before(job, None if stored is None else stored.schedule)


def save_changes(
    store: FleetJobStore, changes: Iterable[JobChange], *, by: str, at: datetime, new_key: Callable[[], str]
) -> list[SavedChange]:
    """Save changes in their order, all of them or nothing. A definition that is as it was makes no version.

    by: who saves them, for people.  at: aware UTC.  new_key: makes 8 random letters of a-z, 0-9.
    Raises WrongState where somebody else has saved one of the fleet jobs meanwhile; BadValue as `saved.set_schedule`.
    """
    with store.transaction():
        return [_saved(store, each, by, at, new_key) for each in changes]


def _saved(store: FleetJobStore, change: JobChange, by: str, at: datetime, new_key: Callable[[], str]) -> SavedChange:
    if read_before(store, change.fleet_job_id) != change.before:
        raise WrongState(
            f"Fleet job {change.fleet_job_id} was changed by somebody else meanwhile. Nothing was saved.",
            hint="Call the same command again: it begins with what is saved now.",
        )
    job = _saved_job(store, change, by, at)
    if change.schedule == change.before.schedule:
        return SavedChange(job, None, None)
    if change.schedule is None:
        return SavedChange(job, None, saved.remove(store, change.fleet_job_id, by=by, at=at))
    done = saved.set_schedule(store, change.fleet_job_id, change.schedule, by=by, at=at, new_key=new_key)
    return SavedChange(job, done, None)


def _saved_job(store: FleetJobStore, change: JobChange, by: str, at: datetime) -> FleetJob:
    old, wanted = change.before.job, change.definition
    if wanted is None:
        return store.definitions.get(change.fleet_job_id)
    if old is None:
        return definitions.create(store, change.fleet_job_id, change.host, wanted, by=by, at=at)
    return definitions.edit(store, change.fleet_job_id, wanted, by=by, at=at)
