"""Values of a YAML or JSON text that know where they stand: strict, bounded, without the surprises of YAML 1.1.

`off`, `no`, `12:30`, `007` and dates stay texts. Tags, merge keys and duplicate keys are refused; anchors and aliases
are followed within bounds. Texts are read by yaml_reader.py.
"""

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple, NoReturn, TypeVar

import yaml

from azext_iotjobs.cli.input.parameters import Parameters, Unfit
from azext_iotjobs.cli.input.scalars import shown
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.similar import did_you_mean

Filled = TypeVar("Filled")

CONSTANTS = {"null": None, "~": None, "": None, "true": True, "false": False}
WHOLE = re.compile(r"-?(0|[1-9][0-9]*)")
# As JSON has it; and as az prints numbers in YAML, where 1e5 without point and sign is a text.
JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
YAML_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+([eE][-+][0-9]+)?")
MAX_NUMBER = 1e15
PLAIN_TAGS = {"str", "map", "seq"}
MERGE = "<<"


class Limits(NamedTuple):
    """How much a text may hold."""

    size_bytes: int
    values: int  # with aliases followed: nine lines of them can stand for a billion
    depth: int
    digits: int  # of a whole number; a longer one is a text


class Place(NamedTuple):
    """Where something stands."""

    line: int  # from 1
    column: int  # from 1


class Misplaced(BadValue):
    """Something is wrong at a place of a text."""

    def __init__(
        self, message: str, place: Place, *, hint: str | None = None, path: str = "", said: str | None = None
    ) -> None:
        """path: of the member that is wrong, from the top.  said: the message without the place; None: that."""
        super().__init__(message, hint=hint)
        self.place = place
        self.path = path
        self.said = message if said is None else said


@dataclass(kw_only=True)
class Source:
    """A text that items are read from, and how many have been read."""

    name: str
    limits: Limits
    number: re.Pattern[str] = JSON_NUMBER
    has_columns: bool = False  # errors begin with file.yaml:12:5, which editors follow; else with "file.yaml, line 12"
    parameters: Parameters | None = None  # None: ${name} is a text as any other
    count: int = 0

    def at(self, place: Place) -> str:
        """How errors name a place."""
        if self.has_columns:
            return f"{self.name}:{place.line}:{place.column}"
        return f"{self.name}, line {place.line}"


class Written(NamedTuple):
    """A scalar, with parameters filled in."""

    text: str
    is_plain: bool  # it is not quoted: what looks like a number is one
    is_parameter: bool = False  # it was one parameter and nothing else


