"""Handlers of az iot hub fleet-job run | resume | rerun | stop | cancel."""

from collections.abc import Callable
from dataclasses import fields, replace
from threading import Event
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job.context import FleetPlace
from azext_iotjobs.cli.fleet_job.definition_options import TypedDefinition
from azext_iotjobs.cli.fleet_job.dry_run import limited, show_plan
from azext_iotjobs.cli.fleet_job.event_log import Told
from azext_iotjobs.cli.fleet_job.progress import MAX_AWAITED_SAID, new_progress
from azext_iotjobs.cli.fleet_job.run_foreground import CLOCK, Manner, carry, make_driver, say_what_hub_does, start
from azext_iotjobs.cli.fleet_job.waiting import in_full
from azext_iotjobs.cli.input.scalars import at_least
from azext_iotjobs.cli.method.progress import HEARTBEAT_S
from azext_iotjobs.cli.output.confirm import goes_on
from azext_iotjobs.cli.output.exit_code import leave_with
from azext_iotjobs.cli.output.hints import suggestion
from azext_iotjobs.cli.output.interrupt import stopped_by_ctrl_c
from azext_iotjobs.clients.fleet_codec import render_run
from azext_iotjobs.fleet_job.awaited import awaited
from azext_iotjobs.fleet_job.plan import parse_words
from azext_iotjobs.fleet_job.store.holder import this_process, who
from azext_iotjobs.fleet_job.unfinished import check_ended
from azext_iotjobs.model.errors import BadValue, WrongState
from azext_iotjobs.model.fleet import FleetJob, OfRun, Targets
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.model.run import Run, RunState
from azext_iotjobs.model.text import Text, command
from azext_iotjobs.operations.fleet_job import definitions, planning, run_loop

logger = get_logger(__name__)

LOOK_EVERY_S = 0.5
SAY_AFTER_S = 1.0  # most runs have ended by then
CANCEL_LIMIT_S = 60  # for a run that somebody else carries on, before another begins
FAIL, RESUME, CANCEL = "fail", "resume", "cancel"  # --if-unfinished
ASK_AGAIN_S = 5.0  # whoever carried it on may be gone


def run(
    cmd: Any,
    client: FleetPlace,
    fleet_job: str,
    if_unfinished: str = FAIL,
    only_plans: bool = False,
    sure: bool = False,
    events_path: str | None = None,
    overwrites_events: bool = False,
    always_zero: bool = False,
    **kwargs: Any,
) -> dict[str, Any]:
    """Run a fleet job. kwargs: how devices are reached and fewer of them, as TypedDefinition names it, this time."""
    typed = TypedDefinition.taken_from(kwargs)
    job = client.store.fleet_job(fleet_job)
    hub = client.hub_of(job)
    definition = job.definition
    targets = definition.targets
    narrowed = typed.narrowed(targets)
    if narrowed is not None:
        targets = narrowed.of(targets)
    if typed.devices_at_most is not None:
        targets = replace(targets, max_devices=typed.devices_at_most)
    delivery = typed.delivery_of_run(definition.delivery, definition.action)
    once = replace(job, definition=replace(definition, targets=targets, delivery=delivery))
    last = client.store.last_run(fleet_job)
    unfinished = None if last is None or last.state.has_ended else last
    if only_plans:
        if unfinished is not None:
            logger.warning("%s is %s: it has to end before another begins.", unfinished.name, unfinished.state.value)
        return show_plan(cmd, client, hub, once)
    if unfinished is not None and if_unfinished == RESUME:
        manner = Manner(events_path, overwrites_events, sure, always_zero, adds_events=True)
        logger.warning("%s is %s: it is gone on with, no other is begun.", unfinished.name, unfinished.state.value)
        if narrowed is not None or typed.driver_word is not None:
            logger.warning("--limit, --sample and --driver count for a new run; this one is as it was made.")
        return _go_on(cmd, client, job, unfinished, typed, manner)
    manner = Manner(events_path, overwrites_events, sure, always_zero)
    manner.check()
    if unfinished is not None and if_unfinished == CANCEL:
        _cancel_first(cmd, client, job, unfinished)
    return start(cmd, client, hub, once, manner, narrowed)


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
    return _go_on(cmd, client, job, client.store.run(fleet_job), TypedDefinition.taken_from(kwargs), manner)


