"""What the members of a document may be: as a table that reads them, and that is a JSON schema for editors.

Reading finds every problem, with its place. What two members mean together is not said here.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from azext_iotjobs.cli.input.problems import Problems
from azext_iotjobs.cli.input.scalars import shown
from azext_iotjobs.cli.input.yaml_items import Item, Misplaced, twice, unknown
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


class Text(NamedTuple):
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
        return [value for each in items if (value := _attempt(self.of, each, problems)) is not None]

    def schema(self) -> Schema:
        """As JSON schema."""
        of = self.of.schema()
        whole = {"type": "array", "items": of, "maxItems": self.most}
        return {"anyOf": [*of.get("anyOf", [of]), whole]} if self.or_one else whole


class Mapped(NamedTuple):
    """An object whose keys are free."""

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
        return {name: _attempt(self.of, each, problems) for name, each in members.items()}

    def schema(self) -> Schema:
        """As JSON schema."""
        return {"type": "object", "additionalProperties": self.of.schema(), "maxProperties": self.most}


class Member(NamedTuple):
    """A member of an object. Null is as good as leaving it out, but for those where it `means` something."""

    form: Form
    text: str  # what it is, for people
    is_required: bool = False
    null_means: bool = False


class Given(dict[str, Any]):
    """The members of an object that are there, by name."""

    def __init__(self, item: Item) -> None:
        super().__init__()
        self.item = item
        self.items_of: dict[str, Item] = {}
        self.is_fine = True  # nothing is wrong with the form of anything in it

    def place(self, path: str) -> Item:
        """The item of a member, such as rule.at; where it is not there, what it would be in. "": the object itself."""
        name, _, rest = path.partition(".")
        item = self.items_of.get(name)
        if item is None:
            return self.item
        inner = self.get(name)
        return inner.place(rest) if rest and isinstance(inner, Given) else item


class Members(NamedTuple):
    """An object of known members."""

    members: Mapping[str, Member]
    ignored: Sequence[str] = ()  # taken, whatever they hold, and not read
    one_of: Sequence[str] = ()  # one of them at least is needed

    def read(self, item: Item, problems: Problems) -> Given:
        """The members that are there."""
        given, before = Given(item), len(problems)
        if not item.is_object:
            problems.add(item, f"{item.shown()}, allowed: an object of {', '.join(self.members)}")
        else:
            self._read(given, problems)
        given.is_fine = len(problems) == before
        return given

    def _read(self, given: Given, problems: Problems) -> None:
        seen: dict[str, Item] = {}
        pairs = given.item.pairs()
        while (pair := _next(pairs, problems)) is not None:
            name, text, node = pair
            if text in seen:
                problems.add(name, twice(text, seen[text].place))
            elif text in self.members:
                self._read_member(given, text, node, problems)
            elif text not in self.ignored:
                problems.add(name, unknown(text, tuple(self.members)))
            seen.setdefault(text, name)
        for text, member in self.members.items():
            if member.is_required and text not in given and text not in seen:
                problems.add(given.item, f"{text} is missing")
        if self.one_of and not set(self.one_of) & set(given):
            problems.add(given.item, f"one of {', '.join(self.one_of)} is missing")

    def _read_member(self, given: Given, text: str, node: Any, problems: Problems) -> None:
        member = self.members[text]
        try:
            item = given.item.member(text, node)
            if item.is_null and member.is_required:
                problems.add(item, "it is null, and is needed")
            if item.is_null and not member.null_means:
                return
            given.items_of[text] = item
            given[text] = None if item.is_null else member.form.read(item, problems)
        except Misplaced as err:
            given.items_of.setdefault(text, given.item)
            given.setdefault(text, None)
            problems.note(err)

    def schema(self) -> Schema:
        """As JSON schema."""
        known = {name: _described(each) for name, each in self.members.items()}
        closed = {**known, **{name: {"description": "Not read."} for name in self.ignored if name not in known}}
        required = [name for name, each in self.members.items() if each.is_required]
        made: Schema = {"type": "object", "additionalProperties": False, "properties": closed}
        if required:
            made["required"] = required
        if self.one_of:
            there = [{"required": [name], "properties": {name: _not_null(known[name])}} for name in self.one_of]
            made["anyOf"] = there
        return made


def _next(pairs: Any, problems: Problems) -> Any:
    """The next pair; None behind the last one, and behind one that is none."""
    try:
        return next(pairs, None)
    except Misplaced as err:
        problems.note(err)
        return None


def _attempt(form: Form, item: Item, problems: Problems) -> Any:
    try:
        return form.read(item, problems)
    except Misplaced as err:
        problems.note(err)
        return None


def _described(member: Member) -> Schema:
    schema = member.form.schema()
    if not member.is_required and schema:
        schema = _or_null(schema)
    return {"description": member.text, **schema}


def _or_null(schema: Schema) -> Schema:
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], {"type": "null"}]}
    kinds = schema["type"]
    return {**schema, "type": [*([kinds] if isinstance(kinds, str) else kinds), "null"]}


def _not_null(schema: Schema) -> Schema:
    kinds = schema.get("type")
    return {"type": [each for each in kinds if each != "null"]} if isinstance(kinds, list) else {}
