"""Removing fleet jobs and old runs with their results."""

from datetime import datetime

from azext_iotjobs.fleet_job.store.sql.database import Database
from azext_iotjobs.fleet_job.store.sql.definition_store import DefinitionStore
from azext_iotjobs.fleet_job.store.sql.run_store import RunStore
from azext_iotjobs.fleet_job.unfinished import check_not_running

IS_OLD = "ended_at < ? AND state IN ('completed', 'canceled', 'failed', 'stopped')"
# The newest occurrence stays: no earlier one is ever due. So does what has run: a backfill must not run it again.
IS_PAST = """
    state IN ('missed', 'skipped') AND at < (
        SELECT max(at) FROM occurrence AS other WHERE other.fleet_job = occurrence.fleet_job AND is_backfill = 0)
"""


class HistoryStore:
    """Implements contract.History."""

    def __init__(self, database: Database, definitions: DefinitionStore, runs: RunStore) -> None:
        self._database = database
        self._definitions = definitions
        self._runs = runs

    def ended_before(self, before: datetime, host: str | None = None) -> list[int]:
        """The keys of runs that ended before an instant."""
        found = self._database.rows(
            f"SELECT key FROM run JOIN fleet_job ON id = fleet_job WHERE {IS_OLD} "
            "AND (CAST(? AS TEXT) IS NULL OR host = ?)",
            (before.timestamp(), host, host),
        )
        return [each["key"] for each in found]

    def prune(self, before: datetime, host: str | None = None) -> int:
        """Remove runs that ended before an instant, with their results; gives how many."""
        count = 0
        for key in self.ended_before(before, host):
            with self._database.transaction():  # one each: who executes another run does not wait for all of them
                values = (key, before.timestamp())
                if self._database.row(f"SELECT key FROM run WHERE key = ? AND {IS_OLD}", values) is not None:
                    self._delete_run(key)
                    count += 1
        with self._database.transaction():
            self._database.change(
                f"DELETE FROM occurrence WHERE at < ? AND {IS_PAST} AND fleet_job IN "
                "(SELECT id FROM fleet_job WHERE CAST(? AS TEXT) IS NULL OR host = ?)",
                (before.timestamp(), host, host),
            )
        return count

    def delete_fleet_job(self, fleet_job_id: str) -> None:
        """Remove a fleet job, its runs and results. Raises NotFound; WrongState while a run is running."""
        with self._database.transaction():
            self._definitions.get(fleet_job_id)
            for run in self._runs.list_all(fleet_job_id):
                check_not_running(run)
                self._delete_run(run.key)
            self._database.change("DELETE FROM fleet_job WHERE id = ?", (fleet_job_id,))

    def _delete_run(self, key: int) -> None:
        for table in ("device", "tally", "part", "batch"):
            self._database.change(f"DELETE FROM {table} WHERE run = ?", (key,))
        self._database.change(
            "UPDATE occurrence SET run = NULL "
            "WHERE (fleet_job, run) = (SELECT fleet_job, number FROM run WHERE key = ?)",
            (key,),
        )
        self._database.change("DELETE FROM run WHERE key = ?", (key,))
