"""Nodes + a document -> what the query means for it: the plain meaning, which the SQL is tested against.

Three values: true, false and undefined (None here). What is not there, and what cannot be compared, is undefined.
"""

import math
import operator
from collections.abc import Callable
from typing import Any

from azext_iotjobs.localhub.query import nodes
from azext_iotjobs.localhub.query.nodes import UNDEFINED, Operator

Compared = Callable[[Any, Any], bool]
COMPARISONS: dict[Operator, Compared] = {
    Operator.EQ: operator.eq,
    Operator.NE: operator.ne,
    Operator.LT: operator.lt,
    Operator.LE: operator.le,
    Operator.GT: operator.gt,
    Operator.GE: operator.ge,
}


def matches(expr: nodes.Expr, document: dict[str, Any]) -> bool:
    """Whether a row is kept: the expression is exactly true."""
    return value_of(expr, document) is True


def value_of(expr: nodes.Expr, document: dict[str, Any]) -> bool | None:
    """True, False, or None for undefined."""
    match expr:
        case nodes.And(items):
            values = [value_of(item, document) for item in items]
            return False if False in values else None if None in values else True
        case nodes.Or(items):
            values = [value_of(item, document) for item in items]
            return True if True in values else None if None in values else False
        case nodes.Not(item):
            value = value_of(item, document)
            return None if value is None else not value
        case nodes.Compare(operator_, left, right):
            return _compare(operator_, _operand(left, document), _operand(right, document))
        case nodes.In(operand, options):
            return _is_in(_operand(operand, document), [option.value for option in options])
        case nodes.IsDefined(path):
            return find(path, document) is not UNDEFINED
        case nodes.StartsWith(path, prefix):
            found = find(path, document)
            return found.startswith(prefix) if isinstance(found, str) else None
        case nodes.Truth(operand):
            value = _operand(operand, document)
            return value if isinstance(value, bool) else None


def project(query: nodes.Query, document: dict[str, Any]) -> dict[str, Any]:
    """The result that a document gives: all of it, or the selected members that it has."""
    if not isinstance(query.projection, nodes.Fields):
        return document
    found = {field.name: find(field.path, document) for field in query.projection.fields}
    return {name: value for name, value in found.items() if value is not UNDEFINED}


def find(path: nodes.Path, document: dict[str, Any]) -> Any:
    """The value at a place, or UNDEFINED."""
    value: Any = document
    for part in path.parts:
        if not isinstance(value, dict) or part not in value:
            return UNDEFINED
        value = value[part]
    return value


def _operand(operand: nodes.Operand, document: dict[str, Any]) -> Any:
    return find(operand, document) if isinstance(operand, nodes.Path) else operand.value


def _compare(operator_: Operator, left: Any, right: Any) -> bool | None:
    kind = _kind(left)
    if kind is None or kind != _kind(right):
        return None
    if kind == "null":  # null equals null, and is neither less nor more
        left = right = 0
    if kind == "number":
        left, right = _rounded(left), _rounded(right)
    return COMPARISONS[operator_](left, right)


def _is_in(value: Any, options: list[Any]) -> bool | None:
    """Whether any option equals the value; undefined when no option is of its kind."""
    answers = [_compare(Operator.EQ, value, option) for option in options]
    return True if True in answers else None if all(answer is None for answer in answers) else False


def _rounded(number: int | float) -> int | float:
    """The number as tables hold it: whole within 64 bits, else a double."""
    if isinstance(number, float) or -(2**63) <= number < 2**63:
        return number
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _kind(value: Any) -> str | None:
    """What a value may be compared with; None for objects, arrays and what is not there."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "text"
    return "null" if value is None else None
