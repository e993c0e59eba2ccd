"""Fleet jobs, runs, batches and events, under the names that commands show and files hold."""

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from typing import Any

from azext_iotjobs.clients.method_codec import render_method_call
from azext_iotjobs.clients.result_codec import render_result
from azext_iotjobs.model import fleet_events as events
from azext_iotjobs.model.clock import render_instant
from azext_iotjobs.model.fleet import Action, Delivery, FleetJob, Targets
from azext_iotjobs.model.job import JobTally
from azext_iotjobs.model.rollout import Rollout, Share
from azext_iotjobs.model.run import Awaited, Batch, BatchState, HubJob, Run, RunState, Tally
from azext_iotjobs.model.tier import Estimate

Document = dict[str, Any]


def render_fleet_job(job: FleetJob) -> Document:
    """A fleet job in one of its versions."""
    definition = job.definition
    return {
        "id": job.fleet_job_id,
        "displayName": job.display_name,
        "description": definition.description,
        "hub": job.host,
        "version": job.version,
        "labels": dict(definition.labels),
        "action": render_action(definition.action),
        "targets": _targets(definition.targets),
        **_rollout(definition.rollout),
        "delivery": _delivery(definition.delivery),
        "created": _instant(job.created_at),
        "createdBy": job.created_by,
        "edited": _instant(job.edited_at),
        "editedBy": job.edited_by,
        "parent": None if job.origin is None else {
            "id": job.origin.fleet_job_id,
            "run": job.origin.run_number,
            "how": job.origin.how,
        },
    }  # fmt: skip


def render_run(run: Run, now: datetime) -> Document:
    """A run with its counts."""
    return {
        "id": run.fleet_job_id,
        "run": run.number,
        "version": run.version,
        "status": run.state.value,
        "reason": run.reason,
        "endedBy": run.ended_by,
        "driver": run.driver.value,
        "driverReason": run.driver_reason,
        "delivery": _delivery(run.delivery),
        "created": _instant(run.created_at),
        "createdBy": run.created_by,
        "started": _instant(run.started_at),
        "ended": _instant(run.ended_at),
        "durationSeconds": _seconds(run.duration_s(now)),
        "batches": run.batch_count,
        "nextBatchNotBefore": _instant(run.go_on_at) if run.go_on_at and run.go_on_at > now else None,
        "progress": render_tally(run.tally, has_runner=run.has_runner),
        "limit": None if run.narrowed is None else run.narrowed.limit,
        "samplePercent": None if run.narrowed is None else _percent(run.narrowed.sample_percent),
        "tier": None if run.tier is None else {"sku": run.tier.sku, "units": run.tier.units},
        "asked": None if run.asked is None else {
            "what": run.asked.wish.value,
            "by": run.asked.by,
            "reason": run.asked.reason,
            "at": _instant(run.asked.at),
        },
        "runner": None if run.lease is None or run.lease.is_gone else {
            "owner": run.lease.owner,
            "until": _instant(run.lease.until),
            "heartbeat": _instant(run.lease.beat_at),
        },
    }  # fmt: skip


def render_batch(batch: Batch, run: Run) -> Document:
    """A batch with its counts; one that runs in a run that does not is what that is."""
    is_held = batch.state is BatchState.RUNNING and run.state is not RunState.RUNNING
    return {
        "batch": batch.ordinal,
        "status": run.state.value if is_held else batch.state.value,
        "devices": batch.size,
        "retry": batch.is_retry,
        "started": _instant(batch.started_at),
        "ended": _instant(batch.ended_at),
        "durationSeconds": _between(batch.started_at, batch.ended_at),
        "progress": render_tally(batch.tally, has_runner=run.has_runner),
    }


def render_tally(tally: Tally, *, has_runner: bool = True) -> Document:
    """Counts. What calls and hub jobs operate is in progress; a call with nobody left to hear its end is uncertain."""
    lost = 0 if has_runner else tally.calling
    return {
        "total": tally.total,
        "pending": tally.waiting,
        "inProgress": tally.in_progress - lost,
        "completed": tally.completed,
        "failed": tally.failed,
        "uncertain": tally.uncertain + lost,
        "byErrorClass": dict(tally.by_class),
    }


def render_hub_job(job: HubJob) -> Document:
    """A hub's job that goes on, or whose end is not read yet; its counts are the hub's, as last seen."""
    return {
        "batch": job.batch,
        "jobId": job.job_id,
        "status": job.status,
        "submitted": _instant(job.submitted_at),
        "until": _instant(job.until),
        "devices": job.open_count,
        "progress": _job_tally(job.tally),
        "seen": _instant(job.seen_at),
    }


def render_awaited(awaited: Awaited) -> Document:
    """What is waited for in a batch: some device ids, and how many they are."""
    return {
        "batch": awaited.batch,
        "jobId": awaited.job_id,
        "devices": list(awaited.device_ids),
        "count": awaited.count,
        "since": _instant(awaited.since),
        "until": _instant(awaited.until),
    }


