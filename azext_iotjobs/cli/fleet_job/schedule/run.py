"""Handlers of az iot hub fleet-job schedule run-due | backfill: they execute runs in this process."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, time
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.documents import render_run
from azext_iotjobs.cli.fleet_job.dry_run import with_device_limit
from azext_iotjobs.cli.fleet_job.event_log import RunObservers
from azext_iotjobs.cli.fleet_job.progress import Progress, new_progress
from azext_iotjobs.cli.fleet_job.run_foreground import CLOCK, judge
from azext_iotjobs.cli.fleet_job.schedule.held_up import say_what_to_do
from azext_iotjobs.cli.fleet_job.schedule.options import END_OF_DAY, wall_time
from azext_iotjobs.cli.output.confirm import agreed
from azext_iotjobs.cli.output.exit_code import leave_with
from azext_iotjobs.cli.output.hints import suggestion
from azext_iotjobs.cli.output.interrupt import stopped_by_ctrl_c
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.calendar import instant_of, zone_of
from azext_iotjobs.fleet_job.due import is_open, opens_at
from azext_iotjobs.fleet_job.store.holder import current_user, this_process
from azext_iotjobs.fleet_job.unfinished import check_ended
from azext_iotjobs.model.clock import SystemClock, render_instant
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice, WrongState
from azext_iotjobs.model.fleet_job import FleetJob
from azext_iotjobs.model.occurrence import StoredSchedule
from azext_iotjobs.model.outcome import Outcome, weightiest
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.schedule import BY_SCHEDULE
from azext_iotjobs.model.text import Text, command
from azext_iotjobs.model.tier import TierFacts
from azext_iotjobs.operations.fleet_job import run_loop
from azext_iotjobs.operations.fleet_job.drivers.factory import driver_factory
from azext_iotjobs.operations.fleet_job.gate_checks import gate_checker_factory
from azext_iotjobs.operations.fleet_job.schedule import saved
from azext_iotjobs.operations.fleet_job.schedule.run_due import DueContext, Happened, What, backfill, poll_all

logger = get_logger(__name__)

OUTCOMES = {What.MISSED: Outcome.MISSED, What.SKIPPED: Outcome.MISSED, What.NOT_STARTED: Outcome.JOB_FAILED}
WOULD_START = "would-start"


def run_due(
    cmd: Any,
    client: FleetJobContext,
    fleet_job_id: str | None = None,
    loop: bool = False,
    interval: str | None = None,
    max_runs: int | None = None,
    our_yes: bool = False,
    exit_zero: bool = False,
) -> list[dict[str, Any]]:
    """Start what is due, and resume what has been begun; gives what happened."""
    for name, value, example in (("--interval", interval, "1m"), ("--max-runs", max_runs, "50")):
        if value is not None and not loop:
            raise MissingChoice(f"{name} goes with --loop.", hint=f"--loop {name} {example}")
    if loop and exit_zero:
        raise ConflictingChoice("--loop ends with exit code 0 anyway: leave --exit-zero out.")
    stored = _chosen(client, fleet_job_id)
    if loop:
        from azext_iotjobs.cli.fleet_job.schedule import looping

        return looping.until_stopped(client, fleet_job_id, interval, max_runs, assume_yes=our_yes)
    with stopped_by_ctrl_c() as flag, _Polling(cmd, client, flag, assume_yes=our_yes, stop_by=BY_SCHEDULE) as polling:
        happened = poll_all(stored, polling.context)
    return _reported(cmd, client, happened, exit_zero=exit_zero)


def run_past(
    cmd: Any,
    client: FleetJobContext,
    fleet_job_id: str,
    since: str,
    until: str | None = None,
    dry_run: bool = False,
    exit_zero: bool = False,
) -> list[dict[str, Any]]:
    """Run past occurrences that have not run, one after the other."""
    (stored,) = _chosen(client, fleet_job_id)
    first, last = _span(stored, since, until)
    instants = saved.past_occurrences(client.store, stored, first, last)
    if dry_run or not instants:
        if not instants:
            logger.warning("There is no occurrence in that time that has not run.")
        return [
            {"id": fleet_job_id, "at": render_instant(each), "status": WOULD_START, "dryRun": True} for each in instants
        ]
    unfinished = client.store.runs.last(fleet_job_id)
    if unfinished is not None:
        check_ended(unfinished, CLOCK.now())
    _check_window(stored)
    with stopped_by_ctrl_c() as flag, _Polling(cmd, client, flag, assume_yes=True, stop_by=current_user()) as polling:
        happened = backfill(stored, instants, polling.context)
    return _reported(cmd, client, happened, exit_zero=exit_zero)


class _Polling:
    """What schedules are polled with in this process; runs are shown as they are executed."""

    def __init__(
        self, cmd: Any, client: FleetJobContext, flag: threading.Event, *, assume_yes: bool, stop_by: str
    ) -> None:
        """assume_yes: the machine's clock is trusted.  stop_by: in whose name Ctrl-C or a signal stops a run."""
        self._cmd = cmd
        self._client = client
        self._flag = flag
        self._assume_yes = assume_yes
        self._stop_by = stop_by
        self._progress: Progress | None = None
        self.context = DueContext(
            store=client.store,
            clock=SystemClock(),  # it may be set back: that is noticed
            holder=this_process(),
            by=current_user(),
            stop=flag,
            open_hub=self._hub_of,
            limited=self._limited,
            run_context=self._run_context,
            confirm_clock=self._confirm,
            on_notice=lambda text: logger.warning("%s", text),
        )

    def __enter__(self) -> "_Polling":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._end_progress()
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            further = "the next poll" if self._stop_by == BY_SCHEDULE else "`fleet-job resume`"
            logger.warning("Left at once. What was begun is recorded; %s goes on with it.", further)
            raise SystemExit(int(Outcome.STOPPED))

    def _hub_of(self, job: FleetJob) -> tuple[HubClient, TierFacts | None]:
        hub = self._client.hub_of(job)
        return hub, self._client.tier

    def _limited(self, job: FleetJob) -> FleetJob:
        return replace(job, definition=with_device_limit(self._cmd, job.definition))

    def _run_context(self, hub: Callable[[], HubClient], shuts_at: datetime | None) -> run_loop.RunContext:
        self._end_progress()
        progress = self._progress = new_progress(self._cmd, names_job=True)
        progress.watch(self._flag)
        return run_loop.RunContext(
            store=self._client.store,
            make_driver=driver_factory(hub),
            make_gate_checker=gate_checker_factory(hub),
            clock=CLOCK,
            observer=RunObservers(progress, None),
            stop=self._flag,
            shuts_at=shuts_at,
            stop_by=self._stop_by,
        )

    def _end_progress(self) -> None:
        if self._progress is not None:
            self._progress.end()
            self._progress = None

    def _confirm(self, stored: StoredSchedule, hub_at: datetime | None) -> None:
        now = render_instant(CLOCK.now(), "seconds")
        last = render_instant(stored.polled_at or stored.set_at, "seconds")
        says = "does not say its own" if hub_at is None else f"says {render_instant(hub_at, 'seconds')}"
        what = f"This machine's clock says {now}; {stored.fleet_job_id} was polled last at {last}, and the hub {says}"
        if not agreed(f"{what}. Is the machine right?", what, assume_yes=self._assume_yes):
            raise BadValue("Nothing was started.", hint="Set the machine's clock.")


