"""Carry out a run of a fleet job in this process: made, confirmed, told of, brought to an end, judged."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job.context import FleetPlace
from azext_iotjobs.cli.fleet_job.dry_run import limited
from azext_iotjobs.cli.fleet_job.event_log import EventFile, Told
from azext_iotjobs.cli.fleet_job.event_log import check as check_events
from azext_iotjobs.cli.fleet_job.progress import new_progress
from azext_iotjobs.cli.fleet_job.waiting import left_to_hub
from azext_iotjobs.cli.input.device_selection import warn_of_idle
from azext_iotjobs.cli.output.confirm import goes_on
from azext_iotjobs.cli.output.exit_code import leave_with
from azext_iotjobs.cli.output.hints import suggestion
from azext_iotjobs.cli.output.interrupt import stopped_by_ctrl_c
from azext_iotjobs.clients.fleet_codec import render_run
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.driver import BatchDriver, Hear, MakeDriver
from azext_iotjobs.fleet_job.store.holder import who
from azext_iotjobs.fleet_job.store.leased_run import LeasedRun
from azext_iotjobs.model.clock import SteadyClock, SystemClock
from azext_iotjobs.model.errors import BadValue, MissingChoice, RunUnfinished, WrongState
from azext_iotjobs.model.fleet import Definition, Delivery, Driver, FleetJob
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.model.run import Narrowed, Run, RunState
from azext_iotjobs.model.text import Text, command
from azext_iotjobs.operations.fleet_job import planning, run_loop
from azext_iotjobs.operations.fleet_job.drivers import direct_calls, hub_jobs

logger = get_logger(__name__)

CLOCK = SteadyClock(SystemClock())
DRIVERS = {Driver.JOBS: hub_jobs.driver, Driver.CALLS: direct_calls.driver}


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
        if self.events_path is None and self.overwrites_events:
            raise MissingChoice("--overwrite goes with --events.", hint="--events run.jsonl --overwrite")
        if self.events_path is not None:
            check_events(self.events_path, overwrites=self.overwrites_events or self.adds_events)


def start(
    cmd: Any, place: FleetPlace, client: HubClient, job: FleetJob, manner: Manner, narrowed: Narrowed | None = None
) -> dict[str, Any]:
    """Make a run of a fleet job and carry it out; gives it as it ended."""
    manner.check()
    once = replace(job, definition=limited(cmd, job.definition))
    progress = new_progress(cmd)
    try:
        made = planning.new_run(
            place.store, client, once, by=who(), at=CLOCK.now(), tier=place.tier, delivery=once.definition.delivery,
            narrowed=narrowed, chosen=progress.chosen, idle=warn_of_idle,
        )  # fmt: skip
    finally:
        progress.end()
    agreed = goes_on(client.target, made.device_count, f"Fleet job {job.fleet_job_id} runs", assume_yes=manner.sure)
    made = place.store.run_by_key(made.key)
    if made.state is not RunState.PENDING:  # the question may have stood there for long
        kind = WrongState if made.state.has_ended else RunUnfinished
        raise kind(
            f"{made.name} is {made.state.value}: somebody else was quicker. Nothing was sent from here.",
            hint=Text("See: ", command("iot hub fleet-job show", "-j", job.fleet_job_id)),
        )
    if not agreed:
        own = run_loop.hands(place.store, make_driver(lambda: client, made), CLOCK, Told(None, None), _NEVER)
        run_loop.cancel(made, own, by=who(), reason="Not confirmed.")
        raise BadValue(
            "Nothing was sent.", hint=Text("It is kept: ", command("iot hub fleet-job run", "-j", job.fleet_job_id))
        )
    return carry(cmd, place, lambda: client, made, manner, run_loop.carry_on)


def carry(
    cmd: Any,
    place: FleetPlace,
    client: Callable[[], HubClient],
    run: Run,
    manner: Manner,
    go: Callable[[Run, run_loop.Hands], Run],
) -> dict[str, Any]:
    """Carry a run on until it ends, and say what it came to."""
    progress = new_progress(cmd)
    events = None
    if manner.events_path is not None:
        events = EventFile(manner.events_path, overwrites=manner.overwrites_events, adds=manner.adds_events)
    told = Told(progress, events)
    say_what_is_not_used(run)
    try:
        with stopped_by_ctrl_c() as flag:
            progress.watch(flag)
            own = run_loop.hands(place.store, make_driver(client, run), CLOCK, told, flag)
            ended = go(run, own)
    except KeyboardInterrupt:
        ended = place.store.run_by_key(run.key)
        progress.say(
            f"{run.name}: left at once. Whose calls were under way: "
            + suggestion("iot hub fleet-job results", "-j", run.fleet_job_id, "--status", "uncertain")
        )
    finally:
        told.close()
    outcome = judge(ended)
    _say(place, ended, outcome)
    leave_with(cmd, outcome, exit_zero=manner.always_zero)
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


def make_driver(client: Callable[[], HubClient], run: Run) -> MakeDriver:
    """The driver that a run was made for; the hub is opened when it is needed."""

    def make(leased: LeasedRun, seen: Run, definition: Definition, hear: Hear) -> BatchDriver:
        return DRIVERS[run.driver](client(), CLOCK)(leased, seen, definition, hear)

    return make


def say_what_is_not_used(run: Run) -> None:
    """Options that were given and that the run's driver has no use for."""
    given, default = run.delivery, Delivery()
    if run.driver is Driver.JOBS:
        unused = {"--concurrency": given.concurrency != default.concurrency, "--rate": given.rate != default.rate}
        instead = "driver calls; the hub has its own pace for jobs"
    else:
        unused, instead = {"--ttl": given.job_limit_s is not None}, "driver jobs"
    for option in (name for name, is_given in unused.items() if is_given):
        logger.warning("%s counts for %s.", option, instead)


def say_what_hub_does(place: FleetPlace, run: Run) -> None:
    """Hub jobs that go on although their run does not."""
    for each in left_to_hub(place.store.hub_jobs(run), run):
        logger.warning("%s", each)


def _say(place: FleetPlace, run: Run, outcome: Outcome) -> None:
    job = run.fleet_job_id
    if outcome in (Outcome.STOPPED, Outcome.JOB_FAILED):
        say_what_hub_does(place, run)
    match outcome:
        case Outcome.STOPPED:
            logger.warning("Go on with it: %s", suggestion("iot hub fleet-job resume", "-j", job))
        case Outcome.JOB_FAILED if run.state is RunState.FAILED:
            logger.warning("It can be resumed: %s", suggestion("iot hub fleet-job resume", "-j", job))
        case Outcome.DEVICES_FAILED | Outcome.JOB_FAILED if run.tally.completed < run.device_count:
            tally = run.tally
            counts = {"failed": tally.failed, "uncertain": tally.uncertain, "pending": tally.waiting}
            logger.warning(
                "Not all devices succeeded. Which and why: %s\nOnce more: %s",
                suggestion("iot hub fleet-job results", "-j", job),
                suggestion("iot hub fleet-job rerun", "-j", job, "--on", ",".join(filter(counts.get, counts))),
            )  # fmt: skip
        case Outcome.NO_DEVICE:
            logger.warning("No device is meant; nothing was called.")
        case _:
            pass


class _Never:
    def is_set(self) -> bool:
        return False


_NEVER = _Never()
