"""Handlers of az iot hub fleet-job show | list | list-runs | delete: what is kept. No hub is asked."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job.context import FleetPlace
from azext_iotjobs.cli.input.durations import duration_s
from azext_iotjobs.cli.input.scalars import wanted_labels
from azext_iotjobs.cli.output.hints import suggestion
from azext_iotjobs.clients.fleet_codec import (
    render_awaited,
    render_batch,
    render_fleet_job,
    render_hub_job,
    render_run,
)
from azext_iotjobs.fleet_job.awaited import awaited
from azext_iotjobs.model.clock import SystemClock, render_instant
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.fleet import FleetJob
from azext_iotjobs.model.run import Run, RunState
from azext_iotjobs.operations.fleet_job import definitions as operation

logger = get_logger(__name__)

CLOCK = SystemClock()
MAX_BATCHES = 1_000  # that `show` lists
DAY_S = 86_400.0


def show(cmd: Any, client: FleetPlace, fleet_job: str, run_number: int | None = None) -> dict[str, Any]:
    """Show a fleet job with its last run, or another one."""
    kept = operation.show(client.store, fleet_job)
    client.check(kept.job)
    if run_number is None:
        return shown(kept.job, client, kept.run)
    run = client.store.run(fleet_job, run_number)
    return shown(client.store.fleet_job(fleet_job, run.version), client, run)


def list_fleet_jobs(
    cmd: Any,
    client: FleetPlace,
    run_state: str | None = None,
    since: str | None = None,
    only_saved: bool = False,
    label_pairs: Sequence[str] | None = None,
    text: str | None = None,
) -> list[dict[str, Any]]:
    """List fleet jobs, the newest first."""
    now = CLOCK.now()
    wanted = operation.ListFilter(
        state=None if run_state is None else RunState(run_state),
        since=None if since is None else now - timedelta(seconds=duration_s(since, "--since")),
        only_saved=only_saved,
        labels=wanted_labels(label_pairs or ()),
        text="" if text is None else text,
    )
    found = [each for each in operation.list_kept(client.store, wanted) if client.means(each.job.host)]
    for each in found:
        if each.run is not None:
            _say_left_alone(each.run)
    return [_short(each) for each in found]


def list_runs(cmd: Any, client: FleetPlace, fleet_job: str) -> list[dict[str, Any]]:
    """List the runs of a fleet job, the last first."""
    client.check(client.store.fleet_job(fleet_job))
    return [render_run(each, CLOCK.now()) for each in client.store.runs(fleet_job)]


def delete(
    cmd: Any, client: FleetPlace, fleet_job: str | None = None, older_than: str | None = None, sure: bool = False
) -> dict[str, Any] | None:  # fmt: skip
    """Delete a fleet job with its history, or the history of all that is older than so many days."""
    if fleet_job is None and older_than is None:
        raise MissingChoice("Say what is deleted: --fleet-job-id ID, or --older-than 60d for old history.")
    if fleet_job is not None and older_than is not None:
        raise ConflictingChoice("--fleet-job-id deletes one fleet job, --older-than the old runs of all: give one.")
    if fleet_job is not None:
        client.check(client.store.fleet_job(fleet_job))
        operation.check_deletable(client.store, fleet_job)
        _confirm(f"fleet job {fleet_job} with its runs and results", sure=sure)
        operation.delete(client.store, fleet_job)
        return None
    days = duration_s(older_than or "", "--older-than") / DAY_S
    if days != int(days):
        raise BadValue(f"--older-than {older_than}: give whole days, such as 60d.")
    hosts = sorted({job.host for job in client.store.fleet_jobs() if client.means(job.host)})
    count = sum(operation.count_old(client.store, int(days), CLOCK.now(), host) for host in hosts)
    if count:
        _confirm(f"the records of {count} {'run' if count == 1 else 'runs'} with their results", sure=sure)
    return {"runs": sum(operation.prune(client.store, int(days), CLOCK.now(), host) for host in hosts)}


def _confirm(what: str, *, sure: bool) -> None:
    from azext_iotjobs.cli.output.confirm import agreed

    if not agreed(f"Delete {what}?", f"This deletes {what}", assume_yes=sure):
        raise BadValue("Nothing was deleted.")


def shown(job: FleetJob, place: FleetPlace | None = None, run: Run | None = None) -> dict[str, Any]:
    """A fleet job as it is shown alone."""
    document = {**render_fleet_job(job), "status": (RunState.PENDING if run is None else run.state).value}
    if run is None or place is None:
        return {**document, "lastRun": None}
    _say_left_alone(run)
    if run.batch_count > MAX_BATCHES:
        logger.warning("The first %d of %d batches are shown.", MAX_BATCHES, run.batch_count)
    batches = [render_batch(each, run) for each in place.store.batches(run, limit=MAX_BATCHES)]
    waits_for = awaited(place.store, run, place.store.definition_of(run))
    under_way = {
        "hubJobs": [render_hub_job(each) for each in place.store.hub_jobs(run)],
        "awaited": [render_awaited(each) for each in waits_for],
    }
    return {**document, "lastRun": {**render_run(run, CLOCK.now()), **under_way, "batchList": batches}}


def _say_left_alone(run: Run) -> None:
    """A run whose process has died looks like one that runs; its lease says since when nobody has it."""
    if run.state is RunState.RUNNING and run.is_left_alone(CLOCK.now()):
        since = "" if run.lease is None else f" since {render_instant(run.lease.beat_at.replace(microsecond=0))}"
        logger.warning(
            "Nobody carries %s on%s. Go on with it: %s", run.name, since,
            suggestion("iot hub fleet-job resume", "-j", run.fleet_job_id),
        )  # fmt: skip


def _short(kept: operation.Kept) -> dict[str, Any]:
    """A fleet job as it is listed."""
    document = render_fleet_job(kept.job)
    names = ("id", "displayName", "description", "hub", "version", "labels", "created", "createdBy", "edited", "parent")
    return {
        **{name: document[name] for name in names},
        "action": kept.job.definition.action.kind.value,
        "status": kept.state.value,
        "lastRun": None if kept.run is None else render_run(kept.run, CLOCK.now()),
    }