def _go_on(
    cmd: Any, place: FleetPlace, job: FleetJob, last: Run, typed: TypedDefinition, manner: Manner
) -> dict[str, Any]:  # fmt: skip
    """Go on with a run, here."""
    faster = replace(typed, driver_word=None)  # a run keeps its driver
    delivery = faster.delivery_of_run(last.delivery, place.store.definition_of(last).action)
    hub = place.hub_of(job)
    manner.check()
    if not last.state.has_ended and not goes_on(
        hub.target, last.tally.open, f"{last.name} is resumed", assume_yes=manner.sure
    ):
        raise BadValue(
            "Nothing was sent.",
            hint=Text(f"{last.name} is as it was: ", command("iot hub fleet-job show", "-j", job.fleet_job_id)),
        )
    return carry(cmd, place, lambda: hub, last, manner, lambda run, own: run_loop.resume(run, own, delivery))


def _cancel_first(cmd: Any, place: FleetPlace, job: FleetJob, unfinished: Run) -> None:
    """Cancel a run that has not ended, so that another can begin. Raises RunUnfinished when it does not end."""
    logger.warning("%s is %s: it is canceled first.", unfinished.name, unfinished.state.value)
    flag = Event()
    ended = _asked_until(
        place, lambda last: _canceled(cmd, place, job, last, "Another run begins.", flag), unfinished, CANCEL_LIMIT_S,
        for_good=True,
    )  # fmt: skip
    check_ended(ended, CLOCK.now())
    if flag.is_set():
        raise BadValue(
            f"{ended.name} is canceled; no other was begun, as Ctrl-C came meanwhile.",
            hint=Text(command("iot hub fleet-job run", "-j", job.fleet_job_id)),
        )


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
    if has_ended and planning.preview(client.store, hub, once, client.tier).device_count == 0:
        logger.warning("%s has no device to run again on (--on %s).", last.name, chosen_words)
        leave_with(cmd, Outcome.NO_DEVICE, exit_zero=always_zero)
        return None
    changes = {each.name: getattr(definition, each.name) for each in fields(definition)}
    job = definitions.rerun(client.store, last, words, new_job, by=who(), at=CLOCK.now(), **changes)
    return start(cmd, client, hub, job, manner)


def stop(
    cmd: Any, client: FleetPlace, fleet_job: str, reason: str | None = None, wait_limit_s: int = 60
) -> dict[str, Any]:  # fmt: skip
    """Stop the last run of a fleet job, whoever carries it on. One that is stopped stays so."""
    job = client.store.fleet_job(fleet_job)
    client.check(job)
    last = client.store.run(fleet_job)
    if last.state is RunState.STOPPED:
        logger.warning("%s is stopped already%s.", last.name, f" by {last.ended_by}" if last.ended_by else "")

    def ask(run: Run) -> Run:
        return run_loop.stop(client.store, run, this_process(), by=who(), reason=reason, clock=CLOCK)

    return _until_ended(cmd, client, ask, last, wait_limit_s)


def cancel(
    cmd: Any,
    client: FleetPlace,
    fleet_job: str,
    reason: str | None = None,
    wait_limit_s: int = 60,
) -> dict[str, Any]:
    """Cancel the last run of a fleet job for good. One that is canceled stays so."""
    job = client.store.fleet_job(fleet_job)
    client.check(job)
    last = client.store.run(fleet_job)
    if last.state is RunState.CANCELED:
        logger.warning("%s is canceled already%s.", last.name, f" by {last.ended_by}" if last.ended_by else "")
    flag = Event()
    return _until_ended(
        cmd, client, lambda run: _canceled(cmd, client, job, run, reason, flag), last, wait_limit_s, for_good=True
    )


