"""Wire JSON <-> values: the only room on the client's side with camelCase keys.

Documents are kept as the hub sent them; only what we decide on is read out, and a word we do not know never fails.
"""

import base64
from datetime import datetime
from enum import Enum
from typing import Any, TypeVar

from azext_iotjobs.model.clock import parse_instant, render_instant
from azext_iotjobs.model.errors import BadValue, HubFault
from azext_iotjobs.model.identity import DeviceIdentity, NewIdentity, SignIn
from azext_iotjobs.model.job import Job, JobRequest, JobStatus, JobTally, JobType
from azext_iotjobs.model.message import HubEvent, NewC2dMessage
from azext_iotjobs.model.method import MethodCall, MethodResponse
from azext_iotjobs.model.twin import Twin, TwinPatch

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
    return _job(_object(document), document)


def parse_v1_job(document: Any) -> Job:
    """An import or export job: the old endpoint's record, with the times under the new names too."""
    old = _object(document)
    shown = {
        **old,
        "createdTime": old.get("startTimeUtc"),
        "startTime": old.get("startTimeUtc"),
        "endTime": old.get("endTimeUtc"),
    }
    return _job(old, shown)


def render_method_call(call: MethodCall) -> dict[str, Any]:
    """The body that calls a method, alone or in a job; timeouts are numbers."""
    return {
        "methodName": call.name,
        "payload": call.payload,
        "responseTimeoutInSeconds": call.response_timeout_s,
        "connectTimeoutInSeconds": call.connect_timeout_s,
    }


def parse_method_response(document: Any) -> MethodResponse:
    """What the device answered."""
    body = _object(document)
    status = body.get("status", 0)
    if not isinstance(status, int):
        raise HubFault("The hub's answer holds no method status.", status=200)
    return MethodResponse(status=status, payload=body.get("payload"), document=body)


def render_twin_patch(patch: TwinPatch) -> dict[str, Any]:
    """The body that merges into a twin; its etag travels in If-Match."""
    return {key: value for key, value in patch.document.items() if key != "etag"}


def parse_twin(document: Any) -> Twin:
    """A twin as the hub shows it."""
    body = _object(document)
    return Twin(device_id=str(body.get("deviceId")), etag=body.get("etag"), document=body)


def render_new_identity(new: NewIdentity) -> dict[str, Any]:
    """The body that registers a device."""
    body: dict[str, Any] = {
        "deviceId": new.device_id,
        "status": "enabled" if new.is_enabled else "disabled",
        "capabilities": {"iotEdge": new.is_edge},
        "authentication": render_sign_in(
            new.sign_in,
            keys=(new.primary_key, new.secondary_key),
            thumbprints=(new.primary_thumbprint, new.secondary_thumbprint),
        ),
    }
    if new.status_reason is not None:
        body["statusReason"] = new.status_reason
    if new.parent_scope is not None:
        # A leaf names its parent's scope as its own; an edge device has its own and names the parent's beside it.
        body.update({"parentScopes": [new.parent_scope]} if new.is_edge else {"deviceScope": new.parent_scope})
    return body


def render_sign_in(
    sign_in: SignIn, *, keys: tuple[str | None, str | None], thumbprints: tuple[str | None, str | None]
) -> dict[str, Any]:
    """The `authentication` member of an identity; keys that are None are made by the hub."""
    member: dict[str, Any] = {"type": sign_in.value}
    if sign_in is SignIn.SAS and keys[0] is not None:
        member["symmetricKey"] = {"primaryKey": keys[0], "secondaryKey": keys[1]}
    if sign_in is SignIn.THUMBPRINT:
        member["x509Thumbprint"] = {"primaryThumbprint": thumbprints[0], "secondaryThumbprint": thumbprints[1]}
    return member


def parse_identity(document: Any) -> DeviceIdentity:
    """A registry record as the hub shows it."""
    body = _object(document)
    authentication = body.get("authentication") or {}
    keys = authentication.get("symmetricKey") or {}
    return DeviceIdentity(
        device_id=str(body.get("deviceId")),
        etag=str(body.get("etag")),
        sign_in=str(authentication.get("type")),
        primary_key=keys.get("primaryKey"),
        secondary_key=keys.get("secondaryKey"),
        document=body,
    )


def render_c2d_message(message: NewC2dMessage) -> dict[str, Any]:
    """The body that sends a message through a local hub; what is absent is left out."""
    members: dict[str, Any] = {
        "body": base64.b64encode(message.body).decode(),
        "properties": dict(message.properties),
        "messageId": message.message_id,
        "correlationId": message.correlation_id,
        "userId": message.user_id,
        "contentType": message.content_type,
        "contentEncoding": message.content_encoding,
        "expiryTimeUtc": None if message.expires_at is None else render_instant(message.expires_at),
        "ack": None if message.ack is None else message.ack.value,
    }
    return {name: value for name, value in members.items() if value is not None}


def parse_event(document: Any) -> HubEvent:
    """A message from a device, as a local hub shows it."""
    body = _object(document)
    return HubEvent(
        number=int(body["number"]),
        device_id=str(body["deviceId"]),
        body=base64.b64decode(body["body"]),
        document={name: value for name, value in body.items() if name != "body"},
    )


def _job(body: dict[str, Any], document: dict[str, Any]) -> Job:
    return Job(
        job_id=str(body.get("jobId")),
        job_type=_word(JobType, body.get("type")),
        status=_word(JobStatus, body.get("status")),
        tally=_tally(body.get("deviceJobStatistics")),
        starts_at=_instant(body.get("startTime")),
        max_execution_s=_whole(body.get("maxExecutionTimeInSeconds")),
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


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _word(words: type[Word], text: Any) -> Word:
    """The enum's member for a word of the hub's, in any case; UNRECOGNISED for one that is new to us."""
    by_text = {word.value.lower(): word for word in words}
    # Documents and SDKs disagree on this one's spelling.
    spelled = {"canceled": "cancelled"}.get(str(text).lower(), str(text).lower())
    return by_text.get(spelled, words["UNRECOGNISED"])


def _object(document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise HubFault("The hub's answer is not the JSON object that was expected.", status=200)
    return document
