"""Nodes + documents -> results: the reference semantics, which the SQL is tested against.

A missing value, and a comparison or calculation that is not possible, is undefined; AND, OR and NOT have three values.
"""

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from azext_iotjobs.localhub.query import nodes
from azext_iotjobs.localhub.query.nodes import UNDEFINED, Function, Undefined
from azext_iotjobs.localhub.query.values import (
    Key,
    calculated,
    compare,
    group_sort_key,
    is_any,
    key_part,
    kind_of,
    results,
    rounded,
)

Document = dict[str, Any]


def answer(query: nodes.Query, documents: Iterable[Document]) -> list[Document]:
    """The results of a query over the documents of its collection."""
    selected = [each for each in documents if query.where is None or matches(query.where, each)]
    rows = _grouped(query, selected) if query.is_grouped else [project(query, each) for each in selected]
    return rows[: query.top]


def matches(expr: nodes.Expr, document: Document) -> bool:
    """Whether a document is selected: the expression is exactly true."""
    return value_of(expr, document) is True


def value_of(expr: nodes.Expr, document: Document) -> Any:
    """The value of an expression, or UNDEFINED."""
    match expr:
        case nodes.And(items):
            values = [_truth(item, document) for item in items]
            return False if False in values else UNDEFINED if UNDEFINED in values else True
        case nodes.Or(items):
            values = [_truth(item, document) for item in items]
            return True if True in values else UNDEFINED if UNDEFINED in values else False
        case nodes.Not(item):
            value = _truth(item, document)
            return UNDEFINED if value is UNDEFINED else not value
        case nodes.Compare(operator, left, right):
            return compare(operator, value_of(left, document), value_of(right, document))
        case nodes.In(operand, options):
            return is_any(value_of(operand, document), [option.value for option in options.items])
        case nodes.IsDefined(path):
            return find(path, document) is not UNDEFINED
        case nodes.StartsWith(path, prefix):
            found = find(path, document)
            return found.startswith(prefix) if isinstance(found, str) else UNDEFINED
        case nodes.ArrayContains(path, item):
            found = find(path, document)
            if not isinstance(found, list) or item.value is UNDEFINED:
                return UNDEFINED
            return is_any(item.value, found) is True
        case nodes.Arithmetic(first, rest):
            return _calculate(first, rest, document)
        case nodes.Negate(item):
            number = _double(value_of(item, document))
            return UNDEFINED if number is None else -number
        case nodes.Path():
            return find(expr, document)
        case nodes.Constant(value):
            return value
        case nodes.Array(items):
            return [item.value for item in items]


def project(query: nodes.Query, document: Document) -> Document:
    """The result for a document: all of it, or the selected members that it has."""
    if not isinstance(query.projection, nodes.Fields):
        return document
    found = {field.name: find(field.path, document) for field in query.projection.fields if field.path is not None}
    return {name: value for name, value in found.items() if value is not UNDEFINED}


def find(path: nodes.Path, document: Document) -> Any:
    """The value at a path, or UNDEFINED."""
    value: Any = document
    for part in path.parts:
        if not isinstance(value, dict) or part not in value:
            return UNDEFINED
        value = value[part]
    return value


def _truth(expr: nodes.Expr, document: Document) -> bool | Undefined:
    value = value_of(expr, document)
    return value if isinstance(value, bool) else UNDEFINED


def _calculate(first: nodes.Expr, rest: tuple[tuple[nodes.Sign, nodes.Expr], ...], document: Document) -> Any:
    result = _double(value_of(first, document))
    for sign, operand in rest:
        right = _double(value_of(operand, document))
        if result is None or right is None:
            return UNDEFINED
        result = calculated(sign.value, result, right)
    return UNDEFINED if result is None else result


def _double(value: Any) -> float | None:
    return float(rounded(value)) if kind_of(value) == "number" else None


def _grouped(query: nodes.Query, documents: list[Document]) -> list[Document]:
    groups: dict[Key, list[Document]] = {}
    for document in documents:
        found = [find(path, document) for path in query.group_by]
        key = tuple(key_part(kind_of(each), None if kind_of(each) is None else each) for each in found)
        groups.setdefault(key, []).append(document)
    if not query.group_by:  # one result, even of no rows
        groups.setdefault((), [])
    return [_result(query, key, groups[key]) for key in sorted(groups, key=group_sort_key)]


def _result(query: nodes.Query, key: Key, documents: list[Document]) -> Document:
    assert isinstance(query.projection, nodes.Fields)  # SELECT * is not grouped
    pairs: list[tuple[str, Any]] = []
    for field in query.projection.fields:
        if isinstance(field, nodes.Aggregate):
            pairs.append((field.name, _aggregate(field, documents)))
        else:
            kind, value = key[query.group_by.index(field.path)]
            pairs.append((field.name, UNDEFINED if kind is None else value))
    return results(pairs)


def _aggregate(field: nodes.Aggregate, documents: list[Document]) -> Any:
    if field.path is None:
        return len(documents)
    found = [find(field.path, document) for document in documents]
    numbers = [rounded(each) for each in found if kind_of(each) == "number"]
    if not numbers:
        return UNDEFINED
    match field.function:
        case Function.MIN:
            return min(numbers)
        case Function.MAX:
            return max(numbers)
    try:
        whole = float(sum(Fraction(float(number)) for number in numbers))
    except OverflowError:
        return UNDEFINED
    return whole / len(numbers) if field.function is Function.AVG else whole
