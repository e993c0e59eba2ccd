"""Jobs, wire JSON <-> values. A job's document is kept as the hub sent it."""

import base64
import json
from datetime import datetime
from enum import Enum
from typing import Any, TypeVar

from azext_iotjobs.clients.codec import json_object, render_method_call
from azext_iotjobs.model.clock import parse_instant, render_instant
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.job import Job, JobRequest, JobStatus, JobTally, JobType
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.twin import TwinPatch

DEFAULT_EXECUTION_S = 3600  # of a job whose limit the hub does not say

Word = TypeVar("Word", bound=Enum)


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
        body["cloudToDeviceMethod"] = render_method_call(request.method)
    if request.patch is not None:
        body["updateTwin"] = {**request.patch.document, "etag": request.patch.etag}
    return body


def parse_job(document: Any) -> Job:
    """A v2 job as the hub shows it."""
    return _job(json_object(document), document)


def parse_v1_job(document: Any) -> Job:
    """An import or export job: the old endpoint's record, with the times under the new names too."""
    old = json_object(document)
    shown = {
        **old,
        "createdTime": old.get("startTimeUtc"),
        "startTime": old.get("startTimeUtc"),
        "endTime": old.get("endTimeUtc"),
    }
    return _job(old, shown)


def parse_job_request(job: Job, *, reads_payload: bool = True) -> JobRequest:
    """What was asked for when a v2 job was made, but its start.

    reads_payload: False leaves the payload null: a hub gives it back in a form that may not be readable.
    Raises BadValue when the hub does not say it all.
    """
    document = job.document
    method, patch = document.get("cloudToDeviceMethod"), document.get("updateTwin")
    if job.job_type not in (JobType.METHOD, JobType.TWIN) or not isinstance(document.get("queryCondition"), str):
        raise BadValue(f"The hub does not say what job {job.job_id} did: it cannot be made again.")
    return JobRequest(
        job_id=job.job_id,
        job_type=job.job_type,
        condition=document["queryCondition"],
        method=_method_call(json_object(method), reads_payload) if job.job_type is JobType.METHOD else None,
        patch=_twin_patch(json_object(patch)) if job.job_type is JobType.TWIN else None,
        start_at=None,
        max_execution_s=job.max_execution_s or DEFAULT_EXECUTION_S,
    )


def _method_call(body: dict[str, Any], reads_payload: bool) -> MethodCall:
    return MethodCall(
        name=str(body.get("methodName") or ""),
        payload=_echoed_payload(body.get("payload")) if reads_payload else None,
        response_timeout_s=_whole(body.get("responseTimeoutInSeconds")) or 30,
        connect_timeout_s=_whole(body.get("connectTimeoutInSeconds")) or 0,
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
            "The hub gives the job's payload back in a form that cannot be read.",
            hint="Give it again: --method-payload.",
        ) from None
    return echo


def _twin_patch(body: dict[str, Any]) -> TwinPatch:
    """Without what the hub adds: empty tags beside desired properties, its own members, which begin with $."""
    desired = (body.get("properties") or {}).get("desired") or {}
    own = {name: value for name, value in desired.items() if not name.startswith("$")}
    document: dict[str, Any] = {"properties": {"desired": own}} if own else {}
    if body.get("tags") or not own:
        document["tags"] = body.get("tags")
    return TwinPatch(document=document)


def _job(body: dict[str, Any], document: dict[str, Any]) -> Job:
    return Job(
        job_id=str(body.get("jobId")),
        job_type=_word(JobType, body.get("type")),
        status=_word(JobStatus, body.get("status")),
        tally=_tally(body.get("deviceJobStatistics")),
        starts_at=_instant(body.get("startTime")),
        max_execution_s=_whole(body.get("maxExecutionTimeInSeconds")),
        condition=_text(body.get("queryCondition")),
        failure_reason=_text(body.get("failureReason")),
        document=document,
    )


def _tally(counts: Any) -> JobTally | None:
    if not isinstance(counts, dict):
        return None
    return JobTally(
        device_count=int(counts.get("deviceCount") or 0),
        failed_count=int(counts.get("failedCount") or 0),
        succeeded_count=int(counts.get("succeededCount") or 0),
        running_count=int(counts.get("runningCount") or 0),
        pending_count=int(counts.get("pendingCount") or 0),
    )


def _instant(text: Any) -> datetime | None:
    try:
        return parse_instant(text).at if isinstance(text, str) else None
    except BadValue:
        return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _word(words: type[Word], text: Any) -> Word:
    """The enum's member for a word of the hub's, in any case; UNRECOGNISED for one that is new to us."""
    by_text = {word.value.lower(): word for word in words}
    # Documents and SDKs disagree on this one's spelling.
    spelled = {"canceled": "cancelled"}.get(str(text).lower(), str(text).lower())
    return by_text.get(spelled, words["UNRECOGNISED"])
