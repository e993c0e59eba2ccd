"""Handlers of az iot hub fleet-job run | resume | rerun | stop | cancel."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.confirming import goes_on
from azext_iotjobs.cli.ctrl_c import stopped_by_ctrl_c
from azext_iotjobs.cli.exit import leave_with
from azext_iotjobs.cli.fleet_carrying import Manner, carry, make_driver, start
from azext_iotjobs.cli.fleet_definitions import TypedDefinition
from azext_iotjobs.cli.fleet_place import FleetPlace
from azext_iotjobs.cli.fleet_plans import limited, show_plan
from azext_iotjobs.cli.fleet_progress import new_progress
from azext_iotjobs.cli.fleet_run_events import Told
from azext_iotjobs.cli.typed import suggestion
from azext_iotjobs.cli.values import at_least
from azext_iotjobs.clients.fleet_codec import render_run
from azext_iotjobs.fleet.holder import this_process, who
from azext_iotjobs.fleet.plan import parse_words
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import BadValue, WrongState
from azext_iotjobs.model.fleet import OfRun, Targets
from azext_iotjobs.model.hints import Hint, command
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.model.run import Run, RunState
from azext_iotjobs.operations import fleet, fleet_jobs

logger = get_logger(__name__)

CLOCK = SystemClock()
LOOK_EVERY_S = 0.5
ASK_AGAIN_S = 5.0  # whoever carried it on may be gone


def run(
    cmd: Any,
    client: FleetPlace,
    fleet_job: str,
    only_plans: bool = False,
    sure: bool = False,
    events_path: str | None = None,
    overwrites_events: bool = False,
    always_zero: bool = False,
    **kwargs: Any,
) -> dict[str, Any]:
    """Run a fleet job. kwargs: how devices are reached, as TypedDefinition names it, for this run alone."""
    manner = Manner(events_path, overwrites_events, sure, always_zero)
    typed = TypedDefinition.taken_from(kwargs)
    job = client.store.fleet_job(fleet_job)
    hub = client.hub_of(job)
    definition = job.definition
    targets = definition.targets
    if typed.devices_at_most is not None:
        targets = replace(targets, max_devices=typed.devices_at_most)
    delivery = typed.delivery(definition.delivery)
    once = replace(job, definition=replace(definition, targets=targets, delivery=delivery))
    if only_plans:
        return show_plan(cmd, client, hub, once)
    return start(cmd, client, hub, once, manner)


def resume(
    cmd: Any,
    client: FleetPlace,
    fleet_job: str,
    sure: bool = False,
    events_path: str | None = None,
    overwrites_events: bool = False,
    always_zero: bool = False,
    **kwargs: Any,
) -> dict[str, Any]:
    """Go on with the last run of a fleet job. kwargs: how fast, as TypedDefinition names it, from here on."""
    manner = Manner(events_path, overwrites_events, sure, always_zero, adds_events=True)
    job = client.store.fleet_job(fleet_job)
    client.check(job)
    last = client.store.run(fleet_job)
    delivery = TypedDefinition.taken_from(kwargs).delivery(last.delivery)
    hub = client.hub_of(job)
    manner.check()
    if not last.state.has_ended and not goes_on(hub.target, last.tally.open, f"{last.name} is resumed", sure=sure):
        raise BadValue(
            "Nothing was sent.",
            hint=Hint(f"{last.name} is as it was: ", command("iot hub fleet-job show", "-j", fleet_job)),
        )
    return carry(cmd, client, lambda: hub, last, manner, lambda run, own: fleet.resume(run, own, delivery))


def rerun(
    cmd: Any,
    client: FleetPlace,
    fleet_job: str,
    new_job: str | None = None,
    run_number: int | None = None,
    chosen_words: str = "failed",
    only_plans: bool = False,
    sure: bool = False,
    events_path: str | None = None,
    overwrites_events: bool = False,
    always_zero: bool = False,
    **kwargs: Any,
) -> dict[str, Any] | None:
    """Run a fleet job again on some devices of a run, under a new id."""
    manner = Manner(events_path, overwrites_events, sure, always_zero)
    typed = TypedDefinition.taken_from(kwargs)
    words = parse_words(chosen_words, "--on")
    parent = client.store.fleet_job(fleet_job)
    hub = client.hub_of(parent)
    last = client.store.run(fleet_job, run_number)
    # Its devices are those of the run: what was said of devices before has been applied there.
    before = replace(
        client.store.definition_of(last),
        targets=Targets(of_run=OfRun(fleet_job_id=fleet_job, run_number=last.number, words=words)),
    )
    definition = typed.onto(before)
    planned = replace(parent, definition=definition)
    if only_plans:
        return show_plan(cmd, client, hub, planned)
    manner.check()
    has_ended = last.state not in (RunState.PENDING, RunState.RUNNING)
    once = replace(planned, definition=limited(cmd, definition))
    if has_ended and fleet.preview(client.store, hub, once, client.tier).device_count == 0:
        logger.warning("%s has no device to run again on (--on %s).", last.name, chosen_words)
        leave_with(cmd, Outcome.NO_DEVICE, always_zero=always_zero)
        return None
    changes = {each.name: getattr(definition, each.name) for each in fields(definition)}
    job = fleet_jobs.rerun(client.store, last, words, new_job, by=who(), at=CLOCK.now(), **changes)
    return start(cmd, client, hub, job, manner)


def stop(
    cmd: Any, client: FleetPlace, fleet_job: str, reason: str | None = None, wait_limit_s: int = 60
) -> dict[str, Any]:  # fmt: skip
    """Stop the last run of a fleet job, whoever carries it on."""
    job = client.store.fleet_job(fleet_job)
    client.check(job)

    def ask(last: Run) -> Run:
        return fleet.stop(client.store, last, this_process(), by=who(), reason=reason, clock=CLOCK)

    return _until_ended(cmd, client, ask, client.store.run(fleet_job), wait_limit_s)


def cancel(
    cmd: Any,
    client: FleetPlace,
    fleet_job: str,
    reason: str | None = None,
    wait_limit_s: int = 60,
) -> dict[str, Any]:
    """Cancel the last run of a fleet job for good."""
    job = client.store.fleet_job(fleet_job)
    client.check(job)
    last = client.store.run(fleet_job)

    def ask(last: Run) -> Run:
        # The hub is asked only when nobody else carries the run on.
        make = make_driver(lambda: client.hub_of(job), last)
        told = Told(new_progress(cmd), None)
        try:
            with stopped_by_ctrl_c() as flag:
                return fleet.cancel(
                    last, fleet.hands(client.store, make, CLOCK, told, flag), by=who(), reason=reason
                )  # fmt: skip
        finally:
            told.close()

    return _until_ended(cmd, client, ask, last, wait_limit_s, for_good=True)


def _until_ended(
    cmd: Any, place: FleetPlace, ask: Callable[[Run], Run], run: Run, wait_limit_s: int, *, for_good: bool = False
) -> dict[str, Any]:
    """Ask for an end of a run, and wait for it; whoever carries it on awaits what is under way.

    for_good: one that can be resumed has not ended.
    """
    at_least(wait_limit_s, 0, "--poll-duration")
    began_at = asked_at = CLOCK.monotonic()
    try:
        seen = ask(run)
        while seen.state is RunState.RUNNING:
            now = CLOCK.monotonic()
            if wait_limit_s and now - began_at >= wait_limit_s:
                break
            if now - asked_at >= ASK_AGAIN_S:
                asked_at, seen = now, _asked_again(ask, seen)
            CLOCK.sleep(LOOK_EVERY_S)
            seen = place.store.run_by_key(run.key)
        if for_good and seen.state is RunState.STOPPED:  # by someone else, when we asked
            seen = ask(seen)
    except KeyboardInterrupt:
        seen = place.store.run_by_key(run.key)  # what was asked for stands
    if seen.state is RunState.RUNNING or (for_good and not seen.state.has_ended):
        logger.warning(
            "%s was asked to end, and still has calls or hub jobs under way. Look again: %s",
            seen.name, suggestion("iot hub fleet-job show", "-j", seen.fleet_job_id),
        )  # fmt: skip
        leave_with(cmd, Outcome.WAIT_OVER, always_zero=False)
    return render_run(seen, CLOCK.now())


def _asked_again(ask: Callable[[Run], Run], seen: Run) -> Run:
    try:
        return ask(seen)
    except WrongState:  # it has ended meanwhile
        return seen
