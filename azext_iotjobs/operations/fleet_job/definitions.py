"""Saved fleet jobs: create, show, list, edit, copy, rerun, delete, prune. Nothing here operates a device."""

from collections.abc import Mapping
from dataclasses import field, replace
from datetime import datetime, timedelta

from azext_iotjobs.fleet_job.store.contract import FleetJobStore
from azext_iotjobs.fleet_job.unfinished import by_whom, check_not_running
from azext_iotjobs.model.errors import BadValue, NotFound, RunUnfinished
from azext_iotjobs.model.fleet_job import (
    MAX_NAME_CHARACTERS,
    Definition,
    DevicesOfRun,
    FleetJob,
    Origin,
    Targets,
    check_id,
    id_with,
)
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.text import Field, Text, command

MIN_HISTORY_DAYS = 30  # that are kept; a hub keeps as many
COPY_SUFFIX, COPY_NAME = "-copy", " Copy"
NEW_ID = Field("new_fleet_job_id")


@dataclass(frozen=True, kw_only=True)
class SavedJob:
    """A fleet job and its last run."""

    job: FleetJob
    run: Run | None  # None: saved, not run yet

    @property
    def state(self) -> RunState:
        """The state of its last run; pending when there is none."""
        return RunState.PENDING if self.run is None else self.run.state


@dataclass(frozen=True, kw_only=True)
class ListFilter:
    """Which fleet jobs; None is any."""

    host: str | None = None
    state: RunState | None = None
    since: datetime | None = None  # made, edited or run since
    only_saved: bool = False  # those that have not run
    labels: Mapping[str, str | None] = field(default_factory=dict)  # it has all of them; None: with any value
    text: str = ""  # in its id, its name, its description or a label, in capitals or not


def create(
    store: FleetJobStore, fleet_job_id: str, host: str, definition: Definition, *, by: str, at: datetime
) -> FleetJob:
    """Save a fleet job. Raises BadValue for an illegal id, ConflictingChoice for one that is taken.

    host: of its hub, canonical.  by: who saves it, for people.  at: aware UTC.
    """
    return store.definitions.add(check_id(fleet_job_id), host, definition, at=at, by=by, origin=None)


def show(store: FleetJobStore, fleet_job_id: str) -> SavedJob:
    """A fleet job with its last run. Raises NotFound."""
    return SavedJob(job=store.definitions.get(fleet_job_id), run=store.runs.last(fleet_job_id))


def list_saved(store: FleetJobStore, wanted: ListFilter) -> list[SavedJob]:
    """Fleet jobs, the newest first."""
    jobs = store.definitions.list_all(wanted.host)
    found = [SavedJob(job=job, run=store.runs.last(job.fleet_job_id)) for job in jobs]
    return [each for each in found if _is_wanted(each, wanted)]


def _is_wanted(saved: SavedJob, wanted: ListFilter) -> bool:
    if wanted.state is not None and saved.state is not wanted.state:
        return False
    if wanted.only_saved and saved.run is not None:
        return False
    if not _has_labels(saved.job, wanted.labels) or not _says(saved.job, wanted.text):
        return False
    if wanted.since is None:
        return True
    run = saved.run
    if run is not None and run.state is RunState.RUNNING:
        return True
    instants = [saved.job.edited_at, *([] if run is None else [run.ended_at or run.created_at])]
    return max(instants) >= wanted.since


def _has_labels(job: FleetJob, wanted: Mapping[str, str | None]) -> bool:
    labels = job.definition.labels
    return all(name in labels and value in (None, labels[name]) for name, value in wanted.items())


def _says(job: FleetJob, text: str) -> bool:
    definition = job.definition
    labels = (f"{name}={value}" for name, value in definition.labels.items())
    texts = (job.fleet_job_id, job.display_name, definition.description, *labels)
    return any(text.casefold() in each.casefold() for each in texts)


def edit(store: FleetJobStore, fleet_job_id: str, definition: Definition, *, by: str, at: datetime) -> FleetJob:
    """Save another version; runs keep theirs. Raises NotFound. by: who edits it, for people.  at: aware UTC."""
    return store.definitions.edit(fleet_job_id, definition, by=by, at=at)


