"""Follow the hub's pages: a continuation token in one answer is a header of the next request."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from azext_iotjobs.clients.answer import document
from azext_iotjobs.model.errors import HubFault
from azext_iotjobs.transport.http import Request, Transport

CONTINUATION = "x-ms-continuation"
PAGE_SIZE = "x-ms-max-item-count"
MAX_PAGE_ITEMS = 100  # the hub gives no more at once


def pages(transport: Transport, first: Request, limit: int | None = None) -> Iterator[Any]:
    """The items of all pages, fetched as they are asked for.

    limit: how many items are wanted, so that the last page is not larger than needed; None: all.
    Raises HubAnswer, LinkError; HubFault when the hub's pages go in a circle.
    """
    given, token, seen = 0, "", set[str]()
    while True:
        headers = dict(first.headers)
        if limit is not None:
            headers[PAGE_SIZE] = str(min(MAX_PAGE_ITEMS, limit - given))
        if token:
            headers[CONTINUATION] = token
        response = transport.send(replace(first, headers=headers))
        items = document(response) or []
        if not isinstance(items, list):
            raise HubFault("The hub's answer is not the JSON array that was expected.", status=response.status)
        yield from items
        given += len(items)
        token = response.headers.get(CONTINUATION, "")
        if not token or (limit is not None and given >= limit):
            return
        if token in seen:
            raise HubFault("The hub's pages repeat themselves.", status=response.status)
        seen.add(token)
