"""Handler of az iot hub fleet-job apply: the fleet jobs of a file are created, or updated to be as it says.

Everything is validated before anything is written. Who applies a file again changes nothing.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job.context import FleetJobContext, can_mean
from azext_iotjobs.cli.fleet_job.hub_checks import report_count, report_gate_count
from azext_iotjobs.cli.fleet_job.job_file.changes import SCHEDULE, Change, changes
from azext_iotjobs.cli.fleet_job.job_file.read import FileJob, parse_file
from azext_iotjobs.cli.fleet_job.schedule.save import put, say_who_starts, take_away
from azext_iotjobs.cli.input import stdin
from azext_iotjobs.cli.input.document_form import Problems
from azext_iotjobs.cli.input.parameters import Parameters, parse_values
from azext_iotjobs.cli.input.scalars import bytes_of_file, text_of
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.store.holder import current_user
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import BadRequest, BadValue, ConflictingChoice, NotFound
from azext_iotjobs.model.fleet_job import FleetJob
from azext_iotjobs.model.selection import CONDITION
from azext_iotjobs.model.text import Text
from azext_iotjobs.operations.fleet_job import definitions as operation
from azext_iotjobs.operations.fleet_job import planning
from azext_iotjobs.operations.fleet_job.schedule.saved import check_schedule

logger = get_logger(__name__)

CLOCK = SystemClock()
FILE, SET = "--file", "--set"
CREATED, UPDATED, UNCHANGED = "created", "updated", "unchanged"
ALL = ("targets", "verification", "gates.query")  # what the hub reads of a new fleet job


class Planned(NamedTuple):
    """What applying does to a fleet job."""

    wanted: FileJob
    saved: FleetJob | None  # None: it is not there yet
    host: str
    changes: Sequence[Change]  # of one that is there

    @property
    def outcome(self) -> str:
        """The word for it."""
        if self.saved is None:
            return CREATED
        return UPDATED if self.changes else UNCHANGED

    @property
    def is_new_version(self) -> bool:
        """Whether the definition changes."""
        return self.saved is None or any(not each.is_of(SCHEDULE) for each in self.changes)

    @property
    def sets_schedule(self) -> bool:
        """Whether the schedule changes."""
        if self.saved is None:
            return self.wanted.schedule is not None
        return any(each.is_of(SCHEDULE) for each in self.changes)


class _Hubs:
    """The clients of the hubs that are needed, each opened once."""

    def __init__(self, context: FleetJobContext) -> None:
        self._context = context
        self._opened: dict[str | None, HubClient] = {}

    def of_saved(self, job: FleetJob) -> HubClient:
        """The client of a fleet job's hub."""
        if job.host not in self._opened:
            self._opened[job.host] = self._context.hub_of(job)
        return self._opened[job.host]

    def of_new(self, name: str | None) -> HubClient:
        """The client of the hub that is typed, or else of the one that a file names, or else of the environment's."""
        if name not in self._opened:
            context = self._context
            self._opened[name] = context.hub() if name is None or context.names_hub else context.hub_at(name)
        return self._opened[name]


def apply(
    cmd: Any,
    client: FleetJobContext,
    job_file: str,
    parameter_values: Sequence[str] | None = None,
    dry_run: bool = False,
) -> list[dict[str, Any]]:
    """Create or update the fleet jobs of a file."""
    problems, hubs = Problems(), _Hubs(client)
    jobs = _read(job_file, parameter_values or (), problems)
    plans = [_planned(client, hubs, each) for each in jobs]
    problems.check()
    if dry_run:
        return [_shown(each, dry_run=True) for each in plans]
    done = _all_carried_out(client, plans)
    if any(each.sets_schedule and each.wanted.schedule is not None for each in plans):
        say_who_starts()
    return done


def _read(path: str, pairs: Sequence[str], problems: Problems) -> list[FileJob]:
    parameters = Parameters(parse_values(pairs, SET), SET)
    if path == stdin.MARK:
        content, name = stdin.read(FILE), "(standard input)"
    else:
        content, name = bytes_of_file(path, FILE), path
    return parse_file(text_of(content, FILE, name), name, parameters, problems)