def copy(
    store: FleetJobStore, fleet_job_id: str, new_id: str | None, host: str, *, by: str, at: datetime, **changes: object
) -> FleetJob:
    """Save a fleet job once more: `<id>-copy` unless `new_id` is given, and " Copy" behind its display name.

    host: of the hub that the copy belongs to.  by: who saves it, for people.  at: aware UTC.
    changes: members of Definition that differ.
    Raises NotFound; ConflictingChoice for an id that is taken.
    """
    original = store.definitions.get(fleet_job_id)
    named = replace(original.definition, display_name=name_of_copy(original))
    definition = replace(named, **changes)  # type: ignore[arg-type]
    origin = Origin(fleet_job_id=fleet_job_id, run_number=None, how="copy")
    free = check_id(new_id, NEW_ID) if new_id is not None else id_of_copy(store, fleet_job_id)
    return store.definitions.add(free, host, definition, at=at, by=by, origin=origin)


def name_of_copy(original: FleetJob) -> str:
    """Its display name, and " Copy"; short enough."""
    return f"{original.display_name[: MAX_NAME_CHARACTERS - len(COPY_NAME)]}{COPY_NAME}"


def id_of_copy(store: FleetJobStore, fleet_job_id: str) -> str:
    """The id that a copy has where none is given: `<id>-copy`, or with the next free number."""
    return _free_id(store, fleet_job_id, COPY_SUFFIX)


def rerun(
    store: FleetJobStore,
    run: Run,
    words: frozenset[str],
    new_id: str | None,
    *,
    by: str,
    at: datetime,
    **changes: object,
) -> FleetJob:
    """Save a fleet job for some devices of a run, by their results: `<id>-r1`, or the next free number.

    words: of plan.WORDS, such as failed or offline.  by: who saves it, for people.  at: aware UTC.
    changes: members of Definition that differ; targets among them are of the same run, and fewer.
    It has the definition that the run executed. Raises RunUnfinished while the run continues: which devices fail is not
    known yet; ConflictingChoice for an id that is taken.
    """
    if run.state in (RunState.PENDING, RunState.RUNNING):
        raise RunUnfinished(
            f"{run.name} is {run.state.value}{by_whom(run, at)}; which devices fail is not known yet.",
            hint=Text("Stop it first: ", command("iot hub fleet-job stop", fleet_job_id=run.fleet_job_id)),
        )
    parent = store.definitions.get(run.fleet_job_id, run.version)
    targets = Targets(of_run=DevicesOfRun(fleet_job_id=run.fleet_job_id, run_number=run.number, words=words))
    definition = replace(parent.definition, **{"targets": targets, **changes})  # type: ignore[arg-type]
    origin = Origin(fleet_job_id=run.fleet_job_id, run_number=run.number, how="rerun")
    free = check_id(new_id, NEW_ID) if new_id is not None else _free_id(store, run.fleet_job_id, "-r", begins_at=1)
    return store.definitions.add(free, parent.host, definition, at=at, by=by, origin=origin)


def check_deletable(store: FleetJobStore, fleet_job_id: str) -> None:
    """Raise what `delete` would: NotFound; WrongState while a run of it is running."""
    store.definitions.get(fleet_job_id)
    for run in store.runs.list_all(fleet_job_id):
        check_not_running(run)


def count_old(store: FleetJobStore, older_than_days: int, now: datetime, host: str | None = None) -> int:
    """How many runs `prune` would remove. Raises BadValue for under 30 days.

    older_than_days: since they ended.  host: of one hub; None: of all.
    """
    return len(store.history.ended_before(_before(older_than_days, now), host))


def delete(store: FleetJobStore, fleet_job_id: str) -> None:
    """Remove a fleet job with its runs and results. Raises NotFound; WrongState while a run of it is running."""
    store.history.delete_fleet_job(fleet_job_id)


def prune(store: FleetJobStore, older_than_days: int, now: datetime, host: str | None = None) -> int:
    """Remove runs, with their results, that ended so long ago; gives how many. Raises BadValue for under 30 days.

    older_than_days: since they ended.  host: of one hub; None: of all.
    """
    return store.history.prune(_before(older_than_days, now), host)


def _before(older_than_days: int, now: datetime) -> datetime:
    if older_than_days < MIN_HISTORY_DAYS:
        raise BadValue(
            Text(Field("older_than"), f" {older_than_days}d: history is kept for {MIN_HISTORY_DAYS} days at least."),
            hint=Text(Field("older_than"), f" {MIN_HISTORY_DAYS}d"),
        )
    return now - timedelta(days=older_than_days)


def _free_id(store: FleetJobStore, fleet_job_id: str, suffix: str, begins_at: int | None = None) -> str:
    """An id that is not taken: with the suffix, and from the second on with a number."""
    number = begins_at
    while True:
        candidate = id_with(fleet_job_id, f"{suffix}{'' if number is None else number}")
        try:
            store.definitions.get(candidate)
        except NotFound:
            return candidate
        number = 2 if number is None else number + 1
