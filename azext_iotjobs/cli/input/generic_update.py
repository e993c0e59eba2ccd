"""--set, --add and --remove on a JSON document, in the order in which they were typed.

Paths mean what they mean in every az command. Values are read as those of typed pairs: what az would take for a number
and store in other digits is refused.
"""

import copy
from collections.abc import Mapping
from typing import Any, NamedTuple

from azext_iotjobs.cli.input.edit_paths import (
    Place,
    check_fits,
    check_index,
    found_at,
    inside,
    label,
    places_of,
    whole_number,
)
from azext_iotjobs.cli.input.key_value_json import PYTHON_WORDS, typed_value
from azext_iotjobs.cli.input.python_literal import parse_dict_notation
from azext_iotjobs.cli.input.scalars import shown
from azext_iotjobs.cli.input.strict_json import NotAllowed, parse_json
from azext_iotjobs.model.errors import BadValue

Edit = tuple[int, list[str]]  # (how manieth edit on the command line, its words)
WRITTEN = (("tags",), ("properties", "desired"))  # what a service may write in a twin; a twin without it shows none


class EditOptions(NamedTuple):
    """The generic edits, as they were typed."""

    set: list[Edit] | None = None
    add: list[Edit] | None = None
    remove: list[Edit] | None = None
    our_force_string: bool = False

    @property
    def by_verb(self) -> Mapping[str, list[Edit] | None]:
        """The edits by the word that says what they do."""
        return {"set": self.set, "add": self.add, "remove": self.remove}

    @property
    def is_typed(self) -> bool:
        """Whether there is any edit."""
        return any(self.by_verb.values())


def apply_edits(
    document: dict[str, Any], edits: Mapping[str, list[Edit] | None], *, keep_text: bool
) -> dict[str, Any]:  # fmt: skip
    """A copy of `document` with the edits carried out.

    edits: "set", "add" and "remove" -> what was typed there.  keep_text: values stay text (--force-string).
    Raises BadValue when a path does not exist or does not take the edit.
    """
    edited = copy.deepcopy(document)
    in_order = sorted(
        (number, verb, words) for verb, typed in edits.items() for number, words in typed or ()
    )  # fmt: skip
    for _, verb, words in in_order:
        if verb == "set":
            for word in words:
                _set(edited, word, keep_text=keep_text)
        elif verb == "add":
            _add(edited, words, keep_text=keep_text)
        else:
            _remove(edited, words)
    return edited


def check_edits(edits: Mapping[str, list[Edit] | None], *, keep_text: bool) -> None:
    """Raise BadValue for an edit that no document takes: before one is fetched."""
    for _, words in edits.get("set") or ():
        for word in words:
            path, text = _split(word)
            places_of(path, "--set")
            _value(text, path, "--set", keep_text=keep_text)
    for _, words in edits.get("add") or ():
        places_of(words[0], "--add")
        if len(words) < 2:
            raise BadValue(f"--add {shown(words[0])}: what is to be added?", hint=f"Write --add {words[0]} VALUE")
        _items(words[1:], words[0], keep_text=keep_text)
    for _, words in edits.get("remove") or ():
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
    places = places_of(path, option)
    _make_sections(document, places)
    *before, last = places
    where = label(option, word)
    node = found_at(document, before, where, _how_to_nest(document, places, text))
    if last.member is not None:
        raise BadValue(f"{where}: an item of a list is set by its number.", hint="Write list[0]=…")
    check_fits(node, last, before, where)
    if last.index is None:
        node[last.key] = value
    else:
        check_index(node, last.index, before, where)
        node[last.index] = value


def _add(document: dict[str, Any], words: list[str], *, keep_text: bool) -> None:
    option = "--add"
    places = places_of(words[0], option)
    _make_sections(document, places)
    where = label(option, " ".join(words))
    items = found_at(document, places, where, f"Make the list: --set {words[0]}='[…]'")
    if not isinstance(items, list):
        raise BadValue(f"{where}: {words[0]} is no list.", hint=f"One value: --set {words[0]}=…")
    items += _items(words[1:], words[0], keep_text=keep_text)


def _items(words: list[str], path: str, *, keep_text: bool) -> list[Any]:
    """What is added: pairs that follow each other are one object, with texts in it."""
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
    node = found_at(document, before, where)
    found = inside(node, last, before, where)
    if last.index is not None:
        del node[last.index]
    elif last.key is not None:
        del node[last.key]
    else:
        node.remove(found)


def _check_removal(words: list[str]) -> list[Place]:
    """The path of what is removed. A second word is the number of a list's item, as in every az command."""
    places = places_of(words[0], "--remove")
    if len(words) == 1:
        return places
    index = whole_number(words[1])
    if len(words) > 2 or index is None:
        raise BadValue(
            f"--remove {shown(' '.join(words))}: one path is taken, or a list's path and the number of its item.",
            hint=f"Write {' '.join(f'--remove {each}' for each in words)}",
        )
    return [*places, Place(words[1], index=index)]


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
    if text in PYTHON_WORDS:  # as in every az command
        return {"True": True, "False": False, "None": None}[text]
    try:
        parse_json(text)
    except NotAllowed:
        pass  # what is wrong with it, typed_value says
    except ValueError:
        try:
            return parse_dict_notation(text)
        except ValueError:
            pass
    return typed_value(text, path, option)


def _make_sections(document: dict[str, Any], places: list[Place]) -> None:
    """A twin that has no tags yet shows no member `tags`, and can be given some."""
    if "properties" not in document:
        return
    for section in WRITTEN:
        if [place.key for place in places[: len(section)]] == list(section) and len(places) > len(section):
            node = document
            for key in section:
                node = node.setdefault(key, {})


def _how_to_nest(document: dict[str, Any], places: list[Place], text: str) -> str | None:
    """How to set what has no parent yet: by the options that make the objects on the way."""
    keys = [place.key for place in places]
    if None in keys or "properties" not in document:
        return None
    for section, option in zip(WRITTEN, ("--tags", "--desired"), strict=True):
        if keys[: len(section)] == list(section) and len(keys) > len(section):
            path = ".".join(str(key) for key in keys[len(section) :])
            return f"{option} makes the objects on the way: {option} {path}={text[:40]}"
    return None
