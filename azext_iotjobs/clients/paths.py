"""Paths of what belongs to a device or to a module of it."""

from urllib.parse import quote


def identity_path(device_id: str, module_id: str | None = None) -> str:
    """Where the registry has it, percent-encoded."""
    return f"/devices/{_under_device(device_id, module_id)}"


def twin_path(device_id: str, module_id: str | None = None) -> str:
    """Where its twin is, percent-encoded."""
    return f"/twins/{_under_device(device_id, module_id)}"


def _under_device(device_id: str, module_id: str | None) -> str:
    device = quote(device_id, safe="")
    return device if module_id is None else f"{device}/modules/{quote(module_id, safe='')}"
