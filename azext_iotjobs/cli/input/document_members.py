"""What the members of a document may be: as a table that reads them, and that is a JSON schema for editors.

What two members mean together is not said here.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from azext_iotjobs.cli.input.document_form import Form, Schema
from azext_iotjobs.cli.input.problems import Problems
from azext_iotjobs.cli.input.yaml_items import Item, Misplaced, twice, unknown


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
