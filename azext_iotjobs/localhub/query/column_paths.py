"""Places in documents -> SQL: which column holds a place, and what JSON holds below it.

Strategy: an operand is two things, its kind ('text', 'number', 'boolean', 'null', or NULL when it cannot be compared)
and its value. The kind of a plain column is known beforehand; below a JSON column its own types decide, because SQLite
reads true and 1 as the same value.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from azext_iotjobs.localhub.query.nodes import Path
from azext_iotjobs.localhub.query.sql_fragments import Sql, filled

# Between the quotes of a JSON path SQLite versions disagree about escapes: keys with these go another way.
ODD_IN_KEY = re.compile(r'["\\\x00-\x1f\x7f]')
JSON_KINDS = (
    "CASE {} WHEN 'text' THEN 'text' WHEN 'integer' THEN 'number' WHEN 'real' THEN 'number' "
    "WHEN 'true' THEN 'boolean' WHEN 'false' THEN 'boolean' WHEN 'null' THEN 'null' END"
)
# A number comes as SQLite reads it only when it is whole within 64 bits, a text only when no U+0000 can end it.
NUMBER_CASES = (
    "WHEN 'real' THEN exact_number(json_extract({column}, ?1, ?1)) "
    "WHEN 'integer' THEN CASE typeof(json_extract({column}, ?1)) WHEN 'integer' THEN json_extract({column}, ?1) "
    "ELSE exact_number(json_extract({column}, ?1, ?1)) END"
)
JSON_NUMBER = f"CASE json_type({{column}}, ?1) {NUMBER_CASES} END"
JSON_VALUE = (
    f"CASE json_type({{column}}, ?1) {NUMBER_CASES} "
    "WHEN 'text' THEN CASE WHEN instr({column}, '\\u0000') THEN value_at({column}, ?2) "
    "ELSE json_extract({column}, ?1) END "
    "WHEN 'true' THEN 1 WHEN 'false' THEN 0 END"
)


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
class Operand:
    """A value in SQL.

    kind: text when it is known before any row is read (then a value of NULL is undefined), else a piece of SQL.
    value: NULL for null, and for what has no kind.
    number: the value of what is a number; else NULL.
    """

    kind: str | Sql
    value: Sql
    number: Sql = Sql("NULL")


NOTHING = Operand("undefined", Sql("NULL"))


def operand_at(path: Path, columns: Columns) -> Operand:
    """The value at a place."""
    found = columns.find(path.parts)
    if found is None:
        return NOTHING
    column, kind, rest = found
    if kind is Kind.JSON:
        kinds = filled(JSON_KINDS, json_type(column, rest))
        if _is_odd(rest):
            value = _at("value_at", column, rest)
            return Operand(kinds, value, filled("CASE WHEN {} = 'number' THEN {} END", kinds, value))
        return Operand(kinds, _marked(JSON_VALUE, column, rest), _marked(JSON_NUMBER, column, rest))
    if rest:  # below a plain value there is nothing
        return NOTHING
    return known(kind.value, Sql(column))


def known(kind: str, value: Sql) -> Operand:
    """A value whose kind no row decides."""
    return Operand(kind, value, value if kind == Kind.NUMBER.value else Sql("NULL"))


def is_defined(path: Path, columns: Columns) -> Sql:
    """Whether there is anything at a place."""
    found = columns.find(path.parts)
    if found is None:
        return Sql("1" if columns.is_parent(path.parts) else "0")
    column, kind, rest = found
    if kind is not Kind.JSON:
        return Sql("0") if rest else Sql(f"({column} IS NOT NULL)")
    return filled("({} IS NOT NULL)", json_type(column, rest))


def array_contains(path: Path, item: object, columns: Columns) -> Sql:
    """Whether the array at a place has an item that equals a constant; NULL when there is no array."""
    found = columns.find(path.parts)
    if found is None or found[1] is not Kind.JSON:
        return Sql("NULL")
    column, _, rest = found
    array = _at("json_at" if _is_odd(rest) else "json_extract", column, rest)
    return filled(
        "CASE WHEN {} = 'array' THEN array_contains({}, ?) END",
        json_type(column, rest),
        Sql(array.text, array.values + (json.dumps(item),)),
    )


def json_type(column: str, rest: tuple[str, ...]) -> Sql:
    """What JSON holds at a place; NULL when there is nothing."""
    return _at("type_at" if _is_odd(rest) else "json_type", column, rest)


def _marked(template: str, column: str, rest: tuple[str, ...]) -> Sql:
    """The template with ?1 for the JSON path and ?2 for the keys."""
    values = {"?1": _json_path(rest), "?2": json.dumps(rest)}
    text = template.format(column=column)
    return Sql(re.sub(r"\?\d", "?", text), tuple(values[mark] for mark in re.findall(r"\?\d", text)))


def _at(function: str, column: str, rest: tuple[str, ...]) -> Sql:
    keys = json.dumps(rest) if function.endswith("_at") else _json_path(rest)
    return Sql(f"{function}({column}, ?)", (keys,))


def _is_odd(rest: tuple[str, ...]) -> bool:
    return any(ODD_IN_KEY.search(part) for part in rest)


def _json_path(rest: tuple[str, ...]) -> str:
    return "$" + "".join(f'."{part}"' for part in rest)
