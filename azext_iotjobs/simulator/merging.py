"""Twin documents and patches of them. Pure.

Source: IoT Hub, "device twins": a patch is merged member by member, null removes; arrays are replaced as a whole.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Path = Sequence[str]
MISSING = object()


def merged(first: Mapping[str, Any], then: Mapping[str, Any]) -> dict[str, Any]:
    """One patch with the effect of `first` and then `then`; a null stays, because it removes something."""
    both = dict(first)
    for key, value in then.items():
        before = both.get(key)
        both[key] = merged(before, value) if isinstance(before, Mapping) and isinstance(value, Mapping) else value
    return both


def at_path(document: Any, path: Path) -> Any:
    """The value at `path`, or MISSING."""
    for key in path:
        if not isinstance(document, Mapping) or key not in document:
            return MISSING
        document = document[key]
    return document


def patch_of(path: Path, value: Any) -> dict[str, Any]:
    """A patch that sets one path: ("a", "b"), 1 -> {"a": {"b": 1}}."""
    for key in reversed(path):
        value = {key: value}
    return dict(value)


def without(document: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The document without one path, and without objects that become empty."""
    key, rest = path[0], path[1:]
    if at_path(document, path) is MISSING:
        return dict(document)
    less = {name: value for name, value in document.items() if name != key}
    if rest:
        inner = without(document[key], rest)
        if inner:
            less[key] = inner
    return less
