"""Handler of az iot hub query."""

from typing import Any

from azext_iotjobs.cli.input.limited_query import rows
from azext_iotjobs.clients.advice import QUERY, WELL_FORMED
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import BadRequest, BadValue
from azext_iotjobs.model.query_words import check_words


def query(client: HubClient, our_query_command: str, our_top: int | None = None) -> list[dict[str, Any]]:
    """Run a query and print its rows."""
    if not our_query_command.strip():
        raise BadValue("--query-command is empty.", hint='Give a query, for example "SELECT * FROM devices".')
    check_words(our_query_command, "--query-command")
    try:
        return rows(client, our_query_command, our_top)
    except BadRequest as err:
        if err.hint == QUERY:
            err.hint = WELL_FORMED  # it would be tried out by this command
        raise
