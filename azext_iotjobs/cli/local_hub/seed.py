"""Handlers of az iot local-hub seed | export: what a hub begins with, and what it holds."""

from typing import Any

from azext_iotjobs.cli.hub_access.running_hubs import pick_typed
from azext_iotjobs.cli.input import stdin
from azext_iotjobs.cli.input.scalars import bytes_of_file
from azext_iotjobs.cli.local_hub.command import client_of


def seed(file: str, our_hub_name: str | None = None, https_port: int | None = None) -> Any:
    """Create in a running local hub what a file has and the hub has not."""
    hub = pick_typed(our_hub_name, https_port)
    content = stdin.read("--file") if file == stdin.MARK else bytes_of_file(file, "--file")
    return client_of(hub).seed(content)


def export(our_hub_name: str | None = None, https_port: int | None = None, keys: bool = False) -> Any:
    """Print what a running local hub holds, as a seed."""
    return client_of(pick_typed(our_hub_name, https_port)).export(with_keys=keys)