def _canceled(
    cmd: Any, place: FleetPlace, job: FleetJob, last: Run, reason: str | None, interrupted: Event
) -> Run:  # fmt: skip
    """Ask for a run's cancelling; when nobody carries it on, it is brought to its end here.

    The hub is asked only then.  interrupted: set when Ctrl-C came meanwhile.
    """
    make = make_driver(lambda: place.hub_of(job), last)
    told = Told(new_progress(cmd), None)
    try:
        with stopped_by_ctrl_c() as flag:
            own = run_loop.hands(place.store, make, CLOCK, told, flag)
            try:
                return run_loop.cancel(last, own, by=who(), reason=reason)
            finally:
                if flag.is_set():
                    interrupted.set()
    finally:
        told.close()


def _until_ended(
    cmd: Any, place: FleetPlace, ask: Callable[[Run], Run], run: Run, wait_limit_s: int, *, for_good: bool = False
) -> dict[str, Any]:
    """Ask for an end of a run, and wait for it; whoever carries it on awaits what is under way.

    for_good: one that can be resumed has not ended.
    """
    at_least(wait_limit_s, 0, "--poll-duration")
    seen = _asked_until(place, ask, run, wait_limit_s, for_good=for_good)
    if seen.state is RunState.RUNNING or (for_good and not seen.state.has_ended):
        logger.warning(
            "%s was asked to end, and still has calls or hub jobs under way. Look again: %s",
            seen.name, suggestion("iot hub fleet-job show", "-j", seen.fleet_job_id),
        )  # fmt: skip
        leave_with(cmd, Outcome.WAIT_OVER, exit_zero=False)
    elif not for_good:
        say_what_hub_does(place, seen)
    return render_run(seen, CLOCK.now())


def _asked_until(
    place: FleetPlace, ask: Callable[[Run], Run], run: Run, wait_limit_s: int, *, for_good: bool
) -> Run:  # fmt: skip
    """The run when it has ended, or when the waiting is over; meanwhile it is said what is awaited."""
    began_at = asked_at = CLOCK.monotonic()
    said_at: float | None = None
    try:
        seen = ask(run)
        while seen.state is RunState.RUNNING:
            now = CLOCK.monotonic()
            if wait_limit_s and now - began_at >= wait_limit_s:
                break
            if now - asked_at >= ASK_AGAIN_S:
                asked_at, seen = now, _asked_again(ask, seen)
            if now - began_at >= SAY_AFTER_S and (said_at is None or now - said_at >= HEARTBEAT_S):
                said_at = now
                _say_what_is_awaited(place, seen)
            CLOCK.sleep(LOOK_EVERY_S)
            seen = place.store.run_by_key(run.key)
        if for_good and seen.state is RunState.STOPPED:  # by someone else, when we asked
            seen = ask(seen)
    except KeyboardInterrupt:
        seen = place.store.run_by_key(run.key)  # what was asked for stands
    return seen


def _say_what_is_awaited(place: FleetPlace, run: Run) -> None:
    """What a run that was asked to end waits for, and who brings it to its end."""
    holder = "whoever goes on with it" if run.lease is None else run.lease.owner
    found = awaited(place.store, run, place.store.definition_of(run))
    logger.warning(
        "%s was asked to end; %s sees to that, and waits for %s", run.name, holder,
        "what is under way:" if found else "its last step.",
    )  # fmt: skip
    for each in found[:MAX_AWAITED_SAID]:
        logger.warning("%s", in_full(each))


def _asked_again(ask: Callable[[Run], Run], seen: Run) -> Run:
    try:
        return ask(seen)
    except WrongState:  # it has ended meanwhile
        return seen
