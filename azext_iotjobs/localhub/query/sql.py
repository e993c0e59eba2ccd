"""Nodes -> SQL over JSON columns. SQL's own NULL is our undefined: its AND, OR and NOT mean what the language means.

Strategy: an operand becomes two pieces of SQL, its kind ('text', 'number', 'boolean', 'null', or NULL when it cannot be
compared) and its value. A comparison is NULL unless both kinds are the same. JSON's own types decide, because SQLite
reads true and 1 as the same value.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from azext_iotjobs.localhub.query import nodes
from azext_iotjobs.localhub.query.nodes import UNDEFINED

# Between the quotes of a JSON path SQLite versions disagree about escapes: keys with these go another way.
ODD_IN_KEY = re.compile(r'["\\\x00-\x1f\x7f]')
# JSON text without U+0000: it becomes U+0001 U+0001, and U+0001 becomes U+0001 U+0002. A backslash that is itself
# escaped goes first, or the text that follows it would be taken for an escape.
MASKED = r"replace(replace(replace({}, '\\', '\u005c'), '\u0001', '\u0001\u0002'), '\u0000', '\u0001\u0001')"
UNMASKED = "replace(replace({}, char(1, 1), char(0)), char(1, 2), char(1))"


class Kind(Enum):
    """What a column holds."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"  # 0 or 1
    JSON = "json"


@dataclass(frozen=True)
class Columns:
    """Where a collection's places are kept: path -> (SQL expression, kind). The longest path that fits counts.

    A place below a JSON column is looked up inside it; a place that no column has is undefined, and one that only has
    columns below it is an object. NULL in any column is undefined. A JSON column holds text as json.dumps(...,
    ensure_ascii=False, allow_nan=False) writes it, in a UTF-8 database: SQLite compares keys as they are written.
    Keys must not hold U+0000.
    """

    places: Mapping[tuple[str, ...], tuple[str, Kind]]

    def find(self, path: tuple[str, ...]) -> tuple[str, Kind, tuple[str, ...]] | None:
        """The column for a path, its kind, and what is left of the path."""
        for length in range(len(path), 0, -1):
            if found := self.places.get(path[:length]):
                return (*found, path[length:])
        return None

    def is_parent(self, path: tuple[str, ...]) -> bool:
        """Whether there are columns below a path."""
        return any(place[: len(path)] == path for place in self.places)


@dataclass(frozen=True)
class Sql:
    """A piece of SQL and the values of its question marks."""

    text: str
    values: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Operand:
    """What is compared."""

    kind: Sql
    value: Sql


NOTHING = Operand(Sql("NULL"), Sql("NULL"))
JSON_KINDS = (
    "CASE {} WHEN 'text' THEN 'text' WHEN 'integer' THEN 'number' WHEN 'real' THEN 'number' "
    "WHEN 'true' THEN 'boolean' WHEN 'false' THEN 'boolean' WHEN 'null' THEN 'null' END"
)


def where_sql(expr: nodes.Expr, columns: Columns) -> tuple[str, list[Any]]:
    """A SQL expression that is true for the rows that the expression keeps, and the values of its question marks."""
    sql = _expr(expr, columns)
    return sql.text, list(sql.values)


def _expr(expr: nodes.Expr, columns: Columns) -> Sql:
    match expr:
        case nodes.And(items):
            return _joined(" AND ", (_expr(item, columns) for item in items))
        case nodes.Or(items):
            return _joined(" OR ", (_expr(item, columns) for item in items))
        case nodes.Not(item):
            return _format("(NOT {})", _expr(item, columns))
        case nodes.Compare(operator, left, right):
            return _compare(operator, _operand(left, columns), _operand(right, columns))
        case nodes.In(operand, options):
            return _is_in(_operand(operand, columns), options)
        case nodes.IsDefined(path):
            return _is_defined(path, columns)
        case nodes.StartsWith(path, prefix):
            found = _operand(path, columns)
            # Not LIKE, which takes % and _ for wildcards and ignores case; bytes, as text functions end at U+0000.
            return _format(
                "CASE WHEN {} = 'text' THEN instr(CAST({} AS BLOB), {}) = 1 END",
                found.kind, found.value, Sql("?", (prefix.encode(),)),
            )  # fmt: skip
        case nodes.Truth(operand):
            found = _operand(operand, columns)
            return _format("CASE WHEN {} = 'boolean' THEN {} END", found.kind, found.value)


