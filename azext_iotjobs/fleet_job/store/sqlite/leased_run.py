"""LeasedRun: a run in the hands of the one who carries it on; nobody else writes what is written here.

How the lease keeps it so is in lease.py; devices' rows are in device_rows.py, hub jobs' in part_rows.py.
"""

from dataclasses import dataclass
from datetime import datetime

from azext_iotjobs.fleet_job.store.definition_codec import render_delivery
from azext_iotjobs.fleet_job.store.sqlite import rows
from azext_iotjobs.fleet_job.store.sqlite.hub_job_rows import PartRows
from azext_iotjobs.model.fleet_job import Delivery
from azext_iotjobs.model.rollout import Retry
from azext_iotjobs.model.run import Batch, BatchState, Run, RunEvent, RunState, moved

# Left to itself, SQLite takes the primary key, and reads all devices of the run at each step.
CUT_OFF = "SELECT count(*) FROM device INDEXED BY device_calling WHERE run = ? AND state = 'calling' AND epoch <> ?"

# A clock that is set back between two processes moves no recorded instant before one that came before it.
LATEST = (
    "coalesce(started_at, created_at), "
    "coalesce((SELECT max(coalesce(batch.ended_at, batch.started_at)) FROM batch WHERE batch.run = run.key), 0)"
)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the rows say."""

    run: Run
    batch: Batch | None  # the first that has not ended
    cut_off_count: int
    retry_count: int
    retry_round: int


class LeasedRun(PartRows):
    """A run whose lease we have; `FleetStore` gives what everybody may see."""

    def look(self, retry: Retry | None) -> Seen:
        """What the rows say now."""
        run = self.store.run_by_key(self.key)
        batch = self._batch()
        cut_off = self._row_count(CUT_OFF, self._epoch)
        retries, rounds = 0, 0
        if batch is None and retry is not None and run.state is RunState.RUNNING:
            condition, values = _again(retry)
            retries = self._row_count(f"SELECT count(*) FROM device WHERE run = ? AND {condition}", *values)
            rounds = self._row_count("SELECT count(*) FROM batch WHERE run = ? AND is_retry = 1")
        return Seen(
            run=run, batch=batch, cut_off_count=cut_off, retry_count=retries, retry_round=rounds + 1
        )  # fmt: skip

    def begin(self, event: RunEvent, now: datetime, *, forgiven_of_run: int, forgiven_of_batch: int) -> None:
        """The run starts or goes on; what was asked of it before that is done with."""
        with self._ours(now):
            self._move(event)
            self._database.change(
                "UPDATE run SET started_at = coalesce(started_at, max(?, created_at)), ended_at = NULL, reason = NULL, "
                "ended_by = NULL, forgiven = ? WHERE key = ?",
                (now.timestamp(), forgiven_of_run, self.key),
            )
            self._database.change(
                "UPDATE batch SET forgiven = ?1 WHERE run = ?2 AND ordinal = (SELECT current FROM run WHERE key = ?2)",
                (forgiven_of_batch, self.key),
            )

    def withdraw(self, now: datetime, delivery: Delivery) -> None:
        """What was asked of the run is done with; its devices are reached like this from here on."""
        with self._ours(now):
            self._database.change(
                "UPDATE run SET wish = NULL, wish_by = NULL, wish_reason = NULL, wish_at = NULL, delivery = ? "
                "WHERE key = ?",
                (render_delivery(delivery), self.key),
            )

    def end(self, event: RunEvent, now: datetime, *, reason: str | None, by: str | None) -> None:
        """The run ends or breaks off; the lease is given back with it."""
        with self._ours(now):
            state = self._move(event)
            self._database.change(
                f"UPDATE run SET ended_at = max(?, {LATEST}), reason = ?, ended_by = ?, "
                "go_on_at = CASE WHEN ? THEN NULL ELSE go_on_at END, "
                "wish = NULL, wish_by = NULL, wish_reason = NULL, wish_at = NULL, lease_owner = NULL, "
                "lease_machine = NULL, lease_pid = NULL, lease_until = NULL, lease_beat_at = NULL WHERE key = ?",
                (now.timestamp(), rows.text(reason), rows.text(by), state.has_ended, self.key),
            )
            if state is RunState.CANCELED:
                self._database.change(
                    "UPDATE batch SET state = CASE state WHEN 'running' THEN 'canceled' ELSE 'skipped' END, "
                    "ended_at = CASE state WHEN 'running' THEN max(?, started_at) END "
                    "WHERE run = ? AND state IN ('pending', 'running')",
                    (now.timestamp(), self.key),
                )

    def settle(self, now: datetime, *, is_repeatable: bool) -> int:
        """Calls of a process that is gone: to be looked at again, or uncertain. Gives how many."""
        with self._ours(now):
            return self._settle("AND epoch <> ?2", is_repeatable=is_repeatable, now=now)

    def settle_own(self, now: datetime, *, is_repeatable: bool) -> int:
        """The same with our own calls, when we leave without awaiting them."""
        with self._ours(now):
            return self._settle("AND epoch = ?2", is_repeatable=is_repeatable, now=now)

    def _settle(self, whose: str, *, is_repeatable: bool, now: datetime) -> int:
        if is_repeatable:
            return self._database.change(
                "UPDATE device INDEXED BY device_calling SET state = 'pending', was_cut_off = 1, due_at = NULL "
                f"WHERE run = ?1 AND state = 'calling' {whose}",
                (self.key, self._epoch),
            )
        return self._database.change(
            "UPDATE device INDEXED BY device_calling SET state = 'uncertain', ended_at = ?3, error_class = NULL, "
            "error_code = 'CutOff', error_text = 'The call was under way when the process that made it ended; the "
            f"device may have been called.' WHERE run = ?1 AND state = 'calling' {whose}",
            (self.key, self._epoch, now.timestamp()),
        )

    def begin_batch(self, ordinal: int, now: datetime) -> None:
        """A batch begins."""
        with self._ours(now):
            self._database.change(
                "UPDATE batch SET state = 'running', started_at = max(?1, coalesce((SELECT max(ended_at) FROM batch AS "
                "before WHERE before.run = ?2 AND before.ordinal < ?3), 0), (SELECT started_at FROM run WHERE key = "
                "?2)) WHERE run = ?2 AND ordinal = ?3",
                (now.timestamp(), self.key, ordinal),
            )

    def end_batch(self, ordinal: int, now: datetime, go_on_at: datetime) -> None:
        """A batch has ended; the next begins no sooner than `go_on_at`."""
        with self._ours(now):
            self._database.change(
                "UPDATE batch SET state = 'completed', ended_at = max(?, started_at) WHERE run = ? AND ordinal = ?",
                (now.timestamp(), self.key, ordinal),
            )
            self._database.change(
                "UPDATE run SET current = ?, go_on_at = ? WHERE key = ?",
                (ordinal + 1, go_on_at.timestamp(), self.key),
            )

    def begin_retries(self, retry: Retry, now: datetime, go_on_at: datetime) -> None:
        """Put the devices that are tried again into a batch of their own, behind the others."""
        with self._ours(now):
            row = self._database.row("SELECT max(ordinal) AS last FROM batch WHERE run = ?", (self.key,))
            ordinal = ((rows.number(row, "last") if row else 0) or 0) + 1
            condition, values = _again(retry)
            count = self._database.change(
                "UPDATE device SET batch = ?, state = 'pending', part = NULL, due_at = NULL, was_cut_off = 0 "
                f"WHERE run = ? AND {condition}",
                (ordinal, self.key, *values),
            )
            self._database.change(
                "INSERT INTO batch (run, ordinal, state, size, is_retry) VALUES (?, ?, 'pending', ?, 1)",
                (self.key, ordinal, count),
            )
            self._database.change(
                "UPDATE run SET current = ?, batch_count = ?, go_on_at = ? WHERE key = ?",
                (ordinal, ordinal, go_on_at.timestamp(), self.key),
            )

    def _batch(self) -> Batch | None:
        row = self._database.row(
            "SELECT batch.* FROM batch JOIN run ON run.key = batch.run AND ordinal = current WHERE run.key = ?",
            (self.key,),
        )
        if row is None or row["state"] not in (BatchState.PENDING.value, BatchState.RUNNING.value):
            return None
        return rows.batch_of(row, self.store.tally(self.key, row["ordinal"]))

    def _move(self, event: RunEvent) -> RunState:
        run = self.store.run_by_key(self.key)
        state = moved(run, event)
        self._database.change("UPDATE run SET state = ? WHERE key = ?", (state.value, self.key))
        return state

    def _row_count(self, sql: str, *values: object) -> int:
        row = self._database.row(sql, (self.key, *values))
        return int(row[0]) if row is not None else 0


def _again(retry: Retry) -> tuple[str, list[object]]:
    """The failed devices that are tried again, as SQL."""
    parts = ["(error_class = ? AND tries <= ?)" for _ in retry.tries]
    return f"state = 'failed' AND ({' OR '.join(parts)})", [each for pair in retry.tries.items() for each in pair]
