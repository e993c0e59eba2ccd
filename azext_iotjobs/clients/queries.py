"""QueriesClient: /devices/query."""

from collections.abc import Iterator
from typing import Any

from azext_iotjobs.clients.paging import Page, page_by_page, pages
from azext_iotjobs.transport.http import Request, Transport


class QueriesClient:
    """One method, one endpoint."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def run(self, query: str, top: int | None = None) -> Iterator[dict[str, Any]]:
        """The rows of a query, page by page as they are asked for.

        query: in IoT Hub's query language.  top: how many rows are wanted; the hub may give some more.
        Raises HubAnswer, LinkError.
        """
        return pages(self._transport, _request(query), top)

    def run_pages(self, query: str, token: str = "") -> Iterator[Page]:
        """The same page by page; `token` of a page leads to the one behind it. Raises HubAnswer, LinkError."""
        return page_by_page(self._transport, _request(query), token=token)


def _request(query: str) -> Request:
    return Request(
        method="POST",
        path="/devices/query",
        headers={"Cache-Control": "no-cache, must-revalidate"},
        body={"query": query},
        has_body=True,
        may_repeat=True,
    )
