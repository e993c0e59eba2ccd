"""--set, --add and --remove on a JSON document, in the order in which they were typed.

Paths mean what they mean in other az commands. Values are read as in key=value pairs: a number that would be stored
with other digits is refused.
"""

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

from azext_iotjobs.cli.input.edit_paths import (
    PathStep,
    check_fits,
    check_index,
    label,
    parse_path,
    step_into,
    value_at,
    whole_number,
)
from azext_iotjobs.cli.input.key_value_json import PYTHON_WORDS, typed_value
from azext_iotjobs.cli.input.python_literal import parse_dict_notation
from azext_iotjobs.cli.input.scalars import shown
from azext_iotjobs.cli.input.strict_json import NotAllowed, parse_json
from azext_iotjobs.model.errors import BadValue

Edit = tuple[int, list[str]]  # (its position among the edits of the command line, its words)
# What a service may write in a twin; where it is empty, a twin may not show it.
WRITTEN = (("tags",), ("properties", "desired"))


class EditOptions(NamedTuple):
    """The generic edits, as typed."""

    set: list[Edit] | None = None
    add: list[Edit] | None = None
    remove: list[Edit] | None = None
    our_force_string: bool = False  # values stay text

    @property
    def is_typed(self) -> bool:
        """Whether there is any edit."""
        return bool(self.set or self.add or self.remove)

    def in_order(self) -> Iterator[tuple[str, list[str]]]:
        """Each edit as (set, add or remove; its words), in the order in which they were typed."""
        by_verb = {"set": self.set, "add": self.add, "remove": self.remove}
        typed = sorted((number, verb, words) for verb, edits in by_verb.items() for number, words in edits or ())
        for _, verb, words in typed:
            yield verb, words


def apply_edits(document: dict[str, Any], edits: EditOptions) -> dict[str, Any]:
    """A copy of `document` with the edits applied. Raises BadValue when a path does not exist or take its edit."""
    edited = copy.deepcopy(document)
    keep_text = edits.our_force_string
    for verb, words in edits.in_order():
        if verb == "set":
            for word in words:
                _set(edited, word, keep_text=keep_text)
        elif verb == "add":
            _add(edited, words, keep_text=keep_text)
        else:
            _remove(edited, words)
    return edited


def check_edits(edits: EditOptions) -> None:
    """Raise BadValue for an edit that no document would take; called before one is fetched."""
    keep_text = edits.our_force_string
    for verb, words in edits.in_order():
        if verb == "set":
            for word in words:
                path, text = _split(word)
                parse_path(path, "--set")
                _value(text, path, "--set", keep_text=keep_text)
        elif verb == "add":
            parse_path(words[0], "--add")
            if len(words) < 2:
                raise BadValue(
                    f"--add {shown(words[0])}: the value to add is missing.", hint=f"Write --add {words[0]} VALUE"
                )
            _items(words[1:], words[0], keep_text=keep_text)
        else:
            _check_removal(words)


def merge_patch(before: Any, after: Any) -> dict[str, Any]:
    """The JSON merge patch (RFC 7396) that turns one object into another; {} when they are equal."""
    patch: dict[str, Any] = dict.fromkeys(before.keys() - after.keys())
    for key, value in after.items():
        old = before.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            if inner := merge_patch(old, value):
                patch[key] = inner
        elif key not in before or value != old or type(value) is not type(old):  # 1 == True in Python, not in JSON
            patch[key] = value
    return patch


def _set(document: dict[str, Any], word: str, *, keep_text: bool) -> None:
    option = "--set"
    path, text = _split(word)
    value = _value(text, path, option, keep_text=keep_text)
    steps = parse_path(path, option)
    _make_sections(document, steps)
    *before, last = steps
    where = label(option, word)
    node = value_at(document, before, where, _how_to_nest(document, steps, text))
    if last.member is not None:
        raise BadValue(f"{where}: an item of a list is set by its number.", hint="Write list[0]=…")
    check_fits(node, last, before, where)
    if last.number is None:
        node[last.key] = value
    else:
        check_index(node, last.number, before, where)
        node[last.number] = value


