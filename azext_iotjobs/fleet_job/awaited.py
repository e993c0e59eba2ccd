"""What a run waits for, as the store says: calls, hub jobs, devices being verified; in which batch, until when."""

from datetime import timedelta

from azext_iotjobs.fleet_job.store.contract import Runs
from azext_iotjobs.model.fleet_job import Definition
from azext_iotjobs.model.ids import name_of
from azext_iotjobs.model.in_progress import Awaited, BeingVerified, CallInProgress, HubJobInProgress
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.run_state import RunState

MAX_AWAITED = 10  # devices that are named


def awaited(runs: Runs, run: Run, definition: Definition) -> list[Awaited]:
    """What a run waits for; of calls only those whose process lives.

    runs: where it is stored.  definition: what it executes.
    """
    calls = runs.calls_in_progress(run) if run.has_runner else []
    verified = runs.being_verified(run, MAX_AWAITED) if run.state is RunState.RUNNING else None
    return [
        *_of_calls(calls, run, definition),
        *map(_of_hub_job, runs.hub_jobs_in_progress(run)),
        *([] if verified is None else [_of_verification(verified)]),
    ]


def _of_calls(calls: list[CallInProgress], run: Run, definition: Definition) -> list[Awaited]:
    if not calls:
        return []
    method = definition.action.within(run.delivery).method
    begun = [each.began_at for each in calls if each.began_at is not None]
    last = max(begun, default=None)
    return [
        Awaited(
            batch=calls[0].batch,
            device_ids=tuple(name_of(each.device_id, each.module_id) for each in calls[:MAX_AWAITED]),
            count=len(calls),
            since=min(begun, default=None),
            until=None if last is None or method is None else last + timedelta(seconds=method.response_timeout_s),
        )
    ]


def _of_hub_job(job: HubJobInProgress) -> Awaited:
    return Awaited(
        batch=job.batch,
        device_ids=job.awaited[:MAX_AWAITED],
        count=job.open_count - job.ended_count,
        since=job.submitted_at,
        until=job.until,
        job_id=job.job_id,
    )


def _of_verification(verified: BeingVerified) -> Awaited:
    return Awaited(
        batch=verified.batch,
        device_ids=tuple(name_of(*each) for each in verified.devices),
        count=verified.count,
        since=verified.since,
        until=verified.until,
        is_verification=True,
    )
