"""Handlers of az iot hub fleet-job approve | reject: answer for the batch that waits at its manual gate."""

from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.documents import render_run
from azext_iotjobs.cli.output.hints import suggestion
from azext_iotjobs.fleet_job.store.holder import current_user, this_process
from azext_iotjobs.model.clock import SteadyClock, SystemClock
from azext_iotjobs.model.gates import GateAnswer
from azext_iotjobs.model.run import Run
from azext_iotjobs.operations.fleet_job import approval

logger = get_logger(__name__)

CLOCK = SteadyClock(SystemClock())


def approve(
    cmd: Any, client: FleetJobContext, fleet_job_id: str, batch: int | None = None, reason: str | None = None
) -> dict[str, Any]:
    """Approve the batch that waits: the next one may begin."""
    return _answered(client, fleet_job_id, batch, reason, is_approved=True)


def reject(
    cmd: Any, client: FleetJobContext, fleet_job_id: str, batch: int | None = None, reason: str | None = None
) -> dict[str, Any]:
    """Reject the batch that waits: its run is stopped."""
    return _answered(client, fleet_job_id, batch, reason, is_approved=False)


def _answered(
    context: FleetJobContext, fleet_job_id: str, batch: int | None, reason: str | None, *, is_approved: bool
) -> dict[str, Any]:
    """The run as it is once the process that executes it has seen the answer, or when none does."""
    store = context.store
    context.check(store.definitions.get(fleet_job_id))
    run = store.runs.get(fleet_job_id)
    given = GateAnswer(is_approved=is_approved, by=current_user(), reason=reason, at=CLOCK.now())
    waiting = approval.answer(store, run, this_process(), given, CLOCK, batch)
    is_seen = approval.await_seen(store, run, waiting, CLOCK)
    seen = store.runs.get_by_key(run.key)
    answer = "approved" if is_approved else "rejected"
    logger.warning("%s: batch %d of %d is %s.", run.name, waiting.ordinal, seen.batch_count, answer)
    if not is_seen:
        _report_unseen(seen, is_approved=is_approved)
    return render_run(seen, CLOCK.now())


def _report_unseen(run: Run, *, is_approved: bool) -> None:
    if run.lease is not None and not run.is_unattended(CLOCK.now()):
        logger.warning("%s executes the run, and has not seen it yet.", run.lease.owner)
    elif is_approved:
        resume = suggestion("iot hub fleet-job resume", fleet_job_id=run.fleet_job_id)
        logger.warning("No process executes the run. Resume it: %s", resume)
