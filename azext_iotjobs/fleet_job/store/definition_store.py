"""What is kept of fleet jobs themselves: their versions, and device groups, which are saved conditions."""

from dataclasses import dataclass, replace
from datetime import datetime

from azext_iotjobs.fleet_job.store import rows
from azext_iotjobs.fleet_job.store.database import Database
from azext_iotjobs.fleet_job.store.definition_codec import render_definition, render_origin
from azext_iotjobs.model.errors import ConflictingChoice, NotFound
from azext_iotjobs.model.fleet import Definition, FleetJob, Origin
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.text import Text, command


@dataclass(frozen=True)
class DeviceGroup:
    """A saved condition of a hub."""

    host: str
    name: str
    condition: str


@rows.stored("device_group")
def _group_of(row: rows.StoredRow) -> DeviceGroup:
    return DeviceGroup(host=row["host"], name=row["name"], condition=row["condition"])


JOINED = """
    SELECT fleet_job.*, definition.document, definition.edited_at, definition.edited_by
    FROM fleet_job JOIN definition ON definition.fleet_job = fleet_job.id
"""


class KeptJobs:
    """Part of FleetStore."""

    database: Database

    def add_fleet_job(
        self, fleet_job_id: str, host: str, definition: Definition, *, at: datetime, by: str, origin: Origin | None
    ) -> FleetJob:
        """Store a new fleet job, version 1. Raises ConflictingChoice when the id is taken."""
        with self.database.transaction():
            if self._row_of(fleet_job_id) is not None:
                raise _taken(fleet_job_id)
            self.database.change(
                "INSERT INTO fleet_job (id, host, version, created_at, created_by, origin) VALUES (?, ?, 1, ?, ?, ?)",
                (fleet_job_id, host, at.timestamp(), rows.text(by), render_origin(origin)),
            )
            self._add_version(fleet_job_id, 1, definition, at, by)
        return self.fleet_job(fleet_job_id)

    def fleet_job(self, fleet_job_id: str, version: int | None = None) -> FleetJob:
        """A fleet job, in its newest version or another one. Raises NotFound."""
        row = self._row_of(fleet_job_id, version)
        if row is None:
            which = repr(fleet_job_id[:60]) if version is None else f"{fleet_job_id} in version {version}"
            raise NotFound(
                f"There is no fleet job {which}.", hint=Text("List them: ", command("iot hub fleet-job list"))
            )
        found = rows.fleet_job_of(row)
        return found if version is None else replace(found, version=version)

    def fleet_jobs(self, host: str | None = None) -> list[FleetJob]:
        """All of a hub (None: of every hub), the newest first."""
        found = self.database.rows(
            f"{JOINED} AND definition.version = fleet_job.version WHERE ? IS NULL OR host = ? "
            "ORDER BY fleet_job.created_at DESC, id",
            (host, host),
        )
        return [rows.fleet_job_of(each) for each in found]

    def edit_fleet_job(self, fleet_job_id: str, definition: Definition, *, at: datetime, by: str) -> FleetJob:
        """Store another version; runs keep the one that they carry out. No change makes no version. Raises NotFound."""
        with self.database.transaction():
            job = self.fleet_job(fleet_job_id)
            if render_definition(job.definition) == render_definition(definition):
                return job
            self._add_version(fleet_job_id, job.version + 1, definition, at, by)
            self.database.change("UPDATE fleet_job SET version = version + 1 WHERE id = ?", (fleet_job_id,))
        return self.fleet_job(fleet_job_id)

    def definition_of(self, run: Run) -> Definition:
        """What a run carries out."""
        row = self.database.row(
            "SELECT * FROM definition WHERE fleet_job = ? AND version = ?", (run.fleet_job_id, run.version)
        )
        if row is None:
            raise NotFound(f"There is no fleet job {run.fleet_job_id} in version {run.version}.")
        return rows.definition_of(row)

    def save_group(self, host: str, name: str, condition: str) -> None:
        """Keep a condition under a name, in place of the one that had it."""
        with self.database.transaction():
            self.database.change(
                "INSERT OR REPLACE INTO device_group VALUES (?, ?, ?)", (host, rows.text(name), rows.text(condition))
            )

    def add_group(self, host: str, name: str, condition: str) -> None:
        """Keep a condition under a new name. Raises ConflictingChoice when it is taken."""
        with self.database.transaction():
            if any((each.host, each.name) == (host, name) for each in self.groups()):
                raise ConflictingChoice(
                    f"There is a device group {name!r} of {host} already.",
                    hint=Text(
                        "Give another name, or change it: ", command("iot hub fleet-job group update", "--group", name)
                    ),
                )
            self.save_group(host, name, condition)

    def jobs_of_group(self, host: str, name: str) -> list[str]:
        """The ids of the fleet jobs whose next run asks for a group's devices."""
        return sorted(job.fleet_job_id for job in self.fleet_jobs(host) if job.definition.targets.group == name)

    def group(self, host: str, name: str) -> str:
        """The condition that has a name. Raises NotFound."""
        row = self.database.row("SELECT * FROM device_group WHERE host = ? AND name = ?", (host, name))
        if row is None:
            known = ", ".join(each.name for each in self.groups() if each.host == host) or "none is saved"
            raise NotFound(
                f"There is no device group {name[:60]!r} of {host}; there are: {known}.",
                hint=Text("Save one, with --group and --query-condition: ", command("iot hub fleet-job group create")),
            )
        return _group_of(row).condition

    def groups(self) -> list[DeviceGroup]:
        """Those of all hubs, by name."""
        found = self.database.rows("SELECT * FROM device_group ORDER BY name, host")
        return [_group_of(each) for each in found]

    def delete_group(self, host: str, name: str) -> None:
        """Forget a condition. Raises NotFound."""
        with self.database.transaction():
            self.group(host, name)
            self.database.change("DELETE FROM device_group WHERE host = ? AND name = ?", (host, name))

    def _row_of(self, fleet_job_id: str, version: int | None = None) -> rows.StoredRow | None:
        return self.database.row(
            f"{JOINED} WHERE id = ? AND definition.version = coalesce(?, fleet_job.version)", (fleet_job_id, version)
        )

    def _add_version(self, fleet_job_id: str, version: int, definition: Definition, at: datetime, by: str) -> None:
        self.database.change(
            "INSERT INTO definition VALUES (?, ?, ?, ?, ?)",
            (fleet_job_id, version, render_definition(definition), at.timestamp(), rows.text(by)),
        )


def _taken(fleet_job_id: str) -> ConflictingChoice:
    return ConflictingChoice(
        f"There is a fleet job {fleet_job_id} already.",
        hint=Text("Give another id, or change it: ", command("iot hub fleet-job update", "-j", fleet_job_id)),
    )