@dataclass(frozen=True)
class Item:
    """One value."""

    node: yaml.Node
    path: str  # from the top: methods.reboot.latency
    source: Source
    depth: int = 0

    def __post_init__(self) -> None:
        limits = self.source.limits
        self.source.count += 1
        if self.source.count > limits.values:
            text = f"the file stands for more than {limits.values} values, counted through its aliases"
            raise BadValue(str(self.wrong(text)))
        if self.depth > limits.depth:
            raise self.wrong(f"it is nested more than {limits.depth} deep, or contains itself")
        tag = self.node.tag.rpartition(":")[2]
        if tag not in PLAIN_TAGS or not self.node.tag.startswith("tag:yaml.org,2002:"):
            raise self.wrong(f"the tag {shown(self.node.tag)} is not taken; leave it out")

    @property
    def place(self) -> Place:
        """Where it begins."""
        mark = self.node.start_mark
        return Place(int(mark.line) + 1, int(mark.column) + 1)

    def wrong(self, what: str, hint: str | None = None) -> Misplaced:
        """The error that says what is wrong and where."""
        where = f"{self.path}: " if self.path else ""
        return self.misplaced(f"{where}{what}.", hint)

    def misplaced(self, text: str, hint: str | None = None, path: str | None = None) -> Misplaced:
        """The error that says this, and where it is so. path: of a member that is not there; None: of this item."""
        # Keys may hold control characters, written as escapes.
        plain = "".join(letter if letter.isprintable() else "?" for letter in text)
        message = f"{self.source.at(self.place)}: {plain}"
        return Misplaced(message, self.place, hint=hint, path=self.path if path is None else path, said=plain)

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

    @property
    def written(self) -> Written:
        """What is written, with parameters filled in. Only for an item that is neither an object nor a list."""
        text, is_plain = str(self.node.value), self.node.style is None
        if self.source.parameters is None:
            return Written(text, is_plain)
        filled, is_parameter = self._with_values(self.source.parameters.filled)
        is_as_before = filled == text and not is_parameter
        return Written(filled, is_plain and (is_as_before or is_parameter), is_parameter)

    @property
    def condition(self) -> str:
        """The same, as the condition of a query: within its quotes a value stays a text."""
        parameters = self.source.parameters
        return str(self.node.value) if parameters is None else self._with_values(parameters.filled_condition)

    def _with_values(self, fill: Callable[[str], Filled]) -> Filled:
        try:
            return fill(str(self.node.value))
        except Unfit as err:
            raise self.wrong(str(err)) from None

    def scalar(self) -> Any:
        """A text, number, true, false or None. Only for an item that is neither an object nor a list."""
        written = self.written
        return self._typed(written.text, written.is_parameter) if written.is_plain else written.text

    def unquoted(self) -> Any:
        """The same; what is nothing but a parameter is read as if it stood there without quotes."""
        written = self.written
        is_typed = written.is_plain or written.is_parameter
        return self._typed(written.text, written.is_parameter) if is_typed else written.text

    def _typed(self, text: str, is_parameter: bool) -> Any:
        if text in CONSTANTS and (text or not is_parameter):
            return CONSTANTS[text]
        if WHOLE.fullmatch(text):
            return int(text) if len(text) <= self.source.limits.digits else text
        number = float(text) if self.source.number.fullmatch(text) else math.inf
        return number if math.isfinite(number) else text

    def pairs(self) -> Iterator[tuple["Item", str, yaml.Node]]:
        """The keys of its members as items and as texts, with the nodes of their values; duplicates too."""
        for key, value in self.node.value:
            name = Item(key, self.path, self.source, self.depth + 1)
            if name.is_object or name.is_list:
                raise name.wrong("a key is a text")
            if key.value == MERGE and key.style is None:
                raise name.wrong("merge keys are not taken; write the members out")
            yield name, str(key.value), value

    def member(self, name: str, node: yaml.Node) -> "Item":
        """One of its members."""
        return Item(node, f"{self.path}.{name}" if self.path else name, self.source, self.depth + 1)

    def members(self, *, allowed: Collection[str] | None = None) -> dict[str, "Item"]:
        """Its members; none of another name than `allowed`, if that is given."""
        if not self.is_object:
            self.refuse("an object" + (f" of {', '.join(allowed)}" if allowed is not None else ""))
        found: dict[str, Item] = {}
        for name, text, value in self.pairs():
            if text in found:
                raise name.wrong(twice(text, found[text].place))
            if allowed is not None and text not in allowed:
                raise name.wrong(unknown(text, allowed))
            found[text] = self.member(text, value)
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
        value = None if self.is_object or self.is_list else self.unquoted()
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


def twice(name: str, first: Place) -> str:
    """What is wrong with a key that stands there a second time."""
    return f"the key {shown(name)} occurs twice, first in line {first.line}"


def unknown(name: str, allowed: Collection[str]) -> str:
    """What is wrong with a key that is not allowed."""
    return f"unknown key {shown(name)}{did_you_mean(name, allowed)}, allowed: {', '.join(allowed)}"


def _bounds(least: float, most: float) -> str:
    if least > -MAX_NUMBER and most < MAX_NUMBER:
        return f" from {least:.15g} to {most:.15g}"
    if least > -MAX_NUMBER:
        return f", {least:.15g} or more"
    return f", at most {most:.15g}" if most < MAX_NUMBER else ""
