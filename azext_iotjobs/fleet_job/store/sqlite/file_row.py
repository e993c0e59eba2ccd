"""A row of the SQLite file."""

import sqlite3
from pathlib import Path
from typing import Any

from azext_iotjobs.fleet_job.store.sqlite.state_errors import damaged
from azext_iotjobs.model.errors import StateDamaged


class FileRow(sqlite3.Row):
    """Implements stored_row.StoredRow: a row that knows its file."""

    path: Path
    clock_ahead_s = 0.0  # a file is one machine's

    def __getitem__(self, key: Any) -> Any:
        """A column. Raises StateDamaged where there is none."""
        try:
            return super().__getitem__(key)
        except IndexError as err:
            raise self.damaged(f"there is no column {key}") from err

    def damaged(self, what: str) -> StateDamaged:
        """The error for a row that we did not write so."""
        return damaged(self.path, what)
