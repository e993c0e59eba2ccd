"""Records -> the service's JSON documents, with its own keys."""

import base64
from datetime import timedelta
from typing import Any

from azext_iotjobs.localhub.clock import UNFINISHED, parse, render
from azext_iotjobs.localhub.rules.event import DeviceEvent
from azext_iotjobs.localhub.rules.identity import identity_etag
from azext_iotjobs.localhub.rules.job import CANCELLABLE, DeviceStatus, JobType
from azext_iotjobs.localhub.rules.json_values import dump_json
from azext_iotjobs.localhub.rules.twin import Change, Section, TwinState, WholeSection, twin_etag
from azext_iotjobs.localhub.store.identities import Identity
from azext_iotjobs.localhub.store.jobs import DeviceJob, Job
from azext_iotjobs.localhub.store.row_reader import RowValues

Document = dict[str, Any]


def identity_document(identity: Identity) -> Document:
    """A device's identity, or a module's, which has no status, capabilities or scopes."""
    is_module = identity.module_id is not None
    device_only: Document = {
        "status": identity.status,
        "statusReason": identity.status_reason,
        "statusUpdatedTime": identity.status_updated_at,
        "capabilities": {"iotEdge": identity.is_edge},
        **_scopes(identity),
    }
    return {
        "deviceId": identity.device_id,
        **({"moduleId": identity.module_id, "managedBy": identity.managed_by} if is_module else device_only),
        "generationId": identity.generation_id,
        "etag": identity_etag(identity.etag),
        "connectionState": identity.connection_state,
        "connectionStateUpdatedTime": identity.connection_updated_at,
        "lastActivityTime": identity.last_activity_at,
        "cloudToDeviceMessageCount": identity.message_count,
        "authentication": {
            "symmetricKey": {"primaryKey": identity.primary_key, "secondaryKey": identity.secondary_key},
            "x509Thumbprint": _thumbprints(identity, "primaryThumbprint"),
            "type": identity.sign_in,
        },
    }


def twin_document(identity: Identity, twin: TwinState) -> Document:
    """A device's or module's twin, as services see it."""
    return {
        "deviceId": identity.device_id,
        **({} if identity.module_id is None else {"moduleId": identity.module_id}),
        "etag": twin_etag(twin.etag),
        "deviceEtag": identity_etag(identity.etag),
        "status": identity.status,
        **({} if identity.status_reason is None else {"statusReason": identity.status_reason}),
        "statusUpdateTime": identity.status_updated_at,
        "connectionState": identity.connection_state,
        "lastActivityTime": identity.last_activity_at,
        "cloudToDeviceMessageCount": identity.message_count,
        "authenticationType": identity.sign_in,
        "x509Thumbprint": _thumbprints(identity, "PrimaryThumbprint" if identity.primary_thumbprint else None),
        "modelId": identity.model_id,
        "version": twin.version,
        **({"tags": twin.tags} if twin.tags else {}),
        "properties": {"desired": section_document(twin.desired), "reported": section_document(twin.reported)},
        "capabilities": {"iotEdge": identity.is_edge},
        **({"configurations": twin.configurations} if twin.configurations else {}),
        **_scopes(identity),
    }


def job_document(job: Job, device_counts: dict[DeviceStatus, int]) -> Document:
    """A job, as GET and list show it."""
    spec = job.spec
    document: Document = {
        "jobId": spec.job_id,
        "queryCondition": spec.condition,
        "createdTime": render(job.created_at),
        "startTime": render(job.start_at),
        "endTime": render(job.ended_at) if job.ended_at else UNFINISHED,
        "maxExecutionTimeInSeconds": spec.max_execution_s,
        "type": spec.type.value,
        "status": job.status.value,
    }
    if spec.type is JobType.METHOD and spec.method is not None:
        document["cloudToDeviceMethod"] = {
            "methodName": spec.method.name,
            # The service returns the bytes of the payload's text, not the JSON that was sent.
            "payload": list(dump_json(spec.method.payload).encode()),
            "responseTimeoutInSeconds": spec.method.response_timeout_s,
            "connectTimeoutInSeconds": spec.method.connect_timeout_s,
        }
    if spec.type is JobType.TWIN:
        document["updateTwin"] = {
            "deviceId": None,
            "etag": "*",
            **({} if spec.tags is None else {"tags": _shown_change(spec.tags)}),
            **({} if spec.desired is None else {"properties": {"desired": _shown_change(spec.desired)}}),
        }
    if job.failure_reason is not None:
        document["failureReason"] = job.failure_reason
    if job.status not in CANCELLABLE:  # it has started, or ended
        document["deviceJobStatistics"] = {
            "deviceCount": sum(device_counts.values()),
            "failedCount": device_counts[DeviceStatus.FAILED],
            "succeededCount": device_counts[DeviceStatus.COMPLETED],
            "runningCount": device_counts[DeviceStatus.RUNNING],
            "pendingCount": device_counts[DeviceStatus.PENDING],
        }
    return document


def short_job_document(job: Job) -> Document:
    """A job, as the responses to its creation and cancellation show it."""
    return {"jobId": job.spec.job_id, "type": job.spec.type.value, "status": job.status.value}


def unknown_job_document(job_id: str) -> Document:
    """The service's document, with status 200, for a job that does not exist."""
    return {"jobId": job_id, "type": "unknown", "status": "unknown"}


def device_job_document(record: DeviceJob, row: RowValues) -> Document:
    """What a job did to one device; `row` also has the job's type, start and time limit."""
    start = parse(row["job_start_at"])
    document: Document = {
        "deviceId": record.address.device_id,
        **({} if record.address.module_id is None else {"moduleId": record.address.module_id}),
        "jobId": record.job_id,
        "jobType": row["job_type"],
        "status": record.status.value,
        "createdDateTimeUtc": record.created_at,
        "startTimeUtc": row["job_start_at"],
        "endTimeUtc": render(start + timedelta(seconds=row["job_max_execution_s"])),
        "lastUpdatedDateTimeUtc": record.updated_at,
        "outcome": record.outcome,
    }
    return document if record.error is None else {**document, "error": record.error}


def event_document(event: DeviceEvent) -> Document:
    """A message from a device, without its number; the body is base64, as it may be anything."""
    address = event.sender.address
    return {
        "deviceId": address.device_id,
        **({} if address.module_id is None else {"moduleId": address.module_id}),
        "enqueuedTime": render(event.enqueued_at),
        "systemProperties": dict(event.message.system),
        "properties": dict(event.message.properties),
        "body": base64.b64encode(event.message.body).decode(),
    }


def _shown_change(change: Change) -> Document | None:
    return None if change is WholeSection.CLEARED else change


def section_document(section: Section) -> Document:
    """Desired or reported properties, as services see them."""
    return {**section.data, "$metadata": section.metadata, "$version": section.version}


def _thumbprints(identity: Identity, primary_name: str | None) -> Document:
    # A twin capitalises the names once a thumbprint is set; the reason is not published, but clients see it.
    capital = primary_name is not None and primary_name[0] == "P"
    return {
        primary_name or "primaryThumbprint": identity.primary_thumbprint,
        "SecondaryThumbprint" if capital else "secondaryThumbprint": identity.secondary_thumbprint,
    }


def _scopes(identity: Identity) -> Document:
    scopes: Document = {}
    if identity.device_scope is not None:
        scopes["deviceScope"] = identity.device_scope
    if identity.parent_scopes or identity.is_edge:
        scopes["parentScopes"] = list(identity.parent_scopes)
    return scopes
