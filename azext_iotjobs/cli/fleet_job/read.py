"""Handlers of az iot hub fleet-job show | list | list-runs | delete: what is saved. Nothing is sent to a hub."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.documents import (
    render_awaited,
    render_batch,
    render_fleet_job,
    render_hub_job,
    render_run,
    render_waiting,
)
from azext_iotjobs.cli.input.scalars import wanted_labels
from azext_iotjobs.cli.output.hints import suggestion
from azext_iotjobs.fleet_job.awaited import MAX_AWAITED, awaited
from azext_iotjobs.model.clock import SystemClock, render_instant
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.fleet_job import FleetJob
from azext_iotjobs.model.gates import GateKind, Gates
from azext_iotjobs.model.run import Batch, Run
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.text import counted
from azext_iotjobs.operations.fleet_job import definitions as operation

logger = get_logger(__name__)

CLOCK = SystemClock()
MAX_BATCHES = 1_000  # that `show` lists
DAY_S = 86_400.0
LISTED = ("id", "displayName", "description", "hub", "version", "labels", "created", "createdBy", "edited", "parent")


def show(cmd: Any, client: FleetJobContext, fleet_job_id: str, run: int | None = None) -> dict[str, Any]:
    """Show a fleet job with its last run, or another one."""
    saved = operation.show(client.store, fleet_job_id)
    client.check(saved.job)
    if run is None:
        return shown(saved.job, client, saved.run)
    chosen = client.store.runs.get(fleet_job_id, run)
    return shown(client.store.definitions.get(fleet_job_id, chosen.version), client, chosen)


def list_fleet_jobs(
    cmd: Any,
    client: FleetJobContext,
    state: str | None = None,
    since: str | None = None,
    saved: bool = False,
    our_labels: Sequence[str] | None = None,
    contains: str | None = None,
) -> list[dict[str, Any]]:
    """List fleet jobs, the newest first."""
    now = CLOCK.now()
    wanted = operation.ListFilter(
        state=None if state is None else RunState(state),
        since=None if since is None else now - timedelta(seconds=_seconds(since, "--since")),
        only_saved=saved,
        labels=wanted_labels(our_labels or ()),
        text=contains or "",
    )
    found = [each for each in operation.list_saved(client.store, wanted) if client.means(each.job.host)]
    for each in found:
        if each.run is not None:
            _warn_of_unattended(each.run)
    return [_short(each) for each in found]


def list_runs(cmd: Any, client: FleetJobContext, fleet_job_id: str) -> list[dict[str, Any]]:
    """List the runs of a fleet job, the last first."""
    client.check(client.store.definitions.get(fleet_job_id))
    return [render_run(each, CLOCK.now()) for each in client.store.runs.list_all(fleet_job_id)]


def delete(
    cmd: Any,
    client: FleetJobContext,
    fleet_job_id: str | None = None,
    older_than: str | None = None,
    our_yes: bool = False,
) -> dict[str, Any] | None:
    """Delete a fleet job with its history, or the history of all that is older than so many days."""
    if fleet_job_id is None and older_than is None:
        raise MissingChoice("Say what to delete: --fleet-job-id ID, or --older-than 60d for old history.")
    if fleet_job_id is not None and older_than is not None:
        raise ConflictingChoice("--fleet-job-id deletes one fleet job, --older-than the old runs of all: give one.")
    if older_than is not None:
        return {"runs": _prune(client, older_than, assume_yes=our_yes)}
    assert fleet_job_id is not None
    client.check(client.store.definitions.get(fleet_job_id))
    operation.check_deletable(client.store, fleet_job_id)
    _confirm(f"fleet job {fleet_job_id} with its runs and results", assume_yes=our_yes)
    operation.delete(client.store, fleet_job_id)
    return None


def _prune(context: FleetJobContext, older_than: str, *, assume_yes: bool) -> int:
    """Delete old history; gives how many runs."""
    days = _seconds(older_than, "--older-than") / DAY_S
    if days != int(days):
        raise BadValue(f"--older-than {older_than}: give whole days, such as 60d.")
    store, now = context.store, CLOCK.now()
    hosts = sorted({job.host for job in store.definitions.list_all() if context.means(job.host)})
    count = sum(operation.count_old(store, int(days), now, host) for host in hosts)
    if count:
        _confirm(f"the records of {counted(count, 'run')} with their results", assume_yes=assume_yes)
    return sum(operation.prune(store, int(days), now, host) for host in hosts)


def _confirm(what: str, *, assume_yes: bool) -> None:
    from azext_iotjobs.cli.output.confirm import agreed

    if not agreed(f"Delete {what}?", f"This deletes {what}", assume_yes=assume_yes):
        raise BadValue("Nothing was deleted.")


def shown(job: FleetJob, context: FleetJobContext | None = None, run: Run | None = None) -> dict[str, Any]:
    """A fleet job as it is shown alone. run: with it; None: it has not run."""
    stored = None if context is None else context.store.schedules.get(job.fleet_job_id)
    document = render_fleet_job(job, None if stored is None else stored.schedule)
    document["status"] = (RunState.PENDING if run is None else run.state).value
    if run is None or context is None:
        return {**document, "lastRun": None}
    _warn_of_unattended(run)
    if run.batch_count > MAX_BATCHES:
        logger.warning("Only the first %d of %d batches are shown.", MAX_BATCHES, run.batch_count)
    runs = context.store.runs
    definition = context.store.definitions.of_run(run)
    gates = definition.rollout.gates
    _warn_of_gate(run, runs.current_batch(run), gates)
    batches = [render_batch(each, run, gates) for each in runs.batches(run, limit=MAX_BATCHES)]
    waits_for = awaited(runs, run, definition)
    in_progress = {
        "hubJobs": [render_hub_job(each) for each in runs.hub_jobs_in_progress(run)],
        "awaited": [render_awaited(each) for each in waits_for],
        "waiting": render_waiting(runs.waiting_to_connect(run, MAX_AWAITED)),
    }
    return {**document, "lastRun": {**render_run(run, CLOCK.now()), **in_progress, "batchList": batches}}


def _warn_of_unattended(run: Run) -> None:
    """Warn of a run that has lost its process: its state is still running; its lease says since when."""
    if run.state is RunState.RUNNING and run.is_unattended(CLOCK.now()):
        since = "" if run.lease is None else f" since {render_instant(run.lease.beat_at.replace(microsecond=0))}"
        resume = suggestion("iot hub fleet-job resume", fleet_job_id=run.fleet_job_id)
        logger.warning("No process has executed %s%s. Resume it: %s", run.name, since, resume)


def _warn_of_gate(run: Run, batch: Batch | None, gates: Gates) -> None:
    """Warn of a batch that somebody has to approve."""
    standing = None if batch is None else batch.gates
    if batch is None or standing is None or run.state.has_ended or standing.answer is not None:
        return
    if gates.next_kind(standing) is not GateKind.MANUAL or standing.verdict_of(GateKind.MANUAL) is not None:
        return
    since = render_instant(standing.last_at.replace(microsecond=0))
    approve = suggestion("iot hub fleet-job approve", fleet_job_id=run.fleet_job_id, batch=str(batch.ordinal))
    logger.warning("%s: batch %d waits for approval since %s: %s", run.name, batch.ordinal, since, approve)


def _short(saved: operation.SavedJob) -> dict[str, Any]:
    """A fleet job as it is listed."""
    document = render_fleet_job(saved.job)
    return {
        **{name: document[name] for name in LISTED},
        "action": saved.job.definition.action.kind.value,
        "status": saved.state.value,
        "lastRun": None if saved.run is None else render_run(saved.run, CLOCK.now()),
    }


def _seconds(text: str, option: str) -> float:
    """Of a duration. Raises BadValue."""
    from azext_iotjobs.cli.input.durations import duration_s  # most lists are of all

    return duration_s(text, option)
