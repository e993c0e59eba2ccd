"""Handlers of az iot hub fleet-job create | copy | update: what is typed becomes a definition that is saved."""

from dataclasses import fields, replace
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.definition_options import DefinitionOptions
from azext_iotjobs.cli.fleet_job.hub_checks import report_count, report_gate_count
from azext_iotjobs.cli.fleet_job.read import shown
from azext_iotjobs.cli.fleet_job.run_options import RunOptions
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.output.hints import suggestion
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.store.contract import FleetJobStore
from azext_iotjobs.fleet_job.store.holder import current_user
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import ConflictingChoice, IotJobsError, MissingChoice
from azext_iotjobs.model.fleet_job import Definition, FleetJob, check_id
from azext_iotjobs.operations.fleet_job import definitions as operation
from azext_iotjobs.operations.fleet_job import planning
from azext_iotjobs.operations.fleet_job.gate_checks import check_gates
from azext_iotjobs.operations.fleet_job.planning import host_of

logger = get_logger(__name__)

CLOCK = SystemClock()


@takes_option_groups
def create(
    cmd: Any,
    client: FleetJobContext,
    fleet_job_id: str,
    run: bool = False,
    *,
    definition: DefinitionOptions,
    running: RunOptions,
) -> dict[str, Any]:
    """Save a fleet job and, with --run, run it."""
    if not run and (running.events is not None or running.overwrite):
        raise ConflictingChoice("--events needs --run: a fleet job that is only saved has no events.")
    if not run and running.detach:
        raise ConflictingChoice("--detach needs --run: a fleet job that is only saved has no run.")
    check_id(fleet_job_id)
    new = definition.new()
    hub = client.hub()
    if running.dry_run:
        from azext_iotjobs.cli.fleet_job.dry_run import show_plan

        return show_plan(cmd, client, hub, _unsaved(fleet_job_id, host_of(hub), new))
    client.store.definitions.check_unused(fleet_job_id)  # before the hub is asked anything
    if run:
        running.check()
    planning.check_verification(hub, new)  # a typo in it or in a gate would leave a fleet job that has to be changed
    if run:
        check_gates(hub, new.rollout.gates)
    else:
        report_count(hub, client.store, new.targets)
        report_gate_count(hub, new.rollout.gates)
    job = operation.create(client.store, fleet_job_id, host_of(hub), new, by=current_user(), at=CLOCK.now())
    return _run_saved(cmd, client, hub, job, running) if run else shown(job)


@takes_option_groups
def copy(
    cmd: Any,
    client: FleetJobContext,
    fleet_job_id: str,
    new_fleet_job_id: str | None = None,
    *,
    definition: DefinitionOptions,
) -> dict[str, Any]:
    """Save a fleet job once more under a new id, with changes; nothing runs."""
    original = client.store.definitions.get(fleet_job_id)
    asks_hub = definition.asks_hub
    changed = definition.onto(replace(original.definition, display_name=operation.name_of_copy(original)))
    hub = client.hub() if client.names_hub else client.hub_of(original) if asks_hub else None
    host = original.host if hub is None else host_of(hub)
    if hub is not None:
        _ask(hub, client.store, definition, changed)
    changes = {each.name: getattr(changed, each.name) for each in fields(changed)}
    by, at = current_user(), CLOCK.now()
    return shown(operation.copy(client.store, fleet_job_id, new_fleet_job_id, host, by=by, at=at, **changes))


@takes_option_groups
def update(cmd: Any, client: FleetJobContext, fleet_job_id: str, *, definition: DefinitionOptions) -> dict[str, Any]:
    """Save another version of a fleet job; runs keep the one that they execute."""
    job = client.store.definitions.get(fleet_job_id)
    client.check(job)
    if not definition.is_typed:
        raise MissingChoice("Nothing to update.", hint="Give what is to change: for example --batch 5%.")
    changed = definition.onto(job.definition)
    if definition.asks_hub:
        _ask(client.hub_of(job), client.store, definition, changed)
    edited = operation.edit(client.store, fleet_job_id, changed, by=current_user(), at=CLOCK.now())
    if edited.version == job.version:
        logger.warning("Fleet job %s is already like that: version %d.", fleet_job_id, job.version)
    return shown(edited, client, client.store.runs.last(fleet_job_id))


def _unsaved(fleet_job_id: str, host: str, definition: Definition) -> FleetJob:
    now, user = CLOCK.now(), current_user()
    return FleetJob(
        fleet_job_id=fleet_job_id,
        host=host,
        version=1,
        definition=definition,
        created_at=now,
        created_by=user,
        edited_at=now,
        edited_by=user,
    )


def _run_saved(
    cmd: Any, context: FleetJobContext, hub: HubClient, job: FleetJob, running: RunOptions
) -> dict[str, Any]:
    from azext_iotjobs.cli.fleet_job.run_foreground import start

    try:
        return start(cmd, context, hub, job, running)
    except IotJobsError:
        if context.store.runs.last(job.fleet_job_id) is None:
            logger.warning(
                "Fleet job %s is saved, and was not run: %s",
                job.fleet_job_id,
                suggestion("iot hub fleet-job run", fleet_job_id=job.fleet_job_id),
            )
        raise


def _ask(hub: HubClient, store: FleetJobStore, typed: DefinitionOptions, changed: Definition) -> None:
    """Have the hub read what was typed of conditions: what it cannot read is refused before it is saved."""
    if typed.verification.asks_hub:
        planning.check_verification(hub, changed)
    if typed.targets.asks_hub:
        report_count(hub, store, changed.targets)
    if typed.rollout.gates.query.asks_hub:
        report_gate_count(hub, changed.rollout.gates)
