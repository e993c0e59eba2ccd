"""Devices: a page of what a query finds, how many it finds, and a new device."""

import re

from aiohttp import web

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.paging import Page
from azext_iotjobs.console.api.device_rows import MAX_COLUMNS, page_of
from azext_iotjobs.console.parts import body_of, parts_of, token_of
from azext_iotjobs.model.errors import BadValue, MissingChoice
from azext_iotjobs.model.identity import NewIdentity, SignIn
from azext_iotjobs.model.query import MAX_CHARACTERS
from azext_iotjobs.model.query_words import check_words

ALL = "SELECT * FROM devices"
COUNTED = re.compile(r"\s*SELECT\s+\*\s+(FROM\s+devices(?:\.modules)?(?:\s+WHERE\s.*|\s*))", re.IGNORECASE | re.DOTALL)
GROUPED = re.compile(r"\bGROUP\s+BY\b", re.IGNORECASE)


async def query(request: web.Request) -> web.Response:
    """GET /api/devices?query=&column=&after=: a page of what a query finds; without a query, of all devices.

    column: a path such as tags.site, as often as there are columns.
    """
    parts = parts_of(request)
    text, after = _query(request), token_of(request)
    columns = request.query.getall("column", [])[:MAX_COLUMNS]

    def work(client: HubClient) -> Page:
        return next(client.queries.run_pages(text, after))

    page = await parts.workers.hub(work)
    spell = parts.context.spelling.command
    lines = {
        "query": spell("iot hub query", query_command=text),
        "create": spell("iot hub device-identity create"),
    }
    return web.json_response({**page_of(page.items, columns), "next": page.next_token, "lines": lines})


async def count(request: web.Request) -> web.Response:
    """GET /api/devices/count?query=: how many rows a query finds; null where it is none of whole twins."""
    parts = parts_of(request)
    whole = COUNTED.fullmatch(_query(request))
    if whole is None or GROUPED.search(whole[1]):
        return web.json_response({"count": None})
    counting = f"SELECT COUNT() AS found {whole[1]}"
    rows = await parts.workers.hub(lambda client: next(client.queries.run_pages(counting)).items)
    found = rows[0].get("found") if rows and isinstance(rows[0], dict) else 0
    return web.json_response({"count": found if isinstance(found, int) else None})


async def create(request: web.Request) -> web.Response:
    """POST /api/devices {"deviceId", "signIn", "primaryThumbprint", "secondaryThumbprint", "isEdge", "isEnabled"}."""
    parts = parts_of(request)
    body = await body_of(
        request,
        deviceId=str,
        signIn=str,
        primaryThumbprint=str,
        secondaryThumbprint=str,
        isEdge=bool,
        isEnabled=bool,
    )
    new = NewIdentity(
        device_id=_given(body.get("deviceId", "")),
        sign_in=_sign_in(body.get("signIn", SignIn.SAS.value)),
        primary_thumbprint=body.get("primaryThumbprint") or None,
        secondary_thumbprint=body.get("secondaryThumbprint") or None,
        is_edge=body.get("isEdge", False),
        is_enabled=body.get("isEnabled", True),
    )
    made = await parts.workers.hub(lambda client: client.identities.create(new))
    return web.json_response({"id": made.device_id})


def _query(request: web.Request) -> str:
    """The query of a request. Raises BadValue."""
    text = request.query.get("query", "").strip() or ALL
    if len(text) > MAX_CHARACTERS:
        raise BadValue(f"The query has {len(text)} characters, at most {MAX_CHARACTERS} are allowed.")
    check_words(text, "The query")
    return text


def _given(device_id: str) -> str:
    if not device_id:
        raise MissingChoice("The device has no id.", hint="Give one, for example pump-1.")
    return device_id


def _sign_in(word: str) -> SignIn:
    try:
        return SignIn(word)
    except ValueError as err:
        allowed = ", ".join(each.value for each in SignIn)
        raise BadValue(f"signIn {word[:40]!r} is none of {allowed}.") from err
