"""Fleet jobs, runs and results in one SQLite file on this machine."""

from pathlib import Path

from azext_iotjobs.fleet_job.store.contract import Access
from azext_iotjobs.fleet_job.store.sql.store import SqlStore
from azext_iotjobs.fleet_job.store.sqlite.database import SqliteDatabase


class SqliteStore(SqlStore):
    """Implements contract.FleetJobStore in a file."""

    database: SqliteDatabase

    @classmethod
    def open(cls, folder: Path, access: Access = Access.MAKE) -> "SqliteStore":
        """Open the store in a folder. Raises StateTooNew, StateDamaged and other StateErrors.

        access: what it is opened for.
        """
        return cls(SqliteDatabase(folder, access))
