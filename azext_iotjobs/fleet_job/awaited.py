"""What a run waits for, as its rows say: calls under way, hub jobs and their devices; in which batch, until when."""

from datetime import timedelta

from azext_iotjobs.fleet_job.store.sqlite.store import FleetStore
from azext_iotjobs.fleet_job.store.sqlite.under_way import CallUnderWay
from azext_iotjobs.model.fleet_job import Definition
from azext_iotjobs.model.run import Awaited, HubJob, Run

MAX_AWAITED = 10  # devices that are named


def awaited(store: FleetStore, run: Run, definition: Definition) -> list[Awaited]:
    """Of the calls those of a process that lives: nobody waits for others."""
    calls = store.calls_under_way(run) if run.has_runner else []
    return [*_of_calls(calls, run, definition), *map(_of_job, store.hub_jobs(run))]


def _of_calls(calls: list[CallUnderWay], run: Run, definition: Definition) -> list[Awaited]:
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


def _of_job(job: HubJob) -> Awaited:
    return Awaited(
        batch=job.batch,
        device_ids=job.awaited[:MAX_AWAITED],
        count=job.open_count - job.ended_count,
        since=job.submitted_at,
        until=job.until,
        job_id=job.job_id,
    )


def name_of(device_id: str, module_id: str | None) -> str:
    """A device, or one of its modules, for people."""
    return device_id if module_id is None else f"{device_id}/{module_id}"
