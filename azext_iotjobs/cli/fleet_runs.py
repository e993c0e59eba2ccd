"""Handlers of az iot hub fleet-job run | resume | rerun | stop | cancel: runs, carried out by this process."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.confirming import goes_on
from azext_iotjobs.cli.ctrl_c import stopped_by_ctrl_c
from azext_iotjobs.cli.exit import leave_with
from azext_iotjobs.cli.fleet_definitions import TypedDefinition
from azext_iotjobs.cli.fleet_place import FleetPlace
from azext_iotjobs.cli.fleet_plans import limited, show_plan
from azext_iotjobs.cli.fleet_progress import Progress
from azext_iotjobs.cli.fleet_run_events import EventFile, Told
from azext_iotjobs.cli.fleet_run_events import check as check_events
from azext_iotjobs.clients.fleet_codec import render_run
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet.driver import BatchDriver, Hear, MakeDriver
from azext_iotjobs.fleet.holder import this_process, who
from azext_iotjobs.fleet.leased import LeasedRun
from azext_iotjobs.fleet.plan import parse_words
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import BadValue, WrongState
from azext_iotjobs.model.fleet import Definition, Driver, FleetJob, OfRun, Targets
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.model.run import Run, RunState
from azext_iotjobs.operations import by_calls, by_job, fleet, fleet_jobs

logger = get_logger(__name__)

CLOCK = SystemClock()
LOOK_EVERY_S = 0.5
ASK_AGAIN_S = 5.0  # whoever carried it on may be gone
DRIVERS = {Driver.JOBS: by_job.driver, Driver.CALLS: by_calls.driver}


@dataclass(frozen=True)
class Manner:
    """How a run is carried out here."""

    events_path: str | None
    overwrites_events: bool
    sure: bool
    always_zero: bool
    adds_events: bool = False

    def check(self) -> None:
        """Raise what the file of events would, before anything is stored or sent."""
        if self.events_path is not None:
            check_events(self.events_path, overwrites=self.overwrites_events or self.adds_events)


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
) -> dict[str, Any]:
    """Go on with the last run of a fleet job."""
    manner = Manner(events_path, overwrites_events, sure, always_zero, adds_events=True)
    job = client.store.fleet_job(fleet_job)
    client.check(job)
    last = client.store.run(fleet_job)
    hub = client.hub_of(job)
    manner.check()
    if not last.state.has_ended and not goes_on(hub.target, last.tally.open, f"{last.name} goes on", sure=sure):
        raise BadValue("Nothing was sent.")
    return carry(cmd, client, lambda: hub, last, manner, fleet.resume)


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
    if only_plans:
        return show_plan(cmd, client, hub, replace(parent, definition=definition))
    manner.check()
    has_ended = last.state not in (RunState.PENDING, RunState.RUNNING)
    if has_ended and client.store.choose_of_run(last, words, 0) == 0:
        logger.warning("%s has no device to run again on (--on %s).", last.name, chosen_words)
        leave_with(cmd, Outcome.NO_DEVICE, always_zero=always_zero)
        return None
    changes = {name: getattr(definition, name) for name in definition.__dataclass_fields__ if name != "targets"}
    job = fleet_jobs.rerun(client.store, last, words, new_job, by=who(), at=CLOCK.now(), **changes)
    return start(cmd, client, hub, replace(job, definition=definition), manner)


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
        make = _make_driver(lambda: client.hub_of(job), last)
        with stopped_by_ctrl_c() as flag:
            own = fleet.hands(client.store, make, CLOCK, Told(_progress(cmd), None), flag)
            return fleet.cancel(last, own, by=who(), reason=reason)

    return _until_ended(cmd, client, ask, last, wait_limit_s)


def start(cmd: Any, place: FleetPlace, client: HubClient, job: FleetJob, manner: Manner) -> dict[str, Any]:
    """Make a run of a fleet job and carry it out; gives it as it ended."""
    manner.check()
    made = fleet.new_run(
        place.store, client, limited(cmd, job), by=who(), at=CLOCK.now(), tier=place.tier,
        delivery=job.definition.delivery,
    )  # fmt: skip
    if not goes_on(client.target, made.device_count, f"Fleet job {job.fleet_job_id} runs", sure=manner.sure):
        own = fleet.hands(place.store, _make_driver(lambda: client, made), CLOCK, Told(None, None), _NEVER)
        fleet.cancel(made, own, by=who(), reason="Not confirmed.")
        raise BadValue("Nothing was sent.")
    return carry(cmd, place, lambda: client, made, manner, fleet.carry_on)


def carry(
    cmd: Any,
    place: FleetPlace,
    client: Callable[[], HubClient],
    run: Run,
    manner: Manner,
    go: Callable[[Run, fleet.Hands], Run],
) -> dict[str, Any]:
    """Carry a run on until it ends, and say what it came to."""
    progress = _progress(cmd)
    events = None
    if manner.events_path is not None:
        events = EventFile(manner.events_path, overwrites=manner.overwrites_events, adds=manner.adds_events)
    told = Told(progress, events)
    try:
        with stopped_by_ctrl_c() as flag:
            progress.watch(flag)
            own = fleet.hands(place.store, _make_driver(client, run), CLOCK, told, flag)
            ended = go(run, own)
    except KeyboardInterrupt:
        ended = place.store.run_by_key(run.key)
        progress.say(f"{run.name}: left at once; `results --status uncertain` shows whose calls were under way.")
    finally:
        told.close()
    outcome = judge(ended)
    _say(ended, outcome)
    leave_with(cmd, outcome, always_zero=manner.always_zero)
    return render_run(ended, CLOCK.now())


def judge(run: Run) -> Outcome:
    """What a run came to, for whoever carried it on."""
    if run.state in (RunState.FAILED, RunState.CANCELED):
        return Outcome.JOB_FAILED
    if run.state is not RunState.COMPLETED:
        return Outcome.STOPPED
    if run.device_count == 0:
        return Outcome.NO_DEVICE
    return Outcome.SUCCESS if run.tally.completed == run.device_count else Outcome.DEVICES_FAILED


def _until_ended(
    cmd: Any, place: FleetPlace, ask: Callable[[Run], Run], run: Run, wait_limit_s: int
) -> dict[str, Any]:  # fmt: skip
    """Ask for an end of a run, and wait for it; whoever carries it on awaits what is under way."""
    began_at = asked_at = CLOCK.monotonic()
    seen = ask(run)
    try:
        while seen.state is RunState.RUNNING:
            now = CLOCK.monotonic()
            if wait_limit_s and now - began_at >= wait_limit_s:
                break
            if now - asked_at >= ASK_AGAIN_S:
                asked_at, seen = now, _asked_again(ask, seen)
            CLOCK.sleep(LOOK_EVERY_S)
            seen = place.store.run_by_key(run.key)
    except KeyboardInterrupt:
        pass  # what was asked for stands
    if seen.state is RunState.RUNNING:
        logger.warning("%s was asked to end, and still has calls or hub jobs under way.", seen.name)
        leave_with(cmd, Outcome.WAIT_OVER, always_zero=False)
    return render_run(seen, CLOCK.now())


def _asked_again(ask: Callable[[Run], Run], seen: Run) -> Run:
    try:
        return ask(seen)
    except WrongState:  # it has ended meanwhile
        return seen


def _make_driver(client: Callable[[], HubClient], run: Run) -> MakeDriver:
    def make(leased: LeasedRun, seen: Run, definition: Definition, hear: Hear) -> BatchDriver:
        return DRIVERS[run.driver](client(), CLOCK)(leased, seen, definition, hear)

    return make


def _progress(cmd: Any) -> Progress:
    return Progress(CLOCK, is_silent=bool(cmd.cli_ctx.only_show_errors))


def _say(run: Run, outcome: Outcome) -> None:
    job = run.fleet_job_id
    match outcome:
        case Outcome.STOPPED:
            logger.warning("Go on with it: az iot hub fleet-job resume -j %s", job)
        case Outcome.JOB_FAILED if run.state is RunState.FAILED:
            logger.warning("It can be resumed: az iot hub fleet-job resume -j %s", job)
        case Outcome.DEVICES_FAILED:
            words = [
                name for name, count in (("failed", run.tally.failed), ("uncertain", run.tally.uncertain)) if count
            ]
            logger.warning(
                "Not all devices succeeded. Which and why: az iot hub fleet-job results -j %s. Once more: "
                "az iot hub fleet-job rerun -j %s --on %s",
                job, job, ",".join(words),
            )  # fmt: skip
        case Outcome.NO_DEVICE:
            logger.warning("No device is meant; nothing was called.")
        case _:
            pass


class _Never:
    def is_set(self) -> bool:
        return False


_NEVER = _Never()
