"""Schedules: rows of schedule, one for each fleet job that has one."""

from datetime import datetime

from azext_iotjobs.fleet_job.store.sql import schedule_rows
from azext_iotjobs.fleet_job.store.sql.database import Database
from azext_iotjobs.fleet_job.store.sql.definition_store import DefinitionStore
from azext_iotjobs.fleet_job.store.sql.stored_row import text
from azext_iotjobs.fleet_job.store.stored_json import render_schedule
from azext_iotjobs.model.errors import NotFound
from azext_iotjobs.model.occurrence import MovingSchedule, StoredSchedule
from azext_iotjobs.model.schedule import Schedule

WITH_HOST = "SELECT schedule.*, host FROM schedule JOIN fleet_job ON id = fleet_job"
NOT_MOVING = "moving = NULL, moving_to = NULL"


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
                "ON CONFLICT (fleet_job) DO UPDATE SET document = ?2, set_at = ?3, set_by = ?4, looked_at = NULL, "
                f"{NOT_MOVING}",
                (fleet_job_id, render_schedule(schedule), at.timestamp(), text(by), store_key),
            )
            found = self.get(fleet_job_id)
        if found is None:
            raise NotFound(f"The schedule of fleet job {fleet_job_id} is gone.")
        return found

    def remove(self, fleet_job_id: str) -> None:
        """Remove the schedule of a fleet job; its store key stays, for claims that it has on the hub."""
        with self._database.transaction():
            self._database.change(
                f"UPDATE schedule SET document = NULL, {NOT_MOVING} WHERE fleet_job = ?", (fleet_job_id,)
            )

    def check_removable(self) -> None:
        """Raise StateError where schedules may not be removed, such as by this role. Nothing is changed."""
        with self._database.transaction():
            self._database.change("UPDATE schedule SET document = NULL, moving = NULL WHERE 1 = 0")

    def moving(self, fleet_job_id: str) -> MovingSchedule | None:
        """The schedule that left this store when a copy of it ended in the middle; None: none did."""
        row = self._database.row(
            "SELECT fleet_job, host, moving AS document, moving_to, set_at, set_by, store_key, looked_at "
            "FROM schedule JOIN fleet_job ON id = fleet_job WHERE fleet_job = ? AND moving IS NOT NULL",
            (fleet_job_id,),
        )
        return None if row is None else MovingSchedule(schedule_rows.schedule_of(row), row["moving_to"] or "")

    def give_up(self, fleet_job_id: str, to: str) -> None:
        """A schedule leaves this store: it starts nothing here any more. to: the store that it goes to, for people.

        One that has left before, and may have arrived nowhere, is left as it is.
        """
        with self._database.transaction():
            self._database.change(
                "UPDATE schedule SET moving = document, moving_to = ?, document = NULL "
                "WHERE fleet_job = ? AND document IS NOT NULL",
                (text(to), fleet_job_id),
            )

    def arrived(self, fleet_job_id: str) -> None:
        """The schedule that has left this store is in the other one."""
        with self._database.transaction():
            self._database.change(f"UPDATE schedule SET {NOT_MOVING} WHERE fleet_job = ?", (fleet_job_id,))

    def put_back(self, fleet_job_id: str) -> None:
        """Set a schedule that has left this store, and is not in the other, as it was."""
        with self._database.transaction():
            self._database.change(
                f"UPDATE schedule SET document = moving, {NOT_MOVING} "
                "WHERE fleet_job = ? AND document IS NULL AND moving IS NOT NULL",
                (fleet_job_id,),
            )

    def key_of(self, fleet_job_id: str) -> str | None:
        """The store key of a schedule that a fleet job has, or had; None: it has had none."""
        row = self._database.row("SELECT store_key FROM schedule WHERE fleet_job = ?", (fleet_job_id,))
        return None if row is None else str(row["store_key"])

    def polled(self, fleet_job_id: str, now: datetime) -> None:
        """Record that somebody looked for due occurrences."""
        with self._database.transaction():
            self._database.change(
                "UPDATE schedule SET looked_at = ? WHERE fleet_job = ?", (now.timestamp(), fleet_job_id)
            )
