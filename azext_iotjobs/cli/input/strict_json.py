"""Text -> JSON values, read more strictly than Python does."""

import json
import math
from collections.abc import Iterable
from typing import Any

MAX_DEPTH = 100  # a twin takes 10 levels; far below where az's own printing would break
TOO_DEEP = f"it is nested more than {MAX_DEPTH} levels deep"


class NotAllowed(ValueError):
    """JSON in form, but a value that is not sent: not finite, nested too deeply, or with a key twice."""


def parse_json(text: str) -> Any:
    """Strict JSON: values that Python reads and the hub refuses, or reads differently, are errors.

    Raises ValueError for text that is not JSON, NotAllowed (a ValueError too) for NaN, Infinity, 1e999, an object
    with a key twice, and more than MAX_DEPTH levels.
    """
    constants: list[str] = []  # refused once the whole text is known to be JSON, which NaNette and Infinity5 are not
    try:
        value = json.loads(
            text,
            parse_constant=constants.append,
            parse_float=finite,
            parse_int=whole,
            object_pairs_hook=_object_of_distinct_keys,
        )
    except RecursionError:
        raise NotAllowed(TOO_DEEP) from None
    if constants:
        raise NotAllowed(f"{constants[0]} is not a JSON value")
    check_depth(value)
    return value


def check_depth(value: Any) -> None:
    """Raise NotAllowed for a value with more than MAX_DEPTH levels of objects and lists."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in _children(node) if isinstance(child, dict | list)]
        if not level:
            return
    raise NotAllowed(TOO_DEEP)


def _children(node: Any) -> Iterable[Any]:
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()


def finite(text: str) -> float:
    """A number of JSON with a point or an exponent. Raises NotAllowed for 1e999, which Python reads as infinite."""
    number = float(text)
    if not math.isfinite(number):
        raise NotAllowed(f"the number {text[:40]} is too large")
    return number


def whole(text: str) -> int:
    """A whole number of JSON. Raises NotAllowed for one of thousands of digits."""
    try:
        return int(text)
    except ValueError:  # Python has a limit, as to read many digits takes long
        raise NotAllowed(f"a number of {len(text)} digits is too large") from None


def _object_of_distinct_keys(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in members:
        if key in found:
            # Ambiguous: Python takes the last one, others the first.
            raise NotAllowed(f"the key {key[:40]!r} is given twice in one object")
        found[key] = value
    return found
