"""Handlers of az iot hub fleet-job run | resume | rerun."""

from dataclasses import fields, replace
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.definition_options import DefinitionOptions, RunDeliveryOptions
from azext_iotjobs.cli.fleet_job.dry_run import show_plan, with_device_limit
from azext_iotjobs.cli.fleet_job.run_foreground import CLOCK, follow, leave_to_process, start
from azext_iotjobs.cli.fleet_job.run_options import RunOptions
from azext_iotjobs.cli.fleet_job.stop import CANCEL_LIMIT_S, cancel_and_await
from azext_iotjobs.cli.fleet_job.target_options import LimitOptions
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.output.confirm import goes_on
from azext_iotjobs.cli.output.exit_code import leave_with
from azext_iotjobs.fleet_job.plan import parse_words
from azext_iotjobs.fleet_job.store.holder import current_user
from azext_iotjobs.fleet_job.unfinished import check_ended, check_resumable
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.fleet_job import Definition, DevicesOfRun, FleetJob, Targets
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.text import Text, command
from azext_iotjobs.operations.fleet_job import definitions, planning, run_loop
from azext_iotjobs.operations.fleet_job.resuming import RESUMABLE

logger = get_logger(__name__)

FAIL, RESUME, CANCEL = "fail", "resume", "cancel"  # --if-unfinished


@takes_option_groups
def run(
    cmd: Any,
    client: FleetJobContext,
    fleet_job_id: str,
    if_unfinished: str = FAIL,
    *,
    limits: LimitOptions,
    delivery: RunDeliveryOptions,
    running: RunOptions,
) -> dict[str, Any]:
    """Run a fleet job. limits, delivery: in place of the definition's, for this run."""
    job = client.store.definitions.get(fleet_job_id)
    hub = client.hub_of(job)
    narrowed = limits.narrowed(job.definition.targets)
    once = replace(job, definition=_for_one_run(job.definition, limits, delivery))
    last = client.store.runs.last(fleet_job_id)
    unfinished = None if last is None or last.state.has_ended else last
    if running.dry_run:
        if unfinished is not None:
            logger.warning("%s is %s: it has to end before another begins.", unfinished.name, unfinished.state.value)
        return show_plan(cmd, client, hub, once)
    if unfinished is not None and if_unfinished == RESUME:
        logger.warning("%s is %s: it is resumed, and no new run begins.", unfinished.name, unfinished.state.value)
        if narrowed is not None or delivery.delivery.driver is not None:
            logger.warning("--limit, --sample and --driver apply to a new run only; this run stays as it was created.")
        return _resume(cmd, client, job, unfinished, delivery, running)
    running.check()
    if unfinished is not None and if_unfinished == CANCEL:
        _cancel_first(cmd, client, job, unfinished)
    return start(cmd, client, hub, once, running, narrowed)


@takes_option_groups
def resume(
    cmd: Any, client: FleetJobContext, fleet_job_id: str, *, delivery: RunDeliveryOptions, running: RunOptions
) -> dict[str, Any]:
    """Resume the last run of a fleet job. delivery: how its devices are reached from here on."""
    job = client.store.definitions.get(fleet_job_id)
    client.check(job)
    return _resume(cmd, client, job, client.store.runs.get(fleet_job_id), delivery, running)


@takes_option_groups
def rerun(
    cmd: Any,
    client: FleetJobContext,
    fleet_job_id: str,
    new_fleet_job_id: str | None = None,
    run: int | None = None,
    on: str = "failed",
    *,
    definition: DefinitionOptions,
    running: RunOptions,
) -> dict[str, Any] | None:
    """Run a fleet job again on some devices of a run, under a new id."""
    words = parse_words(on)
    parent = client.store.definitions.get(fleet_job_id)
    hub = client.hub_of(parent)
    last = client.store.runs.get(fleet_job_id, run)
    # Its devices are those of the run: what selected devices before has been applied there.
    targets = Targets(of_run=DevicesOfRun(fleet_job_id=fleet_job_id, run_number=last.number, words=words))
    changed = definition.onto(replace(client.store.definitions.of_run(last), targets=targets))
    planned = replace(parent, definition=changed)
    if running.dry_run:
        return show_plan(cmd, client, hub, planned)
    running.check()
    has_ended = last.state not in (RunState.PENDING, RunState.RUNNING)
    once = replace(planned, definition=with_device_limit(cmd, changed))
    if has_ended and planning.preview(client.store, hub, once, client.tier).device_count == 0:
        logger.warning("%s has no device to run again on (--on %s).", last.name, on)
        leave_with(cmd, Outcome.NO_DEVICE, exit_zero=running.exit_zero)
        return None
    changes = {each.name: getattr(changed, each.name) for each in fields(changed)}
    by, at = current_user(), CLOCK.now()
    job = definitions.rerun(client.store, last, words, new_fleet_job_id, by=by, at=at, **changes)
    return start(cmd, client, hub, job, running)


def _for_one_run(definition: Definition, limits: LimitOptions, delivery: RunDeliveryOptions) -> Definition:
    """A definition with what was typed for one run in place of its own. Raises UserError."""
    return replace(
        definition,
        targets=limits.onto(definition.targets),
        delivery=delivery.onto(definition.delivery, definition.action),
    )


def _resume(
    cmd: Any, context: FleetJobContext, job: FleetJob, last: Run, delivery: RunDeliveryOptions, running: RunOptions
) -> dict[str, Any]:
    """Resume a run, in this process."""
    paced = delivery._replace(delivery=delivery.delivery._replace(driver=None))  # a run keeps its driver
    changed = paced.onto(last.delivery, context.store.definitions.of_run(last).action)
    hub = context.hub_of(job)
    running.check(adds_events=True)
    if not last.state.has_ended and not goes_on(
        hub.target, last.tally.open + last.tally.waiting, f"{last.name} is resumed", assume_yes=running.our_yes
    ):
        raise BadValue(
            "Nothing was sent.",
            hint=Text(f"{last.name} is unchanged: ", command("iot hub fleet-job show", fleet_job_id=job.fleet_job_id)),
        )
    if last.state in RESUMABLE:
        hub.check_reached()  # at once, before its state changes; what a hub refuses of it, the run itself finds out
    if running.detach:
        check_resumable(last, CLOCK.now())
        return leave_to_process(context, last, running, delivery)
    return follow(
        cmd,
        context,
        lambda: hub,
        last,
        running,
        lambda run, own: run_loop.resume(run, own, changed),
        adds_events=True,
    )


def _cancel_first(cmd: Any, context: FleetJobContext, job: FleetJob, unfinished: Run) -> None:
    """Cancel a run that has not ended, so that another can begin. Raises RunUnfinished when it does not end."""
    logger.warning("%s is %s: it is canceled first.", unfinished.name, unfinished.state.value)
    ended, was_interrupted = cancel_and_await(cmd, context, job, unfinished, "Another run begins.", CANCEL_LIMIT_S)
    check_ended(ended, CLOCK.now())
    if was_interrupted:
        raise BadValue(
            f"{ended.name} is canceled; no new run was begun, because Ctrl-C was pressed meanwhile.",
            hint=Text(command("iot hub fleet-job run", fleet_job_id=job.fleet_job_id)),
        )
