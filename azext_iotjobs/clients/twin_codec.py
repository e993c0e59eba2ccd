"""Twins, wire JSON <-> values.

This room and its neighbours `*_codec.py` are the client's only ones with camelCase keys. Documents are
kept as the hub sent them; only what we decide on is read out, and a word we do not know never fails.
"""

from typing import Any

from azext_iotjobs.clients.response import json_object
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.twin import NewTwin, Twin, TwinPatch

TWIN_ROOTS = set(
    """
    tags properties etag deviceId moduleId deviceEtag status statusReason statusUpdateTime connectionState
    lastActivityTime cloudToDeviceMessageCount authenticationType x509Thumbprint modelId version capabilities
    deviceScope parentScopes configurations
    """.split()
)
NEVER = "0001-01-01"  # how the hub writes an instant that has not been


def render_twin_patch(patch: TwinPatch) -> dict[str, Any]:
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


def sign_in_of(twin: Twin) -> str:
    """How its device signs in, by the word that the hub uses."""
    return str(twin.document.get("authenticationType"))


def render_new_twin(new: NewTwin) -> dict[str, Any]:
    """The body that replaces a twin: what it leaves out is wiped."""
    return {"tags": dict(new.tags), "properties": {"desired": dict(new.desired)}}


def parse_new_twin(document: dict[str, Any], where: str) -> NewTwin:
    """Read a twin's new content out of a document, which may be a whole twin: what only the hub writes is left out.

    where: where it was given, for the error.
    Raises BadValue for a name that no twin has: what is misspelled would be wiped.
    """
    if "desired" in document:
        raise BadValue(
            f"{where} has `desired` at its root.",
            hint='It belongs under properties: {"properties": {"desired": {…}}}.',
        )
    unknown = sorted(document.keys() - TWIN_ROOTS)
    if unknown:
        raise BadValue(
            f"{where} has {', '.join(unknown)}, which twins do not have.",
            hint="Give tags and properties.desired; what is not given of these is removed.",
        )
    properties = _member_object(document, "properties", where)
    unknown = sorted(properties.keys() - {"desired", "reported"})
    if unknown:
        raise BadValue(f"{where}: under properties there is only `desired`, not {', '.join(unknown)}.")
    desired = _member_object(properties, "desired", where)
    return NewTwin(
        tags=_member_object(document, "tags", where),
        desired={name: value for name, value in desired.items() if name not in ("$metadata", "$version")},
    )


def _member_object(document: dict[str, Any], name: str, where: str) -> dict[str, Any]:
    value = document.get(name)
    if value is not None and not isinstance(value, dict):
        raise BadValue(f"{where}: {name} must be an object.")
    return value or {}
