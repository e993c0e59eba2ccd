"""A row of a team's store."""

from collections.abc import Callable, Sequence
from typing import Any

from azext_iotjobs.fleet_job.store.postgres.errors import damaged
from azext_iotjobs.fleet_job.store.postgres.place import Place
from azext_iotjobs.model.errors import StateDamaged

RowMaker = Callable[[Sequence[Any]], "ServerRow"]


class ServerRow:
    """Implements stored_row.StoredRow."""

    __slots__ = ("_names", "_place", "_values", "clock_ahead_s")

    def __init__(self, names: dict[str, int], values: Sequence[Any], place: Place, clock_ahead_s: float) -> None:
        self._names = names
        self._values = values
        self._place = place
        self.clock_ahead_s = clock_ahead_s

    def __getitem__(self, key: Any, /) -> Any:
        """A column. Raises StateDamaged where there is none."""
        try:
            return self._values[key if isinstance(key, int) else self._names[key]]
        except LookupError as err:
            raise self.damaged(f"there is no column {key}") from err

    def __iter__(self) -> Any:
        """Its values."""
        return iter(self._values)

    def keys(self) -> list[str]:
        """The names of its columns."""
        return list(self._names)

    def damaged(self, what: str) -> StateDamaged:
        """The error for a row that we did not write so."""
        return damaged(self._place, what)


def row_factory(
    place: Place, clock_ahead_s: Callable[[], float]
) -> Callable[[Any], Callable[[Sequence[Any]], ServerRow]]:
    """What makes rows of psycopg's cursors."""

    def of_cursor(cursor: Any) -> RowMaker:
        names = {column.name: index for index, column in enumerate(cursor.description or ())}
        ahead_s = clock_ahead_s()
        return lambda values: ServerRow(names, values, place, ahead_s)

    return of_cursor
