"""Candidates: the devices that the next run may have, in a table of this connection alone; flat in memory.

They stand there until `RunStore.add` takes them: nobody is locked out meanwhile.
"""

from collections.abc import Iterable, Sequence

from azext_iotjobs.fleet_job import plan
from azext_iotjobs.fleet_job.store.sqlite.database import Database
from azext_iotjobs.fleet_job.store.sqlite.results import ResultStore
from azext_iotjobs.model.run import Run


class CandidateTable:
    """Implements contract.Candidates."""

    def __init__(self, database: Database, results: ResultStore) -> None:
        self._database = database
        self._results = results

    def collect(self, devices: Iterable[tuple[str, str | None]], seed: int) -> int:
        """Note devices in their order; gives how many."""
        self.drop()
        self._database.change(
            "CREATE TEMP TABLE chosen (seq INTEGER PRIMARY KEY, device_id TEXT NOT NULL, module_id TEXT, rank INTEGER, "
            "UNIQUE (device_id, module_id))"
        )
        self._database.change_many(
            "INSERT INTO temp.chosen (device_id, module_id, rank) SELECT ?1, ?2, ?3 "
            "WHERE NOT EXISTS (SELECT 1 FROM temp.chosen WHERE device_id = ?1 AND module_id IS ?2)",
            ((device, module, plan.sample_rank(seed, device, module)) for device, module in devices),
        )
        return self.count()

    def collect_of_run(self, run: Run, words: frozenset[str], seed: int) -> int:
        """Note devices of an earlier run by their results; gives how many."""
        return self.collect(self._results.device_ids(run, words), seed)

    def count(self) -> int:
        """How many there are."""
        row = self._database.row("SELECT count(*) AS count FROM temp.chosen")
        assert row is not None
        return int(row["count"])

    def among(self, device_ids: Sequence[str]) -> list[str]:
        """Those of `device_ids` that are candidates."""
        found = "SELECT 1 FROM temp.chosen WHERE device_id = ?"
        return [each for each in device_ids if self._database.row(found, (each,)) is not None]

    def sort(self) -> None:
        """Put them in the order of their ids."""
        self._renumber("ORDER BY device_id, module_id")

    def exclude(self, device_ids: Sequence[str]) -> int:
        """Take devices, with their modules, away; gives how many are left."""
        self._database.change_many("DELETE FROM temp.chosen WHERE device_id = ?", ((each,) for each in device_ids))
        self._renumber("ORDER BY seq")
        return self.count()

    def keep_first(self, count: int) -> int:
        """Keep the first `count`; gives how many are left."""
        self._database.change("DELETE FROM temp.chosen WHERE seq > ?", (count,))
        return self.count()

    def keep_sample(self, count: int) -> int:
        """Keep a random sample, the same each time for the same seed; gives how many are left."""
        self._database.change(
            "DELETE FROM temp.chosen WHERE seq NOT IN (SELECT seq FROM temp.chosen ORDER BY rank, seq LIMIT ?)",
            (count,),
        )
        self._renumber("ORDER BY seq")
        return self.count()

    def drop(self) -> None:
        """Forget them all."""
        self._database.change("DROP TABLE IF EXISTS temp.chosen")

    def _renumber(self, order: str) -> None:
        """Number them from 1 without a gap."""
        self._database.change("DROP TABLE IF EXISTS temp.ordered")
        self._database.change("CREATE TEMP TABLE ordered (seq INTEGER PRIMARY KEY, device_id, module_id, rank)")
        self._database.change(
            "INSERT INTO temp.ordered (device_id, module_id, rank) "
            f"SELECT device_id, module_id, rank FROM temp.chosen {order}"
        )
        self._database.change("DROP TABLE temp.chosen")
        self._database.change("ALTER TABLE temp.ordered RENAME TO chosen")
