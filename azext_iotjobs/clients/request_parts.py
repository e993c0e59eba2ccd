"""What of a request is made of ids and etags: parts of its path, percent-encoded, and the If-Match header.

What could become another path or another header is refused: nothing is sent.
"""

from urllib.parse import quote

from azext_iotjobs.model.ids import DEVICE, MODULE, IdKind, check_etag, check_id


def path_part(kind: IdKind, text: str) -> str:
    """An id as one part of a path. Raises BadValue for a text that is not an id of this kind."""
    check_id(kind, text)
    return quote(text, safe="")


def identity_path(device_id: str, module_id: str | None = None) -> str:
    """Where the registry has a device, or a module of it."""
    return f"/devices/{_under_device(device_id, module_id)}"


def twin_path(device_id: str, module_id: str | None = None) -> str:
    """Where its twin is."""
    return f"/twins/{_under_device(device_id, module_id)}"


def if_match(etag: str) -> dict[str, str]:
    """The If-Match header: the hub wants an etag in quotes, and * without.

    etag: as a document shows it, or * for any.  Raises BadValue for what no header carries.
    """
    check_etag(etag)
    bare = etag.strip('"')
    return {"If-Match": "*" if etag == "*" else f'"{bare}"'}


def _under_device(device_id: str, module_id: str | None) -> str:
    device = path_part(DEVICE, device_id)
    return device if module_id is None else f"{device}/modules/{path_part(MODULE, module_id)}"
