"""What fills the columns of results that stand in twins of a hub."""

from collections.abc import Sequence

from azext_iotjobs.cli.hub_access.tiers import pace_of
from azext_iotjobs.cli.output.twin_cells import TwinCells
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import StopFlag, SystemClock
from azext_iotjobs.model.query_pace import QueryPace
from azext_iotjobs.model.twin_columns import TwinColumn
from azext_iotjobs.operations.twin_columns.reader import TwinReader


def cells_of(
    client: HubClient,
    columns: Sequence[TwinColumn],
    *,
    pace: QueryPace | None = None,
    stop: StopFlag | None = None,
    hub: str | None = None,
    is_silent: bool = False,
) -> TwinCells:
    """The cells of columns.

    columns: 1 or more.  pace: of another one, with which the queries are shared; None: that of the hub's tier.
    stop: once it is set, queries that have to wait are not made.
    hub: that a suggested command has to name; None: what was typed will do.  is_silent: only errors are shown.
    """
    shared = pace_of(client) if pace is None else pace.shared()
    return TwinCells(TwinReader(client.queries, columns, shared, SystemClock(), stop), hub, is_silent=is_silent)
