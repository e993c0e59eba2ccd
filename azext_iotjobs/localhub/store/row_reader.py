"""Rows -> records, strictly: invalid content of a row, from another program or a bad disk, is found when it is read.

Such a row raises StoreDamaged, which names the row and never quotes its content: that may be a key. Lists for the hub's
background tasks leave such rows out, so that one of them does not block the others.
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
RowValues = Mapping[str, Any] | sqlite3.Row  # by the names of columns

logger = logging.getLogger(__name__)
_logged: set[str] = set()


class RowReader(Generic[Record]):
    """Reads rows of one kind.

    what: names a row for people, with columns in braces.  kinds: the types of columns.
    make: makes the record of a row whose columns have these types.
    """

    def __init__(self, what: str, kinds: Kinds, make: Callable[[RowValues], Record]) -> None:
        self._what = what
        self._kinds = tuple(kinds.items())
        self._make = make

    def __call__(self, row: RowValues) -> Record:
        """A row's record. Raises StoreDamaged."""
        values = _by_name(row) if isinstance(row, sqlite3.Row) else row
        try:
            for name, kind in self._kinds:
                if not isinstance(values[name], kind):
                    raise TypeError(f"{name} is of the wrong type")
            return self._make(values)
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError, HubError) as err:
            raise StoreDamaged(f"The row of {self._name(row)} in the hub's database is damaged: {_why(err)}.") from err

    def all(self, rows: Iterable[sqlite3.Row]) -> list[Record]:
        """The records of the rows that can be read; each of the others is logged once."""
        found: list[Record] = []
        for row in rows:
            try:
                found.append(self(row))
            except StoreDamaged as err:
                log_once(err)
        return found

    def _name(self, row: RowValues) -> str:
        shown = {name: ascii(row[name])[:140] for name in row.keys() if f"{{{name}}}" in self._what}
        return self._what.format(**shown)


def _by_name(row: sqlite3.Row) -> dict[str, Any]:
    """Its values by name: a Row looks for each name anew. Of columns with the same name, the first, as a Row does."""
    return dict(zip(reversed(row.keys()), reversed(tuple(row)), strict=True))


def log_once(err: StoreDamaged) -> None:
    """Log an error unless it was logged before."""
    if err.text not in _logged and len(_logged) < MAX_LOGGED:
        _logged.add(err.text)
        logger.error("%s It is left out.", err.text)


def read_object(text: str) -> dict[str, Any]:
    """A JSON object that a column holds. Raises ValueError, TypeError."""
    if text == "{}":
        return {}
    value = parse_json(text)
    if not isinstance(value, dict):
        raise TypeError("JSON that is not an object")
    return value


def read_texts(text: str) -> tuple[str, ...]:
    """A JSON list of texts that a column holds. Raises ValueError, TypeError."""
    if text == "[]":
        return ()
    value = parse_json(text)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise TypeError("JSON that is not a list of texts")
    return tuple(value)


def check_key(key: str | None) -> None:
    """Raise ValueError for a key that is not base64."""
    if key is not None:
        base64.b64decode(key, validate=True)


def _why(err: Exception) -> str:
    # The messages of TypeErrors do not quote content; those of others, such as an enum's, may.
    if isinstance(err, TypeError):
        return str(err)
    return "a column holds no JSON" if isinstance(err, JSONDecodeError) else "a column has a value that it cannot have"
