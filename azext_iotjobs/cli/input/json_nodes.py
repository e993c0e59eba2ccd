"""JSON -> the nodes that YAML's reader makes, with the place of each value.

YAML's own reader takes most JSON, but neither tabs between values, nor half of the characters' escapes, nor a large
text in good time.
"""

import json
import math
import re
from bisect import bisect_right
from typing import Any

import yaml

from azext_iotjobs.cli.input.yaml_items import JSON_NUMBER, WHOLE, Place, Source
from azext_iotjobs.model.errors import BadValue

SPACE = re.compile(r"[ \t\r\n]*")
TEXT = re.compile(r'"[^"\\\x00-\x1f]*(?:\\.[^"\\\x00-\x1f]*)*"')
WORD = re.compile(r"[A-Za-z0-9+.-]+")
WORDS = ("true", "false", "null")
TAG = "tag:yaml.org,2002:"


def read(content: str, source: Source) -> yaml.Node:
    """The node of a text that is one JSON value. Raises BadValue, with the place."""
    return _Reader(content.removeprefix("\ufeff"), source).whole()


class _Reader:
    def __init__(self, content: str, source: Source) -> None:
        self._content = content
        self._source = source
        self._at = 0
        self._starts = [0, *(each.end() for each in re.finditer(r"\n", content))]

    def whole(self) -> yaml.Node:
        node = self._value(0)
        self._skip()
        if self._at < len(self._content):
            raise self._wrong("there is more after the end of the value")
        return node

    def _value(self, depth: int) -> yaml.Node:
        self._skip()
        if depth > self._source.limits.depth:
            raise self._wrong(f"it is nested more than {self._source.limits.depth} deep")
        match self._content[self._at : self._at + 1]:
            case "{":
                return self._object(depth)
            case "[":
                return self._list(depth)
            case '"':
                return self._text()
        return self._word()

    def _object(self, depth: int) -> yaml.Node:
        begins = self._mark()
        members: list[Any] = []
        self._at += 1
        while not self._ends("}", is_first=not members):
            self._skip()
            if not self._content.startswith('"', self._at):
                raise self._wrong("a key in double quotes has to stand here")
            key = self._text()
            self._skip()
            if not self._content.startswith(":", self._at):
                raise self._wrong("a colon has to stand here")
            self._at += 1
            members.append((key, self._value(depth + 1)))
        return yaml.MappingNode(f"{TAG}map", members, begins, self._mark(), flow_style=True)

    def _list(self, depth: int) -> yaml.Node:
        begins = self._mark()
        items: list[Any] = []
        self._at += 1
        while not self._ends("]", is_first=not items):
            items.append(self._value(depth + 1))
        return yaml.SequenceNode(f"{TAG}seq", items, begins, self._mark(), flow_style=True)

    def _ends(self, end: str, *, is_first: bool) -> bool:
        """Go past the end of an object or list, or past the comma before its next part."""
        self._skip()
        letter = self._content[self._at : self._at + 1]
        if letter == end:
            self._at += 1
            return True
        if is_first:
            return False
        if letter != ",":
            raise self._wrong(f"a comma or {end} has to stand here")
        self._at += 1
        return False

    def _text(self) -> yaml.Node:
        begins, found = self._mark(), TEXT.match(self._content, self._at)
        if found is None:
            raise self._wrong("a text has no end in its line, or a control character in it")
        try:
            text = json.loads(found[0])
        except json.JSONDecodeError as err:
            self._at += err.pos
            raise self._wrong(err.msg) from None
        self._at = found.end()
        return yaml.ScalarNode(f"{TAG}str", text, begins, self._mark(), style='"')

    def _word(self) -> yaml.Node:
        begins, found = self._mark(), WORD.match(self._content, self._at)
        word = "" if found is None else found[0]
        is_number = JSON_NUMBER.fullmatch(word) is not None
        if word not in WORDS and not is_number:
            raise self._wrong("a value has to stand here")
        if is_number and not WHOLE.fullmatch(word) and not math.isfinite(float(word)):
            raise self._wrong("the number is too large")
        self._at += len(word)
        return yaml.ScalarNode(f"{TAG}str", word, begins, self._mark(), style=None)

    def _skip(self) -> None:
        found = SPACE.match(self._content, self._at)
        assert found is not None  # it matches nothing, too
        self._at = found.end()

    def _place(self) -> Place:
        line = bisect_right(self._starts, self._at)
        return Place(line, self._at - self._starts[line - 1] + 1)

    def _mark(self) -> yaml.Mark:
        line, column = self._place()
        return yaml.Mark(self._source.name, self._at, line - 1, column - 1, None, None)

    def _wrong(self, what: str) -> BadValue:
        return BadValue(f"{self._source.at(self._place())}: this is not JSON: {what}.")
