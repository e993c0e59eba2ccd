"""Reads a file of YAML or JSON, as a seed is written, into plain JSON values. PyYAML is imported when there is one.

Values are what JSON would make of them: `yes`, `on` and `2026-12-01` are texts, as ids and tags are meant. A name
that is there twice, and an alias that would make the document endless, are mistakes.
"""

from pathlib import Path
from typing import Any

MAX_BYTES = 20 * 1024 * 1024
MAX_VALUES = 2_000_000  # aliases can make a small file a huge document
MAX_DEPTH = 40
PLAIN_TAGS = ("null", "bool", "int", "float")  # scalars without quotes that are not texts
WORDS = {"null": None, "true": True, "false": False, "~": None, "": None}


class UnreadableSeed(Exception):
    """A file or text that is no YAML, or no YAML that a seed may be; says where."""


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

    try:
        text = data.decode("utf-8-sig")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except UnicodeDecodeError as err:
        raise UnreadableSeed(f": it is not UTF-8, at byte {err.start}.") from err
    except yaml.MarkedYAMLError as err:
        mark = err.problem_mark or err.context_mark
        raise UnreadableSeed(f", line {mark.line + 1 if mark else '?'}: this is not YAML: {err.problem}.") from err
    except (yaml.YAMLError, RecursionError) as err:
        raise UnreadableSeed(f": this is not YAML: {err}.") from err
    return None if node is None else _Reader().value(node, 0)


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
            if key.value in members:
                raise _mistake(key, f"{key.value[:60]!a} is there twice.")
            members[key.value] = self.value(inner, depth + 1)
        return members


def _scalar(node: Any) -> Any:
    """A scalar as JSON would have it: what is quoted is a text, and what is no number and no word of JSON is too."""
    import json

    text: str = node.value
    if node.style is not None or node.tag.rpartition(":")[2] == "str":
        return text
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, (int, float)) and value == value and abs(value) != float("inf") else text


def _mistake(node: Any, text: str) -> UnreadableSeed:
    return UnreadableSeed(f", line {node.start_mark.line + 1}: {text}")
