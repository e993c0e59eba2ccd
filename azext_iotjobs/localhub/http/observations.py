"""/_local/connections, calls, reported and requests: what devices and services did. Only with iothubowner's key.

Each has a list of entries, which count up by `number`, and answers at once, or with `wait` when there is one.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from azext_iotjobs.localhub.clock import render
from azext_iotjobs.localhub.engine.observation_log import ObservationLog, Page, Wanted
from azext_iotjobs.localhub.engine.observations import Observations
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, HubError
from azext_iotjobs.localhub.http.documents import section_document
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.observation import (
    CallEntry,
    CallState,
    ConnectionEntry,
    Entry,
    ReportedEntry,
    RequestEntry,
)
from azext_iotjobs.localhub.rules.own_document import DocumentMistake, Member, read_members

MAX_WAIT_S = 30  # shorter than clients' time limits
MAX_LIMIT, USUAL_LIMIT = 1000, 100
MAX_NUMBER = 2**53 - 1  # what any client's JSON can hold
CHECK_INTERVAL_S = 1.0  # how soon it is noticed that a client that waits is gone
PARAMETERS = {
    "device": Member(kind=str, least=1, most=128),
    "module": Member(kind=str, least=1, most=128),
    "after": Member(kind=int, least=0, most=MAX_NUMBER),
    "wait": Member(kind=float, least=0, most=MAX_WAIT_S),
    "limit": Member(kind=int, least=1, most=MAX_LIMIT),
}
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
    query = _read(request.query)
    wanted, after = Wanted(query.get("device"), query.get("module")), query.get("after", 0)
    if after > log.last:
        raise HubError(
            ARGUMENT_INVALID,
            f"after: {after} is more than {log.last}, the number of the newest entry. A hub that is started again "
            "counts from 1 again: begin with after=0.",
        )
    page = await _page(request, log, after, wanted, query)
    entries = [{"number": number, **document(entry)} for number, entry in page.entries]
    return HubResponse(
        document={name: entries, "nextAfter": page.next_after, "last": log.last, "droppedCount": page.dropped}
    )


async def _page(
    request: HubRequest, log: ObservationLog[T], after: int, wanted: Wanted, query: Mapping[str, Any]
) -> Page[T]:
    """The entries, once there is one or the time is over."""
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + query.get("wait", 0.0)
    while True:
        page = log.read(after, query.get("limit", USUAL_LIMIT), wanted)
        left_s = ends_at - loop.time()
        if page.entries or left_s <= 0 or log.is_closed or request.is_gone():
            return page
        await log.wait(wanted, min(left_s, CHECK_INTERVAL_S))


def _read(query: Mapping[str, str]) -> dict[str, Any]:
    """The parameters. Raises HubError 400."""
    given = {name: text for name, text in query.items() if name != "api-version"}
    try:
        found = read_members({name: _value(name, text) for name, text in given.items()}, PARAMETERS)
    except DocumentMistake as err:
        raise HubError(ARGUMENT_INVALID, str(err).replace("such member", "such parameter")) from err
    if "module" in found and "device" not in found:
        raise HubError(ARGUMENT_INVALID, "module: Give device too, on which the module is.")
    return found


def _value(name: str, text: str) -> Any:
    """A parameter's value: a number where one is expected and the text is one."""
    member = PARAMETERS.get(name)
    if member is None or member.kind is str or not text.isascii() or len(text) > len(str(MAX_NUMBER)):
        return text
    if text.isdecimal():
        return int(text)
    whole, _, fraction = text.partition(".")
    return float(text) if member.kind is float and whole.isdecimal() and fraction.isdecimal() else text


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
