"""Where a tag is, as text such as tags.site.floor -> its names; tags at a path of a twin."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from azext_iotjobs.cli.input.scalars import shown
from azext_iotjobs.model.errors import BadValue

ROOT = "tags"
ESCAPED = re.compile(r"\[\[([^\[\]]+)\]\]")
MAX_NAME_BYTES = 1024  # IoT Hub devguide "device twins"
TagPath = tuple[str, ...]  # names below `tags`, at least one


class NoRoom(NamedTuple):
    """Why a tag cannot be set: another one is where it would have to be."""

    path: TagPath  # of the other


def parse_tag_path(text: str, where: str) -> TagPath:
    """Read tags.site.floor; `tags.` may be missing, and a name may stand in [[ ]], as in a query.

    where: what gave it, for the error.
    Raises BadValue for a name that no tag has.
    """
    names = tuple(ESCAPED.sub(r"\1", name) for name in text.strip().split("."))
    if len(names) > 1 and names[0] == ROOT:
        names = names[1:]
    for name in names:
        if not _is_name(name):
            raise BadValue(
                f"{where} {shown(text)}: {shown(name)} is not the name of a tag.",
                hint="Give a path such as tags.site or tags.place.floor, without spaces and $.",
            )
    return names


def _is_name(name: str) -> bool:
    """Whether a tag can be called so. What is left of double brackets had a dot in it, which no tag has."""
    is_text = bool(name) and name.isprintable() and len(name.encode()) <= MAX_NAME_BYTES
    return is_text and not any(each in name for each in ("$", " ", "[[", "]]"))


def tag_at(tags: Any, path: TagPath) -> Any:
    """The tag at a path; None where there is none."""
    for name in path:
        tags = tags.get(name) if isinstance(tags, Mapping) else None
    return tags


def set_tag(tags: dict[str, Any], path: TagPath, value: Any) -> NoRoom | None:
    """Set a tag, and make the objects around it; nothing is changed when one of them is there and no object."""
    inner: Any = tags
    for depth, name in enumerate(path[:-1], start=1):
        inner = inner.setdefault(name, {})
        if not isinstance(inner, dict):
            return NoRoom(path[:depth])
    inner[path[-1]] = value
    return None
