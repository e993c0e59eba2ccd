"""A row of a store, and how a value is made of it: whole, or StateDamaged with place, table and what is wrong.

What stands in a store is checked here, once; a value that was made of a row is trusted from then on. Instants are
stored as Unix seconds.
"""

from collections.abc import Callable
from dataclasses import is_dataclass
from datetime import datetime, timezone
from enum import Enum
from functools import wraps
from typing import Any, Concatenate, NoReturn, ParamSpec, Protocol, TypeVar

from azext_iotjobs.fleet_job.store.shapes import BadField, check_shape, shown
from azext_iotjobs.model.errors import StateDamaged, UserError


class StoredRow(Protocol):
    """A row that knows its store."""

    @property
    def clock_ahead_s(self) -> float:
        """How far the clock by which leases expire is ahead of this machine's."""

    def __getitem__(self, key: Any, /) -> Any:
        """A column. Raises StateDamaged where there is none."""

    def keys(self) -> list[str]:
        """The names of its columns."""

    def damaged(self, what: str) -> StateDamaged:
        """The error for a row that we did not write so."""


Given = ParamSpec("Given")
Made = TypeVar("Made")
Kind = TypeVar("Kind", bound=Enum)
Make = Callable[Concatenate[StoredRow, Given], Made]
NAMING = ("id", "fleet_job", "name", "number", "version", "key", "run", "ordinal", "batch", "state", "seq", "device_id")
UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, OSError, RecursionError, UserError)
SHOWN_NAMES = 3


def stored(table: str) -> Callable[[Make[Given, Made]], Make[Given, Made]]:
    """Decorate what makes a value of a row of `table`: it raises StateDamaged for a row that makes none."""

    def checked(make: Make[Given, Made]) -> Make[Given, Made]:
        @wraps(make)
        def made(row: StoredRow, /, *given: Given.args, **named: Given.kwargs) -> Made:
            try:
                value = make(row, *given, **named)
                if is_dataclass(value):
                    check_shape(value)
            except UNREADABLE as err:
                _refuse(table, row, err)
            return value

        return made

    return checked


def number(row: StoredRow, name: str) -> int | None:
    """A whole number of a row; None where there is none. Raises StateDamaged."""
    value = row[name]
    if value is not None and not isinstance(value, int):
        raise row.damaged(f"{name} is {shown(value)}, not a number")
    return value


def _refuse(table: str, row: StoredRow, err: Exception) -> NoReturn:
    names = [f"{name} {shown(row[name])}" for name in row.keys() if name in NAMING][:SHOWN_NAMES]
    what = f"{err} is missing" if isinstance(err, KeyError) else str(err)
    raise row.damaged(f"a row of {table} ({', '.join(names)}): {what}") from err


def instant(seconds: float) -> datetime:
    """A stored instant, aware UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc)


def instant_or_none(seconds: float | None) -> datetime | None:
    """A stored instant; None where there is none."""
    return None if seconds is None else instant(seconds)


def seconds(at: datetime | None) -> float | None:
    """An aware instant as it is stored."""
    return None if at is None else at.timestamp()


def text(typed: str | None) -> str | None:
    """What somebody typed, as a store takes it: bytes that were no text have become halves of characters."""
    return None if typed is None else typed.encode("utf-8", "replace").decode()


def word(kind: type[Kind], row: StoredRow, name: str) -> Kind:
    """A word of an enumeration. Raises BadField, saying which there are."""
    try:
        return kind(row[name])
    except ValueError as err:
        known = ", ".join(str(each.value) for each in kind)
        raise BadField(f"{name} is {shown(row[name])}, not one of {known}") from err
