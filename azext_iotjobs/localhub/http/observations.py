"""/_local/connections, calls, reported and requests: what devices and services did. Only with iothubowner's key.

Each has a list of entries, which count up by `number`, and answers at once, or with `wait` when there is one.
"""

from typing import Any

from azext_iotjobs.localhub.clock import render
from azext_iotjobs.localhub.engine.observation_log import MAX_ENTRIES
from azext_iotjobs.localhub.engine.observations import Observations
from azext_iotjobs.localhub.http.documents import section_document
from azext_iotjobs.localhub.http.log_pages import WHEN, WHO, log_form, respond
from azext_iotjobs.localhub.http.own_request import OwnForm
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.observation import (
    CallEntry,
    CallState,
    ClientProtocol,
    ConnectionChange,
    ConnectionEntry,
    ReportedEntry,
    RequestEntry,
)
from azext_iotjobs.localhub.rules.own_document import Member

Document = dict[str, Any]


def _form(name: str, what: str, **members: Member) -> OwnForm:
    entry = Member(kind=dict, members={**WHEN, **WHO, **members})
    return log_form(name, f"{what}, the oldest first", entry, f"The newest {MAX_ENTRIES:,} are kept.")


CONNECTIONS = _form(
    "connections",
    "Connections that were made, refused and ended",
    change=Member(kind=str, is_required=True, one_of=tuple(each.value for each in ConnectionChange)),
    protocol=Member(kind=str, is_required=True, one_of=tuple(each.value for each in ClientProtocol)),
    client=Member(kind=str, what="what the client calls itself: MQTT's client id, AMQP's user or container"),
    reason=Member(kind=str, what="why it was refused, or has ended"),
)
CALLS = _form(
    "calls",
    "Method calls, each when its device has been sent it and when it has ended",
    callId=Member(kind=int, is_required=True, what="the same in both entries of a call"),
    methodName=Member(kind=str, is_required=True),
    payload=Member(kind=object, is_required=True, may_be_null=True, what="of the call"),
    origin=Member(kind=str, is_required=True, one_of=("https", "job"), what="who calls"),
    jobId=Member(kind=str, what="of a job"),
    state=Member(kind=str, is_required=True, one_of=tuple(each.value for each in CallState)),
    status=Member(kind=int, what="of the device's response"),
    response=Member(kind=object, may_be_null=True, what="the payload of the device's response"),
    durationSeconds=Member(kind=float, what="of a call that has ended"),
    errorCode=Member(kind=str, what="of a call that has failed, such as DeviceNotOnline"),
    reason=Member(kind=str, what="why it has failed"),
)
REPORTED = _form(
    "reported",
    "Changes of reported properties",
    patch=Member(kind=dict, is_required=True, what="what the device sent"),
    reported=Member(kind=dict, is_required=True, what="all of them after that, as in the twin"),
)
REQUESTS = _form(
    "requests",
    "HTTPS requests that were answered",
    verb=Member(kind=str, is_required=True),
    path=Member(kind=str, is_required=True, what="decoded, without the query"),
    caller=Member(kind=str, what="the policy, or `device` and its id, that was let in"),
    status=Member(kind=int, is_required=True),
    errorCode=Member(kind=str, what="such as DeviceNotFound"),
    durationSeconds=Member(kind=float, is_required=True, what="until the response was there"),
)


class ObservationRoutes:
    """Read the logs."""

    def __init__(self, observations: Observations) -> None:
        self._observations = observations

    async def connections(self, request: HubRequest) -> HubResponse:
        """GET /_local/connections"""
        return await respond(request, "connections", self._observations.connections.log, _connection_document)

    async def calls(self, request: HubRequest) -> HubResponse:
        """GET /_local/calls"""
        return await respond(request, "calls", self._observations.calls.log, _call_document)

    async def reported(self, request: HubRequest) -> HubResponse:
        """GET /_local/reported"""
        return await respond(request, "reported", self._observations.reported, _reported_document)

    async def requests(self, request: HubRequest) -> HubResponse:
        """GET /_local/requests: not those for the hub's own routes."""
        return await respond(request, "requests", self._observations.requests, _request_document)


def _connection_document(entry: ConnectionEntry) -> Document:
    return {
        "time": render(entry.at),
        "change": entry.change.value,
        "protocol": entry.client.protocol.value,
        **_who(entry.address),
        **_given(client=entry.client.name, reason=entry.reason),
    }


def _call_document(entry: CallEntry) -> Document:
    document = {
        "time": render(entry.at),
        "callId": entry.call_id,
        **_who(entry.address),
        "methodName": entry.name,
        "payload": entry.payload,
        "origin": "https" if entry.job_id is None else "job",
        **_given(jobId=entry.job_id),
        "state": entry.state.value,
    }
    if entry.state is CallState.CALLING:
        return document
    if entry.state is CallState.RESPONDED:
        document |= {"status": entry.status, "response": entry.response}
    return {
        **document,
        "durationSeconds": round(entry.duration_s, 6),
        **_given(errorCode=entry.error_code, reason=entry.reason),
    }


def _reported_document(entry: ReportedEntry) -> Document:
    return {
        "time": render(entry.at),
        **_who(entry.address),
        "patch": entry.patch,
        "reported": section_document(entry.reported),
    }


def _request_document(entry: RequestEntry) -> Document:
    return {
        "time": render(entry.at),
        "verb": entry.verb,
        "path": entry.path,
        **_given(caller=entry.caller),
        **_who(entry.address),
        "status": entry.status,
        **_given(errorCode=entry.error_code),
        "durationSeconds": round(entry.duration_s, 6),
    }


def _who(address: Address | None) -> Document:
    return {} if address is None else _given(deviceId=address.device_id, moduleId=address.module_id)


def _given(**members: str | None) -> Document:
    return {name: value for name, value in members.items() if value is not None}
