"""Handlers of az iot hub fleet-job create | show | list | list-runs | copy | update | delete: what is kept."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.fleet_definitions import TypedDefinition
from azext_iotjobs.cli.fleet_place import FleetPlace
from azext_iotjobs.cli.spans import span_s
from azext_iotjobs.clients.fleet_codec import render_batch, render_fleet_job, render_run
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet.holder import who
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, IotJobsError, MissingChoice
from azext_iotjobs.model.fleet import FleetJob, Targets, check_id
from azext_iotjobs.model.run import Run, RunState
from azext_iotjobs.operations import fleet_jobs as operation
from azext_iotjobs.operations.fleet import host_of

logger = get_logger(__name__)

CLOCK = SystemClock()
MAX_BATCHES = 1_000  # that `show` lists
DAY_S = 86_400.0
MANY = 1_000  # modules that are counted: the hub counts devices alone


def create(
    cmd: Any,
    client: FleetPlace,
    fleet_job: str,
    runs: bool = False,
    only_plans: bool = False,
    sure: bool = False,
    events_path: str | None = None,
    overwrites_events: bool = False,
    always_zero: bool = False,
    **kwargs: Any,
) -> dict[str, Any]:
    """Save a fleet job and, with --run, run it. kwargs: what TypedDefinition names."""
    typed = TypedDefinition.taken_from(kwargs)
    manner = None
    if runs:
        from azext_iotjobs.cli.fleet_carrying import Manner

        manner = Manner(events_path, overwrites_events, sure, always_zero)
    elif events_path is not None or overwrites_events:
        raise ConflictingChoice("--events goes with --run: what is only saved has no events.")
    check_id(fleet_job)
    definition = typed.onto(None)
    hub = client.hub()
    if only_plans:
        from azext_iotjobs.cli.fleet_plans import show_plan

        return show_plan(cmd, client, hub, definition)
    if manner is None:
        _say_how_many(hub, definition.targets)
        return _shown(operation.create(client.store, fleet_job, host_of(hub), definition, by=who(), at=CLOCK.now()))
    manner.check()
    job = operation.create(client.store, fleet_job, host_of(hub), definition, by=who(), at=CLOCK.now())
    from azext_iotjobs.cli.fleet_carrying import start

    try:
        return start(cmd, client, hub, job, manner)
    except IotJobsError:
        if client.store.last_run(fleet_job) is None:
            logger.warning(
                "Fleet job %s is saved, and was not run: az iot hub fleet-job run -j %s", fleet_job, fleet_job
            )
        raise


def show(cmd: Any, client: FleetPlace, fleet_job: str, run_number: int | None = None) -> dict[str, Any]:
    """Show a fleet job with its last run, or another one."""
    kept = operation.show(client.store, fleet_job)
    client.check(kept.job)
    if run_number is None:
        return _shown(kept.job, client, kept.run)
    run = client.store.run(fleet_job, run_number)
    return _shown(client.store.fleet_job(fleet_job, run.version), client, run)


def list_fleet_jobs(
    cmd: Any, client: FleetPlace, run_state: str | None = None, since: str | None = None, only_saved: bool = False
) -> list[dict[str, Any]]:  # fmt: skip
    """List fleet jobs, the newest first."""
    now = CLOCK.now()
    wanted = operation.ListFilter(
        state=None if run_state is None else RunState(run_state),
        since=None if since is None else now - timedelta(seconds=span_s(since, "--since")),
        only_saved=only_saved,
    )
    return [_short(each) for each in operation.list_kept(client.store, wanted) if client.means(each.job.host)]


def list_runs(cmd: Any, client: FleetPlace, fleet_job: str) -> list[dict[str, Any]]:
    """List the runs of a fleet job, the last first."""
    client.check(client.store.fleet_job(fleet_job))
    return [render_run(each, CLOCK.now()) for each in client.store.runs(fleet_job)]


def copy(cmd: Any, client: FleetPlace, fleet_job: str, new_job: str | None = None, **kwargs: Any) -> dict[str, Any]:
    """Save a fleet job once more under a new id, with changes; nothing runs."""
    original = client.store.fleet_job(fleet_job)
    definition = TypedDefinition.taken_from(kwargs).onto(
        replace(original.definition, display_name=f"{original.display_name}{operation.COPY_NAME}")
    )
    host = host_of(client.hub()) if client.names_hub else original.host
    return _shown(
        operation.copy(
            client.store, fleet_job, new_job, host, by=who(), at=CLOCK.now(),
            **{name: getattr(definition, name) for name in definition.__dataclass_fields__},
        )
    )  # fmt: skip


def update(cmd: Any, client: FleetPlace, fleet_job: str, **kwargs: Any) -> dict[str, Any]:
    """Save another version of a fleet job; runs keep the one that they carry out."""
    job = client.store.fleet_job(fleet_job)
    client.check(job)
    typed = TypedDefinition.taken_from(kwargs)
    if not typed.is_typed:
        raise MissingChoice("Nothing to update.", hint="Give what is to be another: for example --batch 5%.")
    edited = operation.edit(client.store, fleet_job, typed.onto(job.definition), by=who(), at=CLOCK.now())
    if edited.version == job.version:
        logger.warning("Fleet job %s is like that already: version %d.", fleet_job, job.version)
    return _shown(edited, client, client.store.last_run(fleet_job))


def delete(
    cmd: Any, client: FleetPlace, fleet_job: str | None = None, older_than: str | None = None
) -> dict[str, Any] | None:  # fmt: skip
    """Delete a fleet job with its history, or the history of all that is older than so many days."""
    if (fleet_job is None) == (older_than is None):
        raise MissingChoice("Say what is deleted: --fleet-job-id ID, or --older-than 60d for old history.")
    if fleet_job is not None:
        client.check(client.store.fleet_job(fleet_job))
        operation.delete(client.store, fleet_job, CLOCK.now())
        return None
    days = span_s(older_than or "", "--older-than") / DAY_S
    if days != int(days):
        raise BadValue(f"--older-than {older_than}: give whole days, such as 60d.")
    hosts = sorted({job.host for job in client.store.fleet_jobs() if client.means(job.host)})
    return {"runs": sum(operation.prune(client.store, int(days), CLOCK.now(), host) for host in hosts)}


def _say_how_many(hub: HubClient, targets: Targets) -> None:
    """How many devices a condition means now; one that the hub cannot read is refused before it is kept."""
    selection = targets.selection
    if selection is None or selection.condition is None:
        return
    count = hub.selections.count(selection, MANY)
    least = "more than " if selection.is_of_modules and count > MANY else ""
    logger.warning("The condition means %s%d now; each run asks again.", least, min(count, MANY) if least else count)


def _shown(job: FleetJob, place: FleetPlace | None = None, run: Run | None = None) -> dict[str, Any]:
    """A fleet job as it is shown alone."""
    document = {**render_fleet_job(job), "status": (RunState.PENDING if run is None else run.state).value}
    if run is None or place is None:
        return {**document, "lastRun": None}
    if run.batch_count > MAX_BATCHES:
        logger.warning("The first %d of %d batches are shown.", MAX_BATCHES, run.batch_count)
    batches = [render_batch(each, run) for each in place.store.batches(run, limit=MAX_BATCHES)]
    return {**document, "lastRun": {**render_run(run, CLOCK.now()), "batchList": batches}}


def _short(kept: operation.Kept) -> dict[str, Any]:
    """A fleet job as it is listed."""
    document = render_fleet_job(kept.job)
    names = ("id", "displayName", "description", "hub", "version", "labels", "created", "createdBy", "edited", "parent")
    return {
        **{name: document[name] for name in names},
        "action": kept.job.definition.action.kind.value,
        "status": kept.state.value,
        "lastRun": None if kept.run is None else render_run(kept.run, CLOCK.now()),
    }
