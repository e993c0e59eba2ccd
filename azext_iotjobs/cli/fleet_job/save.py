"""Handlers of az iot hub fleet-job create | copy | update: what is typed becomes a definition that is kept."""

from dataclasses import fields, replace
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job.context import FleetPlace
from azext_iotjobs.cli.fleet_job.definition_options import TypedDefinition
from azext_iotjobs.cli.fleet_job.read import shown
from azext_iotjobs.cli.input.device_selection import check_exclusions
from azext_iotjobs.cli.output.hints import suggestion
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.store.holder import who
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import ConflictingChoice, IotJobsError, MissingChoice
from azext_iotjobs.model.fleet_job import FleetJob, Targets, check_id
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.operations.fleet_job import definitions as operation
from azext_iotjobs.operations.fleet_job.planning import host_of

logger = get_logger(__name__)

CLOCK = SystemClock()
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
    options = None
    if runs:
        from azext_iotjobs.cli.fleet_job.run_foreground import RunOptions

        options = RunOptions(events_path, overwrites_events, sure, always_zero)
    elif events_path is not None or overwrites_events:
        raise ConflictingChoice("--events goes with --run: what is only saved has no events.")
    check_id(fleet_job)
    definition = typed.onto(None)
    hub = client.hub()
    if only_plans:
        from azext_iotjobs.cli.fleet_job.dry_run import show_plan

        now = CLOCK.now()
        planned = FleetJob(
            fleet_job_id=fleet_job, host=host_of(hub), version=1, definition=definition, created_at=now,
            created_by=who(), edited_at=now, edited_by=who(),
        )  # fmt: skip
        return show_plan(cmd, client, hub, planned)
    if options is None:
        _say_how_many(hub, client.store, definition.targets)
        return shown(operation.create(client.store, fleet_job, host_of(hub), definition, by=who(), at=CLOCK.now()))
    options.check()
    job = operation.create(client.store, fleet_job, host_of(hub), definition, by=who(), at=CLOCK.now())
    from azext_iotjobs.cli.fleet_job.run_foreground import start

    try:
        return start(cmd, client, hub, job, options)
    except IotJobsError:
        if client.store.runs.last(fleet_job) is None:
            logger.warning(
                "Fleet job %s is saved, and was not run: %s",
                fleet_job,
                suggestion("iot hub fleet-job run", "-j", fleet_job),
            )
        raise


def copy(cmd: Any, client: FleetPlace, fleet_job: str, new_job: str | None = None, **kwargs: Any) -> dict[str, Any]:
    """Save a fleet job once more under a new id, with changes; nothing runs."""
    original = client.store.definitions.get(fleet_job)
    typed = TypedDefinition.taken_from(kwargs)
    definition = typed.onto(replace(original.definition, display_name=operation.name_of_copy(original)))
    hub = client.hub() if client.names_hub else client.hub_of(original) if typed.asks_hub else None
    host = original.host if hub is None else host_of(hub)
    if hub is not None and typed.asks_hub:
        _say_how_many(hub, client.store, definition.targets)
    return shown(
        operation.copy(
            client.store, fleet_job, new_job, host, by=who(), at=CLOCK.now(),
            **{each.name: getattr(definition, each.name) for each in fields(definition)},
        )
    )  # fmt: skip


def update(cmd: Any, client: FleetPlace, fleet_job: str, **kwargs: Any) -> dict[str, Any]:
    """Save another version of a fleet job; runs keep the one that they carry out."""
    job = client.store.definitions.get(fleet_job)
    client.check(job)
    typed = TypedDefinition.taken_from(kwargs)
    if not typed.is_typed:
        raise MissingChoice("Nothing to update.", hint="Give what is to be another: for example --batch 5%.")
    definition = typed.onto(job.definition)
    if typed.asks_hub:
        _say_how_many(client.hub_of(job), client.store, definition.targets)
    edited = operation.edit(client.store, fleet_job, definition, by=who(), at=CLOCK.now())
    if edited.version == job.version:
        logger.warning("Fleet job %s is like that already: version %d.", fleet_job, job.version)
    return shown(edited, client, client.store.runs.last(fleet_job))


def _say_how_many(hub: HubClient, store: SqliteStore, targets: Targets) -> None:
    """How many devices a condition means now; one that the hub cannot read is refused before it is kept.

    Raises NotFound for a group that is not there.
    """
    selection = targets.selection
    if targets.group is not None:
        selection = Selection(condition=store.groups.condition_of(host_of(hub), targets.group), excluded=targets.excluded)
    if selection is not None:
        check_exclusions(hub, selection)
    if selection is None or selection.condition is None:
        return
    count = hub.selections.count(selection, MANY)
    least = "more than " if selection.is_of_modules and count > MANY else ""
    noun = "module" if selection.is_of_modules else "device"
    number = min(count, MANY) if least else count
    logger.warning(
        "%s means %s%d %s%s now; each run asks again.", "The condition" if targets.group is None else "The group",
        least, number, noun, "" if number == 1 else "s",
    )  # fmt: skip
