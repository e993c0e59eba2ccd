"""Fragments of SQL, combined together with the values of their parameters."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Sql:
    """A fragment of SQL and the values of its parameters."""

    text: str
    values: tuple[Any, ...] = ()


def joined(word: str, parts: Iterable[Sql]) -> Sql:
    """The fragments with a text between them."""
    listed = list(parts)
    return Sql(word.join(part.text for part in listed), tuple(value for part in listed for value in part.values))


def filled(template: str, *parts: Sql) -> Sql:
    """The template with its {} replaced by fragments, in order, with their values."""
    text = template.format(*(part.text for part in parts))
    return Sql(text, tuple(value for part in parts for value in part.values))
