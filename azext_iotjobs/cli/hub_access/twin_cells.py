"""What fills the columns of results that stand in twins of a hub."""

from collections.abc import Sequence

from azext_iotjobs.cli.hub_access.tiers import pace_of
from azext_iotjobs.cli.output.twin_cells import TwinCells
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import StopFlag
from azext_iotjobs.model.twin_columns import TwinColumn


def cells_of(client: HubClient, columns: Sequence[TwinColumn], stop: StopFlag | None = None) -> TwinCells:
    """The cells of columns, read at the pace of the hub's tier.

    columns: 1 or more.  stop: once it is set, queries that have to wait are not made.
    """
    return TwinCells(client.queries, columns, pace_of(client), stop)
