"""The filter of an IoT Central device group: SELECT * FROM devices WHERE …, read into a condition. Pure.

What IoT Central documents is read: comparisons of a name with a value, IN, AND, OR, and parentheses; NOT, too, which
has one meaning. Everything else is refused with its place.
Source: IoT Central "How to use the REST API to query devices", WHERE clause; device groups of its data plane.
"""

from typing import NamedTuple

from azext_iotjobs.central.filter_tokens import Token, tokens_of, unquoted
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.late_dataclass import dataclass

MAX_DEPTH = 50  # of parentheses; IoT Central takes 10 operators
MAX_NAMES = 2  # of a path: a component and a property
TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}  # value < name is name > value
START = "SELECT * FROM devices"
CONSTANTS = {"TRUE": True, "FALSE": False, "NULL": None}


class Literal(NamedTuple):
    """A value in a filter."""

    value: str | bool | None  # of a number its text, which is kept as it is
    is_number: bool = False


@dataclass(frozen=True)
class Comparison:
    """name = value."""

    path: str  # as it is written, such as deviceInformation.model
    operator: str
    literal: Literal


@dataclass(frozen=True)
class Membership:
    """name IN [value, …]."""

    path: str
    literals: tuple[Literal, ...]


@dataclass(frozen=True)
class AllOf:
    """One AND another, and so on."""

    parts: tuple["Node", ...]


@dataclass(frozen=True)
class AnyOf:
    """One OR another, and so on."""

    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Negation:
    """NOT something."""

    part: "Node"


Node = Comparison | Membership | AllOf | AnyOf | Negation


def parse_filter(text: str) -> Node | None:
    """The condition of a filter; None: it has none, so it means all devices. Raises BadValue, naming the place."""
    return _Parser(tokens_of(text)).filter()


class _Parser:
    """Descends from what binds least: OR, AND, NOT, a comparison."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    @property
    def _here(self) -> Token:
        return self._tokens[self._next]

    def filter(self) -> Node | None:
        for word in START.split():
            self._expect(word)
        if self._here.kind == "end":
            return None
        self._expect("WHERE")
        found = self._any_of()
        if self._here.kind != "end":
            raise BadValue(f"filter has {self._here.where}, where it should end.")
        return found

    def _any_of(self) -> Node:
        parts = [self._all_of()]
        while self._takes("OR"):
            parts.append(self._all_of())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all_of(self) -> Node:
        parts = [self._single()]
        while self._takes("AND"):
            parts.append(self._single())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _single(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise BadValue(f"filter is nested more than {MAX_DEPTH} levels deep.")
        try:
            if self._takes("NOT"):
                return Negation(self._single())
            if self._takes("("):
                inner = self._any_of()
                self._expect(")")
                return inner
            return self._comparison()
        finally:
            self._depth -= 1

    def _comparison(self) -> Node:
        if self._here.kind != "name":
            literal = self._literal("a name or a value")
            operator = self._operator()
            return Comparison(self._path(), TURNED.get(operator, operator), literal)
        path = self._path()
        if self._takes("IN"):
            return Membership(path, self._list())
        return Comparison(path, self._operator(), self._literal("a value"))

    def _path(self) -> str:
        names = [self._taken("name", "a name").text]
        while self._takes("."):
            names.append(self._taken("name", "a name").text)
        path = ".".join(names)
        if self._here.text == "(":
            raise BadValue(f"filter has {path}(…): a function, which IoT Central does not document for device groups.")
        if len(names) > MAX_NAMES:
            raise BadValue(f"filter has {path}: more than a component and a property of it.")
        return path

    def _operator(self) -> str:
        return self._taken("comparison", "a comparison, = != <> < > <= >= or IN").text

    def _list(self) -> tuple[Literal, ...]:
        closing = {"[": "]", "(": ")"}.get(self._here.text)
        if closing is None:
            raise BadValue(f"filter has {self._here.where}, where a list in brackets should be.")
        self._next += 1
        literals = [self._literal("a value")]
        while self._takes(","):
            literals.append(self._literal("a value"))
        self._expect(closing)
        return tuple(literals)

    def _literal(self, expected: str) -> Literal:
        token = self._here
        if token.kind == "text":
            self._next += 1
            return Literal(unquoted(token))
        if token.kind == "number":
            self._next += 1
            return Literal(token.text, is_number=True)
        if token.kind == "keyword" and token.text in CONSTANTS:
            self._next += 1
            return Literal(CONSTANTS[token.text])
        raise BadValue(f"filter has {token.where}, where {expected} should be.")

    def _taken(self, kind: str, expected: str) -> Token:
        token = self._here
        if token.kind != kind:
            raise BadValue(f"filter has {token.where}, where {expected} should be.")
        self._next += 1
        return token

    def _takes(self, text: str) -> bool:
        """Whether a keyword or a sign stands here; then it is passed."""
        token = self._here
        is_it = token.kind in ("keyword", "sign") and token.text == text
        self._next += is_it
        return is_it

    def _expect(self, text: str) -> None:
        is_name = self._here.kind == "name" and self._here.text.lower() == text
        if is_name:
            self._next += 1
        elif not self._takes(text):
            raise BadValue(
                f"filter has {self._here.where}, where {text} should be.", hint=f"It begins with {START} WHERE."
            )
