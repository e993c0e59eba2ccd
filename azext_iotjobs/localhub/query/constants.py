"""Tokens of numbers and strings -> their values."""

import math
import re

from lark import Token

from azext_iotjobs.localhub.query.syntax_errors import error_at, position
from azext_iotjobs.localhub.query.values import rounded

MAX_TOP_DIGITS = 9
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|([\"'\\/bfnrt])|)")


def top_of(token: Token) -> int:
    """The number of TOP. Raises QueryError."""
    if len(token) > MAX_TOP_DIGITS:
        raise error_at(f"TOP of more than {MAX_TOP_DIGITS} digits", position(token))
    return int(token)


def number_of(token: Token) -> int | float:
    """The value of a number without sign. Raises QueryError when it is beyond a double."""
    text = token.lower()
    try:
        value = int(text, 16) if "0x" in text else float(text) if re.search(r"[.e]", text) else int(text)
    except ValueError:  # Python reads no more than some thousand digits
        value = math.inf
    value = rounded(value)
    if math.isinf(value):
        raise error_at("a number that is too large", position(token))
    return value


def string_of(token: Token) -> str:
    """The text between the quotes. Raises QueryError for an escape that is none."""

    def escape(found: re.Match[str]) -> str:
        if found[1]:
            return chr(int(found[1], 16))
        if not found[2]:
            text = "a backslash that begins no escape; a backslash itself is written \\\\"
            raise error_at(text, position(token))
        return ESCAPES.get(found[2], found[2])

    text = _ESCAPE.sub(escape, token[1:-1])
    try:
        # Two halves of a surrogate pair are one character; half of one is none.
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise error_at("half of a surrogate pair", position(token)) from None
