"""Handler of az iot hub fleet-job apply: the fleet jobs of a file are created, or updated to be as it says.

Everything is validated before anything is written, and all of a file is written, or nothing. Who applies a file again
changes nothing.
"""

from collections.abc import Sequence
from enum import Enum
from functools import partial
from typing import Any, NamedTuple

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job.context import FleetJobContext, can_mean
from azext_iotjobs.cli.fleet_job.hub_checks import report_count, report_gate_count
from azext_iotjobs.cli.fleet_job.job_file.changes import SCHEDULE, Change, changes
from azext_iotjobs.cli.fleet_job.job_file.read import FileJob, parse_file
from azext_iotjobs.cli.fleet_job.schedule.save import new_store_key, say_who_starts, warn_of_removed, warn_of_set
from azext_iotjobs.cli.input import stdin
from azext_iotjobs.cli.input.parameters import Parameters, parse_values
from azext_iotjobs.cli.input.problems import Problems
from azext_iotjobs.cli.input.scalars import bytes_of_file, text_of
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.store.holder import current_user
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import BadRequest, ConflictingChoice
from azext_iotjobs.model.fleet_job import FleetJob
from azext_iotjobs.model.selection import CONDITION
from azext_iotjobs.operations.fleet_job import planning
from azext_iotjobs.operations.fleet_job.changes import Before, JobChange, SavedChange, read_before, save_changes
from azext_iotjobs.operations.fleet_job.schedule.saved import check_schedule
from azext_iotjobs.operations.verification.conditions import unreadable

logger = get_logger(__name__)

CLOCK = SystemClock()
FILE, SET = "--file", "--set"


class Applied(Enum):
    """What applying does to a fleet job."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


class Planned(NamedTuple):
    """A fleet job of a file, and what applying changes of it."""

    wanted: FileJob
    before: Before
    host: str
    changes: Sequence[Change]  # of one that is there

    @property
    def saved(self) -> FleetJob | None:
        """The fleet job as it is; None: it is not there yet."""
        return self.before.job

    @property
    def applied(self) -> Applied:
        """What applying does."""
        if self.saved is None:
            return Applied.CREATED
        return Applied.UPDATED if self.changes else Applied.UNCHANGED

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

    @property
    def change(self) -> JobChange:
        """What is to be saved."""
        return JobChange(
            fleet_job_id=self.wanted.fleet_job_id,
            host=self.host,
            definition=self.wanted.definition if self.is_new_version else None,
            schedule=self.wanted.schedule if self.sets_schedule else self.before.schedule,
            before=self.before,
        )

    @property
    def new_conditions(self) -> list[str]:
        """What of CONDITIONS the hub has to read."""
        return [each for each in CONDITIONS if self.saved is None or any(change.is_of(each) for change in self.changes)]


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
    done = _save(client, plans)
    return [
        {**_shown(each, dry_run=False), "version": saved.job.version} for each, saved in zip(plans, done, strict=True)
    ]


def _read(path: str, pairs: Sequence[str], problems: Problems) -> list[FileJob]:
    parameters = Parameters(parse_values(pairs, SET), SET)
    if path == stdin.MARK:
        content, name = stdin.read(FILE), "(standard input)"
    else:
        content, name = bytes_of_file(path, FILE), path
    return parse_file(text_of(content, FILE, name), name, parameters, problems)


def _planned(context: FleetJobContext, hubs: _Hubs, wanted: FileJob) -> Planned:
    """What is to be done to a fleet job; the hub reads new conditions. What is wrong is noted, or raised."""
    before = read_before(context.store, wanted.fleet_job_id)
    if before.job is None:
        hub = hubs.of_new(wanted.hub)
        planned = Planned(wanted, before, planning.host_of(hub), ())
    else:
        context.check(before.job)
        planned = Planned(wanted, before, before.job.host, changes(before.job, before.schedule, wanted))
    _check_hub(planned)
    schedule = wanted.schedule
    if planned.sets_schedule and schedule is not None:
        check = partial(check_schedule, context.store, wanted.fleet_job_id, planned.host, schedule, CLOCK.now())
        wanted.tried(check, at=SCHEDULE)
    new = planned.new_conditions
    if new:
        hub = hubs.of_new(wanted.hub) if before.job is None else hubs.of_saved(before.job)
        for each in new:
            wanted.tried(partial(CONDITIONS[each], context, hub, wanted))
    return planned


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


def _check_targets(context: FleetJobContext, hub: HubClient, wanted: FileJob) -> None:
    """Raise UserError for a condition that the hub cannot read, NotFound for a group or run that is not there."""
    targets = wanted.definition.targets
    if targets.of_run is not None:
        context.store.runs.get(targets.of_run.fleet_job_id, targets.of_run.run_number)
    try:
        report_count(hub, context.store, targets, of=wanted.fleet_job_id)
    except BadRequest as err:
        raise unreadable(CONDITION, err) from err


def _check_verification(context: FleetJobContext, hub: HubClient, wanted: FileJob) -> None:
    planning.check_verification(hub, wanted.definition)


def _check_gate(context: FleetJobContext, hub: HubClient, wanted: FileJob) -> None:
    report_gate_count(hub, wanted.definition.rollout.gates)


# Members with conditions, which the hub has to read before they are saved.
CONDITIONS = {"targets": _check_targets, "verification": _check_verification, "gates.query": _check_gate}


def _save(context: FleetJobContext, plans: Sequence[Planned]) -> list[SavedChange]:
    wanted = [each.change for each in plans]
    done = save_changes(context.store, wanted, by=current_user(), at=CLOCK.now(), new_key=new_store_key)
    for each in done:
        if each.scheduled is not None:
            warn_of_set(each.scheduled)
        if each.removed is not None:
            warn_of_removed(context, each.job.fleet_job_id, each.removed)
    if any(each.scheduled is not None for each in done):
        say_who_starts()
    return done


def _shown(planned: Planned, *, dry_run: bool) -> dict[str, Any]:
    before = 0 if planned.saved is None else planned.saved.version
    return {
        "id": planned.wanted.fleet_job_id,
        "hub": planned.host,
        "applied": planned.applied.value,
        "dryRun": dry_run,
        "version": before + planned.is_new_version,
        "changes": [{"member": each.member, "from": each.before, "to": each.after} for each in planned.changes],
    }
