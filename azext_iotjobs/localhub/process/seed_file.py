"""Reads a file of YAML or JSON, as a seed is written, into plain JSON values. PyYAML is imported when there is one.

Values are what JSON would make of them: `yes`, `on` and `2026-12-01` are texts, as ids and tags are meant. A name
that is there twice, and an alias that would make the document endless, are mistakes.
"""

import json
import math
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from azext_iotjobs.localhub.rules.json_values import LONE_SURROGATE, members_or_twice, path_of_twice
from azext_iotjobs.localhub.rules.own_document import shown_path

MAX_BYTES = 64 * 1024 * 1024  # what a hub of as many devices as a seed may have exports, with keys, fits into half
MAX_VALUES = 2_000_000  # aliases can make a small file a huge document
MAX_DEPTH = 40
TAGS = tuple(f"tag:yaml.org,2002:{each}" for each in ("map", "seq", "str"))  # what has no tag has one of these
NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,300})(?:\.\d+)?(?:[eE][+-]?\d+)?")  # of JSON
ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")  # two of them are one character
TWICE = "is there twice."
WORDS = {"null": None, "true": True, "false": False, "~": None, "": None}


class UnreadableSeed(Exception):
    """A file or text that is no YAML, or no YAML that a seed may be; says where."""


class _Twice(Exception):
    """JSON has a name twice."""


def read_seed_file(path: Path) -> Any:
    """The document of a file. Raises UnreadableSeed."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as err:
        raise UnreadableSeed(f"{path} cannot be read: {err.strerror}.") from err
    if len(data) > MAX_BYTES:
        raise UnreadableSeed(f"{path} has more than {MAX_BYTES // 1024**2} MB.")
    try:
        return parse_seed_text(data)
    except UnreadableSeed as err:
        raise UnreadableSeed(f"{path}{err}") from err


def parse_seed_text(data: bytes) -> Any:
    """The document that YAML or JSON describes. Raises UnreadableSeed, whose text begins with `, line N: `."""
    import yaml

    # libyaml, where PyYAML has it, is ten times as fast. Without resolvers it is left to `_scalar` what a scalar
    # without quotes is.
    fastest = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader = type("PlainLoader", (fastest,), {"yaml_implicit_resolvers": {}})
    try:
        text = data.decode("utf-8-sig")
        if text.lstrip()[:1] in ("{", "["):
            try:
                if (value := _json_value(text)) is not None:
                    return value
            except _Twice:
                _refuse_twice(text, loader)
        node = yaml.compose(text, Loader=loader)
    except UnicodeDecodeError as err:
        raise UnreadableSeed(f": it is not UTF-8, at byte {err.start}.") from err
    except yaml.MarkedYAMLError as err:
        mark = err.problem_mark or err.context_mark
        raise UnreadableSeed(f", line {mark.line + 1 if mark else '?'}: this is not YAML: {err.problem}.") from err
    except RecursionError as err:
        raise UnreadableSeed(f": it is nested more than {MAX_DEPTH} levels deep.") from err
    except yaml.YAMLError as err:
        raise UnreadableSeed(f": this is not YAML: {' '.join(str(err).split())}.") from err
    return None if node is None else _Reader().value(node, 0)


def _refuse_twice(text: str, loader: Any) -> None:
    """Raise UnreadableSeed for JSON that has a name twice: as YAML it has lines, but not all JSON is YAML.

    What is not JSON after that name is left to be read as YAML.
    """
    import yaml

    try:
        _Reader().value(yaml.compose(text, Loader=loader), 0)
    except UnreadableSeed as err:
        if TWICE in str(err):
            raise
    except (yaml.YAMLError, RecursionError):
        pass
    with suppress(ValueError):
        path = path_of_twice(json.loads(text, object_pairs_hook=members_or_twice)) or ()
        raise UnreadableSeed(f": {shown_path(path)} {TWICE}")


def _json_value(text: str) -> Any:
    """What JSON describes; None for what is not JSON. Raises _Twice."""
    try:
        value = json.loads(text, object_pairs_hook=_members_once, parse_constant=_no_constant, parse_float=_float)
    except _Twice:
        raise
    except (ValueError, RecursionError):
        return None
    if ESCAPED_SURROGATE.search(text) and LONE_SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        raise UnreadableSeed(": a text in it is not valid Unicode: there is half of a character, \\ud800 to \\udfff.")
    return value


def _members_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise _Twice
    return members


def _float(text: str) -> float | str:
    """A number; one that is too large is a text, as it is in YAML."""
    value = float(text)
    return text if math.isinf(value) else value


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


class _Reader:
    """Nodes of YAML -> plain values."""

    def __init__(self) -> None:
        self._count = 0

    def value(self, node: Any, depth: int) -> Any:
        self._count += 1
        if depth > MAX_DEPTH:
            raise _mistake(node, f"it is nested more than {MAX_DEPTH} levels deep, or refers to itself.")
        if self._count > MAX_VALUES:
            raise _mistake(node, f"with its aliases, the document has more than {MAX_VALUES:,} values.")
        if node.tag not in TAGS:
            raise _mistake(node, f"the tag {node.tag.rpartition(':')[2][:60]!a} is not read; leave it out.")
        if node.id == "mapping":
            return self._mapping(node, depth)
        if node.id == "sequence":
            return [self.value(each, depth + 1) for each in node.value]
        return _scalar(node)

    def _mapping(self, node: Any, depth: int) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for key, inner in node.value:
            if key.id != "scalar":
                raise _mistake(key, "a name has to be a text.")
            _check_unicode(key)
            if key.value in members:
                raise _mistake(key, f"{key.value[:60]!a} {TWICE}")
            members[key.value] = self.value(inner, depth + 1)
        return members


def _scalar(node: Any) -> Any:
    """A scalar as JSON would have it: what is quoted is a text, and what is no number and no word of JSON is too."""
    text: str = node.value
    _check_unicode(node)
    if node.style:  # None or "" without quotes, by who has read it
        return text
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    if not NUMBER.fullmatch(text):
        return text
    return json.loads(text, parse_float=_float)


def _check_unicode(node: Any) -> None:
    if LONE_SURROGATE.search(node.value):
        raise _mistake(node, "a text is not valid Unicode: there is half of a character, \\ud800 to \\udfff.")


def _mistake(node: Any, text: str) -> UnreadableSeed:
    return UnreadableSeed(f", line {node.start_mark.line + 1}: {text}")
