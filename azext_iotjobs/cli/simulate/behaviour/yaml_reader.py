"""A YAML reader whose values know their lines: strict, bounded, without the surprises of YAML 1.1.

Only what JSON writes so is true, false, null or a number: `off`, `no`, `12:30`, `007` and dates stay texts. Tags and
duplicate keys are refused; anchors and aliases are followed within bounds.
"""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml

from azext_iotjobs.cli.input.scalars import shown
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.simulator.expressions import did_you_mean

MAX_BYTES = 256 * 1024
MAX_VALUES = 50_000  # with aliases followed: nine lines of them can stand for a billion
MAX_DEPTH = 40
CONSTANTS = {"null": None, "~": None, "": None, "true": True, "false": False}
WHOLE = re.compile(r"-?(0|[1-9][0-9]*)")
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
MAX_NUMBER = 1e15
MAX_DIGITS = 17  # of a whole number; the hub takes 16
PLAIN_TAGS = {"str", "map", "seq"}


class _Source:
    """The text that items are read from, and how many have been read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.count = 0


@dataclass(frozen=True)
class Item:
    """One value."""

    node: yaml.Node
    path: str  # from the top: methods.reboot.latency
    source: _Source
    depth: int = 0

    def __post_init__(self) -> None:
        self.source.count += 1
        if self.source.count > MAX_VALUES:
            raise self.wrong(f"the file stands for more than {MAX_VALUES} values, counted through its aliases")
        if self.depth > MAX_DEPTH:
            raise self.wrong(f"it is nested more than {MAX_DEPTH} deep, or contains itself")
        tag = self.node.tag.rpartition(":")[2]
        if tag not in PLAIN_TAGS or not self.node.tag.startswith("tag:yaml.org,2002:"):
            raise self.wrong(f"the tag {shown(self.node.tag)} is not taken; leave it out")

    @property
    def line(self) -> int:
        """From 1."""
        return int(self.node.start_mark.line) + 1

    def wrong(self, what: str, hint: str | None = None) -> BadValue:
        """The error that says what is wrong and where."""
        where = f"{self.path}: " if self.path else ""
        text = f"{self.source.name}, line {self.line}: {where}{what}."
        # Keys may hold control characters, written as escapes.
        plain = "".join(letter if letter.isprintable() else "?" for letter in text)
        return BadValue(plain, hint=hint)

    def refuse(self, allowed: str) -> NoReturn:
        """Raise the error that says what is there and what is allowed."""
        raise self.wrong(f"{self.shown()}, allowed: {allowed}")

    def shown(self) -> str:
        """The value in few words."""
        if isinstance(self.node, yaml.MappingNode):
            return f"an object of {', '.join(shown(key.value) for key, _ in self.node.value[:3]) or 'nothing'}"
        return f"a list of {len(self.node.value)}" if self.is_list else shown(str(self.node.value))

    @property
    def is_object(self) -> bool:
        """Whether it has members."""
        return isinstance(self.node, yaml.MappingNode)

    @property
    def is_list(self) -> bool:
        """Whether it has items."""
        return isinstance(self.node, yaml.SequenceNode)

    @property
    def is_null(self) -> bool:
        """Whether it is null."""
        return not self.is_object and not self.is_list and self.scalar() is None

    def scalar(self) -> Any:
        """A text, number, true, false or None. Only for an item that is neither an object nor a list."""
        text = str(self.node.value)
        if self.node.style is not None:  # quoted, or a block
            return text
        if text in CONSTANTS:
            return CONSTANTS[text]
        if WHOLE.fullmatch(text):
            return int(text) if len(text) <= MAX_DIGITS else text
        number = float(text) if NUMBER.fullmatch(text) else math.inf
        return number if math.isfinite(number) else text

    def members(self, *, allowed: Collection[str] | None = None) -> dict[str, "Item"]:
        """Its members; none of another name than `allowed`, if that is given."""
        if not self.is_object:
            self.refuse("an object" + (f" of {', '.join(allowed)}" if allowed is not None else ""))
        found: dict[str, Item] = {}
        for key, value in self.node.value:
            name = Item(key, self.path, self.source, self.depth + 1)
            if name.is_object or name.is_list:
                raise name.wrong("a key is a text")
            text = str(key.value)
            if text in found:
                raise name.wrong(f"the key {shown(text)} occurs twice, first in line {found[text].line}")
            if allowed is not None and text not in allowed:
                known = ", ".join(allowed)
                raise name.wrong(f"unknown key {shown(text)}{did_you_mean(text, allowed)}, allowed: {known}")
            path = f"{self.path}.{text}" if self.path else text
            found[text] = Item(value, path, self.source, self.depth + 1)
        return found

    def items(self) -> list["Item"]:
        """Its items."""
        if not self.is_list:
            self.refuse("a list")
        return [
            Item(node, f"{self.path}[{index}]", self.source, self.depth + 1)
            for index, node in enumerate(self.node.value)
        ]

    def value(self) -> Any:
        """The value as JSON."""
        if self.is_object:
            return {key: item.value() for key, item in self.members().items()}
        return [item.value() for item in self.items()] if self.is_list else self.scalar()

    def at(self, path: tuple[str | int, ...]) -> "Item":
        """The item at a path of keys and positions."""
        item = self
        for step in path:
            item = item.items()[step] if isinstance(step, int) else item.members()[step]
        return item

    def text(self) -> str:
        """A text that is not empty."""
        value = None if self.is_object or self.is_list else self.scalar()
        if not isinstance(value, str) or not value:
            self.refuse("a text")
        return value

    def number(self, least: float = -MAX_NUMBER, most: float = MAX_NUMBER) -> float:
        """A number within bounds."""
        value = None if self.is_object or self.is_list else self.scalar()
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            self.refuse(f"a number{_bounds(least, most)}")
        return value

    def whole(self, least: int, most: int) -> int:
        """A whole number within bounds."""
        value = self.number(least, most)
        if not isinstance(value, int):
            self.refuse(f"a whole number{_bounds(least, most)}")
        return value

    def one_of(self, words: Mapping[str, Any]) -> Any:
        """The value in `words` for the word that is there."""
        value = None if self.is_object or self.is_list else self.scalar()
        if not isinstance(value, str) or value not in words:
            self.refuse(", ".join(words))
        return words[value]


def read(content: str, name: str) -> Item:
    """Read a YAML text, which holds one document.

    name: how errors name it.
    Raises BadValue, with the line.
    """
    if len(content.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise BadValue(f"{name} is larger than {MAX_BYTES // 1024} KB.")
    try:
        node = yaml.compose(content, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as err:
        mark = err.problem_mark or err.context_mark
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise BadValue(f"{name}{line}: this is not YAML: {err.problem or err.context}.", hint=_hint(err)) from None
    except yaml.YAMLError as err:
        raise BadValue(f"{name}: this is not YAML: {str(err).splitlines()[0]}.") from None
    except RecursionError:
        raise BadValue(f"{name}: it is nested too deeply.") from None
    if node is None:
        raise BadValue(f"{name} is empty.")
    return Item(node, "", _Source(name))


def _hint(err: yaml.MarkedYAMLError) -> str | None:
    if "'$'" in str(err.problem) or "flow" in str(err.context):
        return 'Within braces and brackets, ${…} has to stand in quotes: {at: "${now}"}.'
    return None


def _bounds(least: float, most: float) -> str:
    if least > -MAX_NUMBER and most < MAX_NUMBER:
        return f" from {least:g} to {most:g}"
    if least > -MAX_NUMBER:
        return f", {least:g} or more"
    return f", at most {most:g}" if most < MAX_NUMBER else ""
