"""Pieces of SQL, put together with the values of their question marks."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Sql:
    """A piece of SQL and the values of its question marks."""

    text: str
    values: tuple[Any, ...] = ()


def joined(word: str, parts: Iterable[Sql]) -> Sql:
    """The parts with a word between them."""
    listed = list(parts)
    return Sql(word.join(part.text for part in listed), tuple(value for part in listed for value in part.values))


def filled(template: str, *parts: Sql) -> Sql:
    """The template with its {} replaced by pieces of SQL, in order; so are their values."""
    text = template.format(*(part.text for part in parts))
    return Sql(text, tuple(value for part in parts for value in part.values))
