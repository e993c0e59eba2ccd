"""Twins: as the hub shows them, and what a service may merge into one or put in its place."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.text import Field, Text

PATCH = Field("patch")
PATCH_ROOTS = {"tags", "properties", "etag"}
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Twin(NamedTuple):
    """A device's or module's twin; `document` is the hub's own."""

    device_id: str
    etag: str | None
    document: dict[str, Any]
    is_enabled: bool = True
    is_connected: bool = False
    last_active_at: str | None = None  # the hub's own text; None: never, or not said


@dataclass(frozen=True, kw_only=True)
class TwinPatch:
    """What to merge into a twin: `tags`, `properties.desired`, or both; null removes a key, or all of a part.

    Raises BadValue for anything else, before it is sent: the hub would ignore some of it silently.
    """

    document: dict[str, Any]
    etag: str = "*"  # the twin that is meant; * is any

    def __post_init__(self) -> None:
        if "desired" in self.document:
            raise BadValue(
                Text(PATCH, " has `desired` at its root."),
                hint='It belongs under properties: {"properties": {"desired": {…}}}.',
            )
        unknown = sorted(self.document.keys() - PATCH_ROOTS)
        if unknown:
            raise BadValue(Text(PATCH, f" has {', '.join(unknown)}; a service may change tags and properties.desired."))
        properties = self.document.get("properties", {})
        if not isinstance(properties, dict) or properties.keys() - {"desired"}:
            raise BadValue(Text(PATCH, ": under properties only `desired` can be changed; `reported` is the device's."))
        if "tags" not in self.document and "desired" not in properties:
            raise BadValue(Text(PATCH, " changes nothing: give tags or properties.desired."))
        for name, part in (("tags", self.document.get("tags")), ("desired", properties.get("desired"))):
            if part is not None and not isinstance(part, dict):
                raise BadValue(Text(PATCH, f": {name} must be an object, or null to remove all of them."))


class NewTwin(NamedTuple):
    """What a twin's tags and desired properties are to be, all of them."""

    tags: Mapping[str, Any] = NOTHING
    desired: Mapping[str, Any] = NOTHING
