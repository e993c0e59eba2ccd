"""Rows -> records, strictly: what somebody else or a bad disk has put into a row is found where the row is read.

A row that cannot be read is a StoreDamaged that names it, and never what is in it: that may be a key. Lists for the
hub's own work leave such rows out, so that one of them does not keep the others from being served.
"""

import base64
import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from json import JSONDecodeError
from typing import Any, Generic, TypeVar

from azext_iotjobs.localhub.errors import HubError, StoreDamaged
from azext_iotjobs.localhub.rules.json_values import parse_json

TEXT, NUMBER, BYTES = str, int, bytes
TEXT_OR_NULL = (str, type(None))
MAX_LOGGED = 1000

Record = TypeVar("Record")
Kinds = Mapping[str, type | tuple[type, ...]]

logger = logging.getLogger(__name__)
_said: set[str] = set()


class RowReader(Generic[Record]):
    """Reads rows of one kind.

    what: names a row for people, with its columns in braces.  kinds: of what its columns must be.
    make: makes the record of a row whose columns are of these kinds.
    """

    def __init__(self, what: str, kinds: Kinds, make: Callable[[sqlite3.Row], Record]) -> None:
        self._what = what
        self._kinds = tuple(kinds.items())
        self._make = make

    def __call__(self, row: sqlite3.Row) -> Record:
        """A row's record. Raises StoreDamaged."""
        try:
            for name, kind in self._kinds:
                if not isinstance(row[name], kind):
                    raise TypeError(f"{name} is of the wrong type")
            return self._make(row)
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError, HubError) as err:
            raise StoreDamaged(f"The row of {self._name(row)} in the hub's database is damaged: {_why(err)}.") from err

    def all(self, rows: Iterable[sqlite3.Row]) -> list[Record]:
        """The records of those rows that can be read; of the others, each is said once in the log."""
        found: list[Record] = []
        for row in rows:
            try:
                found.append(self(row))
            except StoreDamaged as err:
                log_once(err)
        return found

    def _name(self, row: sqlite3.Row) -> str:
        shown = {name: ascii(row[name])[:140] for name in row.keys() if f"{{{name}}}" in self._what}
        return self._what.format(**shown)


def log_once(err: StoreDamaged) -> None:
    """Log a damage unless it was logged before."""
    if err.text not in _said and len(_said) < MAX_LOGGED:
        _said.add(err.text)
        logger.error("%s It is left out.", err.text)


def read_object(text: str) -> dict[str, Any]:
    """A JSON object that a column holds. Raises ValueError, TypeError."""
    value = parse_json(text)
    if not isinstance(value, dict):
        raise TypeError("JSON that is no object")
    return value


def read_texts(text: str) -> tuple[str, ...]:
    """A JSON list of texts that a column holds. Raises ValueError, TypeError."""
    value = parse_json(text)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise TypeError("JSON that is no list of texts")
    return tuple(value)


def check_key(key: str | None) -> None:
    """Raise ValueError for a key that is no base64."""
    if key is not None:
        base64.b64decode(key, validate=True)


def _why(err: Exception) -> str:
    # The messages of these hold no content; those of others, such as an enum's, may.
    if isinstance(err, TypeError):
        return str(err)
    return "a column holds no JSON" if isinstance(err, JSONDecodeError) else "a column has a value that it cannot have"
