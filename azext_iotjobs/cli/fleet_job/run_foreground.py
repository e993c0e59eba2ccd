"""Execute a run of a fleet job: make it, have it confirmed, follow it to its end or leave it to a process, judge it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.definition_options import RunDeliveryOptions
from azext_iotjobs.cli.fleet_job.documents import render_run, render_waiting
from azext_iotjobs.cli.fleet_job.dry_run import with_device_limit
from azext_iotjobs.cli.fleet_job.event_log import EventFile, RunObservers
from azext_iotjobs.cli.fleet_job.progress import Progress, new_progress
from azext_iotjobs.cli.fleet_job.run_options import RunOptions
from azext_iotjobs.cli.fleet_job.waiting import left_to_hub
from azext_iotjobs.cli.input.device_selection import warn_of_idle
from azext_iotjobs.cli.output.confirm import goes_on
from azext_iotjobs.cli.output.exit_code import leave_with
from azext_iotjobs.cli.output.hints import suggestion
from azext_iotjobs.cli.output.interrupt import stopped_by_ctrl_c
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.awaited import MAX_AWAITED
from azext_iotjobs.fleet_job.store.holder import current_user
from azext_iotjobs.model.clock import SteadyClock, SystemClock
from azext_iotjobs.model.errors import BadValue, RunUnfinished, WrongState
from azext_iotjobs.model.fleet_job import Delivery, Driver, FleetJob
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.model.run import Narrowed, Run
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.text import Text, command
from azext_iotjobs.operations.fleet_job import planning, run_loop
from azext_iotjobs.operations.fleet_job.drivers.factory import driver_factory
from azext_iotjobs.operations.fleet_job.gate_checks import gate_checker_factory

logger = get_logger(__name__)

CLOCK = SteadyClock(SystemClock())  # of the command: before, between and after the loops that it executes

Execute = Callable[[Run, run_loop.RunContext], Run]  # run_loop.execute, or one that resumes


def start(
    cmd: Any,
    context: FleetJobContext,
    hub: HubClient,
    job: FleetJob,
    running: RunOptions,
    narrowed: Narrowed | None = None,
) -> dict[str, Any]:
    """Make a run of a fleet job and execute it; gives it as it ended, or as it has begun where it is detached.

    hub: the fleet job's.  narrowed: fewer devices this time; None: those of the definition.
    """
    made = _agreed(cmd, context, hub, job, running, narrowed)
    if running.detach:
        return leave_to_process(context, made, running)
    return follow(cmd, context, lambda: hub, made, running, run_loop.execute)


def leave_to_process(
    context: FleetJobContext, run: Run, running: RunOptions, delivery: RunDeliveryOptions | None = None
) -> dict[str, Any]:
    """Leave a run to a process of its own; gives it as it has begun.

    running, delivery: as typed.  Raises BadValue when that process does not begin.
    """
    from azext_iotjobs.cli.fleet_job.detached import detach

    begun, log = detach(context, run, running, delivery, CLOCK)
    watch = suggestion("iot hub fleet-job watch", fleet_job_id=begun.fleet_job_id)
    logger.warning("%s goes on without this command. Watch it: %s", begun.name, watch)
    return {**render_run(begun, CLOCK.now()), "log": str(log)}


def _agreed(
    cmd: Any,
    context: FleetJobContext,
    hub: HubClient,
    job: FleetJob,
    running: RunOptions,
    narrowed: Narrowed | None,
) -> Run:
    """A run that is made, and that a person has agreed to where that is asked. Raises BadValue when nobody agrees."""
    running.check()
    made = _made(cmd, context, hub, job, narrowed)
    what = f"Fleet job {job.fleet_job_id} runs"
    is_agreed = goes_on(hub.target, made.device_count, what, assume_yes=running.our_yes)
    made = context.store.runs.get_by_key(made.key)
    if made.state is not RunState.PENDING:  # the question may have stood there for long
        kind = WrongState if made.state.has_ended else RunUnfinished
        raise kind(
            f"{made.name} is {made.state.value}: another process was quicker. This command sent nothing.",
            hint=Text("See: ", command("iot hub fleet-job show", fleet_job_id=job.fleet_job_id)),
        )
    if not is_agreed:
        own = run_loop.RunContext(
            store=context.store,
            make_driver=driver_factory(lambda: hub),
            make_gate_checker=gate_checker_factory(lambda: hub),
            clock=CLOCK,
            observer=RunObservers(None, None),
            stop=NEVER,
        )
        run_loop.cancel(made, own, by=current_user(), reason="Not confirmed.")
        raise BadValue(
            "Nothing was sent.",
            hint=Text("It is saved: ", command("iot hub fleet-job run", fleet_job_id=job.fleet_job_id)),
        )
    return made


def _made(cmd: Any, context: FleetJobContext, hub: HubClient, job: FleetJob, narrowed: Narrowed | None) -> Run:
    once = replace(job, definition=with_device_limit(cmd, job.definition))
    progress = new_progress(cmd)
    try:
        return planning.new_run(
            context.store,
            hub,
            once,
            by=current_user(),
            at=CLOCK.now(),
            tier=context.tier,
            narrowed=narrowed,
            observer=planning.SelectionObserver(progress.on_count, warn_of_idle),
        )
    finally:
        progress.end()


def follow(
    cmd: Any,
    context: FleetJobContext,
    hub: Callable[[], HubClient],
    run: Run,
    running: RunOptions,
    execute: Execute,
    *,
    adds_events: bool = False,
) -> dict[str, Any]:
    """Execute a run until it ends, and report how; gives it as it is then.

    hub: opens the hub, when it is needed.  execute: starts or resumes the run.
    adds_events: those of this process go behind those that are in the file.
    """
    progress = new_progress(cmd)
    events = None
    if running.events is not None:
        events = EventFile(running.events, overwrites=running.overwrite, adds=adds_events)
    observers = RunObservers(progress, events)
    warn_of_unused(run)
    _warn_of_idle_gates(context, run)
    try:
        with stopped_by_ctrl_c() as flag:
            progress.watch(flag)
            own = run_loop.RunContext(
                store=context.store,
                make_driver=driver_factory(hub),
                make_gate_checker=gate_checker_factory(hub),
                clock=CLOCK,
                observer=observers,
                stop=flag,
                stop_by=current_user(),
            )
            ended = execute(run, own)
    except KeyboardInterrupt:
        ended = context.store.runs.get_by_key(run.key)
        _report_left_at_once(progress, run)
    finally:
        observers.close()
    outcome = judge(ended)
    _report(context, ended, outcome)
    leave_with(cmd, outcome, exit_zero=running.exit_zero)
    waiting = context.store.runs.waiting_to_connect(ended, MAX_AWAITED)
    return {**render_run(ended, CLOCK.now()), "waiting": render_waiting(waiting)}


def judge(run: Run) -> Outcome:
    """What a run came to, for the process that executed it."""
    if run.state in (RunState.FAILED, RunState.CANCELED):
        return Outcome.JOB_FAILED
    if run.state is not RunState.COMPLETED:
        return Outcome.STOPPED
    if run.device_count == 0:
        return Outcome.NO_DEVICE
    return Outcome.SUCCESS if run.tally.completed == run.device_count else Outcome.DEVICES_FAILED


def warn_of_unused(run: Run) -> None:
    """Warn of options that were given and that the run's driver has no use for."""
    given, default = run.delivery, Delivery()
    if run.driver is Driver.JOBS:
        unused = {"--concurrency": given.concurrency != default.concurrency, "--rate": given.rate != default.rate}
        instead = "driver calls; the hub has its own pace for jobs"
    else:
        unused, instead = {"--ttl": given.job_limit_s is not None}, "driver jobs"
    for option in (name for name, is_given in unused.items() if is_given):
        logger.warning("%s has no effect here: it applies to %s.", option, instead)


