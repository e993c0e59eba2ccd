"""SQL functions for queries that SQLite does not have, or not in every version and build.

Strategy: SQLite finds a value and its type; Python reads what SQLite would read differently: decimals (in the last
bit), texts with U+0000 (SQLite ends them there), keys that a JSON path cannot express.
"""

import json
import sqlite3
from functools import lru_cache
from typing import Any

from azext_iotjobs.localhub.query.evaluate import find
from azext_iotjobs.localhub.query.nodes import UNDEFINED, Path
from azext_iotjobs.localhub.query.values import (
    calculated,
    exact_terms,
    group_sort_key,
    is_any,
    key_part,
    rounded,
    total,
)

SqlValue = str | bytes | int | float | None

OPERAND, NEGATIVE = ".", "~"  # of `calculate`'s program; its other signs are those of nodes.Sign


def install(connection: sqlite3.Connection) -> None:
    """Register the functions with a connection."""
    for function in (exact_number, type_at, value_at, json_at, array_contains, calculate, sort_key_of):
        connection.create_function(function.__name__, -1, function, deterministic=True)
    connection.create_aggregate("exact_sum", 1, ExactSum)
    connection.create_aggregate("sum_part", 1, SumPart)


def exact_number(pair: str) -> float:
    """The double in a JSON array that holds it twice: in this form SQLite returns a number as it was written."""
    return float(pair[1 : pair.index(",")])


def type_at(document: str | None, keys: str) -> str | None:
    """What json_type says of the value below some keys, which are a JSON array."""
    return _json_type(_at(document, keys))


def value_at(document: str | None, keys: str) -> SqlValue:
    """The plain value below some keys, which are a JSON array; NULL for objects and arrays."""
    value = _at(document, keys)
    match _json_type(value):
        case "text":
            return _sql_text(value)
        case "integer" | "real":
            number: int | float = rounded(value)
            return number
        case "true" | "false":
            return int(value)
    return None


def json_at(document: str | None, keys: str) -> str:
    """The JSON text of the value below some keys, which are a JSON array."""
    return json.dumps(_at(document, keys))


def array_contains(array: str, item: str) -> int:
    """Whether an item of a JSON array equals a JSON value."""
    return int(is_any(json.loads(item), json.loads(array)) is True)


def calculate(program: str, *operands: int | float | None) -> float | None:
    """The result of a calculation in postfix order, such as "..+" for a + b; NULL when any of it is undefined."""
    numbers = [float(operand) for operand in operands if operand is not None]
    if len(numbers) < len(operands):
        return None
    given, stack = iter(numbers), list[float]()
    for sign in program:
        if sign == OPERAND:
            stack.append(next(given))
        elif sign == NEGATIVE:
            stack.append(-stack.pop())
        else:
            right = stack.pop()
            result = calculated(sign, stack.pop(), right)
            if result is None:
                return None
            stack.append(result)
    return stack[0]


def sort_key_of(*kinds_and_values: Any) -> str:
    """The sort key of the group with these kinds and values, in turn."""
    return group_sort_key(tuple(map(key_part, kinds_and_values[::2], kinds_and_values[1::2])))


class ExactSum:
    """The aggregate that SUM and AVG are made of."""

    def __init__(self) -> None:
        self.numbers: list[float] = []

    def step(self, number: Any) -> None:
        """One row: a number or NULL."""
        if number is not None:
            self.numbers.append(float(number))

    def finalize(self) -> Any:
        """The sum; NULL when there is none."""
        return total(self.numbers) if self.numbers else None


class SumPart(ExactSum):
    """The aggregate that SUM and AVG are made of where sums of several SELECTs are added up."""

    def finalize(self) -> Any:
        """A JSON array: how many numbers, and the terms of their sum; NULL when there is none."""
        return json.dumps([len(self.numbers), *exact_terms(self.numbers)]) if self.numbers else None


def _at(document: str | None, keys: str) -> Any:
    return UNDEFINED if document is None else find(_path(keys), json.loads(document))


@lru_cache(maxsize=1024)
def _path(keys: str) -> Path:
    return Path(tuple(json.loads(keys)))


def _json_type(value: Any) -> str | None:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return "integer"
        case float():
            return "real"
        case str():
            return "text"
        case dict():
            return "object"
        case list():
            return "array"
    return None


def _sql_text(text: str) -> str | bytes:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which no text in a query equals
        return text.encode("utf-8", "surrogatepass")
    return text
