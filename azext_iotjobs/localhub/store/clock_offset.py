"""How far the hub's clock is ahead of the machine's: one row, or none. It is gone with everything else in a reset."""

from datetime import timedelta

from azext_iotjobs.localhub.clock import NO_TIME
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.row_reader import RowReader, RowValues

FURTHEST = timedelta(days=365_000)  # a clock at the highest scale is as far ahead after a year


class ClockOffset:
    """The offset in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self) -> timedelta:
        """It, below zero for a clock that is behind. Raises StoreUnavailable, StoreDamaged."""
        row = self._database.row("SELECT offset_s FROM clock")
        return NO_TIME if row is None else _offset_of(row)

    def save(self, offset: timedelta) -> None:
        """Replace it. Raises StoreUnavailable, StoreDamaged."""
        self._database.change(
            "INSERT OR REPLACE INTO clock (row_id, offset_s) VALUES (1, ?)", (offset.total_seconds(),)
        )


def _read(row: RowValues) -> timedelta:
    offset = timedelta(seconds=row["offset_s"])
    if abs(offset) > FURTHEST:
        raise ValueError("no offset that a clock can have")
    return offset


_offset_of = RowReader("the hub's clock", {"offset_s": float}, _read)
