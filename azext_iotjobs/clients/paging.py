"""Follow the hub's pages: a continuation token in one response is a header of the next request."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from azext_iotjobs.clients.response import document
from azext_iotjobs.model.errors import HubFault
from azext_iotjobs.transport.http import Request, Transport

CONTINUATION = "x-ms-continuation"
PAGE_SIZE = "x-ms-max-item-count"
MAX_PAGE_ITEMS = 100  # the hub gives no more at once


class Page(NamedTuple):
    """The items of one response, and the token of the next page."""

    items: list[Any]
    next_token: str  # "" on the last page


def pages(transport: Transport, first: Request, limit: int | None = None) -> Iterator[Any]:
    """The items of all pages, fetched as they are needed.

    limit: how many items are wanted, 1 or more; the last page is no larger than needed.  None: all.
    Raises HubAnswer, LinkError; HubFault when the hub's pages repeat themselves.
    """
    for page in page_by_page(transport, first, limit):
        yield from page.items


def page_by_page(transport: Transport, first: Request, limit: int | None = None, token: str = "") -> Iterator[Page]:
    """The same page by page.

    limit: how many items are wanted; None: all.  token: of the page to begin with; "": the first.
    """
    count, seen = 0, {token}
    while True:
        headers = dict(first.headers)
        if limit is not None:
            headers[PAGE_SIZE] = str(min(MAX_PAGE_ITEMS, limit - count))
        if token:
            headers[CONTINUATION] = token
        response = transport.send(first._replace(headers=headers))
        items = document(response) or []
        if not isinstance(items, list):
            raise HubFault("The hub's answer is not the JSON array that was expected.", status=response.status)
        token = response.headers.get(CONTINUATION, "")
        yield Page(items, token)
        count += len(items)
        if not token or (limit is not None and count >= limit):
            return
        if token in seen:
            raise HubFault("The hub's pages repeat themselves.", status=response.status)
        seen.add(token)
