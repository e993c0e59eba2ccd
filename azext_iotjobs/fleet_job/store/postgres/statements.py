"""Statements and their values as PostgreSQL takes them. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import count
from typing import Any

from azext_iotjobs.fleet_job.store.sql.database import RowsChange

CHUNK_ROWS = 1000
CHUNK_TEXT = 4_000_000  # characters: no statement takes long, whatever devices have answered
NUL, SHOWN_NUL = "\0", "␀"  # PostgreSQL's texts hold no NUL; a device's may


def taken(values: Sequence[Any]) -> Sequence[Any]:
    """Values as PostgreSQL takes them: a NUL is shown as a character that stands for it, so that no result is lost."""
    return [_text(each) if isinstance(each, str) else each for each in values]


def _text(value: str) -> str:
    return value.replace(NUL, SHOWN_NUL)


OF_KIND: dict[str, Callable[[Any], Any]] = {"TEXT": _text, "BIGINT": int, "DOUBLE PRECISION": float}


def column(kind: str, values: Sequence[Any]) -> list[Any]:
    """The values of a column, all of its type: psycopg takes no list of several."""
    convert = OF_KIND[kind]
    return [None if each is None else convert(each) for each in values]


def chunks(values: Iterable[Sequence[Any]], key_length: int) -> Iterator[list[Sequence[Any]]]:
    """The values of rows for a statement each, which changes a row once: one that comes again begins the next."""
    chunk: list[Sequence[Any]] = []
    keys: set[tuple[Any, ...]] = set()
    size = 0
    for each in values:
        key = tuple(each[-key_length:])
        if len(chunk) >= CHUNK_ROWS or size >= CHUNK_TEXT or key in keys:
            yield chunk
            chunk, keys, size = [], set(), 0
        chunk.append(each)
        keys.add(key)
        size += sum(len(value) for value in each if isinstance(value, str))
    if chunk:
        yield chunk


@lru_cache(50)
def of_columns(change: RowsChange) -> str:
    """The statement that takes a list of each value, which has one for each row."""
    # How long a list is that is selected the planner does not know: it expects few rows, and finds each by its key.
    lists = ", ".join(f"(SELECT ${number}::{kind}[])" for number, (_, kind) in enumerate(change.values, 1))
    names = ", ".join(f"own_{name}" for name, _ in change.values)
    marks = {name: f"own.own_{name}" for name, _ in change.values}
    return change.sql(marks, f" FROM unnest({lists}) AS own ({names})")


@lru_cache(500)
def marked(sql: str) -> str:
    """A statement with its parameters marked as PostgreSQL does: `?` and `?1` are `$1`."""
    first, *rest = sql.split("?")
    numbers = count(1)
    return first + "".join(f"${each}" if each[:1].isdigit() else f"${next(numbers)}{each}" for each in rest)
