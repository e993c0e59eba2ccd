"""Handlers of az iot hub device-twin show | list and module-twin show."""

from typing import Any

from azext_iotjobs.clients.hub import HubClient


def show(client: HubClient, our_device_id: str) -> dict[str, Any]:
    """Show a device's twin."""
    return client.twins.get(our_device_id).document


def show_module(client: HubClient, our_device_id: str, our_module_id: str) -> dict[str, Any]:
    """Show a module's twin."""
    return client.twins.get(our_device_id, our_module_id).document


def list_twins(client: HubClient, our_edge_enabled: bool = False, our_top: int = 1000) -> list[dict[str, Any]]:
    """List device twins."""
    from azext_iotjobs.cli.input.limited_query import device_rows  # here, so that showing one starts without it

    return device_rows(client, edge=our_edge_enabled, limit=our_top)
