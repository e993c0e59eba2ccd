"""Paths of --set, --add and --remove, as in other az commands: `tags.a`, `list[0].b`, `list[key=value]`."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from azext_iotjobs.cli.input.scalars import shown
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.text import counted

SEGMENT = re.compile(r"\.?\[(?P<inside>[^\]]*)\]|\.?(?P<key>[^.\[\]]+)")
MAX_SHOWN = 10  # names of an object, beside one that it does not have
KINDS = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}


class PathStep(NamedTuple):
    """One step of a path: a key, an item's number, or the item of a list whose member has a value."""

    text: str  # as it was typed
    key: str | None = None
    number: int | None = None
    member: tuple[str, str] | None = None


def parse_path(path: str, option: str) -> list[PathStep]:
    """The steps of a path. Raises BadValue for a text that is not a path."""
    steps, at = [], 0
    while at < len(path):
        found = SEGMENT.match(path, at)
        if found is None or (at == 0 and path[0] in ".["):
            raise BadValue(f"{option} {shown(path)}: this is not a path.", hint=f"Write {option} {_example(option)}")
        steps.append(_step(found, path, option))
        at = found.end()
    if not steps:
        raise BadValue(f"{option}: the path is missing.", hint=f"Write {option} {_example(option)}")
    return steps


def label(option: str, path: str) -> str:
    """An option and its value, for errors."""
    return f"{option} {path if path.isprintable() else shown(path)}"


def value_at(document: Any, steps: Sequence[PathStep], where: str, hint: str | None = None) -> Any:
    """The value at a path. Raises BadValue, saying which step does not exist and what is there.

    where: the option and its value, for errors.  hint: what to do instead, where a key is missing.
    """
    node = document
    for number, step in enumerate(steps):
        node = step_into(node, step, steps[:number], where, hint)
    return node


def step_into(node: Any, step: PathStep, before: Sequence[PathStep], where: str, hint: str | None = None) -> Any:
    """The value that one step leads to. Raises as `value_at`.

    before: the steps that led to `node`, for the error.
    """
    check_fits(node, step, before, where)
    if step.key is not None:
        if step.key not in node:
            raise BadValue(f"{where}: there is no {shown(step.key)} in {_name(before)}.{_names_in(node)}", hint=hint)
        return node[step.key]
    if step.number is not None:
        check_index(node, step.number, before, where)
        return node[step.number]
    assert step.member is not None
    key, value = step.member
    hits = [each for each in node if isinstance(each, dict) and key in each and value in (each[key], str(each[key]))]
    if len(hits) != 1:
        raise BadValue(f"{where}: {len(hits)} items of {_name(before)} have {shown(f'{key}={value}')}; one must.")
    return hits[0]


def check_fits(node: Any, step: PathStep, before: Sequence[PathStep], where: str) -> None:
    """Raise BadValue for a key outside an object, and for an item's number outside a list.

    node: what the step leads into.  before: the steps that led there.  where: the option and its value, for errors.
    """
    wanted = dict if step.key is not None else list
    if isinstance(node, wanted):
        return
    kind = KINDS.get(type(node), "empty")
    if isinstance(node, dict):
        raise BadValue(
            f"{where}: {_name(before)} is an object, so [{step.text}] finds nothing in it.",
            hint=f"Write a key after a dot, also one with a dash: {_joined(before)}.{step.text}",
        )
    if isinstance(node, list):
        raise BadValue(
            f"{where}: {_name(before)} is a list, so {shown(step.text)} is not a key in it.",
            hint=f"Write the number of an item: {_joined(before)}[0]",
        )
    raise BadValue(f"{where}: {_name(before)} is {kind}; there is nothing in it.")


def check_index(items: list[Any], index: int, before: Sequence[PathStep], where: str) -> None:
    """Raise BadValue for a number that no item of a list has.

    before, where: as for `check_fits`.
    """
    if not -len(items) <= index < len(items):
        count = len(items)
        there = "it is empty" if not count else f"it has {counted(count, 'item')}, from [0]"
        raise BadValue(f"{where}: {_name(before)} has no item [{index}]; {there}.")


def whole_number(text: str) -> int | None:
    """The number of an item as typed; None for another text."""
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text.strip()) else None


def _step(found: re.Match[str], path: str, option: str) -> PathStep:
    text = found["key"] if found["inside"] is None else found["inside"]
    if found["inside"] is None:
        return PathStep(text, key=text)
    if (index := whole_number(text)) is not None:
        return PathStep(text, number=index)
    key, equals, value = text.partition("=")
    if equals and key and not key.startswith(("'", '"')):
        return PathStep(text, member=(key, value))
    bare = text.strip("'\"")
    before = path[: found.start()]
    raise BadValue(
        f"{option} {shown(path)}: [{text[:40]}] is not the number of an item.",
        hint=f"Write a key after a dot, also one with a dash: {before}.{bare}"
        if bare and not set(bare) & set(".[] ")
        else "Write the number of a list's item: list[0]. Keys of a twin have no dots and no spaces.",
    )


def _names_in(node: dict[str, Any]) -> str:
    names = [name for name in node if not name.startswith("$")]
    if not names:
        return " It is empty."
    return f" The ones there are: {', '.join(names[:MAX_SHOWN])}{', …' if len(names) > MAX_SHOWN else ''}."


def _name(steps: Sequence[PathStep]) -> str:
    return _joined(steps) or "the document"


def _joined(steps: Sequence[PathStep]) -> str:
    text = ""
    for step in steps:
        text += f"[{step.text}]" if step.key is None else f".{step.key}" if text else step.key
    return text


def _example(option: str) -> str:
    return {"--set": "tags.site=north", "--add": "properties.desired.list 7"}.get(option, "tags.site")
