"""Handlers of az iot hub fleet-job stop | cancel: request the end of a run, and wait for it."""

from collections.abc import Callable
from threading import Event
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.documents import render_run
from azext_iotjobs.cli.fleet_job.event_log import RunObservers
from azext_iotjobs.cli.fleet_job.progress import MAX_AWAITED_SHOWN, new_progress
from azext_iotjobs.cli.fleet_job.run_foreground import CLOCK, report_hub_jobs_left
from azext_iotjobs.cli.fleet_job.waiting import in_full
from azext_iotjobs.cli.input.scalars import at_least
from azext_iotjobs.cli.output.device_row_line import HEARTBEAT_S
from azext_iotjobs.cli.output.exit_code import leave_with
from azext_iotjobs.cli.output.hints import suggestion
from azext_iotjobs.cli.output.interrupt import stopped_by_ctrl_c
from azext_iotjobs.fleet_job.awaited import awaited
from azext_iotjobs.fleet_job.store.holder import current_user, this_process
from azext_iotjobs.model.errors import WrongState
from azext_iotjobs.model.fleet_job import FleetJob
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.schedule import BY_SCHEDULE
from azext_iotjobs.operations.fleet_job import run_loop
from azext_iotjobs.operations.fleet_job.drivers.factory import driver_factory
from azext_iotjobs.operations.fleet_job.gate_checks import gate_checker_factory

logger = get_logger(__name__)

POLL_S = 0.5
REPORT_AFTER_S = 1.0  # most runs have ended by then
CANCEL_LIMIT_S = 60  # for a run that another process executes, before another begins
REQUEST_AGAIN_S = 5.0  # the process that executed it may be gone

RequestEnd = Callable[[Run], Run]  # a run -> as it is after the request


def stop(
    cmd: Any,
    client: FleetJobContext,
    fleet_job_id: str,
    reason: str | None = None,
    our_poll_duration: int = 60,
) -> dict[str, Any]:
    """Stop the last run of a fleet job, whichever process executes it. One that is stopped stays so.

    One that its schedule has stopped, or that broke off, is not resumed by it any more.
    """
    client.check(client.store.definitions.get(fleet_job_id))
    last = client.store.runs.get(fleet_job_id)
    if last.state is RunState.STOPPED and last.ended_by != BY_SCHEDULE:
        logger.warning("%s is already stopped%s.", last.name, last.by_whom)

    def request(run: Run) -> Run:
        return run_loop.stop(client.store, run, this_process(), by=current_user(), reason=reason, clock=CLOCK)

    return _until_ended(cmd, client, request, last, our_poll_duration)


def cancel(
    cmd: Any,
    client: FleetJobContext,
    fleet_job_id: str,
    reason: str | None = None,
    our_poll_duration: int = 60,
) -> dict[str, Any]:
    """Cancel the last run of a fleet job for good. One that is canceled stays so."""
    job = client.store.definitions.get(fleet_job_id)
    client.check(job)
    last = client.store.runs.get(fleet_job_id)
    if last.state is RunState.CANCELED:
        logger.warning("%s is already canceled%s.", last.name, last.by_whom)
    interrupted = Event()

    def request(run: Run) -> Run:
        return _canceled(cmd, client, job, run, reason, interrupted)

    return _until_ended(cmd, client, request, last, our_poll_duration, for_good=True)


def cancel_and_await(
    cmd: Any, context: FleetJobContext, job: FleetJob, run: Run, reason: str, limit_s: int
) -> tuple[Run, bool]:
    """Cancel a run and wait for its end; gives it as it is then, and whether Ctrl-C came meanwhile.

    job: its fleet job.  reason: for its record.  limit_s: how long its end is awaited.
    """
    interrupted = Event()

    def request(each: Run) -> Run:
        return _canceled(cmd, context, job, each, reason, interrupted)

    return _await_end(context, request, run, limit_s, for_good=True), interrupted.is_set()


