"""Fleet jobs, runs and batches, under the names that commands and event files show."""

import json
from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from typing import Any

from azext_iotjobs.cli.fleet_job.gate_documents import render_batch_gates, render_gates, render_share
from azext_iotjobs.cli.input.parameters import BEGINS
from azext_iotjobs.cli.output.verification import render_verification
from azext_iotjobs.clients.method_codec import render_method_call
from azext_iotjobs.model.clock import render_instant, render_millis
from azext_iotjobs.model.definition_document import delivery_document, rollout_document, targets_document
from azext_iotjobs.model.fleet_job import Action, Delivery, FleetJob, Origin, Targets
from azext_iotjobs.model.gates import Gates
from azext_iotjobs.model.in_progress import Awaited, HubJobInProgress, WaitingToConnect
from azext_iotjobs.model.job import JobTally
from azext_iotjobs.model.rollout import Rollout, Scope
from azext_iotjobs.model.run import Batch, Lease, Run, StopRequest, Tally, shown_status
from azext_iotjobs.model.schedule import Schedule
from azext_iotjobs.model.tier import Estimate, TierFacts

Document = dict[str, Any]

# The names of a definition's document, and what commands show of them, in their order.
DELIVERY_NAMES = {
    "driver": "driver",
    "concurrency": "concurrency",
    "rate": "rate",
    "job_limit_s": "jobTimeoutSeconds",
    "connect_timeout_s": "methodConnectTimeoutSeconds",
    "response_timeout_s": "methodResponseTimeoutSeconds",
    "when_online_s": "whenOnlineSeconds",
}
RETRY_NAMES = {
    "tries": "tries",
    "pause_s": "pauseSeconds",
    "growth": "growth",
    "longest_s": "longestPauseSeconds",
    "when": "when",
}
LIMIT_NAMES = {"limit": "limit", "sample_percent": "samplePercent", "seed": "seed", "max_devices": "maxDevices"}


def render_fleet_job(job: FleetJob, schedule: Schedule | None = None) -> Document:
    """A fleet job in one of its versions, as files of fleet jobs have it, too. schedule: None: it has none."""
    definition = job.definition
    document = {
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
        "verification": None if definition.verification is None else render_verification(definition.verification),
        "schedule": None if schedule is None else _rules(schedule),
        "created": render_millis(job.created_at),
        "createdBy": job.created_by,
        "edited": render_millis(job.edited_at),
        "editedBy": job.edited_by,
        "parent": None if job.origin is None else _origin(job.origin),
    }
    # `${` in a text would be read as a parameter when the document is applied as a file.
    return {**document, "parameters": False} if BEGINS in json.dumps(document) else document


def _rules(schedule: Schedule) -> Document:
    from azext_iotjobs.cli.fleet_job.schedule.documents import render_rules  # most fleet jobs have none

    return render_rules(schedule)


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
        "created": render_millis(run.created_at),
        "createdBy": run.created_by,
        "started": render_millis(run.started_at),
        "ended": render_millis(run.ended_at),
        "durationSeconds": _seconds(run.duration_s(now)),
        "batches": run.batch_count,
        "nextBatchNotBefore": _still_ahead(run.next_batch_at, now),
        "progress": render_tally(run.tally.seen(has_runner=run.has_runner)),
        "limit": None if run.narrowed is None else run.narrowed.limit,
        "samplePercent": None if run.narrowed is None else _percent(run.narrowed.sample_percent),
        "tier": None if run.tier is None else _tier(run.tier),
        "occurrence": None if run.occurrence_at is None else render_instant(run.occurrence_at),
        "asked": None if run.stop_request is None else _stop_request(run.stop_request),
        "runner": None if run.lease is None or run.lease.is_gone else _lease(run.lease),
    }


def render_run_details(job: FleetJob, run: Run) -> Document:
    """A run in short, for each row of its results. job: in the version that it executes."""
    return {
        "fleetJobId": run.fleet_job_id,
        "fleetJobName": job.display_name,
        "fleetJobVersion": run.version,
        "action": job.definition.action.kind.value,
        "hub": run.host,
        "run": run.number,
        "driver": run.driver.value,
        "runStatus": run.state.value,
        "runReason": run.reason,
        "runStarted": render_millis(run.started_at),
        "runEnded": render_millis(run.ended_at),
    }


def render_batch(batch: Batch, run: Run, gates: Gates) -> Document:
    """A batch with its counts.

    run: whose batch it is.  gates: of the definition that the run executes.
    """
    return {
        "batch": batch.ordinal,
        "status": shown_status(batch, run),
        "devices": batch.size,
        "retry": batch.is_retry,
        "offline": batch.is_of_offline,
        "started": render_millis(batch.started_at),
        "ended": render_millis(batch.ended_at),
        "durationSeconds": _between(batch.started_at, batch.ended_at),
        "progress": render_tally(batch.tally.seen(has_runner=run.has_runner)),
        "gates": None if batch.gates is None else render_batch_gates(batch.gates, gates),
    }


