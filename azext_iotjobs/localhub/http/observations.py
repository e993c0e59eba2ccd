"""/_local/connections, calls, reported and requests: what devices and services did. Only with iothubowner's key.

Each has a list of entries, which count up by `number`, and answers at once, or with `wait` when there is one.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from azext_iotjobs.localhub.clock import render
from azext_iotjobs.localhub.engine.observation_log import MAX_ENTRIES, ObservationLog, Page, Wanted
from azext_iotjobs.localhub.engine.observations import Observations
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, HubError
from azext_iotjobs.localhub.http.documents import section_document
from azext_iotjobs.localhub.http.own_request import MAX_NUMBER, MAX_WAIT_S, Answer, OwnForm
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.identity import is_id
from azext_iotjobs.localhub.rules.observation import (
    CallEntry,
    CallState,
    ClientProtocol,
    ConnectionChange,
    ConnectionEntry,
    Entry,
    ReportedEntry,
    RequestEntry,
)
from azext_iotjobs.localhub.rules.own_document import Member

MAX_LIMIT, USUAL_LIMIT = 1000, 100
CHECK_INTERVAL_S = 1.0  # how soon it is noticed that a client that waits is gone
ID = Member(kind=str, least=1, most=128)
QUERY = {
    "device": replace(ID, what="entries of this device and its modules"),
    "module": replace(ID, what="entries of this module of the device alone"),
    "after": Member(kind=int, least=0, most=MAX_NUMBER, default=0, what="entries after this number"),
    "wait": Member(kind=float, least=0, most=MAX_WAIT_S, default=0, what="seconds to wait for the first entry"),
    "limit": Member(kind=int, least=1, most=MAX_LIMIT, default=USUAL_LIMIT, what="how many entries at most"),
}
WHEN = {
    "number": Member(kind=int, is_required=True, what="counts this log's entries"),
    "time": Member(kind=str, is_required=True, text_format="date-time"),
}
WHO = {"deviceId": Member(kind=str), "moduleId": Member(kind=str, what="of a module")}


def _form(name: str, what: str, **members: Member) -> OwnForm:
    entry = Member(kind=dict, members={**WHEN, **WHO, **members})
    page = {
        name: Member(kind=list, is_required=True, each=entry),
        "nextAfter": Member(kind=int, is_required=True, what="`after` of a request that goes on"),
        "last": Member(kind=int, is_required=True, what="the number of the newest entry, whosever it is"),
        "droppedCount": Member(
            kind=int, is_required=True, what="entries after `after`, whosever they were, that are kept no longer"
        ),
    }
    text = f"{what}, the oldest first; none when `wait` has passed. The newest {MAX_ENTRIES:,} are kept."
    return OwnForm(query=QUERY, answers={200: Answer(what=text, document=Member(kind=dict, members=page))})


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
T = TypeVar("T", bound=Entry)
Document = dict[str, Any]


class ObservationRoutes:
    """Read the logs."""

    def __init__(self, observations: Observations) -> None:
        self._observations = observations

    async def connections(self, request: HubRequest) -> HubResponse:
        """GET /_local/connections"""
        return await _respond(request, "connections", self._observations.connections.log, _connection_document)

    async def calls(self, request: HubRequest) -> HubResponse:
        """GET /_local/calls"""
        return await _respond(request, "calls", self._observations.calls.log, _call_document)

    async def reported(self, request: HubRequest) -> HubResponse:
        """GET /_local/reported"""
        return await _respond(request, "reported", self._observations.reported, _reported_document)

    async def requests(self, request: HubRequest) -> HubResponse:
        """GET /_local/requests: not those for the hub's own routes."""
        return await _respond(request, "requests", self._observations.requests, _request_document)


async def _respond(
    request: HubRequest, name: str, log: ObservationLog[T], document: Callable[[T], Document]
) -> HubResponse:
    wanted, after = _wanted(request), request.parameters["after"]
    if after > log.last:
        raise HubError(
            ARGUMENT_INVALID,
            f"after: {after} is more than {log.last}, the number of the newest entry. A hub that is started again "
            "counts from 1 again: begin with after=0.",
        )
    page = await _page(request, log, wanted)
    entries = [{"number": number, **document(entry)} for number, entry in page.entries]
    return HubResponse(
        document={name: entries, "nextAfter": page.next_after, "last": log.last, "droppedCount": page.dropped}
    )


def _wanted(request: HubRequest) -> Wanted:
    """Whose entries are requested. Raises HubError 400 for what is no id, and for a module without its device."""
    found = Wanted(request.parameters.get("device"), request.parameters.get("module"))
    for name, text in (("device", found.device_id), ("module", found.module_id)):
        if text is not None and not is_id(text):
            raise HubError(ARGUMENT_INVALID, f"{name}: {ascii(text)} is not allowed. It is the id of a {name}.")
    if found.module_id is not None and found.device_id is None:
        raise HubError(ARGUMENT_INVALID, "module: Give device too, on which the module is.")
    return found


async def _page(request: HubRequest, log: ObservationLog[T], wanted: Wanted) -> Page[T]:
    """The entries, once there is one or the time is over."""
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + request.parameters["wait"]
    limit = request.parameters["limit"]
    page = log.read(request.parameters["after"], limit, wanted)
    while not page.entries:
        left_s = ends_at - loop.time()
        if left_s <= 0 or log.is_closed or request.is_gone():
            break
        await log.wait(wanted, min(left_s, CHECK_INTERVAL_S))
        page = page.followed_by(log.read(page.next_after, limit, wanted))
    return page


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
