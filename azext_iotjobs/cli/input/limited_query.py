"""A query of which only so many rows are wanted: --top."""

from itertools import islice
from typing import Any

from azext_iotjobs.cli.input.scalars import at_least
from azext_iotjobs.clients.hub import HubClient

ALL_DEVICES = "SELECT * FROM devices"
EDGE_DEVICES = "SELECT * FROM devices WHERE capabilities.iotEdge = true"


def device_rows(client: HubClient, *, edge: bool, limit: int) -> list[dict[str, Any]]:
    """At most `limit` devices, as their twins show them; with `edge`, IoT Edge devices alone."""
    return rows(client, EDGE_DEVICES if edge else ALL_DEVICES, limit)


def rows(client: HubClient, query_text: str, limit: int | None) -> list[dict[str, Any]]:
    """At most `limit` rows of a query (all when None), following the hub's pages.

    Raises BadValue for a limit below 1 (-1 means all, as the reference has it).
    """
    if limit in (None, -1):
        return list(client.queries.run(query_text))
    at_least(limit, 1, "--top")
    return list(islice(client.queries.run(query_text, top=limit), limit))