def render_tally(tally: Tally) -> Document:
    """Counts. What calls and hub jobs operate is in progress."""
    return {
        "total": tally.total,
        "pending": tally.not_begun,
        "inProgress": tally.in_progress,
        "verifying": tally.verifying,
        "waiting": tally.waiting,
        "completed": tally.completed,
        "failed": tally.failed,
        "uncertain": tally.uncertain,
        "byErrorClass": dict(tally.by_class),
    }


def render_hub_job(job: HubJobInProgress) -> Document:
    """A hub job that runs, or whose end is not read yet; its counts are the hub's, as last polled."""
    return {
        "batch": job.batch,
        "jobId": job.job_id,
        "status": job.status,
        "submitted": render_millis(job.submitted_at),
        "until": render_millis(job.until),
        "devices": job.open_count,
        "progress": render_job_tally(job.tally),
        "seen": render_millis(job.seen_at),
    }


def render_awaited(awaited: Awaited) -> Document:
    """What is waited for in a batch: some device ids, and how many they are."""
    return {
        "batch": awaited.batch,
        "jobId": awaited.job_id,
        "verifying": awaited.is_verification,
        "devices": list(awaited.device_ids),
        "count": awaited.count,
        "since": render_millis(awaited.since),
        "until": render_millis(awaited.until),
    }


def render_waiting(waiting: WaitingToConnect | None) -> Document | None:
    """Devices that wait to connect: how many, some of them, since when and until when."""
    if waiting is None:
        return None
    return {
        "count": waiting.count,
        "since": render_millis(waiting.since),
        "until": render_millis(waiting.until),
        "devices": [
            {
                "deviceId": each.device_id,
                "moduleId": each.module_id,
                "offlineSince": render_millis(each.since),
                "waitsUntil": render_millis(each.until),
            }
            for each in waiting.devices
        ],
    }


def render_action(action: Action) -> Document:
    """What is done to a device, with the request that does it."""
    if action.method is not None:
        ranges = ",".join(f"{low}-{high}" for low, high in action.success.ranges)
        return {"kind": action.kind.value, **render_method_call(action.method), "successStatus": ranges}
    if action.patch is not None:
        return {"kind": action.kind.value, "twinPatch": action.patch.document}
    return {"kind": action.kind.value, "content": action.content}


def render_estimate(estimate: Estimate) -> Document:
    """How long a driver takes at least, and how much of the quota."""
    return {
        "driver": estimate.driver.value,
        "seconds": _seconds(estimate.seconds),
        "limit": estimate.limit,
        "operations": estimate.operations,
    }


def render_job_tally(tally: JobTally | None) -> Document | None:
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
    document = targets_document(targets)
    selection, of_run = document["selection"] or {}, document["of_run"]
    return {
        "queryCondition": selection.get("condition"),
        "deviceIds": list(selection.get("device_ids", ())),
        "excluded": list(document["excluded"] if document["selection"] is None else selection["excluded"]),
        "group": document["group"],
        "ofRun": None if of_run is None else dict(zip(("id", "run", "on"), of_run, strict=True)),
        **_renamed(LIMIT_NAMES, {**document, "sample_percent": _percent(targets.sample_percent)}),
    }


def _rollout(rollout: Rollout) -> Document:
    document = rollout_document(rollout)
    return {
        "batch": [render_share(each) for each in document["sizes"]],
        "batchPauseSeconds": document["pause_s"],
        "cancellationThreshold": None if document["threshold"] is None else _threshold(document["threshold"]),
        "retry": None if document["retry"] is None else _renamed(RETRY_NAMES, document["retry"]),
        "gates": render_gates(rollout.gates),
    }


def _threshold(document: Document) -> Document:
    return {
        **render_share(document["share"]),
        "batch": document["scope"] == Scope.BATCH.value,
        "minSample": document["min_sample"],
        "errorClasses": document["classes"],
        "action": document["action"],
    }


def _delivery(delivery: Delivery) -> Document:
    return _renamed(DELIVERY_NAMES, delivery_document(delivery))


def _renamed(names: Mapping[str, str], document: Mapping[str, Any]) -> Document:
    return {shown: document[name] for name, shown in names.items()}


def _origin(origin: Origin) -> Document:
    return {"id": origin.fleet_job_id, "run": origin.run_number, "how": origin.how}


def _tier(tier: TierFacts) -> Document:
    return {"sku": tier.sku, "units": tier.units}


def _stop_request(request: StopRequest) -> Document:
    return {"what": request.kind.value, "by": request.by, "reason": request.reason, "at": render_millis(request.at)}


def _lease(lease: Lease) -> Document:
    return {"owner": lease.owner, "until": render_millis(lease.until), "heartbeat": render_millis(lease.beat_at)}


def _percent(percent: Fraction | None) -> float | None:
    return None if percent is None else float(percent)


def _still_ahead(at: datetime | None, now: datetime) -> str | None:
    return render_millis(at) if at is not None and at > now else None


def _between(began: datetime | None, ended: datetime | None) -> float | None:
    return None if began is None or ended is None else _seconds(max(0.0, (ended - began).total_seconds()))


def _seconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
