"""What a job is to do, values <-> wire JSON. Apart from what a hub shows of jobs: looking at one starts quickly."""

import base64
import json
from typing import TYPE_CHECKING, Any

from azext_iotjobs.clients.job_codec import whole
from azext_iotjobs.clients.response import json_object
from azext_iotjobs.model.clock import render_instant
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.job import Job, JobType
from azext_iotjobs.model.job_request import JobRequest
from azext_iotjobs.model.text import Text

if TYPE_CHECKING:
    from azext_iotjobs.model.method import MethodCall
    from azext_iotjobs.model.registry_transfer import RegistryTransfer
    from azext_iotjobs.model.twin import TwinPatch

DEFAULT_EXECUTION_S = 3600  # of a job whose limit the hub does not say


def render_job(request: JobRequest) -> dict[str, Any]:
    """The body that creates a job. Absent members are left out: the hub refuses null for times."""
    body: dict[str, Any] = {
        "jobId": request.job_id,
        "type": request.job_type.value,
        "queryCondition": request.condition,
        "maxExecutionTimeInSeconds": request.max_execution_s,
    }
    if request.start_at is not None:
        body["startTime"] = render_instant(request.start_at)
    if request.method is not None:
        from azext_iotjobs.clients.method_codec import render_method_call  # here, so that a twin job starts without it

        body["cloudToDeviceMethod"] = render_method_call(request.method)
    if request.patch is not None:
        body["updateTwin"] = {**request.patch.document, "etag": request.patch.etag}
    return body


def render_transfer(transfer: "RegistryTransfer") -> dict[str, Any]:
    """The body that creates an import or export job."""
    body: dict[str, Any] = {
        "type": transfer.kind.value,
        "outputBlobContainerUri": transfer.output_uri,
        "storageAuthenticationType": "identityBased" if transfer.is_by_identity else "keyBased",
    }
    if transfer.input_uri is not None:
        body["inputBlobContainerUri"] = transfer.input_uri
    if transfer.kind is JobType.EXPORT:
        body["excludeKeysInExport"] = not transfer.includes_keys
    if transfer.user_identity is not None:
        body["identity"] = {"userAssignedIdentity": transfer.user_identity}
    return body


def parse_job_request(job: Job, *, reads_payload: bool = True) -> JobRequest:
    """What was asked for when a v2 job was made, but its start.

    reads_payload: False leaves the payload null: a hub gives it back in a form that may not be readable.
    Raises BadValue when the hub does not say it all.
    """
    document = job.document
    method, patch = document.get("cloudToDeviceMethod"), document.get("updateTwin")
    if job.job_type not in (JobType.METHOD, JobType.TWIN) or not isinstance(document.get("queryCondition"), str):
        raise BadValue(f"The hub does not say what job {job.job_id} did: it cannot be created again.")
    return JobRequest(
        job_id=job.job_id,
        job_type=job.job_type,
        condition=document["queryCondition"],
        method=_method_call(json_object(method), reads_payload) if job.job_type is JobType.METHOD else None,
        patch=_twin_patch(json_object(patch)) if job.job_type is JobType.TWIN else None,
        start_at=None,
        max_execution_s=job.max_execution_s or DEFAULT_EXECUTION_S,
    )


def _method_call(body: dict[str, Any], reads_payload: bool) -> "MethodCall":
    from azext_iotjobs.model.method import MethodCall

    return MethodCall(
        name=str(body.get("methodName") or ""),
        payload=_echoed_payload(body.get("payload")) if reads_payload else None,
        response_timeout_s=whole(body.get("responseTimeoutInSeconds")) or 30,
        connect_timeout_s=whole(body.get("connectTimeoutInSeconds")) or 0,
    )


def _echoed_payload(echo: Any) -> Any:
    """The payload of a job's method: a hub gives back the bytes of its text, as numbers or in base64."""
    if echo is None or echo == []:
        return None
    try:
        if isinstance(echo, list):
            return json.loads(bytes(echo))
        if isinstance(echo, str):
            return json.loads(base64.b64decode(echo, validate=True))
    except (ValueError, TypeError, RecursionError):
        raise BadValue(
            "The hub returns the job's payload in a form that cannot be read.",
            hint=Text.of("Give it again: {payload}."),
        ) from None
    return echo


def _twin_patch(body: dict[str, Any]) -> "TwinPatch":
    """Without what the hub adds: empty tags beside desired properties, its own members, which begin with $."""
    from azext_iotjobs.model.twin import TwinPatch

    desired = (body.get("properties") or {}).get("desired") or {}
    own = {name: value for name, value in desired.items() if not name.startswith("$")}
    document: dict[str, Any] = {"properties": {"desired": own}} if own else {}
    tags = body.get("tags")
    if tags or (tags is not None and not own):  # null, which removes all tags, is also how hubs write "none asked"
        document["tags"] = tags
    return TwinPatch(document=document)
