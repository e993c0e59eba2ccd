"""Follow the hub's pages: a continuation token in one answer is a header of the next request."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from azext_iotjobs.clients.answer import document
from azext_iotjobs.model.errors import HubFault
from azext_iotjobs.transport.http import Request, Transport

CONTINUATION = "x-ms-continuation"
PAGE_SIZE = "x-ms-max-item-count"
MAX_PAGE_ITEMS = 100  # the hub gives no more at once


class Page(NamedTuple):
    """One answer's items, and how to ask for those behind them."""

    items: list[Any]
    next_token: str  # "" on the last page


def pages(transport: Transport, first: Request, limit: int | None = None) -> Iterator[Any]:
    """The items of all pages, fetched as they are asked for.

    limit: how many items are wanted, so that the last page is not larger than needed; None: all.
    Raises HubAnswer, LinkError; HubFault when the hub's pages go in a circle.
    """
    for page in page_by_page(transport, first, limit):
        yield from page.items


def page_by_page(
    transport: Transport, first: Request, limit: int | None = None, token: str = ""
) -> Iterator[Page]:  # fmt: skip
    """The same page by page, from the one that `token` leads to."""
    given, seen = 0, {token}
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
        token = response.headers.get(CONTINUATION, "")
        yield Page(items, token)
        given += len(items)
        if not token or (limit is not None and given >= limit):
            return
        if token in seen:
            raise HubFault("The hub's pages repeat themselves.", status=response.status)
        seen.add(token)