def _add(document: dict[str, Any], words: list[str], *, keep_text: bool) -> None:
    option = "--add"
    steps = parse_path(words[0], option)
    _make_sections(document, steps)
    where = label(option, " ".join(words))
    items = value_at(document, steps, where, f"Make the list: --set {words[0]}='[…]'")
    if not isinstance(items, list):
        raise BadValue(f"{where}: {words[0]} is not a list.", hint=f"One value: --set {words[0]}=…")
    items += _items(words[1:], words[0], keep_text=keep_text)


def _items(words: list[str], path: str, *, keep_text: bool) -> list[Any]:
    """The items to add: pairs that follow each other make one object, whose values are text."""
    items: list[Any] = []
    is_open = False
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            items.append(_value(word, path, "--add", keep_text=keep_text))
        elif is_open:
            items[-1][name] = value
        else:
            items.append({name: value})
        is_open = bool(equals)
    return items


def _remove(document: dict[str, Any], words: list[str]) -> None:
    where = label("--remove", " ".join(words))
    *before, last = _check_removal(words)
    node = value_at(document, before, where)
    found = step_into(node, last, before, where)
    if last.number is not None:
        del node[last.number]
    elif last.key is not None:
        del node[last.key]
    else:
        node.remove(found)


def _check_removal(words: list[str]) -> list[PathStep]:
    """The path of what is removed. A second word is the number of a list's item, as in other az commands."""
    steps = parse_path(words[0], "--remove")
    if len(words) == 1:
        return steps
    index = whole_number(words[1])
    if len(words) > 2 or index is None:
        raise BadValue(
            f"--remove {shown(' '.join(words))}: give one path, or a list's path and the number of an item.",
            hint=f"Write {' '.join(f'--remove {each}' for each in words)}",
        )
    return [*steps, PathStep(words[1], number=index)]


def _split(word: str) -> tuple[str, str]:
    """Path and text of `path=value`; a = within brackets belongs to the path."""
    depth = 0
    for at, sign in enumerate(word):
        depth += (sign == "[") - (sign == "]")
        if sign == "=" and depth <= 0:
            return word[:at], word[at + 1 :]
    raise BadValue(f"--set {shown(word)}: give path=value.", hint="For example: --set properties.desired.fan=5")


def _value(text: str, path: str, option: str, *, keep_text: bool) -> Any:
    if keep_text:
        return text
    if text in PYTHON_WORDS:  # as in other az commands
        return {"True": True, "False": False, "None": None}[text]
    try:
        parse_json(text)
    except NotAllowed:
        pass  # typed_value says what is wrong with it
    except ValueError:
        try:
            return parse_dict_notation(text)
        except ValueError:
            pass
    return typed_value(text, path, option)


def _make_sections(document: dict[str, Any], steps: list[PathStep]) -> None:
    """Add the empty sections that a twin does not show, such as `tags`, so that a path can lead into them."""
    if "properties" not in document:
        return
    for section in WRITTEN:
        if [step.key for step in steps[: len(section)]] == list(section) and len(steps) > len(section):
            node = document
            for key in section:
                node = node.setdefault(key, {})


def _how_to_nest(document: dict[str, Any], steps: list[PathStep], text: str) -> str | None:
    """How to set a value whose parent objects do not exist: with the options that make them."""
    keys = [step.key for step in steps]
    if None in keys or "properties" not in document:
        return None
    for section, option in zip(WRITTEN, ("--tags", "--desired"), strict=True):
        if keys[: len(section)] == list(section) and len(keys) > len(section):
            path = ".".join(str(key) for key in keys[len(section) :])
            return f"{option} also makes the objects above it: {option} {path}={text[:40]}"
    return None
