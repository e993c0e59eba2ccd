"""Rules of twins: merging, `$metadata`, versions, etags, limits. Pure.

Source: IoT Hub devguide "device twins": merge patch semantics (null removes, arrays are replaced whole), limits.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, HubError
from azext_iotjobs.localhub.rules.json_values import LONE_SURROGATE

Tree = dict[str, Any]

TAGS_LIMIT_BYTES = 8 * 1024
PROPERTIES_LIMIT_BYTES = 32 * 1024
KEY_LIMIT_BYTES = 1024
STRING_LIMIT_BYTES = 4096
DEPTH_LIMIT = 10  # nested objects; a plain value may be in the tenth
INTEGER_MIN, INTEGER_MAX = -(2**52), 2**52 - 1
# Expressions, not loops over characters: every twin that is written is searched, in all of its keys and texts.
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]")
FORBIDDEN_IN_KEYS = re.compile("[.$# \x00-\x1f\x7f-\x9f]")
NUMBER_BYTES, BOOLEAN_BYTES = 8, 4


class WholeSection(Enum):
    """A change of a whole section."""

    CLEARED = "cleared"  # by null in its place


Change = Tree | WholeSection | None  # a merge patch, the removal of everything, or no change


@dataclass(frozen=True)
class Section:
    """Desired or reported properties."""

    data: Tree
    metadata: Tree  # mirrors the data; a removal shows in the parent's $lastUpdated
    version: int  # $version, from 1


@dataclass(frozen=True)
class TwinState:
    """The parts of a twin that writes change."""

    tags: Tree
    desired: Section
    reported: Section
    etag: int  # changes with tags and desired properties only
    version: int  # changes with every write
    configurations: Tree = field(default_factory=dict)  # id -> {"status": Targeted or Applied}; no write changes them


def new_twin(now_text: str) -> TwinState:
    """The twin of a new device."""

    def empty() -> Section:
        return Section({}, {"$lastUpdated": now_text}, 1)

    return TwinState(tags={}, desired=empty(), reported=empty(), etag=1, version=2)


def twin_etag(counter: int) -> str:
    """A twin's etag, as the service writes it: base64 of an eight-byte counter."""
    return base64.b64encode(counter.to_bytes(8, "big")).decode()


def patch_by_service(twin: TwinState, *, tags: Tree | None, desired: Tree | None, now_text: str) -> TwinState:
    """Merge tags, desired properties, or both; None does not change a section.

    now_text: the instant, as on the wire.
    Raises HubError 400 when a limit is exceeded; then nothing has changed.
    """
    writes = (tags is not None) + (desired is not None)
    if not writes:
        return twin
    new_tags = twin.tags if tags is None else checked(merge(twin.tags, tags), tags, "tags", TAGS_LIMIT_BYTES)
    new_desired = twin.desired if desired is None else patched(twin.desired, desired, "desired", now_text)
    return replace(twin, tags=new_tags, desired=new_desired, etag=twin.etag + 1, version=twin.version + writes)


def replace_by_service(twin: TwinState, *, tags: Tree, desired: Tree, now_text: str) -> TwinState:
    """Replace tags and desired properties. Raises HubError 400."""
    checked_tags = checked(merge({}, tags), tags, "tags", TAGS_LIMIT_BYTES)
    # Everything is written anew: metadata of removed properties, at any depth, is removed too.
    new_desired = patched(Section({}, {}, twin.desired.version), desired, "desired", now_text)
    return replace(twin, tags=checked_tags, desired=new_desired, etag=twin.etag + 1, version=twin.version + 2)


def patch_by_device(twin: TwinState, reported: Tree, now_text: str) -> TwinState:
    """Merge reported properties. Raises HubError 400."""
    new_reported = patched(twin.reported, reported, "reported", now_text)
    return replace(twin, reported=new_reported, version=twin.version + 1)


def patched(section: Section, patch: Tree, name: str, now_text: str) -> Section:
    """A section after a merge: data, metadata and version. Raises HubError 400."""
    version = section.version + 1
    data = checked(merge(section.data, patch), patch, name, PROPERTIES_LIMIT_BYTES)
    return Section(data, merge_metadata(section.metadata, patch, now_text, version), version)


def as_patch(change: Change, data: Tree) -> Tree | None:
    """The merge patch for a change of these data."""
    return dict.fromkeys(data) if change is WholeSection.CLEARED else change


def check_without_null(tree: Tree, name: str) -> None:
    """Raise HubError 400 for null anywhere: a replacement leaves out what is to be removed."""
    for key, value in tree.items():
        _check_not_null(value, f"{name}.{key}")


