"""A row of a twin query -> what verification needs of it. A device wrote it: it may hold anything, of any size."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from azext_iotjobs.clients.response import json_object
from azext_iotjobs.model.clock import parse_known_instant
from azext_iotjobs.model.condition_paths import Path
from azext_iotjobs.model.late_dataclass import dataclass

MAX_VALUE_CHARACTERS = 1_000  # of a member, as JSON
REPORTED = ("properties", "reported")
MISSING = object()
_CONNECTION = {"Connected": True, "Disconnected": False}


@dataclass(frozen=True, kw_only=True)
class SeenTwin:
    """What a row says."""

    device_id: str
    module_id: str | None
    reported: dict[str, Any]  # path -> value; what is not there is left out
    is_connected: bool | None  # None: it does not say so
    changed_at: datetime | None  # when the device last reported one of the members; None: not known


def parse_seen_twin(row: Any, paths: Iterable[Path], failed_paths: Iterable[Path]) -> SeenTwin:
    """A row. Raises HubFault for what is not an object.

    paths: of the members to keep.  failed_paths: of those whose last change matters.
    Source: IoT Hub devguide "device twins": $metadata mirrors a section, with $lastUpdated at every level.
    """
    twin = json_object(row)
    module_id = twin.get("moduleId")
    found = ((".".join(path), _member(twin, path)) for path in paths)
    return SeenTwin(
        device_id=str(twin.get("deviceId")),
        module_id=module_id if isinstance(module_id, str) and module_id else None,
        reported={name: _kept(value) for name, value in found if value is not MISSING},
        is_connected=_CONNECTION.get(str(twin.get("connectionState"))),
        changed_at=_changed_at(twin, failed_paths),
    )


def parse_count(row: Any) -> int | None:
    """The number in the row of a count; None: there is none."""
    total = json_object(row).get("total")
    return total if isinstance(total, int) and not isinstance(total, bool) else None


def _changed_at(twin: dict[str, Any], paths: Iterable[Path]) -> datetime | None:
    """The newest report of the members, or else of anything."""
    instants = [_updated_at(twin, path[2:]) for path in paths if tuple(map(str.lower, path[:2])) == REPORTED]
    known = [each for each in instants if each is not None]
    return max(known) if known else _updated_at(twin, ())


def _updated_at(twin: dict[str, Any], path: Path) -> datetime | None:
    node = _member(twin, (*REPORTED, "$metadata", *path))
    return parse_known_instant(node.get("$lastUpdated")) if isinstance(node, dict) else None


def _member(value: Any, path: Path) -> Any:
    """A member; its names in other case where there is none so written, as queries do. MISSING: there is none."""
    for name in path:
        if not isinstance(value, dict):
            return MISSING
        if name not in value:
            name = next((each for each in value if each.lower() == name.lower()), name)
        value = value.get(name, MISSING)
    return value


def _kept(value: Any) -> Any:
    """A value that is small enough to be kept, or a text that says how large it is."""
    try:
        text = json.dumps(value)
    except RecursionError:
        return "… (nested too deep to be kept)"
    return value if len(text) <= MAX_VALUE_CHARACTERS else f"{text[:100]}… ({len(text)} characters)"
