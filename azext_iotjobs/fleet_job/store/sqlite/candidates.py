"""Which devices a run is to have: noted before the run is made, in a table of this connection alone, flat in memory."""

from collections.abc import Iterable, Sequence

from azext_iotjobs.fleet_job import plan
from azext_iotjobs.fleet_job.store.sqlite.database import Database


class Choosing:
    """Part of FleetStore."""

    database: Database

    def choose(self, devices: Iterable[tuple[str, str | None]], seed: int) -> int:
        """Note the devices that a run may have, in their order; gives how many. They are asked for one by one.

        They stand in a table of this connection alone until `add_run` takes them: nobody is locked out meanwhile.
        """
        self.database.change("DROP TABLE IF EXISTS temp.chosen")
        self.database.change(
            "CREATE TEMP TABLE chosen (seq INTEGER PRIMARY KEY, device_id TEXT NOT NULL, module_id TEXT, rank INTEGER, "
            "UNIQUE (device_id, module_id))"
        )
        self.database.change_many(
            "INSERT INTO temp.chosen (device_id, module_id, rank) SELECT ?1, ?2, ?3 "
            "WHERE NOT EXISTS (SELECT 1 FROM temp.chosen WHERE device_id = ?1 AND module_id IS ?2)",
            ((device, module, plan.sample_rank(seed, device, module)) for device, module in devices),
        )
        return self._count_chosen()

    def order_chosen(self) -> None:
        """Put the chosen devices in the order of their ids."""
        self._keep_chosen("ORDER BY device_id, module_id")

    def chosen_of(self, device_ids: Sequence[str]) -> list[str]:
        """Those of `device_ids` that are chosen."""
        found = "SELECT 1 FROM temp.chosen WHERE device_id = ?"
        return [each for each in device_ids if self.database.row(found, (each,)) is not None]

    def leave_out(self, device_ids: Sequence[str]) -> int:
        """Take devices, with their modules, away from the chosen; gives how many are left."""
        self.database.change_many("DELETE FROM temp.chosen WHERE device_id = ?", ((each,) for each in device_ids))
        self._keep_chosen("ORDER BY seq")
        return self._count_chosen()

    def keep_first(self, count: int) -> int:
        """Keep the first of the chosen devices; gives how many are left."""
        self.database.change("DELETE FROM temp.chosen WHERE seq > ?", (count,))
        return self._count_chosen()

    def keep_sample(self, count: int) -> int:
        """Keep a random sample of the chosen devices, always the same one; gives how many are left."""
        self.database.change(
            "DELETE FROM temp.chosen WHERE seq NOT IN (SELECT seq FROM temp.chosen ORDER BY rank, seq LIMIT ?)",
            (count,),
        )
        self._keep_chosen("ORDER BY seq")
        return self._count_chosen()

    def _keep_chosen(self, order: str) -> None:
        self.database.change("DROP TABLE IF EXISTS temp.ordered")
        self.database.change("CREATE TEMP TABLE ordered (seq INTEGER PRIMARY KEY, device_id, module_id, rank)")
        self.database.change(
            "INSERT INTO temp.ordered (device_id, module_id, rank) "
            f"SELECT device_id, module_id, rank FROM temp.chosen {order}"
        )
        self.database.change("DROP TABLE temp.chosen")
        self.database.change("ALTER TABLE temp.ordered RENAME TO chosen")

    def _count_chosen(self) -> int:
        row = self.database.row("SELECT count(*) AS count FROM temp.chosen")
        assert row is not None
        return int(row["count"])
