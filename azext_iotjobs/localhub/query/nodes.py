"""The nodes of a parsed query, as frozen values.

Every expression has a value, so each may be an operand of another: `(tags.a = 1) = tags.b` is valid.
"""

from dataclasses import dataclass, field
from enum import Enum

Position = tuple[int, int]  # line and column in the text, from 1; not part of a node's meaning


class Collection(Enum):
    """What a query selects from; the value is its name."""

    DEVICES = "devices"
    MODULES = "devices.modules"
    JOBS = "devices.jobs"


class Undefined(Enum):
    """The value of a missing member or an impossible operation; null is a value of its own."""

    UNDEFINED = "undefined"


UNDEFINED = Undefined.UNDEFINED
Scalar = str | int | float | bool | None | Undefined


@dataclass(frozen=True)
class Constant:
    """A literal."""

    value: Scalar


@dataclass(frozen=True)
class Array:
    """Constants in brackets, for IN. It cannot be compared."""

    items: tuple[Constant, ...]


@dataclass(frozen=True)
class Path:
    """A path in a document; the service's names are in their documented spelling."""

    parts: tuple[str, ...]
    at: Position = field(default=(1, 1), compare=False, repr=False)


class Sign(Enum):
    """An arithmetic operator."""

    ADD = "+"
    SUBTRACT = "-"
    MULTIPLY = "*"
    DIVIDE = "/"
    MODULO = "%"


@dataclass(frozen=True)
class Arithmetic:
    """a + b - c, or a * b / c: evaluated from left to right."""

    first: "Expr"
    rest: tuple[tuple[Sign, "Expr"], ...]


@dataclass(frozen=True)
class Negate:
    """-a"""

    item: "Expr"


class Operator(Enum):
    """A comparison operator; the value is SQL's."""

    EQ = "="
    NE = "<>"
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="


@dataclass(frozen=True)
class Compare:
    """A comparison."""

    operator: Operator
    left: "Expr"
    right: "Expr"


@dataclass(frozen=True)
class In:
    """Whether a value equals one of the options."""

    operand: "Expr"
    options: Array


@dataclass(frozen=True)
class And:
    """AND of two or more."""

    items: tuple["Expr", ...]


@dataclass(frozen=True)
class Or:
    """OR of two or more."""

    items: tuple["Expr", ...]


@dataclass(frozen=True)
class Not:
    """NOT."""

    item: "Expr"


@dataclass(frozen=True)
class IsDefined:
    """Whether a path has a value."""

    path: Path


@dataclass(frozen=True)
class StartsWith:
    """Whether the text at a path begins with another."""

    path: Path
    prefix: str
    at: Position = field(default=(1, 1), compare=False, repr=False)


@dataclass(frozen=True)
class ArrayContains:
    """Whether an item of the array at a path equals a constant."""

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
    """A selected path, and its name in the result."""

    path: Path
    name: str


class Function(Enum):
    """An aggregate function."""

    COUNT = "count"
    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"


@dataclass(frozen=True)
class Aggregate:
    """COUNT() of the rows, or AVG(a.b) and the like of the numbers at a path."""

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
        """The aggregates among the fields."""
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
        """Whether a result stands for several rows."""
        return bool(self.group_by) or (isinstance(self.projection, Fields) and bool(self.projection.aggregates))


@dataclass(frozen=True, kw_only=True)
class Condition:
    """The condition of a job."""

    collection: Collection
    where: Expr | None  # None: everything
