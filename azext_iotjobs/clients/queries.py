"""QueriesClient: /devices/query."""

from collections.abc import Iterator
from typing import Any

from azext_iotjobs.clients.paging import pages
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
        first = Request(
            method="POST",
            path="/devices/query",
            headers={"Cache-Control": "no-cache, must-revalidate"},
            body={"query": query},
            has_body=True,
            may_repeat=True,
        )
        return pages(self._transport, first, top)