def _planned(context: FleetJobContext, hubs: _Hubs, wanted: FileJob) -> Planned:
    """What is to be done to a fleet job; the hub reads new conditions. What is wrong is noted, or raised."""
    saved = _saved(context, wanted.fleet_job_id)
    if saved is None:
        hub = hubs.of_new(wanted.hub)
        planned = Planned(wanted, None, planning.host_of(hub), ())
    else:
        context.check(saved)
        stored = context.store.schedules.get(saved.fleet_job_id)
        found = changes(saved, None if stored is None else stored.schedule, wanted)
        planned = Planned(wanted, saved, saved.host, found)
    _check_hub(planned)
    schedule = wanted.schedule
    if planned.sets_schedule and schedule is not None:
        check = partial(check_schedule, context.store, wanted.fleet_job_id, planned.host, schedule, CLOCK.now())
        wanted.tried(check, at=SCHEDULE)
    wanted.tried(lambda: _ask(context, hubs, planned))
    return planned


def _saved(context: FleetJobContext, fleet_job_id: str) -> FleetJob | None:
    try:
        return context.store.definitions.get(fleet_job_id)
    except NotFound:
        return None


def _check_hub(planned: Planned) -> None:
    """Raise ConflictingChoice for a file of another hub than the one that is meant."""
    named, job = planned.wanted.hub, planned.wanted.fleet_job_id
    if named is None or can_mean(named.strip(), planned.host):
        return
    if planned.saved is not None:
        raise ConflictingChoice(
            f"The file says that {job} is of {named}, and the fleet job of that id belongs to {planned.host}.",
            hint="Give it another id, or correct its member hub.",
        )
    raise ConflictingChoice(
        f"The file says that {job} is of {named}, but {planned.host} is given.",
        hint="Leave -n and --login out, or leave the member hub out of the file.",
    )


def _ask(context: FleetJobContext, hubs: _Hubs, planned: Planned) -> None:
    """Have the hub read what is new of conditions: what it cannot read is refused before anything is saved."""
    wanted, saved = planned.wanted, planned.saved
    new = [part for part in ALL if saved is None or any(each.is_of(part) for each in planned.changes)]
    if not new:
        return
    hub = hubs.of_new(wanted.hub) if saved is None else hubs.of_saved(saved)
    definition = wanted.definition
    if "targets" in new:
        of_run = definition.targets.of_run
        if of_run is not None:
            context.store.runs.get(of_run.fleet_job_id, of_run.run_number)
        try:
            report_count(hub, context.store, definition.targets, of=wanted.fleet_job_id)
        except BadRequest as err:
            raise BadValue(Text(CONDITION, f": the hub cannot read this condition. {err}"), hint=err.hint) from err
    if "verification" in new:
        planning.check_verification(hub, definition)
    if "gates.query" in new:
        report_gate_count(hub, definition.rollout.gates)


def _all_carried_out(context: FleetJobContext, plans: Sequence[Planned]) -> list[dict[str, Any]]:
    """Do what is planned, all of it or nothing. Raises ConflictingChoice for a fleet job that was changed meanwhile."""
    if all(each.outcome == UNCHANGED for each in plans):
        return [_shown(each, dry_run=False) for each in plans]
    with context.store.transaction():
        for each in plans:
            if _saved(context, each.wanted.fleet_job_id) != each.saved:
                raise ConflictingChoice(
                    f"{each.wanted.fleet_job_id} was changed by somebody else meanwhile; nothing was written.",
                    hint="Apply the file again.",
                )
        return [_carried_out(context, each) for each in plans]


def _carried_out(context: FleetJobContext, planned: Planned) -> dict[str, Any]:
    wanted, store = planned.wanted, context.store
    job, by, at = planned.saved, current_user(), CLOCK.now()
    if job is None:
        job = operation.create(store, wanted.fleet_job_id, planned.host, wanted.definition, by=by, at=at)
    elif planned.is_new_version:
        job = operation.edit(store, wanted.fleet_job_id, wanted.definition, by=by, at=at)
    if planned.sets_schedule:
        if wanted.schedule is None:
            take_away(context, wanted.fleet_job_id)
        else:
            put(context, wanted.fleet_job_id, wanted.schedule)
    return {**_shown(planned, dry_run=False), "version": job.version}


def _shown(planned: Planned, *, dry_run: bool) -> dict[str, Any]:
    before = 0 if planned.saved is None else planned.saved.version
    return {
        "id": planned.wanted.fleet_job_id,
        "hub": planned.host,
        "applied": planned.outcome,
        "dryRun": dry_run,
        "version": before + planned.is_new_version,
        "changes": [{"member": each.member, "from": each.before, "to": each.after} for each in planned.changes],
    }
