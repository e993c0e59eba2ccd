"""Fleet jobs, runs and results in a database. Every change is one transaction."""

from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING

from azext_iotjobs.fleet_job.store.contract import StoreRights
from azext_iotjobs.fleet_job.store.holder import Holder
from azext_iotjobs.fleet_job.store.sql.candidates import CandidateTable
from azext_iotjobs.fleet_job.store.sql.database import Database
from azext_iotjobs.fleet_job.store.sql.definition_store import DefinitionStore
from azext_iotjobs.fleet_job.store.sql.group_store import GroupStore
from azext_iotjobs.fleet_job.store.sql.history import HistoryStore
from azext_iotjobs.fleet_job.store.sql.occurrence_store import OccurrenceStore
from azext_iotjobs.fleet_job.store.sql.results import ResultStore
from azext_iotjobs.fleet_job.store.sql.run_store import RunStore
from azext_iotjobs.fleet_job.store.sql.schedule_store import ScheduleStore
from azext_iotjobs.model.run import Run

if TYPE_CHECKING:
    from azext_iotjobs.fleet_job.store.sql.leased_run import SqlLeasedRun


class SqlStore:
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

    def rights(self) -> StoreRights:
        """What may be done here by whoever has signed in."""
        may_run = self.database.may_change("run", "batch")
        return StoreRights(may_run, may_run and self.database.may_change("fleet_job", "definition", "schedule"))

    def transaction(self) -> AbstractContextManager[None]:
        """What is changed within it is stored as one: all of it or nothing."""
        return self.database.transaction()

    def take_lease(self, run: Run, holder: Holder, now: datetime) -> "SqlLeasedRun":
        """Take the lease of a run. Raises LeaseHeld, saying who has it and until when; NotFound."""
        # Here, so that commands that only read start quickly: it brings the engine.
        from azext_iotjobs.fleet_job.store.sql.lease import HeldLease
        from azext_iotjobs.fleet_job.store.sql.leased_run import SqlLeasedRun

        return SqlLeasedRun(self.database, self.runs, HeldLease.take(self.database, run, holder, now))

    def close(self) -> None:
        """Close the database."""
        self.database.close()
