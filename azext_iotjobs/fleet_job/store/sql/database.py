"""What the parts of a store ask of a database: all that they know of it. Implementations: `sqlite/`, `postgres/`."""

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from azext_iotjobs.fleet_job.store.sql.dialect import Dialect
from azext_iotjobs.fleet_job.store.sql.stored_row import StoredRow

LAST = 2**62  # as a limit: there is none
VALUE = re.compile(r":(\w+)")


class TwoVersions(NamedTuple):
    """A version of a database that tells changes of others from those of this connection."""

    of_others: int
    own: int


class RowsChange(NamedTuple):
    """A change of rows of one table, each with values of its own; `:name` stands for a row's value of that name."""

    table: str
    assignments: str
    key: tuple[str, ...]  # the columns that say which row it is: the last of its values
    only_if: str  # what it must meet besides; "": nothing
    values: tuple[tuple[str, str], ...]  # names and types, in the order in which a row's values are given

    def sql(self, marks: Mapping[str, str], source: str = "") -> str:
        """The statement. marks: what stands in it for each value.  source: where it has the values from."""
        assignments = VALUE.sub(lambda found: marks[found[1]], self.assignments)
        conditions = [f"{each} = {marks[each]}" for each in self.key] + ([self.only_if] if self.only_if else [])
        return f"UPDATE {self.table} SET {assignments}{source} WHERE {' AND '.join(conditions)}"


class Database(Protocol):
    """One open database. Raises StateError from every method; BadValue for what is not text."""

    @property
    def dialect(self) -> Dialect:
        """Its own words."""

    @property
    def is_there(self) -> bool:
        """Whether there is one, or an empty one stands for it."""

    def may_change(self, *tables: str) -> bool:
        """Whether rows of tables may be added and changed by whoever has signed in."""

    def transaction(self, of_run: int | None = None) -> AbstractContextManager[None]:
        """All of it or nothing; one inside another is part of it.

        of_run: the key of the one run whose rows are read and changed, by whoever has its lease; None: of any.
        """

    def version(self) -> Hashable | None:
        """Another one after each change, whoever makes it; None within a transaction, which may be taken back.

        TwoVersions where it is known whose change it was.
        """

    def lease_clock(self, now: datetime) -> float:
        """What the clock says by which leases expire, in Unix seconds. now: what the clock of this machine says."""

    def rows(self, sql: str, values: Sequence[Any] = ()) -> Sequence[StoredRow]:
        """The rows of a SELECT."""

    def row(self, sql: str, values: Sequence[Any] = ()) -> StoredRow | None:
        """The first row of a SELECT, or None."""

    def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Execute a change; gives how many rows it touched."""

    def change_many(self, sql: str, values: Iterable[Sequence[Any]]) -> None:
        """Execute a change for each of `values`, which are read one by one."""

    def change_rows(self, change: RowsChange, values: Iterable[Sequence[Any]]) -> None:
        """Change a row for each of `values`, which are read one by one, as if one after the other."""

    def close(self) -> None:
        """Close it."""
