"""The parsed query: frozen values.

Every expression has a value, so each may stand wherever another does: `(tags.a = 1) = tags.b` is one too.
"""

from dataclasses import dataclass, field
from enum import Enum

Position = tuple[int, int]  # line and column in the text, from 1; no part of what a node means


class Collection(Enum):
    """What a query is about; the value is its name."""

    DEVICES = "devices"
    MODULES = "devices.modules"
    JOBS = "devices.jobs"


class Undefined(Enum):
    """The value of what is not there, or has no meaning; null is a value of its own."""

    UNDEFINED = "undefined"


UNDEFINED = Undefined.UNDEFINED
Scalar = str | int | float | bool | None | Undefined


@dataclass(frozen=True)
class Constant:
    """A value that is written in the query."""

    value: Scalar


@dataclass(frozen=True)
class Array:
    """Constants in brackets: what IN looks through. It compares with nothing."""

    items: tuple[Constant, ...]


@dataclass(frozen=True)
class Path:
    """A place in a document; names of the service's own are in their documented spelling."""

    parts: tuple[str, ...]
    at: Position = field(default=(1, 1), compare=False, repr=False)


class Sign(Enum):
    """How two numbers make a third."""

    ADD = "+"
    SUBTRACT = "-"
    MULTIPLY = "*"
    DIVIDE = "/"
    MODULO = "%"


@dataclass(frozen=True)
class Arithmetic:
    """a + b - c, or a * b / c: done from left to right."""

    first: "Expr"
    rest: tuple[tuple[Sign, "Expr"], ...]


@dataclass(frozen=True)
class Negate:
    """-a"""

    item: "Expr"


class Operator(Enum):
    """How two values are compared; the value is SQL's sign."""

    EQ = "="
    NE = "<>"
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="


@dataclass(frozen=True)
class Compare:
    """Two values, compared."""

    operator: Operator
    left: "Expr"
    right: "Expr"


@dataclass(frozen=True)
class In:
    """Whether a value is one of some."""

    operand: "Expr"
    options: Array


@dataclass(frozen=True)
class And:
    """All of two or more."""

    items: tuple["Expr", ...]


@dataclass(frozen=True)
class Or:
    """Any of two or more."""

    items: tuple["Expr", ...]


@dataclass(frozen=True)
class Not:
    """The opposite."""

    item: "Expr"


@dataclass(frozen=True)
class IsDefined:
    """Whether there is something at a place."""

    path: Path


@dataclass(frozen=True)
class StartsWith:
    """Whether the text at a place begins with another."""

    path: Path
    prefix: str
    at: Position = field(default=(1, 1), compare=False, repr=False)


@dataclass(frozen=True)
class ArrayContains:
    """Whether one of the items of the array at a place equals a constant."""

    path: Path
    item: Constant
    at: Position = field(default=(1, 1), compare=False, repr=False)


Expr = (
    Path
    | Constant
    | Array
    | Arithmetic
    | Negate
    | Compare
    | In
    | And
    | Or
    | Not
    | IsDefined
    | StartsWith
    | ArrayContains
)


@dataclass(frozen=True)
class All:
    """SELECT *"""


@dataclass(frozen=True)
class Field:
    """One selected place, and the name of its value in the result."""

    path: Path
    name: str


class Function(Enum):
    """What is made of many rows."""

    COUNT = "count"
    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"


@dataclass(frozen=True)
class Aggregate:
    """COUNT() of the rows, or AVG(a.b) and the like of the numbers at a place."""

    function: Function
    path: Path | None  # None for COUNT alone
    name: str
    at: Position = field(default=(1, 1), compare=False, repr=False)


@dataclass(frozen=True)
class Fields:
    """SELECT a, b.c AS d, COUNT() AS n"""

    fields: tuple[Field | Aggregate, ...]

    @property
    def aggregates(self) -> tuple[Aggregate, ...]:
        """Those that are made of many rows."""
        return tuple(each for each in self.fields if isinstance(each, Aggregate))


@dataclass(frozen=True, kw_only=True)
class Query:
    """A whole query."""

    projection: All | Fields
    collection: Collection
    where: Expr | None
    top: int | None
    group_by: tuple[Path, ...] = ()

    @property
    def is_grouped(self) -> bool:
        """Whether a result is made of many rows."""
        return bool(self.group_by) or (isinstance(self.projection, Fields) and bool(self.projection.aggregates))


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What a job aims at."""

    collection: Collection
    where: Expr | None  # None: everything