def _compare(operator: nodes.Operator, left: Operand, right: Operand) -> Sql:
    return _format(
        f"CASE WHEN {{}} = {{}} THEN CASE {{}} WHEN 'null' THEN 0 {operator.value} 0 "
        f"ELSE {{}} {operator.value} {{}} END END",
        left.kind, right.kind, left.kind, left.value, right.value,
    )  # fmt: skip


def _is_in(operand: Operand, options: tuple[nodes.Constant, ...]) -> Sql:
    """True if one equals; undefined if none is of the operand's kind; else false."""
    by_kind: dict[str, list[Sql]] = {}
    for option in options:
        if option.value is not UNDEFINED:
            by_kind.setdefault(_constant_kind(option.value), []).append(_constant(option.value))
    cases, values = "", operand.kind.values
    for kind, alike in by_kind.items():
        if kind == "null":
            cases += " WHEN 'null' THEN 1"
        else:
            listed = _joined(", ", alike)
            cases += f" WHEN '{kind}' THEN {operand.value.text} IN {listed.text}"
            values += (*operand.value.values, *listed.values)
    return Sql(f"CASE {operand.kind.text}{cases} END", values) if cases else Sql("NULL")


def _is_defined(path: nodes.Path, columns: Columns) -> Sql:
    found = columns.find(path.parts)
    if found is None:
        return Sql("1" if columns.is_parent(path.parts) else "0")
    column, kind, rest = found
    if kind is not Kind.JSON:
        return Sql("0") if rest else Sql(f"({column} IS NOT NULL)")
    return _format("({} IS NOT NULL)", _json("type", column, rest))


def _operand(operand: nodes.Operand, columns: Columns) -> Operand:
    if isinstance(operand, nodes.Constant):
        if operand.value is UNDEFINED:
            return NOTHING
        return Operand(Sql(f"'{_constant_kind(operand.value)}'"), _constant(operand.value))
    found = columns.find(operand.parts)
    if found is None:
        return NOTHING
    column, kind, rest = found
    if kind is Kind.JSON:
        return Operand(_format(JSON_KINDS, _json("type", column, rest)), _json_value(column, rest))
    if rest:  # below a plain value there is nothing
        return NOTHING
    return Operand(Sql(f"CASE WHEN {column} IS NOT NULL THEN '{kind.value}' END"), Sql(column))


def _json_value(column: str, rest: tuple[str, ...]) -> Sql:
    """The value at a place. SQLite ends a JSON text at U+0000: in documents that hold one it is masked on the way."""
    masked = _json("value", MASKED.format(column), rest)
    return _format(
        f"CASE WHEN instr({column}, '\\u0000') AND {{}} = 'text' THEN {UNMASKED} ELSE {{}} END",
        _json("type", column, rest), masked, _json("value", column, rest),
    )  # fmt: skip


def _json(wanted: str, column: str, rest: tuple[str, ...]) -> Sql:
    """The "type" or the "value" at a place; NULL when there is nothing."""
    if any(ODD_IN_KEY.search(part) for part in rest):
        return _step_by_step(wanted, column, rest)
    path = "$" + "".join(f'."{part}"' for part in rest)
    return Sql(f"{'json_type' if wanted == 'type' else 'json_extract'}({column}, ?)", (path,))


def _step_by_step(wanted: str, column: str, rest: tuple[str, ...]) -> Sql:
    """Go down one key at a time, comparing keys as texts: slower, but right for every key."""
    steps = [f"json_each({column}) AS step0"]
    for depth in range(1, len(rest)):
        # A value that is no object has no keys to go down to; json_each would refuse a plain text.
        above = f"step{depth - 1}"
        steps.append(f"json_each(CASE {above}.type WHEN 'object' THEN {above}.value END) AS step{depth}")
    keys = " AND ".join(f"step{depth}.key = ?" for depth in range(len(rest)))
    return Sql(f"(SELECT step{len(rest) - 1}.{wanted} FROM {', '.join(steps)} WHERE {keys})", rest)


def _constant(value: Any) -> Sql:
    # SQLite's own reading of decimals may differ from Python's in the last bit: let both sides be read by SQLite.
    return Sql("json_extract(?, '$')", (repr(value),)) if isinstance(value, float) else Sql("?", (value,))


def _constant_kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else "null"


def _joined(word: str, parts: Iterable[Sql]) -> Sql:
    listed = list(parts)
    return Sql(f"({word.join(part.text for part in listed)})", tuple(v for part in listed for v in part.values))


def _format(template: str, *parts: Sql) -> Sql:
    """Fill the template's {} with pieces of SQL, in order; so are their values."""
    text = template.format(*(part.text for part in parts))
    return Sql(text, tuple(value for part in parts for value in part.values))
