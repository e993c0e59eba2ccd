"""Fleet jobs, runs and results in a database of a team."""

from pathlib import Path

from azext_iotjobs.fleet_job.store.contract import Access
from azext_iotjobs.fleet_job.store.postgres.connecting import Password
from azext_iotjobs.fleet_job.store.postgres.database import PostgresDatabase
from azext_iotjobs.fleet_job.store.postgres.place import Place
from azext_iotjobs.fleet_job.store.sql.store import SqlStore
from azext_iotjobs.fleet_job.store.sqlite.database import SqliteDatabase

NOWHERE = Path("\0")  # no file can be there


class _EmptyDatabase(SqliteDatabase):
    """Stands for a store that nobody has made yet: empty, and forgotten."""

    def __init__(self, server: PostgresDatabase) -> None:
        self._server = server
        self._is_open = False
        super().__init__(NOWHERE, Access.READ)
        self._is_open = True

    @property
    def is_there(self) -> bool:
        """Whether somebody has made it meanwhile."""
        return self._is_open and self._server.is_there

    def close(self) -> None:
        """Close it."""
        super().close()
        self._server.close()


class PostgresStore(SqlStore):
    """Implements contract.FleetJobStore on a server."""

    @classmethod
    def open(cls, place: Place, access: Access = Access.MAKE, password: Password | None = None) -> "PostgresStore":
        """Open a store. Raises StateUnreachable, StateTooNew and other StateErrors; BadValue.

        access: what it is opened for.  password: None: the driver finds it, in PGPASSWORD or a password file.
        """
        server = PostgresDatabase(place, access, password)
        is_made = access is Access.MAKE or server.is_there
        return cls(server if is_made else _EmptyDatabase(server))
