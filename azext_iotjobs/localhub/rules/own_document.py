"""What the hub's own REST takes, read strictly: tables say which members and parameters there are. Pure.

The tables also make the documents about it: docs/generators/local_rest_schema.py.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from azext_iotjobs.localhub.rules.json_values import LONE_SURROGATE, parse_json_with_twice, path_of_twice

Json = Any

SHOWN = 60  # characters of what was seen, in an error
_KINDS: Mapping[type, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a JSON object",
    list: "an array",
    object: "any JSON",
}
_SEEN: Mapping[type, str] = {**_KINDS, int: "a number", dict: "an object"}  # of what is not of the right kind
_FORMATS: Mapping[str, str] = {"byte": "a text, in base64", "date-time": "a text, an instant of ISO 8601"}
_COUNTED: Mapping[type, str] = {str: "characters", list: "items"}  # what `least` and `most` count
_WHOLE, _NUMBER = re.compile(r"-?[0-9]{1,18}"), re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")


class DocumentMistake(Exception):
    """Something in a document that cannot be; `path` names the member, and is empty for the whole.

    has_example: whether the text shows a value that can be instead.
    """

    def __init__(self, path: str, text: str, *, has_example: bool = False) -> None:
        super().__init__(f"{path}: {text}" if path else text)
        self.path = path
        self.has_example = has_example


@dataclass(frozen=True, kw_only=True)
class Member:
    """What one value may be. A float takes whole numbers too; null is as if a member were absent."""

    kind: type  # str, int, float, bool, dict, list; object: any JSON
    what: str = ""  # for people, with its unit; what `allowed` says is not repeated
    title: str = ""  # of a document that the documents about it describe once
    is_required: bool = False  # of an answer's: it is always there
    may_be_null: bool = False  # of an answer's
    default: Json = None  # of one that is absent; nothing that can be changed
    example: Json = None  # a value that errors show; each member of a request's body has one, or one_of
    one_of: tuple[str | int, ...] = ()
    least: float | None = None  # of a number; of a text, how many characters; of an array, how many items
    most: float | None = None
    text_format: str | None = None  # of a text, by OpenAPI's word: "byte" for base64, "date-time"
    members: "Mapping[str, Member] | None" = None  # of an object that has no others; None: any names
    each: "Member | None" = None  # of the values of an object with any names; of an array's items

    @property
    def allowed(self) -> str:
        """What it may be, for people."""
        if self.one_of:
            return _or(map(str, self.one_of))
        limits = self._limits()
        if not limits:
            return _FORMATS.get(self.text_format or "", _KINDS[self.kind])
        if self.kind in _COUNTED:
            return f"{_KINDS[self.kind]} of {limits} {_COUNTED[self.kind]}"
        return f"{_KINDS[self.kind]}, {limits}"

    @property
    def advice(self) -> str:
        """What it may be, with an example as JSON has it."""
        if self.one_of:
            return _or(map(json.dumps, self.one_of))
        return self.allowed if self.example is None else f"{self.allowed}, such as {json.dumps(self.example)}"

    def is_of_kind(self, value: Json) -> bool:
        """Whether a value is a text, a number and so on, as it has to be."""
        kinds = (int, float) if self.kind is float else (self.kind,)
        return isinstance(value, kinds) and (not isinstance(value, bool) or self.kind in (bool, object))

    def holds(self, value: Json) -> bool:
        """Whether a value is allowed; what is inside an object or an array is not looked at."""
        if not self.is_of_kind(value):
            return False
        if self.one_of:
            return value in self.one_of
        if isinstance(value, str):
            return self._is_within(len(value)) and not LONE_SURROGATE.search(value)
        if isinstance(value, list):
            return self._is_within(len(value))
        return not isinstance(value, (int, float)) or self._is_within(value)

    def _limits(self) -> str:
        if self.least is None:
            return "" if self.most is None else f"at most {_number(self.most)}"
        return (
            f"at least {_number(self.least)}" if self.most is None else f"{_number(self.least)} to {_number(self.most)}"
        )

    def _is_within(self, number: float) -> bool:
        return (self.least is None or number >= self.least) and (self.most is None or number <= self.most)


def parse_document(data: bytes) -> Json:
    """The JSON of a body; None of an empty one. Raises DocumentMistake, also for a member that is there twice."""
    if not data.strip():
        return None
    try:
        document = parse_json_with_twice(data)
    except UnicodeDecodeError as err:
        raise DocumentMistake("", f"The body is not JSON: it is not UTF-8, at byte {err.start}.") from err
    except json.JSONDecodeError as err:
        where = f"line {err.lineno}, column {err.colno}"
        raise DocumentMistake("", f"The body is not JSON: {err.msg[:1].lower()}{err.msg[1:]} at {where}.") from err
    except ValueError as err:
        raise DocumentMistake("", f"The body is not JSON: {err}.") from err
    path = path_of_twice(document)
    if path is not None:
        raise DocumentMistake(shown_path(path), "It is there twice.")
    return document


def shown_path(path: Iterable[str | int]) -> str:
    """A path as errors have it: devices[3].tags."""
    shown = ""
    for step in path:
        shown = f"{shown}[{step}]" if isinstance(step, int) else _joined(shown, _name(step))
    return shown


def read_members(document: Json, members: Mapping[str, Member], path: str = "") -> dict[str, Any]:
    """The members of an object that are there and not null, and the defaults of others.

    members: every name that there may be.  path: where the object is; empty for the whole.
    Raises DocumentMistake for an unknown name, a wrong value, and for a required member that is missing.
    """
    if not isinstance(document, dict):
        seen = "null or nothing" if document is None else _seen(document)
        subject = "It" if path else "The body"
        raise DocumentMistake(
            path, f"{subject} must be a JSON object, and is {seen}. It may have {', '.join(members)}."
        )
    for name in document:
        if name not in members:
            raise DocumentMistake(_joined(path, shown(name)), _no_such("member", members))
    found = {name: value for name, value in document.items() if value is not None}
    return _checked(found, members, path)


def read_parameters(given: Iterable[tuple[str, str]], members: Mapping[str, Member]) -> dict[str, Any]:
    """The parameters of a request's query, and the defaults of others.

    given: names and texts, in the request's order.  members: every name that there may be.
    Raises DocumentMistake for an unknown name, one that is there twice, a wrong value, and a required one that is not.
    """
    found: dict[str, Any] = {}
    texts: dict[str, str] = {}
    for name, text in given:
        if name not in members:
            raise DocumentMistake(shown(name), _no_such("parameter", members))
        if name in found:
            raise DocumentMistake(name, "It is there twice.")
        texts[name] = text
        found[name] = _from_text(text, members[name].kind)
    for name, value in found.items():
        if not members[name].holds(value):
            seen = shown(value) if isinstance(value, str) else texts[name]  # a number as it was written
            raise DocumentMistake(name, f"{seen} is not allowed. It is {members[name].allowed}.")
    return _checked(found, members, "")


def _checked(found: Mapping[str, Json], members: Mapping[str, Member], path: str) -> dict[str, Any]:
    """What was found, in order, once it is what it may be."""
    checked = {name: _read(value, members[name], _joined(path, name)) for name, value in found.items()}
    for name, member in members.items():
        if name not in checked:
            if member.is_required:
                raise DocumentMistake(_joined(path, name), f"It is missing. It is {member.advice}.")
            if member.default is not None:
                checked[name] = member.default
    return checked


def _read(value: Json, member: Member, path: str) -> Json:
    if not member.holds(value):
        is_clear = member.is_of_kind(value) or value is None or isinstance(value, bool)
        seen = shown(value) if is_clear else f"{shown(value)}, {_seen(value)},"
        text = f"{seen} is not allowed. It is {member.advice}."
        raise DocumentMistake(path, text, has_example=member.example is not None or bool(member.one_of))
    if member.members is not None:
        return read_members(value, member.members, path)
    if member.each is not None and isinstance(value, dict):
        return {name: _read(each, member.each, _joined(path, _name(name))) for name, each in value.items()}
    if member.each is not None and isinstance(value, list):
        return [_read(each, member.each, f"{path}[{number}]") for number, each in enumerate(value)]
    return value


def _from_text(text: str, kind: type) -> Json:
    """The value that a parameter's text stands for; the text where it is none of its kind."""
    if kind is bool:
        return {"true": True, "false": False}.get(text, text)
    if kind is int and _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if kind is float and _NUMBER.fullmatch(text) else text


def _no_such(what: str, members: Mapping[str, Member]) -> str:
    return f"There is no such {what}. There may be {', '.join(members) or 'none'}."


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _name(name: str) -> str:
    return name if re.fullmatch(r"[\w$-]{1,60}", name, re.ASCII) else shown(name)


def _or(texts: Iterable[str]) -> str:
    *others, last = texts
    return f"{', '.join(others)} or {last}" if others else last


def _number(value: float) -> str:
    return f"{int(value) if value == int(value) else value:,}"


def _seen(value: Json) -> str:
    return shown(value) if value is None or isinstance(value, bool) else _SEEN[type(value)]


def shown(value: Json) -> str:
    """A value, or its beginning, for an error."""
    text = ascii(value) if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
