"""Candidates: the devices that the next run may have, in a table of this connection alone; flat in memory.

They stand there until `RunStore.add` takes them: nobody is locked out meanwhile.
"""

from collections.abc import Iterable, Sequence

from azext_iotjobs.fleet_job import plan
from azext_iotjobs.fleet_job.store.sql.database import Database
from azext_iotjobs.fleet_job.store.sql.results import ResultStore
from azext_iotjobs.model.run import Run


class CandidateTable:
    """Implements contract.Candidates."""

    def __init__(self, database: Database, results: ResultStore) -> None:
        self._database = database
        self._results = results

    def collect(self, devices: Iterable[tuple[str, str | None]], seed: int) -> int:
        """Note devices in their order; gives how many."""
        own = self._database.dialect
        self.drop()
        self._database.change(
            f"CREATE TEMP TABLE chosen (seq {own.counting_key}, device_id {own.text} NOT NULL, module_id {own.text}, "
            "rank BIGINT, UNIQUE (device_id, module_id))"
        )
        self._database.change_many(
            "INSERT INTO chosen (device_id, module_id, rank) SELECT ?1, ?2, ?3 "
            f"WHERE NOT EXISTS (SELECT 1 FROM chosen WHERE device_id = ?1 AND module_id {own.is_same} ?2)",
            ((device, module, plan.sample_rank(seed, device, module)) for device, module in devices),
        )
        return self.count()

    def collect_of_run(self, run: Run, words: frozenset[str], seed: int) -> int:
        """Note devices of an earlier run by their results; gives how many."""
        return self.collect(self._results.device_ids(run, words), seed)

    def count(self) -> int:
        """How many there are."""
        row = self._database.row("SELECT count(*) AS count FROM chosen")
        assert row is not None
        return int(row["count"])

    def among(self, device_ids: Sequence[str]) -> list[str]:
        """Those of `device_ids` that are candidates."""
        found = "SELECT 1 FROM chosen WHERE device_id = ?"
        return [each for each in device_ids if self._database.row(found, (each,)) is not None]

    def sort(self) -> None:
        """Put them in the order of their ids."""
        self._renumber(f"ORDER BY device_id, module_id {self._database.dialect.nulls_first}")

    def exclude(self, device_ids: Sequence[str]) -> int:
        """Take devices, with their modules, away; gives how many are left."""
        self._database.change_many("DELETE FROM chosen WHERE device_id = ?", ((each,) for each in device_ids))
        self._renumber("ORDER BY seq")
        return self.count()

    def keep_first(self, count: int) -> int:
        """Keep the first `count`; gives how many are left."""
        self._database.change("DELETE FROM chosen WHERE seq > ?", (count,))
        return self.count()

    def keep_sample(self, count: int) -> int:
        """Keep a random sample, the same each time for the same seed; gives how many are left."""
        self._database.change(
            "DELETE FROM chosen WHERE seq NOT IN (SELECT seq FROM chosen ORDER BY rank, seq LIMIT ?)",
            (count,),
        )
        self._renumber("ORDER BY seq")
        return self.count()

    def drop(self) -> None:
        """Forget them all."""
        self._database.change("DROP TABLE IF EXISTS chosen")

    def _renumber(self, order: str) -> None:
        """Number them from 1 without a gap."""
        own = self._database.dialect
        self._database.change("DROP TABLE IF EXISTS ordered")
        self._database.change(
            f"CREATE TEMP TABLE ordered (seq {own.counting_key}, device_id {own.text}, module_id {own.text}, "
            "rank BIGINT)"
        )
        self._database.change(
            f"INSERT INTO ordered (device_id, module_id, rank) SELECT device_id, module_id, rank FROM chosen {order}"
        )
        self._database.change("DROP TABLE chosen")
        self._database.change("ALTER TABLE ordered RENAME TO chosen")
