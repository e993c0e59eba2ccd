"""What a twin is to be, all of it, values <-> wire JSON."""

from typing import Any

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.twin import NewTwin

TWIN_ROOTS = {
    "tags", "properties", "etag",
    "deviceId", "moduleId", "deviceEtag", "status", "statusReason", "statusUpdateTime", "connectionState",
    "lastActivityTime", "cloudToDeviceMessageCount", "authenticationType", "x509Thumbprint", "modelId", "version",
    "capabilities", "deviceScope", "parentScopes", "configurations",
}  # fmt: skip


def render_new_twin(new: NewTwin) -> dict[str, Any]:
    """The body that replaces a twin: what it leaves out is wiped."""
    return {"tags": new.tags, "properties": {"desired": new.desired}}


def parse_new_twin(document: dict[str, Any], option: str) -> NewTwin:
    """Read a twin's new content out of a document, which may be a whole twin: what only the hub writes is left out.

    option: where it was given, for the error.
    Raises BadValue for a name that no twin has: what is misspelled would be wiped.
    """
    if "desired" in document:
        raise BadValue(
            f"{option} has `desired` at its root.",
            hint='It belongs under properties: {"properties": {"desired": {…}}}.',
        )
    unknown = sorted(document.keys() - TWIN_ROOTS)
    if unknown:
        raise BadValue(
            f"{option} has {', '.join(unknown)}, which no twin has.",
            hint="Give tags and properties.desired; of these, all that is not given is removed.",
        )
    properties = _member_object(document, "properties", option)
    unknown = sorted(properties.keys() - {"desired", "reported"})
    if unknown:
        raise BadValue(f"{option}: under properties there is only `desired`, not {', '.join(unknown)}.")
    desired = _member_object(properties, "desired", option)
    return NewTwin(
        tags=_member_object(document, "tags", option),
        desired={name: value for name, value in desired.items() if name not in ("$metadata", "$version")},
    )


def _member_object(document: dict[str, Any], name: str, option: str) -> dict[str, Any]:
    value = document.get(name)
    if value is not None and not isinstance(value, dict):
        raise BadValue(f"{option}: {name} must be an object.")
    return value or {}