def _canceled(
    cmd: Any, context: FleetJobContext, job: FleetJob, last: Run, reason: str | None, interrupted: Event
) -> Run:
    """Request a run's cancellation; when no process executes it, it is brought to its end here.

    Only then is anything sent to the hub.  interrupted: set when Ctrl-C came meanwhile.
    """
    observers = RunObservers(new_progress(cmd), None)
    try:
        with stopped_by_ctrl_c() as flag:
            own = run_loop.RunContext(
                store=context.store,
                make_driver=driver_factory(lambda: context.hub_of(job)),
                make_gate_checker=gate_checker_factory(lambda: context.hub_of(job)),
                clock=CLOCK,
                observer=observers,
                stop=flag,
            )
            try:
                return run_loop.cancel(last, own, by=current_user(), reason=reason)
            finally:
                if flag.is_set():
                    interrupted.set()
    finally:
        observers.close()


def _until_ended(
    cmd: Any, context: FleetJobContext, request: RequestEnd, run: Run, limit_s: int, *, for_good: bool = False
) -> dict[str, Any]:
    """Request the end of a run, and wait for it: the process that executes it awaits what is in progress.

    for_good: one that can be resumed has not ended.
    """
    at_least(limit_s, 0, "--poll-duration")
    seen = _await_end(context, request, run, limit_s, for_good=for_good)
    if _is_ending(seen) or (for_good and not seen.state.has_ended):
        logger.warning(
            "%s is ending, but still has calls or hub jobs under way. Check again: %s",
            seen.name,
            suggestion("iot hub fleet-job show", fleet_job_id=seen.fleet_job_id),
        )
        leave_with(cmd, Outcome.WAIT_OVER, exit_zero=False)
    elif not for_good:
        report_hub_jobs_left(context, seen)
    return render_run(seen, CLOCK.now())


def _await_end(context: FleetJobContext, request: RequestEnd, run: Run, limit_s: int, *, for_good: bool) -> Run:
    """The run when it has ended, or when the waiting is over; meanwhile it is reported what is awaited."""
    runs = context.store.runs
    began_at = requested_at = CLOCK.monotonic()
    reported_at: float | None = None
    try:
        seen = request(run)
        while _is_ending(seen):
            now = CLOCK.monotonic()
            if limit_s and now - began_at >= limit_s:
                break
            if now - requested_at >= REQUEST_AGAIN_S:
                requested_at, seen = now, _requested_again(request, seen)
            if now - began_at >= REPORT_AFTER_S and (reported_at is None or now - reported_at >= HEARTBEAT_S):
                reported_at = now
                _report_awaited(context, seen)
            CLOCK.sleep(POLL_S)
            seen = runs.get_by_key(run.key)
        if _goes_on(seen, for_good=for_good):  # it ended otherwise, when we requested it
            seen = request(seen)
    except KeyboardInterrupt:
        seen = runs.get_by_key(run.key)  # the request stands
    return seen


def _is_ending(run: Run) -> bool:
    """Whether a process executes a run, or has begun to; it sees what was requested."""
    is_taken = run.stop_request is not None and not run.is_unattended(CLOCK.now())
    return run.state is RunState.RUNNING or (is_taken and not run.state.has_ended)


def _goes_on(run: Run, *, for_good: bool) -> bool:
    """Whether a run that no process executes may be resumed although its end was requested.

    for_good: its end was requested for good; else what a schedule may resume goes on.
    """
    if run.state is RunState.STOPPED:
        return for_good or run.ended_by == BY_SCHEDULE
    return run.state is RunState.FAILED and not for_good


def _report_awaited(context: FleetJobContext, run: Run) -> None:
    """What a run that was requested to end waits for, and which process brings it to its end."""
    holder = "the process that resumes it" if run.lease is None else run.lease.owner
    found = awaited(context.store.runs, run, context.store.definitions.of_run(run))
    what = "what is under way:" if found else "its last step."
    logger.warning("%s is ending; %s takes care of it, and waits for %s", run.name, holder, what)
    for each in found[:MAX_AWAITED_SHOWN]:
        logger.warning("%s", in_full(each))


def _requested_again(request: RequestEnd, seen: Run) -> Run:
    try:
        return request(seen)
    except WrongState:  # it has ended meanwhile
        return seen
