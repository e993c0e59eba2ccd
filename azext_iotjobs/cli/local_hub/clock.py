"""Handlers of az iot local-hub clock show | advance: the time by which a running local hub's rules work."""

from typing import Any

from azext_iotjobs.cli.hub_access.running_hubs import pick_typed
from azext_iotjobs.cli.input.durations import duration_s
from azext_iotjobs.cli.local_hub.command import client_of
from azext_iotjobs.model.errors import BadValue


def show(our_hub_name: str | None = None, https_port: int | None = None) -> Any:
    """Show a running local hub's time, and how far it is ahead of this machine's."""
    return client_of(pick_typed(our_hub_name, https_port)).clock()


def advance(our_by: str, our_hub_name: str | None = None, https_port: int | None = None) -> Any:
    """Move a running local hub's clock ahead; what is due by then happens now."""
    by_s = duration_s(our_by, "--by")
    if by_s == 0:
        raise BadValue(f"--by {our_by}: give more than 0, such as 30s, 5m, 2h or 7d.")
    return client_of(pick_typed(our_hub_name, https_port)).advance_clock(by_s)