def _chosen(context: FleetJobContext, fleet_job_id: str | None) -> list[StoredSchedule]:
    if fleet_job_id is not None:
        context.check(context.store.definitions.get(fleet_job_id))
        return [saved.get(context.store, fleet_job_id)]
    found = [each for each in context.store.schedules.list_all() if context.means(each.host)]
    if not found:
        logger.warning("No fleet job has a schedule here.")
    return found


def _span(stored: StoredSchedule, since: str, until: str | None) -> tuple[datetime, datetime]:
    zone = zone_of(stored.schedule.zone)
    first = instant_of(wall_time(since, "--since", time(0)), zone)
    now = CLOCK.now()
    if first > now:
        raise BadValue(f"--since {since} lies ahead: only what is past is made up for.")
    last = now if until is None else instant_of(wall_time(until, "--until", END_OF_DAY), zone)
    if last < first:
        raise BadValue("--until lies before --since.")
    return first, last


def _check_window(stored: StoredSchedule) -> None:
    now = CLOCK.now()
    opens = opens_at(stored.schedule, now)
    if opens is not None and not is_open(stored.schedule, now):
        raise WrongState(
            f"The window {stored.schedule.window} of fleet job {stored.fleet_job_id} is shut until "
            f"{render_instant(opens, 'seconds')}.",
            hint=Text(
                "Try again then, or run it as it is: ",
                command("iot hub fleet-job run", fleet_job_id=stored.fleet_job_id),
            ),
        )


def _reported(
    cmd: Any, client: FleetJobContext, happened: Iterable[Happened], *, exit_zero: bool
) -> list[dict[str, Any]]:
    """What happened, as az prints it; what did not run is said on stderr too, and counts for the exit code."""
    found = list(happened)
    for each in found:
        if each.run is None:
            at = "" if each.at is None else f" {render_instant(each.at)}"
            logger.warning("%s%s: %s. %s", each.fleet_job_id, at, each.what.value, each.note or "")
        elif each.run.state is RunState.FAILED and each.run.ended_by is None:
            end = suggestion("iot hub fleet-job stop", fleet_job_id=each.fleet_job_id)
            logger.warning("The next run-due goes on with %s, unless somebody ends it: %s", each.run.name, end)
    for job in sorted({each.fleet_job_id for each in found if each.what is What.SKIPPED}):
        say_what_to_do(client, job)
    outcome = weightiest(_outcome_of(each) for each in found)
    leave_with(cmd, outcome, exit_zero=exit_zero)
    return [_document(each) for each in found]


def _outcome_of(happened: Happened) -> Outcome:
    return judge(happened.run) if happened.run is not None else OUTCOMES.get(happened.what, Outcome.SUCCESS)


def _document(happened: Happened) -> dict[str, Any]:
    return {
        "id": happened.fleet_job_id,
        "at": None if happened.at is None else render_instant(happened.at),
        "status": happened.what.value,
        "run": None if happened.run is None else happened.run.number,
        "note": happened.note,
        "lastRun": None if happened.run is None else render_run(happened.run, CLOCK.now()),
    }
