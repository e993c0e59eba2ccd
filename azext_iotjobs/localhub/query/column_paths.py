"""Paths in documents -> SQL: which column holds a path, and how to read JSON below it.

Strategy: an operand has a kind ('text', 'number', 'boolean', 'null', or NULL when it cannot be compared) and a value.
The kind of a plain column is known beforehand; below a JSON column it depends on the row, because SQLite reads true
and 1 as the same value.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from azext_iotjobs.localhub.query.nodes import Path
from azext_iotjobs.localhub.query.sql_fragments import Sql, filled

# SQLite versions disagree about escapes in a JSON path: keys with these characters are read by functions of ours.
ODD_IN_KEY = re.compile(r'["\\\x00-\x1f\x7f]')
JSON_KINDS = (
    "CASE {} WHEN 'text' THEN 'text' WHEN 'integer' THEN 'number' WHEN 'real' THEN 'number' "
    "WHEN 'true' THEN 'boolean' WHEN 'false' THEN 'boolean' WHEN 'null' THEN 'null' END"
)
# SQLite reads a number exactly only if it is an integer within 64 bits, and a text only if it has no U+0000.
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
    """The columns of a collection: path -> (SQL expression, kind). The longest matching path counts.

    A path below a JSON column is looked up inside it; a path without a column is undefined, and one that only has
    columns below it is an object. NULL in any column is undefined. A JSON column holds text as json.dumps(...,
    ensure_ascii=False, allow_nan=False) writes it, in a UTF-8 database: SQLite compares keys as they are written.
    Keys must not contain U+0000.
    """

    paths: Mapping[tuple[str, ...], tuple[str, Kind]]

    def find(self, path: tuple[str, ...]) -> tuple[str, Kind, tuple[str, ...]] | None:
        """The column for a path, its kind, and what is left of the path."""
        for length in range(len(path), 0, -1):
            if found := self.paths.get(path[:length]):
                return (*found, path[length:])
        return None

    def is_parent(self, path: tuple[str, ...]) -> bool:
        """Whether there are columns below a path."""
        return any(each[: len(path)] == path for each in self.paths)


@dataclass(frozen=True)
class Operand:
    """A value in SQL.

    kind: a text when it is known before a row is read (then a value of NULL is undefined), else SQL.
    value: NULL for null, and for values without a kind.
    number: the value if it is a number; else NULL.
    """

    kind: str | Sql
    value: Sql
    number: Sql = Sql("NULL")


NOTHING = Operand("undefined", Sql("NULL"))


def operand_at(path: Path, columns: Columns) -> Operand:
    """The value at a path."""
    found = columns.find(path.parts)
    if found is None:
        return NOTHING
    column, kind, rest = found
    if kind is Kind.JSON:
        kinds = filled(JSON_KINDS, json_type(column, rest))
        if _needs_functions(rest):
            value = _at("value_at", column, rest)
            return Operand(kinds, value, filled("CASE WHEN {} = 'number' THEN {} END", kinds, value))
        return Operand(kinds, _with_path(JSON_VALUE, column, rest), _with_path(JSON_NUMBER, column, rest))
    if rest:  # a plain value has no members
        return NOTHING
    return known(kind.value, Sql(column))


def known(kind: str, value: Sql) -> Operand:
    """A value whose kind is the same in every row."""
    return Operand(kind, value, value if kind == Kind.NUMBER.value else Sql("NULL"))


def is_defined(path: Path, columns: Columns) -> Sql:
    """Whether a path has a value."""
    found = columns.find(path.parts)
    if found is None:
        return Sql("1" if columns.is_parent(path.parts) else "0")
    column, kind, rest = found
    if kind is not Kind.JSON:
        return Sql("0") if rest else Sql(f"({column} IS NOT NULL)")
    return filled("({} IS NOT NULL)", json_type(column, rest))


def array_contains(path: Path, item: object, columns: Columns) -> Sql:
    """Whether the array at a path has an item that equals a constant; NULL when there is no array."""
    found = columns.find(path.parts)
    if found is None or found[1] is not Kind.JSON:
        return Sql("NULL")
    column, _, rest = found
    array = _at("json_at" if _needs_functions(rest) else "json_extract", column, rest)
    return filled(
        "CASE WHEN {} = 'array' THEN array_contains({}, ?) END",
        json_type(column, rest),
        Sql(array.text, array.values + (json.dumps(item),)),
    )


def json_type(column: str, rest: tuple[str, ...]) -> Sql:
    """The JSON type of the value at a path; NULL when there is none."""
    return _at("type_at" if _needs_functions(rest) else "json_type", column, rest)


def _with_path(template: str, column: str, rest: tuple[str, ...]) -> Sql:
    """The template with its values: ?1 is the JSON path, ?2 the keys."""
    values = {"?1": _json_path(rest), "?2": json.dumps(rest)}
    text = template.format(column=column)
    return Sql(re.sub(r"\?\d", "?", text), tuple(values[mark] for mark in re.findall(r"\?\d", text)))


def _at(function: str, column: str, rest: tuple[str, ...]) -> Sql:
    keys = json.dumps(rest) if function.endswith("_at") else _json_path(rest)
    return Sql(f"{function}({column}, ?)", (keys,))


def _needs_functions(rest: tuple[str, ...]) -> bool:
    return any(ODD_IN_KEY.search(part) for part in rest)


def _json_path(rest: tuple[str, ...]) -> str:
    return "$" + "".join(f'."{part}"' for part in rest)
