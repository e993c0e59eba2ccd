"""Error messages for texts that are not a query, with the position of the error."""

import re
from collections.abc import Iterable

from lark import Token, UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from azext_iotjobs.localhub.errors import QueryError
from azext_iotjobs.localhub.query.nodes import Position

# Source: IoT Hub devguide "routing query syntax"; STARTS_WITH is what STARTSWITH is called there.
ROUTING_FUNCTIONS = frozenset(
    """abs exp power square ceiling floor sign sqrt as_number is_array is_bool is_null is_number is_object is_primitive
    is_string concat length lower upper substring index_of starts_with ends_with endswith contains""".split()
)
AGGREGATES = frozenset({"count", "avg", "sum", "min", "max"})
NOT_HERE = frozenset({"order", "having", "distinct", "like", "between", "join", "exists"})
_WORD = re.compile(r"[^\W\d][\w-]*")
_CALL = re.compile(r"\s*\(")


def error_at(text: str, at: Position) -> QueryError:
    """An error at a position."""
    line, column = at
    return QueryError(text, line=line, column=column)


def position(token: Token) -> Position:
    """The position of a token."""
    return token.line or 1, token.column or 1


def end_position(text: str) -> Position:
    """The position after a text."""
    return text.count("\n") + 1, len(text) - text.rfind("\n")


def unexpected_input(text: str, err: UnexpectedInput) -> QueryError:
    """Our error for input that lark did not expect."""
    if isinstance(err, UnexpectedToken) and err.token.type == "$END":
        return error_at("the text ends too early", end_position(text))
    at = (err.line, err.column)
    begin = err.pos_in_stream or 0
    if word := _WORD.match(text, begin):
        is_name_allowed = "NAME" in _allowed(err)
        return error_at(_about(word[0], is_called=bool(_CALL.match(text, word.end())), is_name=is_name_allowed), at)
    seen = str(err.token)[:40] if isinstance(err, UnexpectedToken) else text[begin : begin + 1]
    return error_at(f"unexpected {seen!r}", at)


def _about(word: str, *, is_called: bool, is_name: bool) -> str:
    lowered, shown = word.lower(), word[:40]
    if is_called and lowered in ROUTING_FUNCTIONS:
        return f"{shown} is a function of message routing; here there are IS_DEFINED, STARTSWITH and ARRAY_CONTAINS"
    if is_called and lowered in AGGREGATES:
        return f"{shown} may only stand between SELECT and FROM"
    if is_called and is_name:
        return f"there is no function {shown!r}"
    if lowered in NOT_HERE:
        return f"there is no {shown.upper()} here" + (f"; as a name it is written [[{shown}]]" if is_name else "")
    if is_name:  # and the word is none
        return f"{shown!r} is a reserved word; as a name it is written [[{shown}]]"
    return f"unexpected {shown!r}"


def _allowed(err: UnexpectedInput) -> Iterable[str]:
    if isinstance(err, UnexpectedToken):
        return err.expected or ()
    return (err.allowed or ()) if isinstance(err, UnexpectedCharacters) else ()
