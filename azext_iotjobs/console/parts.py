"""What handlers of the console share, and how they reach it."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from aiohttp import web

from azext_iotjobs.console.context import ConsoleContext, Document
from azext_iotjobs.console.hub_logs import HubLogs
from azext_iotjobs.console.sessions import Sessions
from azext_iotjobs.console.telemetry import Telemetry
from azext_iotjobs.console.workers import Workers
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.late_dataclass import dataclass

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Topic(NamedTuple):
    """Something that pages watch: it is read again and again while one does, and sent when it has changed."""

    read: "Callable[[Parts, str], Awaitable[Document]]"  # its document; the text is what follows its name and a colon
    interval_s: float


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of a console."""

    context: ConsoleContext
    sessions: Sessions
    workers: Workers
    telemetry: Telemetry
    hub_logs: HubLogs
    clock: Clock
    topics: Mapping[str, Topic]


PARTS = web.AppKey("parts", Parts)


def parts_of(request: web.Request) -> Parts:
    """The parts of the console that a request has come to."""
    return request.app[PARTS]


async def body_of(request: web.Request, **members: type) -> dict[str, Any]:
    """The JSON object of a request, with some of these members and no other; guards have looked at its type and size.

    members: what there may be, each with its type.  Raises HTTPBadRequest, saying which member is wrong.
    """
    try:
        body = json.loads(await request.read())
        json.dumps(body, ensure_ascii=False).encode()  # half a surrogate pair is no character
    except (ValueError, RecursionError) as err:
        raise web.HTTPBadRequest(text="The body is not JSON.") from err
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="The body is not a JSON object.")
    for name, value in body.items():
        if name not in members:
            allowed = ", ".join(members) or "none"
            raise web.HTTPBadRequest(text=f"Member {name[:60]!r} is not known; there may be: {allowed}.")
        if type(value) is not members[name]:
            raise web.HTTPBadRequest(text=f"Member {name} is not of type {members[name].__name__}.")
    return body


def token_of(request: web.Request) -> str:
    """The hub's token of the page that a request asks for, `after`; "": the first. Raises BadValue for what is none."""
    token = request.query.get("after", "")
    if not (token.isascii() and token.isprintable()):
        raise BadValue("The page's token is not one of the hub's.", hint="Begin with the first page.")
    return token
