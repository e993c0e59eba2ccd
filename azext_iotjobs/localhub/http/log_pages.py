"""Requests for entries of the hub's logs, which are alike in all of them, and their answers.

Each has a list of entries, which count up by `number`, and answers at once, or with `wait` when there is one.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from azext_iotjobs.localhub.engine.log_reading import Page, ReadableLog, Wanted
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, HubError
from azext_iotjobs.localhub.http.own_request import MAX_NUMBER, MAX_WAIT_S, Answer, OwnForm
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse
from azext_iotjobs.localhub.rules.identity import is_id
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
T = TypeVar("T")
Document = dict[str, Any]


def log_form(name: str, what: str, entry: Member, kept: str) -> OwnForm:
    """The form of a log's route. name: of the list of entries.  what, kept: for people."""
    page = {
        name: Member(kind=list, is_required=True, each=entry),
        "nextAfter": Member(kind=int, is_required=True, what="`after` of a request that goes on"),
        "last": Member(kind=int, is_required=True, what="the number of the log's newest entry, of any device"),
        "droppedCount": Member(
            kind=int, is_required=True, what="entries after `after`, of any device, that are kept no longer"
        ),
    }
    text = f"{what}; none when `wait` has passed. {kept}"
    return OwnForm(query=QUERY, answers={200: Answer(what=text, document=Member(kind=dict, members=page))})


async def respond(
    request: HubRequest, name: str, log: ReadableLog[T], document: Callable[[T], Document]
) -> HubResponse:
    """The entries that a request is for. name: of their list.  document: of an entry, without its number."""
    wanted, after = _wanted(request), request.parameters["after"]
    if after > log.last:
        raise HubError(
            ARGUMENT_INVALID,
            f"after: {after} is more than {log.last}, the number of the newest entry. A hub that is started again, or "
            "brought back to a snapshot, may count from a lower number again: begin with after=0.",
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


async def _page(request: HubRequest, log: ReadableLog[T], wanted: Wanted) -> Page[T]:
    """The entries, once there is one or the time is over."""
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + request.parameters["wait"]
    limit = request.parameters["limit"]
    page = log.read(request.parameters["after"], limit, wanted)
    while not page.entries:
        left_s = ends_at - loop.time()
        if left_s <= 0 or log.waits.is_closed or request.is_gone():
            break
        await log.waits.wait(wanted, min(left_s, CHECK_INTERVAL_S))
        page = page.followed_by(log.read(page.next_after, limit, wanted))
    return page
