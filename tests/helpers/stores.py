"""Stores of fleet jobs of every kind, for the tests of what all promise."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from azext_iotjobs.fleet_job.store.contract import Access
from azext_iotjobs.fleet_job.store.sql.store import SqlStore
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from tests.helpers.postgres_server import binaries

if TYPE_CHECKING:
    from tests.helpers.postgres_server import PostgresServer

KINDS = ("sqlite", "postgres")


class Stores:
    """One store, which may be opened several times."""

    def __init__(self, folder: Path, server: "PostgresServer | None") -> None:
        """server: None: it is a file in the folder."""
        self.folder = folder
        self.url = None if server is None else server.url()
        self._opened: list[SqlStore] = []

    def open(self, access: Access = Access.MAKE) -> SqlStore:
        """Open it."""
        store = self._open(access)
        self._opened.append(store)
        return store

    def _open(self, access: Access) -> SqlStore:
        if self.url is None:
            return SqliteStore.open(self.folder, access)
        from azext_iotjobs.fleet_job.store.postgres.place import parse_place
        from azext_iotjobs.fleet_job.store.postgres.store import PostgresStore

        return PostgresStore.open(parse_place(self.url), access)

    def close(self) -> None:
        """Close whatever was opened."""
        for each in self._opened:
            each.close()


def skip_without_postgres() -> None:
    """Skip the test where there is no PostgreSQL to test with."""
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed: there is no initdb")
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed")