def render_action(action: Action) -> Document:
    """What is done to a device, with the request that says so."""
    if action.method is not None:
        ranges = ",".join(f"{low}-{high}" for low, high in action.success.ranges)
        return {"kind": action.kind.value, **render_method_call(action.method), "successStatus": ranges}
    if action.patch is not None:
        return {"kind": action.kind.value, "twinPatch": action.patch.document}
    return {"kind": action.kind.value, "content": action.content}


def render_estimate(estimate: Estimate) -> Document:
    """How long a driver takes at least, and what it uses."""
    return {
        "driver": estimate.driver.value,
        "seconds": _seconds(estimate.seconds),
        "limit": estimate.limit,
        "operations": estimate.operations,
    }


def render_event(event: events.Event, now: datetime) -> Document:
    """An event as one JSON object."""
    head = {"at": _instant(event.at), "event": event.kind}
    match event:
        case events.RunBegan(run=run) | events.RunEnded(run=run):
            return {**head, "run": render_run(run, now)}
        case events.BatchBegan(batch=batch) | events.BatchEnded(batch=batch):
            return {**head, "batch": batch.ordinal, "devices": batch.size, "progress": render_tally(batch.tally)}
        case events.DeviceEnded(result=result, batch=ordinal, tries=tries):
            return {**head, "batch": ordinal, "tries": tries, **render_result(result)}
        case events.Progressed():
            return {
                **head,
                "progress": render_tally(event.run),
                "batch": None if event.batch is None else event.batch.ordinal,
                "inFlight": event.in_flight_count,
                "hub": _job_tally(event.hub),
                "awaited": [render_awaited(each) for each in event.awaited],
            }
        case events.Waiting(until=until, why=why):
            return {**head, "until": _instant(until), "why": why}
        case events.Said(text=text):
            return {**head, "text": text}
        case events.HubJobMoved(batch=ordinal, job_id=job_id, status=status, tally=tally):
            return {**head, "batch": ordinal, "jobId": job_id, "status": status, "progress": _job_tally(tally)}


def _job_tally(tally: JobTally | None) -> Document | None:
    """The hub's counts: a device has completed when it has answered, whatever it said."""
    if tally is None:
        return None
    return {
        "total": tally.device_count,
        "completed": tally.succeeded_count,
        "failed": tally.failed_count,
        "running": tally.running_count,
        "pending": tally.pending_count,
    }


def _targets(targets: Targets) -> Document:
    selection, of_run = targets.selection, targets.of_run
    return {
        "queryCondition": None if selection is None else selection.condition,
        "deviceIds": [] if selection is None else list(selection.device_ids),
        "excluded": list((targets if selection is None else selection).excluded),
        "group": targets.group,
        "ofRun": None if of_run is None else {
            "id": of_run.fleet_job_id,
            "run": of_run.run_number,
            "on": sorted(of_run.words),
        },
        "limit": targets.limit,
        "samplePercent": _percent(targets.sample_percent),
        "seed": targets.seed,
        "maxDevices": targets.max_devices,
    }  # fmt: skip


def _rollout(rollout: Rollout) -> Document:
    threshold, retry = rollout.threshold, rollout.retry
    return {
        "batch": [_share(each) for each in rollout.sizes.sizes],
        "batchPauseSeconds": rollout.pause_s,
        "cancellationThreshold": None if threshold is None else {
            **_share(threshold.share),
            "batch": threshold.scope.value == "batch",
            "minSample": threshold.min_sample,
            "errorClasses": sorted(threshold.classes),
            "action": threshold.action.value,
        },
        "retry": None if retry is None else {
            "tries": dict(retry.tries),
            "pauseSeconds": retry.pause_s,
            "growth": retry.growth,
            "longestPauseSeconds": retry.longest_s,
            "when": retry.when.value,
        },
    }  # fmt: skip


def _share(share: Share) -> Mapping[str, Any]:
    return {"type": share.unit.value, "value": float(share.value) if share.value.denominator != 1 else int(share.value)}


def _delivery(delivery: Delivery) -> Document:
    return {
        "driver": delivery.driver.value,
        "concurrency": delivery.concurrency,
        "rate": delivery.rate,
        "jobTimeoutSeconds": delivery.job_limit_s,
        "methodConnectTimeoutSeconds": delivery.connect_timeout_s,
        "methodResponseTimeoutSeconds": delivery.response_timeout_s,
    }


def _percent(percent: Fraction | None) -> float | None:
    return None if percent is None else float(percent)


def _instant(at: datetime | None) -> str | None:
    return None if at is None else render_instant(at, "milliseconds")


def _between(began: datetime | None, ended: datetime | None) -> float | None:
    return None if began is None or ended is None else _seconds(max(0.0, (ended - began).total_seconds()))


def _seconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
