"""Pairs as typed -> a JSON object: `delay=5 mode=fast properties.desired.fan=true`.

A value that is JSON is read as JSON; another one is text, and so is every value between single quotes. A number that
would be stored with other digits is refused: nobody would notice the change.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from azext_iotjobs.cli.input.scalars import existing_file, shown, text_of_file
from azext_iotjobs.cli.input.strict_json import NotAllowed, parse_json
from azext_iotjobs.model.errors import BadValue

SEGMENT = r"""(?:"[^"]+"|'[^']+'|[^\s.=,"'{}\[\]@-][^\s.=,"'{}\[\]]*)"""
PAIR = re.compile(rf"(?P<path>{SEGMENT}(?:\.{SEGMENT})*)=(?P<value>.*)", re.DOTALL)
# Text in form, but hardly ever intended as text: PowerShell writes $true as True.
PYTHON_WORDS = {"True": "true", "False": "false", "None": "null"}
EDITS = ("--set", "--add")  # which take paths, and no whole object as their value
MAX_EXACT = 2**53 - 1  # RFC 8259 6; a hub itself takes 2**52 in twins
SECOND_PAIR = re.compile(rf",\s*{SEGMENT}=")


def is_pair(word: str) -> bool:
    """Whether a word has the form path=value."""
    return PAIR.fullmatch(word) is not None


def object_of(words: Sequence[str], option: str) -> dict[str, Any]:
    """The object that pairs describe, in their order.

    words: as typed.  option: its name, for errors.
    Raises BadValue for a word that is not a pair, a key that is given twice and a value that is probably a mistake.
    """
    root: dict[str, Any] = {}
    for word in words:
        pair = PAIR.fullmatch(word)
        if pair is None:
            raise BadValue(
                f"{option}: {shown(word)} is not key=value.",
                hint=f"Give JSON as one word, or pairs: {option} delay=5 mode=fast options.retries=3",
            )
        path = [_key(segment) for segment in re.findall(SEGMENT, pair["path"])]
        _set(root, path, _value(pair, option), option)
    return root


def _key(segment: str) -> str:
    return segment[1:-1] if segment[0] in "\"'" else segment


def _set(root: dict[str, Any], path: list[str], value: Any, option: str) -> None:
    node = root
    for segment in path[:-1]:
        node = node.setdefault(segment, {})
        if not isinstance(node, dict):
            raise BadValue(f"{option}: {shown('.'.join(path))} is below a key that has a value of its own.")
    if path[-1] in node:
        raise BadValue(f"{option}: {shown('.'.join(path))} is given twice.")
    node[path[-1]] = value


def typed_value(text: str, key: str, option: str) -> Any:
    """The value of the text behind `key=`: JSON if it is that, else text; always text between single quotes.

    key, option: as typed, for errors.
    Raises BadValue for what is probably a mistake, and for a number that would be stored with other digits: `4.10` is
    more often a version than it is 4.1.
    """
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1]
    pair = f"{key}={text}"
    try:
        value = parse_json(text)
    except NotAllowed as err:
        raise BadValue(f"{option}: {shown(pair)}: {err}.", hint=_as_text(key, text, option)) from err
    except ValueError as err:
        reason = _likely_mistake(text)
        if reason is not None:
            raise BadValue(f"{option}: {shown(pair)}: {reason}.", hint=_as_text(key, text, option)) from err
        return text
    if isinstance(value, int | float) and not isinstance(value, bool):
        _check_comes_back(value, text, key, option)
    return value


def _value(pair: re.Match[str], option: str) -> Any:
    text = pair["value"]
    if text.startswith("@"):
        text = _content_of(text[1:], option) or text
    return typed_value(text, pair["path"], option)


def _check_comes_back(number: float, text: str, key: str, option: str) -> None:
    again = json.dumps(number)
    pair = shown(f"{key}={text}")
    if again != text.strip():
        raise BadValue(
            f"{option}: {pair} would be stored as the number {again}.",
            hint=f"{_as_text(key, text, option)}. As that number: {option} {key}={again}",
        )
    if isinstance(number, int) and abs(number) > MAX_EXACT:
        raise BadValue(
            f"{option}: {pair}: many programs read whole numbers exactly up to {MAX_EXACT} only.",
            hint=f"{_as_text(key, text, option)}. As that number, in JSON: {option} '{_nested(key, again)}'"
            if PAIR.fullmatch(f"{key}=") and option not in EDITS
            else _as_text(key, text, option),
        )


def _nested(key: str, number: str) -> str:
    for segment in reversed(re.findall(SEGMENT, key)):
        number = f"{{{json.dumps(_key(segment))}: {number}}}"
    return number


def _content_of(path: str, option: str) -> str | None:
    """A file's content, by which az itself would replace @file; None when there is no such file."""
    return text_of_file(path, option).rstrip("\r\n") if existing_file(path) else None


def _likely_mistake(text: str) -> str | None:
    """Why a value that is not JSON is probably not intended as text; None when it may be."""
    if text in PYTHON_WORDS:
        return f"JSON writes {PYTHON_WORDS[text]}"
    if text.startswith(("{", "[", '"')):
        return "the value begins like JSON, but is not JSON; the shell may have removed its quotes"
    if SECOND_PAIR.search(text):
        return "this looks like two pairs; put a space between them, and no comma"
    return None


def _as_text(key: str, text: str, option: str) -> str:
    return f"If it is meant as text, put it between single quotes inside double ones: {option} \"{key}='{text[:40]}'\""