def _warn_of_idle_gates(context: FleetJobContext, run: Run) -> None:
    """Warn of gates that stand between batches of a run that has one."""
    if run.batch_count == 1 and context.store.definitions.of_run(run).rollout.gates.kinds:
        logger.warning("%s has one batch: its gates are not evaluated, as they stand between two.", run.name)


def report_hub_jobs_left(context: FleetJobContext, run: Run) -> None:
    """Report hub jobs that continue although their run does not."""
    for each in left_to_hub(context.store.runs.hub_jobs_in_progress(run), run):
        logger.warning("%s", each)


def _report_left_at_once(progress: Progress, run: Run) -> None:
    uncertain = suggestion("iot hub fleet-job results", fleet_job_id=run.fleet_job_id, status="uncertain")
    progress.say(f"{run.name}: left at once. Devices whose calls were under way: {uncertain}")


def _report(context: FleetJobContext, run: Run, outcome: Outcome) -> None:
    job = run.fleet_job_id
    if outcome in (Outcome.STOPPED, Outcome.JOB_FAILED):
        report_hub_jobs_left(context, run)
    match outcome:
        case Outcome.STOPPED:
            logger.warning("Resume it: %s", suggestion("iot hub fleet-job resume", fleet_job_id=job))
        case Outcome.JOB_FAILED if run.state is RunState.FAILED:
            logger.warning("It can be resumed: %s", suggestion("iot hub fleet-job resume", fleet_job_id=job))
        case Outcome.DEVICES_FAILED | Outcome.JOB_FAILED if run.tally.completed < run.device_count:
            tally = run.tally
            counts = {"failed": tally.failed, "uncertain": tally.uncertain, "pending": tally.not_begun}
            logger.warning(
                "Not all devices succeeded. See which and why: %s\nRun it again on them: %s",
                suggestion("iot hub fleet-job results", fleet_job_id=job),
                suggestion("iot hub fleet-job rerun", fleet_job_id=job, on=",".join(filter(counts.get, counts))),
            )
        case Outcome.NO_DEVICE:
            logger.warning("No device is selected; nothing was called.")
        case _:
            pass


class _NeverSet:
    """A StopFlag that nobody sets."""

    def is_set(self) -> bool:
        return False


NEVER = _NeverSet()
