"""Queries with a limit of rows: --top."""

from itertools import islice
from typing import Any

from azext_iotjobs.cli.input.scalars import at_least
from azext_iotjobs.clients.hub import HubClient

ALL_DEVICES = "SELECT * FROM devices"
EDGE_DEVICES = "SELECT * FROM devices WHERE capabilities.iotEdge = true"


def device_rows(client: HubClient, *, edge: bool, limit: int) -> list[dict[str, Any]]:
    """At most `limit` devices, as their twins show them; with `edge`, only IoT Edge devices."""
    return rows(client, EDGE_DEVICES if edge else ALL_DEVICES, limit)


def rows(client: HubClient, query_text: str, limit: int | None) -> list[dict[str, Any]]:
    """The rows of a query, over all of the hub's pages.

    query_text: in the hub's query language.  limit: rows at most, 1 or more; None or -1: all, as in azure-iot.
    Raises BadValue for another limit.
    """
    if limit in (None, -1):
        return list(client.queries.run(query_text))
    at_least(limit, 1, "--top")
    return list(islice(client.queries.run(query_text, top=limit), limit))
