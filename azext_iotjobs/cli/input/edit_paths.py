"""Paths of --set, --add and --remove in a JSON document, as az has them: `tags.a`, `list[0].b`, `list[key=value]`."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from azext_iotjobs.cli.input.scalars import shown
from azext_iotjobs.model.errors import BadValue

SEGMENT = re.compile(r"\.?\[(?P<inside>[^\]]*)\]|\.?(?P<key>[^.\[\]]+)")
MAX_TOLD = 10  # names beside a wrong one
KINDS = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}


class Place(NamedTuple):
    """One step of a path: a key, an index, or the item of a list whose member has a value."""

    text: str  # as it was typed
    key: str | None = None
    index: int | None = None
    member: tuple[str, str] | None = None


def places_of(path: str, option: str) -> list[Place]:
    """A path's steps. Raises BadValue for what is no path."""
    places, at = [], 0
    while at < len(path):
        found = SEGMENT.match(path, at)
        if found is None or (at == 0 and path[0] in ".["):
            raise BadValue(f"{option} {shown(path)}: this is no path.", hint=f"Write {option} {_example(option)}")
        places.append(_place(found, path, option))
        at = found.end()
    if not places:
        raise BadValue(f"{option}: the path is missing.", hint=f"Write {option} {_example(option)}")
    return places


def label(option: str, path: str) -> str:
    """An option and what was typed behind it, for errors."""
    return f"{option} {path if path.isprintable() else shown(path)}"


def found_at(document: Any, places: Sequence[Place], where: str, hint: str | None = None) -> Any:
    """What is at a path. Raises BadValue, saying how far it leads and what is there.

    where: what was typed, for errors.  hint: what to do instead, where a key is missing.
    """
    node = document
    for number, place in enumerate(places):
        node = inside(node, place, places[:number], where, hint)
    return node


def inside(node: Any, place: Place, before: Sequence[Place], where: str, hint: str | None = None) -> Any:
    """What one step leads to. Raises as `found_at`.

    before: the steps that led to `node`, for the error.
    """
    check_fits(node, place, before, where)
    if place.key is not None:
        if place.key not in node:
            raise BadValue(f"{where}: there is no {shown(place.key)} in {_name(before)}.{_names_in(node)}", hint=hint)
        return node[place.key]
    if place.index is not None:
        check_index(node, place.index, before, where)
        return node[place.index]
    assert place.member is not None
    key, value = place.member
    hits = [each for each in node if isinstance(each, dict) and key in each and value in (each[key], str(each[key]))]
    if len(hits) != 1:
        raise BadValue(f"{where}: {len(hits)} items of {_name(before)} have {shown(f'{key}={value}')}; one must.")
    return hits[0]


def check_fits(node: Any, place: Place, before: Sequence[Place], where: str) -> None:
    """Raise BadValue for a key in what is no object, and an index into what is no list."""
    wanted = dict if place.key is not None else list
    if isinstance(node, wanted):
        return
    kind = KINDS.get(type(node), "empty")
    if isinstance(node, dict):
        raise BadValue(
            f"{where}: {_name(before)} is an object, so [{place.text}] finds nothing in it.",
            hint=f"An object's keys stand behind dots, dashes included: {_joined(before)}.{place.text}",
        )
    if isinstance(node, list):
        raise BadValue(
            f"{where}: {_name(before)} is a list, so {shown(place.text)} is no key in it.",
            hint=f"Its items have numbers: {_joined(before)}[0]",
        )
    raise BadValue(f"{where}: {_name(before)} is {kind}; there is nothing in it.")


def check_index(items: list[Any], index: int, before: Sequence[Place], where: str) -> None:
    """Raise BadValue for an index that a list does not have."""
    if not -len(items) <= index < len(items):
        count = len(items)
        there = "it is empty" if not count else f"it has {count} item{'' if count == 1 else 's'}, from [0]"
        raise BadValue(f"{where}: {_name(before)} has no item [{index}]; {there}.")


def whole_number(text: str) -> int | None:
    """An index as it is typed; None for another text."""
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text.strip()) else None


def _place(found: re.Match[str], path: str, option: str) -> Place:
    text = found["key"] if found["inside"] is None else found["inside"]
    if found["inside"] is None:
        return Place(text, key=text)
    if (index := whole_number(text)) is not None:
        return Place(text, index=index)
    key, equals, value = text.partition("=")
    if equals and key and not key.startswith(("'", '"')):
        return Place(text, member=(key, value))
    bare = text.strip("'\"")
    before = path[: found.start()]
    raise BadValue(
        f"{option} {shown(path)}: [{text[:40]}] is no number of a list's item.",
        hint=f"A key stands behind a dot, dashes included: {before}.{bare}"
        if bare and not set(bare) & set(".[] ")
        else "Items of lists have numbers: list[0]. No key of a twin holds a dot or a space.",
    )


def _names_in(node: dict[str, Any]) -> str:
    names = [name for name in node if not name.startswith("$")]
    if not names:
        return " It is empty."
    return f" There are: {', '.join(names[:MAX_TOLD])}{', …' if len(names) > MAX_TOLD else ''}."


def _name(places: Sequence[Place]) -> str:
    return _joined(places) or "the document"


def _joined(places: Sequence[Place]) -> str:
    text = ""
    for place in places:
        text += f"[{place.text}]" if place.key is None else f".{place.key}" if text else place.key
    return text


def _example(option: str) -> str:
    return {"--set": "tags.site=north", "--add": "properties.desired.list 7"}.get(option, "tags.site")
