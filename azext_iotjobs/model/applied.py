"""Whether what was asked of a twin is there already: after a call that broke off, before it is repeated. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from azext_iotjobs.model.twin import Twin, TwinPatch

DESIRED = "properties.desired"
OWN_TO_HUB = ("$metadata", "$version")


def has_patch(twin: Twin, patch: TwinPatch) -> bool:
    """Whether merging a patch would change nothing."""
    asked, there = patch.document, twin.document
    desired = _members(_members(there.get("properties")).get("desired"))
    own = {name: value for name, value in desired.items() if name not in OWN_TO_HUB}
    return _has_part(_members(there.get("tags")), asked, "tags") and _has_part(
        own, asked.get("properties") or {}, "desired"
    )


def _has_part(there: Mapping[str, Any], asked: Mapping[str, Any], name: str) -> bool:
    part = asked.get(name, {})
    return not there if part is None else _has(there, part)  # null removes all that is there


def wanted_of_modules(content: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each module that a configuration content names, and what it says of it."""
    for module_id, module in content["modulesContent"].items():
        yield module_id, module if isinstance(module, dict) else {}


def has_content(twin: Twin, module: Mapping[str, Any]) -> bool:
    """Whether a module's twin is what a configuration content says: whole desired properties, or paths of them."""
    desired = _members(_members(twin.document.get("properties")).get("desired"))
    own = {name: value for name, value in desired.items() if name not in OWN_TO_HUB}
    for path, value in module.items():
        there: Any = own
        for name in path.removeprefix(DESIRED).split(".")[1:]:
            there = there.get(name) if isinstance(there, dict) else None
        if not _is_same(there, value):
            return False
    return True


def _has(there: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    for name, value in asked.items():
        found = there.get(name)
        if isinstance(value, dict) and isinstance(found, dict):
            if not _has(found, value):
                return False
        elif isinstance(value, dict) and found is None:
            if not _is_empty(value) or name not in there:
                return False
        elif value is None:
            if name in there:
                return False
        elif not _is_same(found, value):
            return False
    return True


def _members(value: Any) -> Mapping[str, Any]:
    """Of an object; whatever else a hub says has none."""
    return value if isinstance(value, dict) else {}


def _is_empty(value: Mapping[str, Any]) -> bool:
    """Whether a tree holds nothing but removals."""
    return all(each is None or (isinstance(each, dict) and _is_empty(each)) for each in value.values())


def _is_same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 is not true."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
