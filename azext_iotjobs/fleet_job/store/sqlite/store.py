"""Fleet jobs, runs and results in one SQLite file on this machine. Every change is one transaction."""

from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path

from azext_iotjobs.fleet_job.store.contract import Access
from azext_iotjobs.fleet_job.store.holder import Holder
from azext_iotjobs.fleet_job.store.sqlite.candidates import CandidateTable
from azext_iotjobs.fleet_job.store.sqlite.database import Database
from azext_iotjobs.fleet_job.store.sqlite.definition_store import DefinitionStore
from azext_iotjobs.fleet_job.store.sqlite.group_store import GroupStore
from azext_iotjobs.fleet_job.store.sqlite.history import HistoryStore
from azext_iotjobs.fleet_job.store.sqlite.lease import HeldLease
from azext_iotjobs.fleet_job.store.sqlite.leased_run import SqliteLeasedRun
from azext_iotjobs.fleet_job.store.sqlite.occurrence_store import OccurrenceStore
from azext_iotjobs.fleet_job.store.sqlite.results import ResultStore
from azext_iotjobs.fleet_job.store.sqlite.run_store import RunStore
from azext_iotjobs.fleet_job.store.sqlite.schedule_store import ScheduleStore
from azext_iotjobs.model.run import Run


class SqliteStore:
    """Implements contract.FleetJobStore: a database, and a part for each subject that works on it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.definitions = DefinitionStore(database)
        self.groups = GroupStore(database, self.definitions)
        self.results = ResultStore(database)
        self.candidates = CandidateTable(database, self.results)
        self.runs = RunStore(database, self.definitions, self.candidates)
        self.schedules = ScheduleStore(database, self.definitions)
        self.occurrences = OccurrenceStore(database)
        self.history = HistoryStore(database, self.definitions, self.runs)

    @classmethod
    def open(cls, folder: Path, access: Access = Access.MAKE) -> "SqliteStore":
        """Open the store in a folder. Raises StateTooNew, StateDamaged and other StateErrors.

        access: what it is opened for.
        """
        return cls(Database(folder, access))

    def transaction(self) -> AbstractContextManager[None]:
        """What is changed within it is stored as one: all of it or nothing."""
        return self.database.transaction()

    def take_lease(self, run: Run, holder: Holder, now: datetime) -> SqliteLeasedRun:
        """Take the lease of a run. Raises LeaseHeld, saying who has it and until when; NotFound."""
        return SqliteLeasedRun(self.database, self.runs, HeldLease.take(self.database, run, holder, now))

    def close(self) -> None:
        """Close the file."""
        self.database.close()
