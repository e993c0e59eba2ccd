"""JSON in single quotes, `{'a': 'b', 'on': True}`: Python's notation, which az takes wherever it takes JSON.

In cmd it is the only way to type quotes without backslashes. It is read by its syntax tree: nothing is evaluated.
"""

import ast
import warnings
from typing import Any

from azext_iotjobs.cli.input.strict_json import NotAllowed, check_depth

MAX_CHARACTERS = 128 * 1024  # the length of a command line; the parser may fail on more


def parse_dict_notation(text: str) -> Any:
    """The value of an object or list in Python's notation.

    Raises ValueError for another text, NotAllowed for a value that JSON cannot express.
    """
    if len(text) > MAX_CHARACTERS or not text.lstrip().startswith(("{", "[")):
        raise ValueError("not an object or list in single quotes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about backslashes that escape nothing
            value = _value(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, RecursionError, MemoryError) as err:
        raise ValueError("not an object or list in single quotes") from err
    check_depth(value)
    return value


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=str() | bool() | int() | float() | None as constant):
            if isinstance(constant, float) and not abs(constant) < float("inf"):
                raise NotAllowed("a number is too large")
            return constant
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.List(elts=items):
            return [_value(item) for item in items]
        case ast.Dict(keys=keys, values=values):
            found: dict[str, Any] = {}
            for key, value in zip(keys, values, strict=True):
                if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
                    raise ValueError("a key is not text")
                if key.value in found:
                    raise NotAllowed(f"the key {key.value[:40]!r} is given twice in one object")
                found[key.value] = _value(value)
            return found
        case _:
            raise ValueError("not an object or list in single quotes")