def _check_not_null(value: Any, path: str) -> None:
    if value is None:
        raise HubError(ARGUMENT_INVALID, f"{_shown(path)} is null. A replacement leaves out what is to be removed.")
    if isinstance(value, dict):
        check_without_null(value, path)
    elif isinstance(value, list):
        for each in value:
            _check_not_null(each, path)


def replacement(old: Tree, new: Tree) -> Tree:
    """The merge patch that turns `old` into `new`: all of `new`, and null for removed keys, at every depth."""
    kept = {
        key: replacement(old[key], value) if isinstance(value, dict) and isinstance(old.get(key), dict) else value
        for key, value in new.items()
    }
    return {**dict.fromkeys(key for key in old if key not in new), **kept}


def merge(target: Any, patch: Any) -> Any:
    """JSON merge patch: null removes a key, objects merge, anything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def merge_metadata(metadata: Mapping[str, Any], patch: Tree, now_text: str, version: int) -> Tree:
    """The metadata tree after a merge: every changed node has the instant and the version."""
    merged: Tree = {**metadata, "$lastUpdated": now_text, "$lastUpdatedVersion": version}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            old = merged.get(key, {})
            merged[key] = merge_metadata(old, value, now_text, version)
        else:
            merged[key] = {"$lastUpdated": now_text, "$lastUpdatedVersion": version}
    return merged


def checked(result: Tree, patch: Tree, name: str, limit_bytes: int) -> Tree:
    """`result`, if the patch and the resulting section are within the limits. Raises HubError 400."""
    _check_node(patch, name, 1)
    size = size_bytes(result)
    if size > limit_bytes:
        raise HubError(ARGUMENT_INVALID, f"The size of {name} is {size} bytes; at most {limit_bytes} are allowed.")
    return result


def size_bytes(value: Any) -> int:
    """A value's size as the service counts it: keys and texts in UTF-8 without control characters."""
    if isinstance(value, dict):
        return sum(_text_bytes(key) + size_bytes(each) for key, each in value.items())
    if isinstance(value, list):
        return sum(size_bytes(each) for each in value)
    if isinstance(value, bool):
        return BOOLEAN_BYTES
    if isinstance(value, str):
        return _text_bytes(value)
    return NUMBER_BYTES if value is not None else 0


def _text_bytes(text: str) -> int:
    if text.isascii() and text.isprintable():
        return len(text)
    return len(CONTROLS.sub("", text).encode("utf-8", "surrogatepass"))


def _check_node(value: Any, path: str, depth: int) -> None:
    if isinstance(value, dict):
        if depth > DEPTH_LIMIT:
            raise HubError(ARGUMENT_INVALID, f"{_shown(path)} is nested deeper than {DEPTH_LIMIT} levels.")
        for key, each in value.items():
            _check_key(key, path)
            _check_node(each, f"{path}.{key}", depth + 1)
    elif isinstance(value, list):
        if depth > DEPTH_LIMIT:
            raise HubError(ARGUMENT_INVALID, f"{_shown(path)} is nested deeper than {DEPTH_LIMIT} levels.")
        for each in value:
            if each is None:
                raise HubError(ARGUMENT_INVALID, f"{_shown(path)} has null inside an array.")
            _check_node(each, path, depth + 1)
    else:
        _check_scalar(value, path)


def _check_key(key: str, path: str) -> None:
    if LONE_SURROGATE.search(key):
        raise HubError(ARGUMENT_INVALID, f"A key in {_shown(path)} is not valid Unicode: {_shown(key)}.")
    if len(key.encode()) > KEY_LIMIT_BYTES:
        raise HubError(ARGUMENT_INVALID, f"A key in {_shown(path)} is longer than {KEY_LIMIT_BYTES} bytes.")
    if FORBIDDEN_IN_KEYS.search(key):
        raise HubError(
            ARGUMENT_INVALID,
            f"A key in {_shown(path)} has a character that is not allowed: control characters, '.', '$', '#', space.",
        )


def _check_scalar(value: Any, path: str) -> None:
    if isinstance(value, str):
        if LONE_SURROGATE.search(value):
            raise HubError(ARGUMENT_INVALID, f"{_shown(path)} is not valid Unicode.")
        if len(value.encode()) > STRING_LIMIT_BYTES:
            raise HubError(ARGUMENT_INVALID, f"{_shown(path)} is longer than {STRING_LIMIT_BYTES} bytes.")
    elif isinstance(value, int) and not isinstance(value, bool) and not INTEGER_MIN <= value <= INTEGER_MAX:
        raise HubError(ARGUMENT_INVALID, f"{_shown(path)} is an integer outside {INTEGER_MIN} to {INTEGER_MAX}.")


def _shown(path: str) -> str:
    return path.encode("ascii", "backslashreplace").decode()[:200]
