"""Text -> nodes. An error has the line and column of the first thing that is not allowed.

Strategy: lark's LALR parser builds our nodes bottom-up while it reads, so that a deep query cannot exhaust the stack;
names are resolved (prefixes, aliases, spelling) in one pass at the end, when FROM is known.
"""

from functools import cache, lru_cache
from pathlib import Path as FilePath
from typing import Any

from lark import Lark, UnexpectedInput
from lark.exceptions import VisitError

from azext_iotjobs.localhub.errors import QueryError
from azext_iotjobs.localhub.query import nodes
from azext_iotjobs.localhub.query.builder import Builder
from azext_iotjobs.localhub.query.syntax_errors import end_position, error_at, unexpected_input

MAX_CHARACTERS = 8192  # of a query or condition; to parse as many takes 10 ms
REMEMBERED = 16  # texts: each page of an answer is asked for with the whole query, and so is each look of who waits


def parse_query(text: str) -> nodes.Query:
    """A SELECT. Raises QueryError."""
    query: nodes.Query = _parse(text, "query")
    return query


def parse_condition(text: str) -> nodes.Condition:
    """A condition of a job or configuration: *, a WHERE expression, or FROM devices.modules WHERE one.

    Raises QueryError.
    """
    condition: nodes.Condition = _parse(text, "condition")
    if condition.collection is nodes.Collection.JOBS:
        raise QueryError("a condition cannot select from devices.jobs")
    return condition


@lru_cache(REMEMBERED)
def _parse(text: str, start: str) -> Any:
    if not text.strip():
        raise QueryError("the text is empty")
    if len(text) > MAX_CHARACTERS:
        raise QueryError(f"the text has more than {MAX_CHARACTERS} characters")
    try:
        text.encode()
    except UnicodeEncodeError as err:
        raise error_at("half of a surrogate pair", end_position(text[: err.start])) from None
    try:
        return _parser(start).parse(text)
    except UnexpectedInput as err:
        raise unexpected_input(text, err) from None
    except VisitError as err:
        if isinstance(err.orig_exc, QueryError):
            raise err.orig_exc from None
        raise


@cache
def _parser(start: str) -> Lark:
    grammar = FilePath(__file__).with_name("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, start=start, parser="lalr", transformer=Builder(), maybe_placeholders=True)
