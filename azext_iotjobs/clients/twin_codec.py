"""Twins, wire JSON <-> values.

This room and its neighbours `*_codec.py` are the client's only ones with camelCase keys. Documents are
kept as the hub sent them; only what we decide on is read out, and a word we do not know never fails.
"""

from typing import TYPE_CHECKING, Any

from azext_iotjobs.clients.response import json_object
from azext_iotjobs.model.twin_document import Twin

if TYPE_CHECKING:
    from azext_iotjobs.model.twin import TwinPatch

NEVER = "0001-01-01"  # how the hub writes an instant that has not been


def render_twin_patch(patch: "TwinPatch") -> dict[str, Any]:
    """The body that merges into a twin; its etag travels in If-Match."""
    return {key: value for key, value in patch.document.items() if key != "etag"}


def parse_twin(document: Any) -> Twin:
    """A twin as the hub shows it."""
    body = json_object(document)
    last_active = str(body.get("lastActivityTime") or NEVER)
    return Twin(
        device_id=str(body.get("deviceId")),
        etag=body.get("etag"),
        document=body,
        is_enabled=body.get("status") != "disabled",
        is_connected=body.get("connectionState") == "Connected",
        last_active_at=None if last_active.startswith(NEVER) else last_active,
    )
