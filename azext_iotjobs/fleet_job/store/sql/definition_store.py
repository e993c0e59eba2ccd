"""Fleet jobs themselves: rows of fleet_job, and of definition for each version."""

from dataclasses import replace
from datetime import datetime

from azext_iotjobs.fleet_job.store.sql import rows
from azext_iotjobs.fleet_job.store.sql.database import Database
from azext_iotjobs.fleet_job.store.sql.stored_row import StoredRow, text
from azext_iotjobs.fleet_job.store.stored_json import render_definition, render_origin
from azext_iotjobs.model.errors import ConflictingChoice, NotFound
from azext_iotjobs.model.fleet_job import Definition, FleetJob, Origin
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.text import Text, command

JOINED = """
    SELECT fleet_job.*, definition.document, definition.edited_at, definition.edited_by
    FROM fleet_job JOIN definition ON definition.fleet_job = fleet_job.id
"""


class DefinitionStore:
    """Implements contract.Definitions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, fleet_job_id: str, host: str, definition: Definition, *, at: datetime, by: str, origin: Origin | None
    ) -> FleetJob:
        """Store a new fleet job, version 1. Raises ConflictingChoice when the id is taken."""
        with self._database.transaction():
            self.check_unused(fleet_job_id)
            self._database.change(
                "INSERT INTO fleet_job (id, host, version, created_at, created_by, origin) VALUES (?, ?, 1, ?, ?, ?)",
                (fleet_job_id, host, at.timestamp(), text(by), render_origin(origin)),
            )
            self._add_version(fleet_job_id, 1, definition, at, by)
        return self.get(fleet_job_id)

    def check_unused(self, fleet_job_id: str) -> None:
        """Raise ConflictingChoice when the id is taken."""
        if self._row_of(fleet_job_id) is not None:
            raise _taken(fleet_job_id)

    def get(self, fleet_job_id: str, version: int | None = None) -> FleetJob:
        """A fleet job, in its newest version or another one. Raises NotFound."""
        row = self._row_of(fleet_job_id, version)
        if row is None:
            which = repr(fleet_job_id[:60]) if version is None else f"{fleet_job_id} in version {version}"
            raise NotFound(
                f"There is no fleet job {which}.", hint=Text("List them: ", command("iot hub fleet-job list"))
            )
        found = rows.fleet_job_of(row)
        return found if version is None else replace(found, version=version)

    def list_all(self, host: str | None = None) -> list[FleetJob]:
        """All of a hub (None: of every hub), the newest first."""
        found = self._database.rows(
            f"{JOINED} AND definition.version = fleet_job.version WHERE CAST(? AS TEXT) IS NULL OR host = ? "
            "ORDER BY fleet_job.created_at DESC, id",
            (host, host),
        )
        return [rows.fleet_job_of(each) for each in found]

    def edit(self, fleet_job_id: str, definition: Definition, *, at: datetime, by: str) -> FleetJob:
        """Store another version, if anything changes. Raises NotFound."""
        with self._database.transaction():
            job = self.get(fleet_job_id)
            if render_definition(job.definition) == render_definition(definition):
                return job
            self._add_version(fleet_job_id, job.version + 1, definition, at, by)
            self._database.change("UPDATE fleet_job SET version = version + 1 WHERE id = ?", (fleet_job_id,))
        return self.get(fleet_job_id)

    def of_run(self, run: Run) -> Definition:
        """The definition that a run executes. Raises NotFound."""
        row = self._database.row(
            "SELECT * FROM definition WHERE fleet_job = ? AND version = ?", (run.fleet_job_id, run.version)
        )
        if row is None:
            raise NotFound(f"There is no fleet job {run.fleet_job_id} in version {run.version}.")
        return rows.definition_of(row)

    def _row_of(self, fleet_job_id: str, version: int | None = None) -> StoredRow | None:
        return self._database.row(
            f"{JOINED} WHERE id = ? AND definition.version = coalesce(?, fleet_job.version)", (fleet_job_id, version)
        )

    def _add_version(self, fleet_job_id: str, version: int, definition: Definition, at: datetime, by: str) -> None:
        self._database.change(
            "INSERT INTO definition VALUES (?, ?, ?, ?, ?)",
            (fleet_job_id, version, render_definition(definition), at.timestamp(), text(by)),
        )


def _taken(fleet_job_id: str) -> ConflictingChoice:
    return ConflictingChoice(
        f"A fleet job {fleet_job_id} already exists.",
        hint=Text(
            "Give another id, or change it: ",
            command("iot hub fleet-job update", fleet_job_id=fleet_job_id),
            " Or delete it first: ",
            command("iot hub fleet-job delete", fleet_job_id=fleet_job_id, yes=True),
        ),
    )
