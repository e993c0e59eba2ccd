"""The parsed query: frozen values."""

from dataclasses import dataclass
from enum import Enum


class Collection(Enum):
    """What a query is about; the value is its name."""

    DEVICES = "devices"
    MODULES = "devices.modules"
    JOBS = "devices.jobs"


class Undefined(Enum):
    """The value of what is not there; null is a value of its own."""

    UNDEFINED = "undefined"


UNDEFINED = Undefined.UNDEFINED
Scalar = str | int | float | bool | None | Undefined


@dataclass(frozen=True)
class Constant:
    """A value that is written in the query."""

    value: Scalar


@dataclass(frozen=True)
class Path:
    """A place in a document; names of the service's own are in their documented spelling."""

    parts: tuple[str, ...]


Operand = Path | Constant


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
    left: Operand
    right: Operand


@dataclass(frozen=True)
class In:
    """Whether a value is one of some."""

    operand: Operand
    options: tuple[Constant, ...]


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


@dataclass(frozen=True)
class Truth:
    """A value standing alone, which counts when it is true or false."""

    operand: Operand


Expr = Compare | In | And | Or | Not | IsDefined | StartsWith | Truth


@dataclass(frozen=True)
class All:
    """SELECT *"""


@dataclass(frozen=True)
class Count:
    """SELECT COUNT()"""

    alias: str


@dataclass(frozen=True)
class Field:
    """One selected place, and the name of its value in the result."""

    path: Path
    name: str


@dataclass(frozen=True)
class Fields:
    """SELECT a, b.c AS d"""

    fields: tuple[Field, ...]


@dataclass(frozen=True, kw_only=True)
class Query:
    """A whole query."""

    projection: All | Count | Fields
    collection: Collection
    where: Expr | None
    top: int | None


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What a job aims at."""

    collection: Collection
    where: Expr | None  # None: everything
