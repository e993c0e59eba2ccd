"""Where the batches of a run stand with their gates: columns of batch. Called inside the lease's transactions."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from azext_iotjobs.fleet_job.store.sql.database import Database
from azext_iotjobs.fleet_job.store.sql.lease import HeldLease
from azext_iotjobs.fleet_job.store.sql.run_store import RunStore
from azext_iotjobs.fleet_job.store.sql.stored_row import text
from azext_iotjobs.fleet_job.store.stored_json import render_verdicts
from azext_iotjobs.model.gates import GateKind, GateVerdict
from azext_iotjobs.model.run import Batch


class GateRows:
    """What is recorded of gates."""

    def __init__(self, database: Database, runs: RunStore, lease: HeldLease) -> None:
        self._database = database
        self._runs = runs
        self._lease = lease

    def begin(self, ordinal: int, now: datetime) -> None:
        """The devices of a batch have ended; its gates are evaluated."""
        ended_at = self._database.dialect.latest("?1", "started_at")
        self._database.change(
            f"UPDATE batch SET state = 'gated', ended_at = {ended_at}, gated_at = {ended_at} "
            "WHERE run = ?2 AND ordinal = ?3",
            (now.timestamp(), self._lease.key, ordinal),
        )

    def judge(self, ordinal: int, verdict: GateVerdict) -> None:
        """A gate has said something of a batch; it stands in place of what the gate said before."""
        batch = self._batch(ordinal)
        assert batch.gates is not None
        others = (each for each in batch.gates.verdicts if each.kind is not verdict.kind)
        self._save(ordinal, [*others, replace(verdict, reason=text(verdict.reason) or "")])

    def keep(self, verdicts: Sequence[GateVerdict]) -> None:
        """Of the current batch's verdicts these stay; with the one of the manual gate its answer goes."""
        row = self._database.row("SELECT current FROM run WHERE key = ?", (self._lease.key,))
        assert row is not None
        batch = self._batch(row["current"])
        assert batch.gates is not None
        self._save(batch.ordinal, verdicts)
        was_answered = batch.gates.verdict_of(GateKind.MANUAL) is not None
        if was_answered and all(each.kind is not GateKind.MANUAL for each in verdicts):
            self._database.change(
                "UPDATE batch SET answer = NULL WHERE run = ? AND ordinal = ?", (self._lease.key, batch.ordinal)
            )

    def _batch(self, ordinal: int) -> Batch:
        return self._runs.batch(self._runs.get_by_key(self._lease.key), ordinal)

    def _save(self, ordinal: int, verdicts: Sequence[GateVerdict]) -> None:
        self._database.change(
            "UPDATE batch SET verdicts = ? WHERE run = ? AND ordinal = ?",
            (render_verdicts(verdicts), self._lease.key, ordinal),
        )
