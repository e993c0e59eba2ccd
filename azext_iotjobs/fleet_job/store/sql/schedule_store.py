"""Schedules: rows of schedule, one for each fleet job that has one."""

from datetime import datetime

from azext_iotjobs.fleet_job.store.sql import schedule_rows
from azext_iotjobs.fleet_job.store.sql.database import Database
from azext_iotjobs.fleet_job.store.sql.definition_store import DefinitionStore
from azext_iotjobs.fleet_job.store.sql.stored_row import text
from azext_iotjobs.fleet_job.store.stored_json import render_schedule
from azext_iotjobs.model.errors import NotFound
from azext_iotjobs.model.occurrence import StoredSchedule
from azext_iotjobs.model.schedule import Schedule

WITH_HOST = "SELECT schedule.*, host FROM schedule JOIN fleet_job ON id = fleet_job"


class ScheduleStore:
    """Implements schedule_contract.Schedules."""

    def __init__(self, database: Database, definitions: DefinitionStore) -> None:
        self._database = database
        self._definitions = definitions

    def get(self, fleet_job_id: str) -> StoredSchedule | None:
        """The schedule of a fleet job; None: it has none."""
        row = self._database.row(f"{WITH_HOST} WHERE fleet_job = ? AND document IS NOT NULL", (fleet_job_id,))
        return None if row is None else schedule_rows.schedule_of(row)

    def list_all(self) -> list[StoredSchedule]:
        """Those of all hubs, by the ids of their fleet jobs."""
        found = self._database.rows(f"{WITH_HOST} WHERE document IS NOT NULL ORDER BY fleet_job")
        return [schedule_rows.schedule_of(each) for each in found]

    def save(self, fleet_job_id: str, schedule: Schedule, *, at: datetime, by: str, store_key: str) -> StoredSchedule:
        """Set the schedule of a fleet job. Raises NotFound."""
        with self._database.transaction():
            self._definitions.get(fleet_job_id)
            self._database.change(
                "INSERT INTO schedule (fleet_job, document, set_at, set_by, store_key) VALUES (?1, ?2, ?3, ?4, ?5) "
                "ON CONFLICT (fleet_job) DO UPDATE SET document = ?2, set_at = ?3, set_by = ?4, looked_at = NULL",
                (fleet_job_id, render_schedule(schedule), at.timestamp(), text(by), store_key),
            )
            found = self.get(fleet_job_id)
        if found is None:
            raise NotFound(f"The schedule of fleet job {fleet_job_id} is gone.")
        return found

    def remove(self, fleet_job_id: str) -> None:
        """Remove the schedule of a fleet job; its store key stays, for claims that it has on the hub."""
        with self._database.transaction():
            self._database.change("UPDATE schedule SET document = NULL WHERE fleet_job = ?", (fleet_job_id,))

    def check_removable(self) -> None:
        """Raise StateError where schedules may not be removed, such as by this role. Nothing is changed."""
        with self._database.transaction():
            self._database.change("UPDATE schedule SET document = NULL WHERE 1 = 0")

    def put_back(self, fleet_job_id: str, schedule: Schedule) -> None:
        """Set a schedule that was removed, as it was: by whom and when it was set has stayed."""
        with self._database.transaction():
            self._database.change(
                "UPDATE schedule SET document = ? WHERE fleet_job = ? AND document IS NULL",
                (render_schedule(schedule), fleet_job_id),
            )

    def polled(self, fleet_job_id: str, now: datetime) -> None:
        """Record that somebody looked for due occurrences."""
        with self._database.transaction():
            self._database.change(
                "UPDATE schedule SET looked_at = ? WHERE fleet_job = ?", (now.timestamp(), fleet_job_id)
            )
