"""Device groups: rows of device_group, conditions that were saved under a name."""

from azext_iotjobs.fleet_job.store.contract import DeviceGroup
from azext_iotjobs.fleet_job.store.sql import rows
from azext_iotjobs.fleet_job.store.sql.database import Database
from azext_iotjobs.fleet_job.store.sql.definition_store import DefinitionStore
from azext_iotjobs.fleet_job.store.sql.stored_row import text
from azext_iotjobs.model.errors import ConflictingChoice, NotFound
from azext_iotjobs.model.text import Text, command, existing


class GroupStore:
    """Implements contract.Groups."""

    def __init__(self, database: Database, definitions: DefinitionStore) -> None:
        self._database = database
        self._definitions = definitions

    def add(self, host: str, name: str, condition: str) -> None:
        """Save a condition under a new name. Raises ConflictingChoice when it is taken."""
        with self._database.transaction():
            if any((each.host, each.name) == (host, name) for each in self.list_all()):
                raise ConflictingChoice(
                    f"A device group {name!r} of {host} already exists.",
                    hint=Text(
                        "Give another name, or change it: ", command("iot hub fleet-job group update", group=name)
                    ),
                )
            self.save(host, name, condition)

    def save(self, host: str, name: str, condition: str) -> None:
        """Save a condition under a name, in place of the one that had it."""
        with self._database.transaction():
            self._database.change(
                "INSERT INTO device_group VALUES (?1, ?2, ?3) ON CONFLICT (host, name) DO UPDATE SET condition = ?3",
                (host, text(name), text(condition)),
            )

    def condition_of(self, host: str, name: str) -> str:
        """The condition that has a name. Raises NotFound."""
        row = self._database.row("SELECT * FROM device_group WHERE host = ? AND name = ?", (host, name))
        if row is None:
            names = [each.name for each in self.list_all() if each.host == host]
            raise NotFound(
                f"There is no device group {name[:60]!r} of {host}. {existing(names)}",
                hint=Text.of(
                    "Save one, with {group} and {query_condition}: {create}",
                    create=command("iot hub fleet-job group create"),
                ),
            )
        return rows.group_of(row).condition

    def list_all(self) -> list[DeviceGroup]:
        """Those of all hubs, by name."""
        found = self._database.rows("SELECT * FROM device_group ORDER BY name, host")
        return [rows.group_of(each) for each in found]

    def users(self, host: str, name: str) -> list[str]:
        """The ids of the fleet jobs whose next run selects a group's devices."""
        jobs = self._definitions.list_all(host)
        return sorted(job.fleet_job_id for job in jobs if job.definition.targets.group == name)

    def delete(self, host: str, name: str) -> None:
        """Remove a group. Raises NotFound."""
        with self._database.transaction():
            self.condition_of(host, name)
            self._database.change("DELETE FROM device_group WHERE host = ? AND name = ?", (host, name))
