"""The addresses of links: texts <-> segments, and patterns that they match. Pure.

An address is relative (`/devices/pump-1/twin`) or absolute (`amqps://host/devices/pump-1/twin`); its segments are
percent-encoded. Fixed words match in any case, ids only as they are.
"""

import re
from urllib.parse import unquote

_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://[^/]*")
REST = "{*rest}"  # the last part of a pattern that any number of segments match


def segments_of(address: str) -> tuple[str, ...]:
    """The decoded segments of an address, without what comes before its path."""
    absolute = _AUTHORITY.match(address)
    path = (address[absolute.end() :] if absolute else address).strip("/")
    return tuple(_decoded(part) for part in path.split("/")) if path else ()


def match_pattern(pattern: str, segments: tuple[str, ...]) -> dict[str, str] | None:
    """The variable parts of an address by their names in the pattern; None when it does not match.

    pattern: fixed words and `{name}`s, for example "/devices/{device}/twin"; `{*rest}` at its end is no part of the
    result.  segments: of `segments_of`.
    """
    parts = pattern.strip("/").split("/")
    if parts[-1] == REST:
        parts = parts[:-1]
        segments = segments[: len(parts)]
    if len(parts) != len(segments):
        return None
    found: dict[str, str] = {}
    for part, segment in zip(parts, segments, strict=True):
        if part.startswith("{"):
            found[part[1:-1]] = segment
        elif part.lower() != segment.lower():
            return None
    return found if all(found.values()) else None


def _decoded(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:  # not UTF-8: taken as it is written, as in requests over HTTPS
        return text
