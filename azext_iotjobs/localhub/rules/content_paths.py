"""The content of a configuration: paths of desired properties, and what they make of a section. Pure.

Strategy: a content is a list of settings, each a path and its value; they are made one after the other, so that the
later one wins where two overlap. The empty path stands for all desired properties.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from azext_iotjobs.localhub.errors import Fault, HubError
from azext_iotjobs.localhub.rules.twin import DEPTH_LIMIT, Tree, merge

DESIRED = "properties.desired"
MAX_PATHS = 1000  # of one content; each one copies the tree that it changes


class Setting(NamedTuple):
    """A value at a path."""

    path: tuple[str, ...]  # (): all desired properties
    value: Any  # None removes what is there


def settings_of(content: Mapping[str, Any], fault: Fault) -> list[Setting]:
    """The settings of a content: `properties.desired` sets all desired properties, a longer path one of them.

    fault: the kind of error for a path or value that is not allowed.
    Gives the one of the empty path first, then the others in the order of the content.
    Raises HubError.
    """
    if len(content) > MAX_PATHS:
        raise HubError(fault, f"A content may have at most {MAX_PATHS} paths.")
    settings = [Setting(_path(text, fault), value) for text, value in content.items()]
    for setting in settings:
        if not setting.path and not isinstance(setting.value, dict | None):
            raise HubError(fault, f"{DESIRED} must be an object.")
    return sorted(settings, key=lambda setting: bool(setting.path))


def expanded(settings: Iterable[Setting]) -> list[Setting]:
    """The same settings with one for each member instead of the whole: other desired properties are kept."""
    found: list[Setting] = []
    for setting in settings:
        members = (setting.value or {}).items() if not setting.path else ()
        found += [setting] if setting.path else [Setting((name,), value) for name, value in members]
    return found


def with_settings(tree: Tree, settings: Iterable[Setting]) -> Tree:
    """Desired properties after settings were made."""
    for path, value in settings:
        plain = merge({}, value) if isinstance(value, dict) else value  # null inside an object is an absent member
        tree = _with(tree, path, plain) if path else plain or {}
    return tree


def without_settings(tree: Tree, settings: Iterable[Setting]) -> Tree:
    """Desired properties after settings were taken back; what they had replaced or removed does not come back."""
    for path, value in settings:
        if value is not None:
            tree = _with(tree, path, None) if path else {}
    return tree


def difference(old: Tree, new: Tree) -> Tree:
    """The merge patch that turns `old` into `new`, and holds no more than what differs; {} for none."""
    patch: Tree = dict.fromkeys(key for key in old if key not in new)
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            if inner := difference(before, value):
                patch[key] = inner
        elif key not in old or not _is_same(before, value):
            patch[key] = value
    return patch


def covers(higher: Iterable[Setting], path: tuple[str, ...]) -> bool:
    """Whether settings that are made later replace all there is at a path."""
    return any(path[: len(each.path)] == each.path for each in higher)


def _path(text: str, fault: Fault) -> tuple[str, ...]:
    prefix, dot, rest = text[: len(DESIRED)], text[len(DESIRED) :][:1], text[len(DESIRED) + 1 :]
    if text == DESIRED:
        return ()
    if prefix != DESIRED or dot != "." or not rest:
        raise HubError(fault, f"{text[:100]!a} is not a path of desired properties.")
    if rest.count(".") >= DEPTH_LIMIT:
        raise HubError(fault, f"{text[:100]!a} is deeper than {DEPTH_LIMIT} levels.")
    return tuple(rest.split("."))


def _with(tree: Any, path: tuple[str, ...], value: Any) -> Tree:
    """A copy of a tree with a value at a path; None removes the value."""
    name, *rest = path
    copy = dict(tree) if isinstance(tree, dict) else {}
    if value is not None:
        return {**copy, name: _with(copy.get(name), tuple(rest), value) if rest else value}
    if not rest:
        copy.pop(name, None)
    elif isinstance(copy.get(name), dict):
        copy[name] = _with(copy[name], tuple(rest), None)
    return copy


def _is_same(old: Any, new: Any) -> bool:
    # In Python, 1 == True and 1 == 1.0; on the wire these differ.
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(_is_same(*pair) for pair in zip(old, new, strict=True))
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(_is_same(old[key], new[key]) for key in old)
    return type(old) is type(new) and bool(old == new)
