"""The semantics of values: their kinds, comparison, arithmetic and grouping. Pure.

Numbers calculate as doubles, as JavaScript's do, but compare exactly: a whole number within 64 bits is never rounded
for a comparison.
"""

import hashlib
import json
import math
import operator
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any

from azext_iotjobs.localhub.query.nodes import UNDEFINED, Operator, Sign, Undefined

# What identifies a group: the kind and value of each element of its key; None, None for undefined.
Key = tuple[tuple[str | None, Any], ...]

COMPARISONS: dict[Operator, Callable[[Any, Any], bool]] = {
    Operator.EQ: operator.eq,
    Operator.NE: operator.ne,
    Operator.LT: operator.lt,
    Operator.LE: operator.le,
    Operator.GT: operator.gt,
    Operator.GE: operator.ge,
}
ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    Sign.ADD.value: operator.add,
    Sign.SUBTRACT.value: operator.sub,
    Sign.MULTIPLY.value: operator.mul,
    Sign.DIVIDE.value: operator.truediv,
    Sign.MODULO.value: math.fmod,  # has the sign of the dividend
}


def kind_of(value: Any) -> str | None:
    """The kind of a value, which is compared with its own kind only; None for objects, arrays and undefined."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "text"
    return "null" if value is None else None


def compare(operator_: Operator, left: Any, right: Any) -> bool | Undefined:
    """True or false; undefined for values of different kinds, and for those that cannot be compared."""
    kind = kind_of(left)
    if kind is None or kind != kind_of(right):
        return UNDEFINED
    if kind == "null":  # null equals null, and is neither less nor greater
        left = right = 0
    if kind == "number":
        left, right = rounded(left), rounded(right)
    return COMPARISONS[operator_](left, right)


def is_any(value: Any, options: Iterable[Any]) -> bool | Undefined:
    """Whether any option equals the value; undefined when no option is of its kind."""
    answers = [compare(Operator.EQ, value, option) for option in options]
    return True if True in answers else UNDEFINED if all(each is UNDEFINED for each in answers) else False


def rounded(number: int | float) -> int | float:
    """The number as tables store it: an integer within 64 bits, else a double."""
    if isinstance(number, float) or -(2**63) <= number < 2**63:
        return number
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def calculated(sign: str, left: float, right: float) -> float | None:
    """The result of an operation on two doubles; None when there is none, or no finite one."""
    try:
        result = ARITHMETIC[sign](left, right)
    except (ZeroDivisionError, ValueError):
        return None
    return result if math.isfinite(result) else None


def total(numbers: Iterable[float]) -> float | None:
    """The double nearest to the exact sum, so that the order does not matter; None when it overflows."""
    listed = list(numbers)
    try:
        return math.fsum(listed)
    except OverflowError:
        pass  # an intermediate sum; perhaps not the final one
    try:
        return float(sum(map(Fraction, listed)))
    except OverflowError:
        return None


def exact_terms(numbers: Iterable[float]) -> list[float]:
    """Doubles, mostly one to three, with exactly the same sum; the numbers themselves when it is beyond a double."""
    listed = list(numbers)
    terms: list[float] = []
    try:
        while rest := math.fsum([*listed, *(-term for term in terms)]):
            terms.append(rest)
    except OverflowError:
        return listed
    return terms


def shortest(number: int | float) -> int | float:
    """The same number in one form: 1 for 1.0."""
    is_whole = isinstance(number, float) and number.is_integer() and -(2**63) <= number < 2**63
    return int(number) if is_whole else rounded(number)


def key_part(kind: str | None, value: Any) -> tuple[str | None, Any]:
    """An element of a group's key from a value as tables store it: booleans may be 0 and 1."""
    if kind == "number":
        return kind, shortest(value)
    return kind, bool(value) if kind == "boolean" else value


def group_sort_key(key: Key) -> str:
    """A text that orders groups: short, the same for the same key, and otherwise arbitrary."""
    return hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]


def results(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A result: the members that are defined; equal numbers in one form."""
    return {
        name: shortest(value) if kind_of(value) == "number" else value
        for name, value in pairs
        if value is not UNDEFINED
    }
