"""Text -> nodes. An error says at which line and column the text stops making sense.

Strategy: lark's LALR parser builds our nodes bottom-up while it reads, so no tree is walked and a deep query cannot
exhaust the stack; names are resolved (prefixes, aliases, spelling) in one pass at the end, when FROM is known.
"""

import math
import re
from functools import cache
from pathlib import Path as FilePath
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.exceptions import VisitError

from azext_iotjobs.localhub.errors import QueryError
from azext_iotjobs.localhub.query import nodes
from azext_iotjobs.localhub.query.names import Names

MAX_CHARACTERS = 8192  # of a query or condition
MAX_PATH_NAMES = 32  # a JSON place is looked up with one table for each name, and SQLite joins 64
MAX_TOP_DIGITS = 9
UNNAMED_COUNT = "$1"  # what the service calls a count without alias is not published

RESERVED = frozenset(
    """select top from where as and or not in nin true false null undefined group by order having distinct like between
    join exists is_defined count avg sum min max""".split()
)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|([\"'\\/bfnrt])|)")
OPERATORS = {"!=": nodes.Operator.NE, **{each.value: each for each in nodes.Operator}}
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def parse_query(text: str) -> nodes.Query:
    """A SELECT. Raises QueryError."""
    query: nodes.Query = _parse(text, "query")
    if query.collection is nodes.Collection.JOBS and not isinstance(query.projection, nodes.All):
        raise QueryError("devices.jobs can only be read with SELECT *")
    return query


def parse_condition(text: str) -> nodes.Condition:
    """A job's condition: *, a WHERE expression, or FROM devices.modules WHERE one. Raises QueryError."""
    condition: nodes.Condition = _parse(text, "condition")
    if condition.collection is nodes.Collection.JOBS:
        raise QueryError("a job cannot aim at devices.jobs")
    return condition


def _parse(text: str, start: str) -> Any:
    if not text.strip():
        raise QueryError("the text is empty")
    if len(text) > MAX_CHARACTERS:
        raise QueryError(f"the text has more than {MAX_CHARACTERS} characters")
    try:
        text.encode()
    except UnicodeEncodeError as err:
        before = text[: err.start]
        raise QueryError("half of a surrogate pair", line=_line(before), column=_column(before)) from None
    try:
        return _parser(start).parse(text)
    except UnexpectedToken as err:
        if err.token.type == "$END":
            raise QueryError("the text ends too early", line=_line(text), column=_column(text)) from None
        raise QueryError(f"unexpected {str(err.token)[:40]!r}", line=err.line, column=err.column) from None
    except UnexpectedCharacters as err:
        raise QueryError(f"unexpected {err.char!r}", line=err.line, column=err.column) from None
    except UnexpectedInput as err:
        raise QueryError("unexpected input", line=err.line, column=err.column) from None
    except VisitError as err:
        if isinstance(err.orig_exc, QueryError):
            raise err.orig_exc from None
        raise


@cache
def _parser(start: str) -> Lark:
    grammar = FilePath(__file__).with_name("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, start=start, parser="lalr", transformer=_Builder(), maybe_placeholders=True)


def _line(text: str) -> int:
    return text.count("\n") + 1


def _column(text: str) -> int:
    return len(text) - (text.rfind("\n") + 1) + 1


class _Builder(Transformer[Token, Any]):
    """Builds a node from each rule; names stay as they were typed until the whole is known."""

    def query(self, parts: list[Any]) -> nodes.Query:
        _, _, top, projection, _, collection, alias, _, where = parts
        names = Names(collection, alias)
        return nodes.Query(
            projection=names.projection(projection),
            collection=collection,
            where=names.expr(where) if where is not None else None,
            top=None if top is None else _top(top),
        )

    def everything(self, _parts: list[Any]) -> nodes.Condition:
        return nodes.Condition(collection=nodes.Collection.DEVICES, where=None)

    def of_collection(self, parts: list[Any]) -> nodes.Condition:
        _, collection, alias, _, where = parts
        return nodes.Condition(collection=collection, where=Names(collection, alias).expr(where))

    def plain(self, parts: list[Any]) -> nodes.Condition:
        collection = nodes.Collection.DEVICES
        return nodes.Condition(collection=collection, where=Names(collection, None).expr(parts[0]))

    def all(self, _parts: list[Any]) -> nodes.All:
        return nodes.All()

    def count(self, parts: list[Any]) -> nodes.Count:
        return nodes.Count(UNNAMED_COUNT if parts[-1] is None else str(parts[-1]))

    def fields(self, parts: list[Any]) -> nodes.Fields:
        names = [field.name for field in parts]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise QueryError(f"two members of the result are named {twice[:40]!r}; name one with AS")
        return nodes.Fields(tuple(parts))

    def field(self, parts: list[Any]) -> nodes.Field:
        path, _, name = parts
        return nodes.Field(path, path.parts[-1] if name is None else str(name))

    def collection(self, parts: list[Token]) -> nodes.Collection:
        name = ".".join(parts).lower()
        for each in nodes.Collection:
            if each.value == name:
                return each
        raise _refusal(f"there is no collection {name[:40]!r}", parts[0])

    def alias(self, parts: list[Any]) -> str:
        return str(parts[-1])

    def name(self, parts: list[Token]) -> Token:
        (token,) = parts
        if token.type == "QUOTED":
            return token.update(value=token[2:-2])
        if token.lower() in RESERVED:
            raise _refusal(f"{str(token)!r} is a reserved word; as a name it is written [[{token}]]", token)
        return token

    def path(self, parts: list[Token]) -> nodes.Path:
        if len(parts) > MAX_PATH_NAMES:
            raise _refusal(f"a path of more than {MAX_PATH_NAMES} names", parts[MAX_PATH_NAMES])
        return nodes.Path(tuple(map(str, parts)))

    def array(self, parts: list[nodes.Constant]) -> tuple[nodes.Constant, ...]:
        return tuple(parts)

    def or_(self, parts: list[Any]) -> nodes.Or:
        return nodes.Or(tuple(parts[::2]))

    def and_(self, parts: list[Any]) -> nodes.And:
        return nodes.And(tuple(parts[::2]))

    def not_(self, parts: list[Any]) -> nodes.Not:
        return nodes.Not(parts[1])

    def compare(self, parts: list[Any]) -> nodes.Compare:
        left, operator, right = parts
        return nodes.Compare(OPERATORS[str(operator)], left, right)

    def in_(self, parts: list[Any]) -> nodes.In:
        return nodes.In(parts[0], parts[2])

    def nin(self, parts: list[Any]) -> nodes.Not:
        return nodes.Not(nodes.In(parts[0], parts[2]))

    def is_defined(self, parts: list[Any]) -> nodes.IsDefined:
        return nodes.IsDefined(parts[1])

    def starts_with(self, parts: list[Any]) -> nodes.StartsWith:
        return nodes.StartsWith(parts[1], _unquoted(parts[2]))

    def truth(self, parts: list[Any]) -> nodes.Truth:
        return nodes.Truth(parts[0])

    def string(self, parts: list[Token]) -> nodes.Constant:
        return nodes.Constant(_unquoted(parts[0]))

    def number(self, parts: list[Token]) -> nodes.Constant:
        return nodes.Constant(_number(parts[0]))

    def true(self, _parts: list[Any]) -> nodes.Constant:
        return nodes.Constant(True)

    def false(self, _parts: list[Any]) -> nodes.Constant:
        return nodes.Constant(False)

    def null(self, _parts: list[Any]) -> nodes.Constant:
        return nodes.Constant(None)

    def undefined(self, _parts: list[Any]) -> nodes.Constant:
        return nodes.Constant(nodes.UNDEFINED)


def _refusal(text: str, token: Token) -> QueryError:
    return QueryError(text, line=token.line or 1, column=token.column or 1)


def _top(token: Token) -> int:
    if len(token) > MAX_TOP_DIGITS:
        raise _refusal(f"TOP of more than {MAX_TOP_DIGITS} digits", token)
    return int(token)


def _number(token: Token) -> int | float:
    text = token.lower()
    try:
        value = int(text, 16) if "0x" in text else float(text) if re.search(r"[.e]", text) else int(text)
        # SQLite holds 64 bits; beyond them nothing in a document is exact either.
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            value = float(value)
    except (OverflowError, ValueError):  # ValueError: Python reads no more than some thousand digits
        raise _refusal("a number that is too large", token) from None
    if math.isinf(value):
        raise _refusal("a number that is too large", token)
    return value


def _unquoted(token: Token) -> str:
    def escape(found: re.Match[str]) -> str:
        if found[1]:
            return chr(int(found[1], 16))
        if not found[2]:
            raise _refusal("a backslash that begins no escape; a backslash itself is written \\\\", token)
        return ESCAPES.get(found[2], found[2])

    text = _ESCAPE.sub(escape, token[1:-1])
    try:
        # Two halves of a surrogate pair are one character; half of one is none.
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise _refusal("half of a surrogate pair", token) from None
