"""Nodes -> SQL over JSON columns. SQL's NULL is our undefined: its AND, OR and NOT have the semantics of the language.

Strategy: a comparison is NULL unless both kinds are the same. Only paths below JSON columns have a kind that depends on
the row, so that no compound operand is written twice. A calculation is one flat call, however long it is: SQLite's
parser has a small stack.
"""

import re
from collections.abc import Iterator
from typing import Any

from azext_iotjobs.localhub.errors import QueryError
from azext_iotjobs.localhub.query import nodes
from azext_iotjobs.localhub.query.column_paths import (
    NOTHING,
    Columns,
    Kind,
    Operand,
    array_contains,
    is_defined,
    known,
    operand_at,
)
from azext_iotjobs.localhub.query.functions import NEGATIVE, OPERAND
from azext_iotjobs.localhub.query.nodes import UNDEFINED
from azext_iotjobs.localhub.query.sql_fragments import Sql, filled, joined
from azext_iotjobs.localhub.query.values import kind_of

# SQLite's own limits are a million bytes of text and 32,766 values; the rest is for the SQL around it.
MAX_SQL_CHARACTERS = 900_000
MAX_SQL_VALUES = 31_000
PLAIN = re.compile(r"[\w .,:;=+*@$%&?!()/-]+")


def where_sql(expr: nodes.Expr, columns: Columns) -> tuple[str, list[Any]]:
    """A SQL expression that is true for the rows that match, and the values of its parameters.

    Raises QueryError when it exceeds the limits of SQLite.
    """
    sql = joined(" AND ", [*_necessary(expr, columns), _truth(expr, columns)])
    if len(sql.text) > MAX_SQL_CHARACTERS or len(sql.values) > MAX_SQL_VALUES:
        raise QueryError("the query has too many paths")
    return sql.text, list(sql.values)


def _necessary(expr: nodes.Expr, columns: Columns) -> Iterator[Sql]:
    """What holds for every row that matches, and is cheaper to find out than the whole: whether a text is anywhere in
    the JSON, which is not parsed for that.
    """
    match expr:
        case nodes.And(items):
            for item in items:
                yield from _necessary(item, columns)
        case nodes.Compare(nodes.Operator.EQ, nodes.Path() as path, nodes.Constant(str(text))):
            yield from _holds_text(path, text, columns)
        case nodes.Compare(nodes.Operator.EQ, nodes.Constant(str(text)), nodes.Path() as path):
            yield from _holds_text(path, text, columns)


def _holds_text(path: nodes.Path, text: str, columns: Columns) -> Iterator[Sql]:
    found = columns.find(path.parts)
    # Other characters may be written in several ways.
    if found is not None and found[1] is Kind.JSON and text.isascii() and PLAIN.fullmatch(text):
        yield Sql(f"instr({found[0]}, ?)", (f'"{text}"',))


def _truth(expr: nodes.Expr, columns: Columns) -> Sql:
    return _as("boolean", _operand(expr, columns))


def _operand(expr: nodes.Expr, columns: Columns) -> Operand:
    match expr:
        case nodes.Path():
            return operand_at(expr, columns)
        case nodes.Constant(value):
            kind = kind_of(value)
            return NOTHING if kind is None else known(kind, Sql("?", (value,)))
        case nodes.Array():
            return NOTHING
        case nodes.Arithmetic() | nodes.Negate():
            return known("number", _calculation(expr, columns))
    return known("boolean", _condition(expr, columns))


def _condition(expr: nodes.Expr, columns: Columns) -> Sql:
    match expr:
        case nodes.And(items):
            return filled("({})", joined(" AND ", (_truth(item, columns) for item in items)))
        case nodes.Or(items):
            return filled("({})", joined(" OR ", (_truth(item, columns) for item in items)))
        case nodes.Not(item):
            return filled("(NOT {})", _truth(item, columns))
        case nodes.Compare(operator, left, right):
            return _compare(operator, _operand(left, columns), _operand(right, columns))
        case nodes.In(operand, options):
            return _is_in(_operand(operand, columns), options)
        case nodes.IsDefined(path):
            return is_defined(path, columns)
        case nodes.StartsWith(path, prefix):
            return _starts_with(operand_at(path, columns), prefix)
        case nodes.ArrayContains(path, item):
            return Sql("NULL") if item.value is UNDEFINED else array_contains(path, item.value, columns)
    raise AssertionError(f"{type(expr).__name__} is not a condition")


def _compare(operator: nodes.Operator, left: Operand, right: Operand) -> Sql:
    sign = operator.value
    if isinstance(left.kind, Sql) and isinstance(right.kind, Sql):
        return filled(
            f"CASE WHEN {{}} = {{}} THEN CASE {{}} WHEN 'null' THEN 0 {sign} 0 ELSE {{}} {sign} {{}} END END",
            left.kind,
            right.kind,
            left.kind,
            left.value,
            right.value,
        )
    kind = left.kind if isinstance(left.kind, str) else right.kind
    assert isinstance(kind, str)  # one of them is
    # No compound operand inside a CASE: SQLite's parser would run out of stack.
    return filled(f"({{}} {sign} {{}})", _as(kind, left), _as(kind, right))


def _as(kind: str, operand: Operand) -> Sql:
    """The value of an operand if it has this kind, 0 for null; else NULL."""
    if kind == "number":
        return operand.number
    value = Sql("0") if kind == "null" else operand.value
    if isinstance(operand.kind, Sql):
        return filled(f"CASE WHEN {{}} = '{kind}' THEN {{}} END", operand.kind, value)
    return value if operand.kind == kind else Sql("NULL")


def _is_in(operand: Operand, options: nodes.Array) -> Sql:
    """True if an option is equal; undefined if none has the operand's kind; else false."""
    by_kind: dict[str, list[Sql]] = {}
    for option in options.items:
        if (kind := kind_of(option.value)) is not None:
            by_kind.setdefault(kind, []).append(Sql("?", (option.value,)))
    answers = {
        kind: Sql("1") if kind == "null" else filled("{} IN ({})", operand.value, joined(", ", alike))
        for kind, alike in by_kind.items()
    }
    if isinstance(operand.kind, str):
        return filled("({})", answers.get(operand.kind, Sql("NULL")))
    if not answers:
        return Sql("NULL")
    cases = joined(" ", (filled(f"WHEN '{kind}' THEN {{}}", answer) for kind, answer in answers.items()))
    return filled("CASE {} {} END", operand.kind, cases)


def _starts_with(operand: Operand, prefix: str) -> Sql:
    # Not LIKE, which takes % and _ for wildcards and ignores case; bytes, as text functions end at U+0000.
    return filled("(instr(CAST({} AS BLOB), {}) = 1)", _as("text", operand), Sql("?", (prefix.encode(),)))


def _calculation(expr: nodes.Expr, columns: Columns) -> Sql:
    steps = list(_steps(expr, columns))
    program = "".join(sign for sign, _ in steps)
    operands = joined(", ", (operand for _, operand in steps if operand is not None))
    return Sql(f"calculate('{program}', {operands.text})", operands.values)


def _steps(expr: nodes.Expr, columns: Columns) -> Iterator[tuple[str, Sql | None]]:
    """A calculation in postfix order: each sign of its program, and its operand."""
    match expr:
        case nodes.Arithmetic(first, rest):
            yield from _steps(first, columns)
            for sign, item in rest:
                yield from _steps(item, columns)
                yield sign.value, None
        case nodes.Negate(item):
            yield from _steps(item, columns)
            yield NEGATIVE, None
        case _:
            yield OPERAND, _operand(expr, columns).number
