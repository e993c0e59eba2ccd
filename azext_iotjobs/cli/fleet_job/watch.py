"""Handler of az iot hub fleet-job watch: a run that another process executes, as it goes on. No hub is asked."""

import sys
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job import live_view
from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.documents import render_run, render_waiting
from azext_iotjobs.cli.fleet_job.run_foreground import judge
from azext_iotjobs.cli.output.exit_code import leave_with
from azext_iotjobs.cli.output.hints import suggestion
from azext_iotjobs.cli.output.interrupt import stopped_by_ctrl_c
from azext_iotjobs.cli.output.status_block import StatusBlock
from azext_iotjobs.cli.output.streams import wrote
from azext_iotjobs.fleet_job.awaited import MAX_AWAITED, awaited
from azext_iotjobs.fleet_job.store.contract import Runs
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.model.run import Batch, Run
from azext_iotjobs.model.run_state import RunState

logger = get_logger(__name__)

CLOCK = SystemClock()
INTERVAL_S = 0.5
NEW_S = 60.0  # a run that was made so recently may be about to begin
BEFORE, SHOWN = 3, 10  # batches: before the first that has not ended, and in all
UNDER_WAY = (RunState.PENDING, RunState.RUNNING)


def watch(
    cmd: Any, client: FleetJobContext, fleet_job_id: str, run: int | None = None, exit_zero: bool = False
) -> dict[str, Any]:
    """Show a run until it has ended, as it goes on; gives it as it is then."""
    client.check(client.store.definitions.get(fleet_job_id))
    seen = _seen(client, client.store.runs.get(fleet_job_id, run), 0)
    is_silent = bool(cmd.cli_ctx.only_show_errors)
    block = StatusBlock(is_silent=is_silent)
    before: live_view.Seen | None = None
    with stopped_by_ctrl_c() as flag:
        while True:
            if block.is_live:
                block.show(live_view.lines(seen))
            elif not is_silent:
                for line in live_view.changes(before, seen):
                    wrote(sys.stderr, f"{line}\n")
            if flag.is_set() or not _goes_on(seen):
                break
            CLOCK.sleep(INTERVAL_S)
            before, seen = seen, _seen(client, seen.run, max(0, seen.batches[0].ordinal - 1) if seen.batches else 0)
    leave_with(cmd, _outcome(seen, was_left=flag.is_set()), exit_zero=exit_zero)
    waiting = client.store.runs.waiting_to_connect(seen.run, MAX_AWAITED)
    return {**render_run(seen.run, CLOCK.now()), "waiting": render_waiting(waiting)}


def _seen(context: FleetJobContext, run: Run, first: int) -> live_view.Seen:
    """A run as it is now. first: behind which batch the last view began."""
    runs = context.store.runs
    now_run = runs.get_by_key(run.key)
    definition = context.store.definitions.of_run(now_run)
    return live_view.Seen(
        run=now_run,
        batches=_batches(runs, now_run, first),
        rollout=definition.rollout,
        awaited=awaited(runs, now_run, definition),
        at=CLOCK.now(),
    )


def _batches(runs: Runs, run: Run, first: int) -> list[Batch]:
    """The batches around the first that has not ended."""
    last = max(0, run.batch_count - SHOWN)
    while True:
        found = runs.batches(run, first, SHOWN)
        ended = sum(each.ended_at is not None for each in found)
        if ended <= BEFORE or first >= last:
            return found
        first = min(last, first + ended - BEFORE)


def _goes_on(seen: live_view.Seen) -> bool:
    """Whether more is to come: one that no process executes waits for somebody, unless it was made just now."""
    run = seen.run
    is_new = run.state is RunState.PENDING and (seen.at - run.created_at).total_seconds() < NEW_S
    return run.state in UNDER_WAY and (is_new or not run.is_unattended(seen.at))


def _outcome(seen: live_view.Seen, *, was_left: bool) -> Outcome:
    run = seen.run
    if was_left and run.state in UNDER_WAY:
        logger.warning("%s goes on.", run.name)
        return Outcome.WAIT_OVER
    if run.state not in (RunState.COMPLETED, RunState.CANCELED):
        lost = " No process executes it." if run.state in UNDER_WAY else ""
        resume = suggestion("iot hub fleet-job resume", fleet_job_id=run.fleet_job_id)
        logger.warning("%s is %s%s.%s Resume it: %s", run.name, run.state.value, run.by_whom, lost, resume)
    return judge(run)
