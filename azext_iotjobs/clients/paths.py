"""Parts of a request's path out of ids, percent-encoded. What could become another path is refused: nothing is sent."""

from urllib.parse import quote

from azext_iotjobs.model.ids import DEVICE, MODULE, IdKind, check_id


def path_part(kind: IdKind, text: str) -> str:
    """An id as one part of a path. Raises BadValue for what is no id of this kind."""
    check_id(kind, text)
    return quote(text, safe="")


def identity_path(device_id: str, module_id: str | None = None) -> str:
    """Where the registry has a device, or a module of it."""
    return f"/devices/{_under_device(device_id, module_id)}"


def twin_path(device_id: str, module_id: str | None = None) -> str:
    """Where its twin is."""
    return f"/twins/{_under_device(device_id, module_id)}"


def _under_device(device_id: str, module_id: str | None) -> str:
    device = path_part(DEVICE, device_id)
    return device if module_id is None else f"{device}/modules/{path_part(MODULE, module_id)}"
