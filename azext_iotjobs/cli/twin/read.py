"""Handlers of az iot hub device-twin show | list."""

from typing import Any

from azext_iotjobs.clients.hub import HubClient


def show(client: HubClient, device: str) -> dict[str, Any]:
    """Show a device's twin."""
    return client.twins.get(device).document


def list_twins(client: HubClient, edge: bool = False, limit: int = 1000) -> list[dict[str, Any]]:
    """List device twins."""
    from azext_iotjobs.cli.input.limited_query import device_rows  # here, so that looking at one starts without it

    return device_rows(client, edge=edge, limit=limit)
