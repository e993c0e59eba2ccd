"""Fleet jobs from one store into another, with all versions, runs and results. Their schedules move, or stay.

No schedule is ever set in both: two stores would start each occurrence twice. When all else is written into the target,
the source gives it up, and keeps it aside, where it starts nothing; then what the target has is committed; then the
source forgets it. So a copy that ends in between, however, has lost none: the next copy into the same store completes
it. Where the target has not committed, the schedule is set again in the source.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import NamedTuple

from azext_iotjobs.fleet_job.store.sql.copying import RowCopier
from azext_iotjobs.fleet_job.store.sql.store import SqlStore
from azext_iotjobs.model.errors import ConflictingChoice, IotJobsError, RunUnfinished, StateUnusable, WrongState
from azext_iotjobs.model.fleet_job import FleetJob
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.occurrence import MovingSchedule, Occurrence, StoredSchedule
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.text import Argument, Command, Fact, Field, Part, Text, command, parts_of

COPY_FROM, COPY_TO = "copy_from", "copy_to"  # the fields that name the stores
# How a door names them in a command: no other store is meant by one, whatever is configured.
STORES = {COPY_FROM: Fact("SOURCE-STORE"), COPY_TO: Fact("TARGET-STORE")}
OF_FLEET_JOBS = "iot hub fleet-job "


class CopiedJob(NamedTuple):
    """What was copied of a fleet job."""

    fleet_job_id: str
    host: str
    run_count: int
    has_schedule: bool  # it came with its schedule, which the source has no more


class _Seen(NamedTuple):
    """What must not change of a fleet job while it is copied."""

    schedule: StoredSchedule | None
    moving: MovingSchedule | None  # a copy before this one has ended in the middle
    runs: list[Run]
    occurrences: list[Occurrence]


@dataclass(frozen=True)
class StoreCopy:
    """Copies fleet jobs of `source`. Errors say which of the two stores they are of."""

    source: SqlStore
    moves_schedules: bool
    set_again: Callable[[StoredSchedule], Command]  # what sets a schedule in the source, as the door spells it
    now: Callable[[], datetime]

    def chosen(self, fleet_job_ids: Sequence[str] = ()) -> list[FleetJob]:
        """The fleet jobs to copy. Nothing is changed.

        fleet_job_ids: which; (): all.
        Raises NotFound; RunUnfinished where a run has not ended; StateError where a schedule would have to be removed,
        and may not be.
        """
        with errors_of(COPY_FROM):
            definitions = self.source.definitions
            jobs = [definitions.get(each) for each in dict.fromkeys(fleet_job_ids)] or definitions.list_all()
            for job in jobs:
                self._check_ended(job.fleet_job_id)
            schedules = self.source.schedules
            ids = [each.fleet_job_id for each in jobs] if self.moves_schedules else []
            if any(schedules.get(each) or schedules.moving(each) for each in ids):
                schedules.check_removable()
        return jobs

    def into(self, target: SqlStore, jobs: Sequence[FleetJob], name: str) -> Iterator[CopiedJob]:
        """Copy fleet jobs, each whole or not at all; and first the device groups of their hubs.

        name: of `target`, by which a copy that ends in the middle is known to be the one that this completes; for
        people, too.
        Raises ConflictingChoice for an id or a group that `target` has already, or a schedule that may be in a third
        store: then nothing is copied. WrongState for a fleet job that somebody changes meanwhile.
        """
        there = {each.fleet_job_id for each in jobs if self._is_there(target, each.fleet_job_id, name)}
        with errors_of(COPY_TO):
            for job in jobs:
                if job.fleet_job_id not in there:
                    _check_unused(target, job.fleet_job_id)
            self._copy_groups(target, {each.host for each in jobs})
        for job in jobs:
            yield self._completed(job) if job.fleet_job_id in there else self._copy(target, job, name)

    def _is_there(self, target: SqlStore, fleet_job_id: str, name: str) -> bool:
        """Whether a copy that ended in the middle has brought a fleet job into `target`, schedule and all.

        Raises ConflictingChoice where it was on its way to another store.
        """
        if not self.moves_schedules:
            return False
        with errors_of(COPY_FROM):
            moving = self.source.schedules.moving(fleet_job_id)
            if moving is None:
                return False
            if moving.to != name:
                raise ConflictingChoice(
                    f"The schedule of fleet job {fleet_job_id} is on its way to {moving.to}: a copy ended in the "
                    "middle of it, and it may be there.",
                    hint=Text(
                        "Copy it there again, which completes it. Only if it is not there, set it again: ",
                        self.set_again(moving.stored),
                    ),
                )
        with errors_of(COPY_TO):
            return target.schedules.key_of(fleet_job_id) == moving.stored.store_key

    def _completed(self, job: FleetJob) -> CopiedJob:
        """What a copy before this one has copied, but for the source's note of it."""
        with errors_of(COPY_FROM):
            self.source.schedules.arrived(job.fleet_job_id)
            return CopiedJob(job.fleet_job_id, job.host, len(self.source.runs.list_all(job.fleet_job_id)), True)

    def _copy_groups(self, target: SqlStore, hosts: set[str]) -> None:
        with errors_of(COPY_FROM):
            groups = [each for each in self.source.groups.list_all() if each.host in hosts]
        there = {(each.host, each.name): each.condition for each in target.groups.list_all()}
        for group in groups:
            if there.get((group.host, group.name), group.condition) != group.condition:
                raise ConflictingChoice(
                    f"There is a device group {group.name!r} of {group.host} with another condition.",
                    hint=Text(
                        "Change it there: ",
                        command("iot hub fleet-job group update", group=group.name, hub=group.host),
                        " Or delete it there: ",
                        command("iot hub fleet-job group delete", group=group.name, hub=group.host),
                    ),
                )
        for group in groups:
            target.groups.save(group.host, group.name, group.condition)

    def _copy(self, target: SqlStore, job: FleetJob, name: str) -> CopiedJob:
        fleet_job_id = job.fleet_job_id
        with errors_of(COPY_FROM):
            before = self._seen(fleet_job_id)
        copier = RowCopier(self.source.database, target.database, partial(errors_of, COPY_FROM))
        left = before.schedule or (None if before.moving is None else before.moving.stored)
        moving = left if self.moves_schedules else None
        is_leaving = False
        try:
            with errors_of(COPY_TO), target.transaction():
                _check_unused(target, fleet_job_id)
                copier.copy(fleet_job_id, has_schedule=moving is not None)
                with errors_of(COPY_FROM), self.source.transaction():
                    self._check_unchanged(fleet_job_id, before)
                    if moving is not None:
                        is_leaving = True
                        self.source.schedules.give_up(fleet_job_id, name)
        except BaseException:  # Ctrl-C too: whether a transaction was stored may not be known
            if moving is not None and is_leaving:
                self._settle(target, moving)
            raise
        if moving is not None:
            self._forget(fleet_job_id)
        return CopiedJob(fleet_job_id, job.host, len(before.runs), moving is not None)

    def _forget(self, fleet_job_id: str) -> None:
        """Have the source keep aside no longer what has arrived. Where that fails, the next copy does it."""
        with suppress(IotJobsError):
            self.source.schedules.arrived(fleet_job_id)

    def _settle(self, target: SqlStore, moving: StoredSchedule) -> None:
        """Have a schedule set in one of the stores. Raises StateUnusable, with what completes it, where that fails."""
        fleet_job_id = moving.fleet_job_id
        try:
            # Within transactions: each waits for the one that may still be about to be stored.
            with errors_of(COPY_FROM), self.source.transaction():
                if self.source.schedules.get(fleet_job_id) is not None:
                    return
            with errors_of(COPY_TO), target.transaction():
                has_arrived = target.schedules.get(fleet_job_id) is not None
            if has_arrived:
                self._forget(fleet_job_id)
                return
            with errors_of(COPY_FROM):
                self.source.schedules.put_back(fleet_job_id)
        except IotJobsError as err:
            raise StateUnusable(
                Text(f"The schedule of fleet job {fleet_job_id} may be set in neither store now. ", err.message),
                hint=Text(
                    "Copy it into the same store again, which completes it. Or see whether it has moved: ",
                    command("iot hub fleet-job schedule show", fleet_job_id=fleet_job_id, store=STORES[COPY_TO]),
                    " Only if it has not, set it again: ",
                    self.set_again(moving),
                ),
            ) from err

    def _seen(self, fleet_job_id: str) -> _Seen:
        schedule = self.source.schedules.get(fleet_job_id)
        return _Seen(
            None if schedule is None else replace(schedule, polled_at=None),
            self.source.schedules.moving(fleet_job_id),
            self.source.runs.list_all(fleet_job_id),
            self.source.occurrences.list_all(fleet_job_id),
        )

    def _check_unchanged(self, fleet_job_id: str, before: _Seen) -> None:
        self._check_ended(fleet_job_id)
        if self._seen(fleet_job_id) != before:
            raise WrongState(
                f"Fleet job {fleet_job_id} was changed while it was copied: it was not copied.", hint="Copy it again."
            )

    def _check_ended(self, fleet_job_id: str) -> None:
        """Raise RunUnfinished for a run that both stores could go on with, and for one that is about to begin."""
        for run in self.source.runs.list_all(fleet_job_id):
            if not run.state.has_ended:
                raise RunUnfinished(
                    f"{run.name} is {run.state.value}: it can be copied once it has ended.",
                    hint=Text("End it: ", command("iot hub fleet-job cancel", fleet_job_id=fleet_job_id)),
                )
        begun = self.source.occurrences.open(fleet_job_id, self.now()) if self.moves_schedules else ()
        if any(each.is_held for each in begun):
            raise RunUnfinished(
                f"A run of fleet job {fleet_job_id} is about to begin: it can be copied once that has ended.",
                hint=Text("See it: ", command("iot hub fleet-job schedule history", fleet_job_id=fleet_job_id)),
            )


def _check_unused(target: SqlStore, fleet_job_id: str) -> None:
    try:
        target.definitions.check_unused(fleet_job_id)
    except ConflictingChoice as err:
        err.hint = Text(
            "Copy only others, with ",
            Field("fleet_job_id"),
            "; or delete it there: ",
            command("iot hub fleet-job delete", fleet_job_id=fleet_job_id),
        )
        raise


@contextmanager
def errors_of(store: str) -> Iterator[None]:
    """Have errors say which store they are of, and their commands mean it. Of one in another, the inner counts.

    store: COPY_FROM or COPY_TO.
    """
    try:
        yield
    except IotJobsError as err:
        if err.field not in STORES:
            err.args = (Text(Field(store), ": ", *(_of(store, each) for each in parts_of(err.message))),)
            err.hint = None if err.hint is None else Text(*(_of(store, each) for each in parts_of(err.hint)))
        raise


def _of(store: str, part: Part) -> Part:
    if isinstance(part, Field) and part == "state_dir":
        return Field(store)
    if isinstance(part, Command) and part.words.startswith(OF_FLEET_JOBS):
        return part._replace(arguments=(*part.arguments, Argument("store", STORES[store])))
    return part
