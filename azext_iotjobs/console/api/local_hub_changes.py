"""What changes a local hub: faults, its clock, seed, snapshot, reset."""

import base64
import binascii
from collections.abc import Callable
from typing import Any

from aiohttp import web

from azext_iotjobs.clients.local_hub import LocalHubClient
from azext_iotjobs.console.api.local_hub import local_hub_of
from azext_iotjobs.console.parts import body_of, parts_of
from azext_iotjobs.model.errors import BadValue

MAX_FILE_BYTES = 64 * 1024 * 1024  # of a request with a seed or a snapshot; the hub's limit of a seed


async def add_fault(request: web.Request) -> web.Response:
    """POST /api/local-hub/faults {"fault": {…}}: a document as the hub takes it; it says what is wrong in it."""
    fault = (await body_of(request, fault=dict)).get("fault", {})
    return web.json_response(await _done(request, lambda client: client.add_fault(fault)))


async def clear_faults(request: web.Request) -> web.Response:
    """POST /api/local-hub/faults/clear {"id"}: one of them, or without an id all."""
    fault_id = (await body_of(request, id=str)).get("id")
    return web.json_response(await _done(request, lambda client: client.clear_faults(fault_id)))


async def advance_clock(request: web.Request) -> web.Response:
    """POST /api/local-hub/clock {"seconds"}: a whole number above 0."""
    seconds = (await body_of(request, seconds=int)).get("seconds", 0)
    if seconds <= 0:
        raise BadValue("The clock only goes ahead: give a whole number above 0.")
    return web.json_response(await _done(request, lambda client: client.advance_clock(seconds)))


async def seed(request: web.Request) -> web.Response:
    """POST /api/local-hub/seed {"text"}: YAML or JSON; gives how much was created, and how much was there."""
    text = (await body_of(_large(request), text=str)).get("text", "")
    if not text.strip():
        raise BadValue("The seed is empty.", hint="Paste YAML or JSON, or choose a file.")
    return web.json_response(await _done(request, lambda client: client.seed(text.encode())))


async def snapshot(request: web.Request) -> web.Response:
    """POST /api/local-hub/snapshot: the file, in base64. A POST: keys are in it, so never in read-only mode."""
    await body_of(request)
    content = await _done(request, lambda client: client.snapshot())
    return web.json_response({"snapshot": base64.b64encode(content).decode()})


async def restore(request: web.Request) -> web.Response:
    """POST /api/local-hub/restore {"snapshot", "typed"}: such a file, and the hub's name."""
    body = await body_of(_large(request), snapshot=str, typed=str)
    _check_typed(request, body)
    try:
        content = base64.b64decode(body.get("snapshot", ""), validate=True)
    except (binascii.Error, ValueError) as err:
        raise BadValue("The snapshot is not in base64.") from err
    return web.json_response(await _done(request, lambda client: client.restore(content)))


async def reset(request: web.Request) -> web.Response:
    """POST /api/local-hub/reset {"typed"}: the hub's name."""
    _check_typed(request, await body_of(request, typed=str))
    return web.json_response(await _done(request, lambda client: client.reset()))


async def _done(request: web.Request, work: Callable[[LocalHubClient], Any]) -> Any:
    """What the local hub gives; an empty document where it gives nothing."""
    parts = parts_of(request)
    local_hub_of(parts)
    given = await parts.workers.hub(lambda client: work(LocalHubClient(client.transport)))
    return {} if given is None else given


def _large(request: web.Request) -> web.Request:
    """The request with the limit of a file."""
    return request.clone(client_max_size=MAX_FILE_BYTES)


def _check_typed(request: web.Request, body: dict[str, Any]) -> None:
    name = local_hub_of(parts_of(request)).selector
    if body.get("typed") != name:
        raise BadValue(f"What was typed is not the hub's name, {name}; nothing has changed.")
