"""What a value in a document may be: as a form that reads it, and that is a JSON schema for editors.

Reading finds every problem, with its place. Objects of known members: document_members.py.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from azext_iotjobs.cli.input.problems import Problems
from azext_iotjobs.cli.input.scalars import shown
from azext_iotjobs.cli.input.yaml_items import Item, Misplaced
from azext_iotjobs.model.similar import did_you_mean

Schema = dict[str, Any]
PARAMETER = {"$ref": "#/$defs/parameter"}
DEFINITIONS: Schema = {"parameter": {"description": "A parameter.", "type": "string", "pattern": r"^\$\{[^{}]+\}$"}}


class Form(Protocol):
    """What a value may be."""

    def read(self, item: Item, problems: Problems) -> Any:
        """The value; anything where a problem is noted. Raises Misplaced."""

    def schema(self) -> Schema:
        """The same as JSON schema."""


class TextForm(NamedTuple):
    """A text; numbers, true and false are taken as they are written."""

    is_line: bool = True  # no line breaks and control characters

    def read(self, item: Item, problems: Problems) -> str:
        """The text."""
        if item.is_object or item.is_list or item.is_null:
            item.refuse("a text")
        text = item.written.text
        if self.is_line and not text.isprintable():
            problems.add(item, "control characters and line breaks are not allowed")
        return text

    def schema(self) -> Schema:
        """As JSON schema."""
        return {"type": ["string", "number", "boolean"]}


class Condition(NamedTuple):
    """The condition of a query; a parameter within its quotes stands for a text, whatever is in it."""

    def read(self, item: Item, problems: Problems) -> str:
        """The condition."""
        if item.is_object or item.is_list or item.is_null:
            item.refuse("a condition")
        return item.condition

    def schema(self) -> Schema:
        """As JSON schema."""
        return {"type": ["string", "number", "boolean"]}


class Number(NamedTuple):
    """A number within bounds."""

    least: float
    most: float
    is_whole: bool = False
    is_above: bool = False  # more than `least`

    def read(self, item: Item, problems: Problems) -> float:
        """The number: an int where it has to be whole."""
        value = item.whole(int(self.least), int(self.most)) if self.is_whole else item.number(self.least, self.most)
        if self.is_above and value <= self.least:
            item.refuse(f"more than {self.least:g}")
        return value if self.is_whole else float(value)

    def schema(self) -> Schema:
        """As JSON schema."""
        bound = "exclusiveMinimum" if self.is_above else "minimum"
        kind = "integer" if self.is_whole else "number"
        return {"anyOf": [{"type": kind, bound: self.least, "maximum": self.most}, PARAMETER]}


class YesNo(NamedTuple):
    """True or false."""

    def read(self, item: Item, problems: Problems) -> bool:
        """Which of them."""
        value = None if item.is_object or item.is_list else item.unquoted()
        if not isinstance(value, bool):
            item.refuse("true, false")
        return value

    def schema(self) -> Schema:
        """As JSON schema."""
        return {"anyOf": [{"type": "boolean"}, PARAMETER]}


class Word(NamedTuple):
    """One of some words."""

    words: Sequence[str]

    def read(self, item: Item, problems: Problems) -> str:
        """The word."""
        text = "" if item.is_object or item.is_list else item.written.text
        if text not in self.words:
            like = did_you_mean(text, self.words)
            raise item.wrong(f"{item.shown()}{like}, allowed: {', '.join(self.words)}")
        return text

    def schema(self) -> Schema:
        """As JSON schema."""
        return {"anyOf": [{"enum": list(self.words)}, PARAMETER]}


class Whatever(NamedTuple):
    """Any JSON, or any object."""

    is_object: bool = False

    def read(self, item: Item, problems: Problems) -> Any:
        """The value."""
        if self.is_object and not item.is_object:
            item.refuse("an object")
        return item.value()

    def schema(self) -> Schema:
        """As JSON schema."""
        return {"type": "object"} if self.is_object else {}


class Listed(NamedTuple):
    """A list; where `or_one` is set, what would be its only item may stand in its place."""

    of: Form
    most: int
    or_one: bool = False

    def read(self, item: Item, problems: Problems) -> list[Any]:
        """The values of its items."""
        if self.or_one and not item.is_list:
            return [self.of.read(item, problems)]
        items = item.items()
        if len(items) > self.most:
            raise item.wrong(f"a list of {len(items)}, allowed: {self.most}")
        return [value for each in items if (value := attempt(self.of, each, problems)) is not None]

    def schema(self) -> Schema:
        """As JSON schema."""
        of = self.of.schema()
        whole = {"type": "array", "items": of, "maxItems": self.most}
        return {"anyOf": [*of.get("anyOf", [of]), whole]} if self.or_one else whole


class Mapped(NamedTuple):
    """An object whose keys are free, but for an equals sign: options write a key and its value as key=value."""

    of: Form
    most: int

    def read(self, item: Item, problems: Problems) -> dict[str, Any]:
        """The values of its members."""
        members = item.members()
        if len(members) > self.most:
            raise item.wrong(f"an object of {len(members)}, allowed: {self.most}")
        for name, each in members.items():
            if not name.strip() or not name.isprintable():
                problems.add(each, f"the key {shown(name)}: give a text without line breaks and control characters")
            elif "=" in name:
                problems.add(each, f"the key {shown(name)}: give a text without an equals sign")
        return {name: attempt(self.of, each, problems) for name, each in members.items()}

    def schema(self) -> Schema:
        """As JSON schema."""
        return {"type": "object", "additionalProperties": self.of.schema(), "maxProperties": self.most}


def attempt(form: Form, item: Item, problems: Problems) -> Any:
    """The value; None where a problem is noted."""
    try:
        return form.read(item, problems)
    except Misplaced as err:
        problems.note(err)
        return None
