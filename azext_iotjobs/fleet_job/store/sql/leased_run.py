"""A run whose lease this process has: nobody else writes what is written here. How the lease keeps it so: lease.py."""

from collections.abc import Hashable, Sequence
from dataclasses import replace
from datetime import datetime

from azext_iotjobs.fleet_job.store.leased_contract import RunSnapshot
from azext_iotjobs.fleet_job.store.sql.database import Database
from azext_iotjobs.fleet_job.store.sql.device_rows import DeviceRows
from azext_iotjobs.fleet_job.store.sql.gate_rows import GateRows
from azext_iotjobs.fleet_job.store.sql.hub_job_rows import HubJobRows
from azext_iotjobs.fleet_job.store.sql.lease import HeldLease
from azext_iotjobs.fleet_job.store.sql.rows_before import RowsBefore
from azext_iotjobs.fleet_job.store.sql.run_store import RunStore
from azext_iotjobs.fleet_job.store.sql.stored_row import number, seconds, text
from azext_iotjobs.fleet_job.store.sql.verifying_rows import VerifyingRows
from azext_iotjobs.fleet_job.store.sql.waiting_rows import WaitingRows
from azext_iotjobs.fleet_job.store.stored_json import render_delivery
from azext_iotjobs.model.fleet_job import Delivery
from azext_iotjobs.model.gates import GateVerdict
from azext_iotjobs.model.result import ErrorClass
from azext_iotjobs.model.rollout import Retry
from azext_iotjobs.model.run import next_state
from azext_iotjobs.model.run_state import RunEvent, RunState
from azext_iotjobs.model.verification import CANCELED_TEXT, VerificationFailure

# A clock that is set back between two processes moves no recorded instant before one that came before it.
LATEST = (
    "coalesce(started_at, created_at), "
    "coalesce((SELECT max(coalesce(batch.ended_at, batch.started_at)) FROM batch WHERE batch.run = run.key), 0)"
)
BEFORE_BATCH = (
    "coalesce((SELECT max(ended_at) FROM batch AS before WHERE before.run = ?2 AND before.ordinal < ?3), 0), "
    "(SELECT started_at FROM run WHERE key = ?2)"
)
NO_REQUEST = "wish = NULL, wish_by = NULL, wish_reason = NULL, wish_at = NULL"
NO_REQUEST_AND_LEASE = (
    f"{NO_REQUEST}, lease_owner = NULL, lease_machine = NULL, lease_pid = NULL, lease_until = NULL, "
    "lease_beat_at = NULL"
)


class SqlLeasedRun:
    """Implements contract.LeasedRun."""

    def __init__(self, database: Database, runs: RunStore, lease: HeldLease) -> None:
        self.key = lease.key
        self.devices = DeviceRows(database, lease)
        self.verifying = VerifyingRows(database, lease)
        self.waiting = WaitingRows(database, lease)
        self.hub_jobs = HubJobRows(database, lease, self.devices)
        self._database = database
        self._latest = database.dialect.latest
        # Left to itself, SQLite takes the primary key, and reads all devices of the run at each step.
        self._calling = f"device {database.dialect.by('device_calling')}"
        self._runs = runs
        self._lease = lease
        self._gates = GateRows(database, runs, lease)
        self._version: Hashable | None = None  # of the database, when this was read:
        self._snapshot: RunSnapshot | None = None
        self._before: RowsBefore | None = None  # of a run that was resumed

    def beat(self, now: datetime) -> None:
        """Renew the lease when it is time to."""
        self._lease.beat(now)

    def release(self) -> None:
        """Give the lease back, if it is still ours."""
        self._lease.release()

    def snapshot(self, retry: Retry | None) -> RunSnapshot:
        """What the rows say now; they are read again only once something was changed, and only what may have been."""
        version = self._database.version()
        if self._snapshot is None or version is None or version != self._version:
            is_of_devices = version is not None and version == self._lease.version_of_devices
            self._snapshot = self._counted_anew(self._snapshot) if is_of_devices else self._read_snapshot()
            self._version = self._lease.version_of_devices = version
        found = self._snapshot
        if found.batch is not None or retry is None or found.run.state is not RunState.RUNNING:
            return found
        condition, values = _is_retried(retry)
        retries = self._row_count(f"SELECT count(*) FROM device WHERE run = ? AND {condition}", *values)
        rounds = self._row_count("SELECT count(*) FROM batch WHERE run = ? AND is_retry = 1")
        return replace(found, retry_count=retries, retry_round=rounds + 1)

    def _read_snapshot(self) -> RunSnapshot:
        run = self._runs.get_by_key(self.key)
        batch = self._runs.current_batch(run)
        cut_off = self._row_count(
            f"SELECT count(*) FROM {self._calling} WHERE run = ? AND state = 'calling' AND epoch <> ?",
            self._lease.epoch,
        )
        return RunSnapshot(run=run, batch=batch, cut_off_count=cut_off, retry_count=0, retry_round=1)

    def _counted_anew(self, before: RunSnapshot | None) -> RunSnapshot:
        """The same after nothing but devices have moved, which is so at most steps of a run."""
        if before is None:
            return self._read_snapshot()
        run = replace(before.run, tally=self._runs.tally(self.key, 0))
        batch = before.batch
        if batch is not None:
            batch = replace(batch, tally=self._runs.tally(self.key, batch.ordinal))
        return replace(before, run=run, batch=batch)

    def begin(
        self,
        event: RunEvent,
        now: datetime,
        *,
        forgiven_of_run: int,
        forgiven_of_batch: int,
        verdicts: Sequence[GateVerdict] | None = None,
    ) -> None:
        """The run starts or resumes; of its batch's verdicts these stay, None: all."""
        with self._lease.transaction(now):
            self._move(event)
            self._database.change(
                f"UPDATE run SET started_at = coalesce(started_at, {self._latest('?', 'created_at')}), "
                "ended_at = NULL, reason = NULL, ended_by = NULL, forgiven = ? WHERE key = ?",
                (now.timestamp(), forgiven_of_run, self.key),
            )
            self._database.change(
                "UPDATE batch SET forgiven = ?1 WHERE run = ?2 AND ordinal = (SELECT current FROM run WHERE key = ?2)",
                (forgiven_of_batch, self.key),
            )
            if verdicts is not None:
                self._gates.keep(verdicts)

    def withdraw_request(self, now: datetime, delivery: Delivery) -> None:
        """Remove what was requested of the run; its devices are reached like this from here on."""
        with self._lease.transaction(now):
            self._before = RowsBefore.read(self._database, self.key)
            self.devices.keep()
            self._database.change(
                f"UPDATE run SET {NO_REQUEST}, delivery = ? WHERE key = ?",
                (render_delivery(delivery), self.key),
            )

    def undo_resume(self, now: datetime) -> None:
        """A run that was resumed, and of which nothing could be done, is as it was; the lease is given back with it."""
        assert self._before is not None
        with self._lease.transaction(now):
            self._before.write_back(self._database)
            self.devices.write_back()
            self._database.change(f"UPDATE run SET {NO_REQUEST_AND_LEASE} WHERE key = ?", (self.key,))

    def stay_stopped(self, now: datetime, *, reason: str | None, by: str) -> None:
        """A run that is stopped stays so by another's request."""
        with self._lease.transaction(now):
            self._database.change(
                "UPDATE run SET reason = ?, ended_by = ? WHERE key = ? AND state = 'stopped'",
                (text(reason), text(by), self.key),
            )

    def end(self, event: RunEvent, now: datetime, *, reason: str | None, by: str | None) -> None:
        """The run ends or breaks off; the lease is given back with it."""
        with self._lease.transaction(now):
            state = self._move(event)
            self._database.change(
                f"UPDATE run SET ended_at = {self._latest('?', LATEST)}, reason = ?, ended_by = ?, "
                "go_on_at = CASE WHEN ? = 1 THEN NULL ELSE go_on_at END, "
                f"{NO_REQUEST_AND_LEASE} WHERE key = ?",
                (now.timestamp(), text(reason), text(by), int(state.has_ended), self.key),
            )
            if state is RunState.CANCELED:
                self._end_verifying()
                self.waiting.end()
                self._database.change(
                    "UPDATE batch SET state = CASE state "
                    "WHEN 'running' THEN 'canceled' WHEN 'gated' THEN 'completed' ELSE 'skipped' END, "
                    f"ended_at = CASE state WHEN 'running' THEN {self._latest('?', 'started_at')} ELSE ended_at END "
                    "WHERE run = ? AND state IN ('pending', 'running', 'gated')",
                    (now.timestamp(), self.key),
                )

    def _end_verifying(self) -> None:
        """Nobody looks at devices any more that are being verified."""
        self._database.change(
            f"UPDATE device {self._database.dialect.by('device_verifying')} SET state = 'failed', error_class = ?, "
            "error_code = ?, error_text = ? WHERE run = ? AND state = 'verifying'",
            (ErrorClass.NOT_VERIFIED.value, VerificationFailure.NOT_VERIFIED.value, CANCELED_TEXT, self.key),
        )

    def settle(self, now: datetime, *, is_repeatable: bool) -> int:
        """Settle calls of a process that is gone: they are checked and repeated, or uncertain. Gives how many."""
        with self._lease.transaction(now):
            return self._settle("AND epoch <> ?2", is_repeatable=is_repeatable, now=now)

    def settle_own(self, now: datetime, *, is_repeatable: bool) -> int:
        """Settle our own calls likewise, when we leave without awaiting them."""
        with self._lease.transaction(now):
            return self._settle("AND epoch = ?2", is_repeatable=is_repeatable, now=now)

    def _settle(self, whose: str, *, is_repeatable: bool, now: datetime) -> int:
        if is_repeatable:
            return self._database.change(
                f"UPDATE {self._calling} SET state = 'pending', was_cut_off = 1, due_at = NULL "
                f"WHERE run = ?1 AND state = 'calling' {whose}",
                (self.key, self._lease.epoch),
            )
        return self._database.change(
            f"UPDATE {self._calling} SET state = 'uncertain', ended_at = ?3, error_class = NULL, "
            "error_code = 'CutOff', error_text = 'The call was under way when the process that made it ended; the "
            f"device may have been called.' WHERE run = ?1 AND state = 'calling' {whose}",
            (self.key, self._lease.epoch, now.timestamp()),
        )

    def begin_batch(self, ordinal: int, now: datetime) -> None:
        """A batch begins."""
        with self._lease.transaction(now):
            self._database.change(
                f"UPDATE batch SET state = 'running', started_at = {self._latest('?1', BEFORE_BATCH)} "
                "WHERE run = ?2 AND ordinal = ?3",
                (now.timestamp(), self.key, ordinal),
            )

    def begin_gates(self, ordinal: int, now: datetime) -> None:
        """The devices of a batch have ended; its gates are evaluated."""
        with self._lease.transaction(now):
            self._gates.begin(ordinal, now)

    def judge(self, ordinal: int, verdict: GateVerdict, now: datetime) -> None:
        """A gate has said something of a batch."""
        with self._lease.transaction(now):
            self._gates.judge(ordinal, verdict)

    def end_batch(self, ordinal: int, now: datetime, next_batch_at: datetime) -> None:
        """A batch has ended, and its gates have passed; the next begins no sooner than `next_batch_at`."""
        with self._lease.transaction(now):
            self._database.change(
                "UPDATE batch SET state = 'completed', "
                f"ended_at = coalesce(ended_at, {self._latest('?', 'started_at')}) WHERE run = ? AND ordinal = ?",
                (now.timestamp(), self.key, ordinal),
            )
            self._database.change(
                "UPDATE run SET current = ?, go_on_at = ? WHERE key = ?",
                (ordinal + 1, next_batch_at.timestamp(), self.key),
            )

    def begin_retries(self, retry: Retry, now: datetime, next_batch_at: datetime) -> None:
        """Put the devices that are tried again into a batch of their own, behind the others."""
        with self._lease.transaction(now):
            ordinal = self._next_ordinal()
            condition, values = _is_retried(retry)
            count = self._database.change(
                "UPDATE device SET batch = ?, state = 'pending', part = NULL, due_at = NULL, was_cut_off = 0 "
                f"WHERE run = ? AND {condition}",
                (ordinal, self.key, *values),
            )
            self._add_batch("is_retry", ordinal, count, next_batch_at)

    def begin_offline(self, now: datetime) -> None:
        """Put the devices that wait to connect into a batch of their own, behind the others."""
        with self._lease.transaction(now):
            ordinal = self._next_ordinal()
            self._add_batch("is_of_offline", ordinal, self.waiting.move(ordinal), None)

    def _next_ordinal(self) -> int:
        row = self._database.row("SELECT max(ordinal) AS last FROM batch WHERE run = ?", (self.key,))
        return ((number(row, "last") if row else 0) or 0) + 1

    def _add_batch(self, kind: str, ordinal: int, size: int, next_batch_at: datetime | None) -> None:
        """Add a batch, and make it the run's current one. kind: the column that says what it is for."""
        self._database.change(
            f"INSERT INTO batch (run, ordinal, state, size, {kind}) VALUES (?, ?, 'pending', ?, 1)",
            (self.key, ordinal, size),
        )
        self._database.change(
            "UPDATE run SET current = ?, batch_count = ?, go_on_at = ? WHERE key = ?",
            (ordinal, ordinal, seconds(next_batch_at), self.key),
        )

    def _move(self, event: RunEvent) -> RunState:
        run = self._runs.get_by_key(self.key)
        state = next_state(run, event)
        self._database.change("UPDATE run SET state = ? WHERE key = ?", (state.value, self.key))
        return state

    def _row_count(self, sql: str, *values: object) -> int:
        row = self._database.row(sql, (self.key, *values))
        return int(row[0]) if row is not None else 0


def _is_retried(retry: Retry) -> tuple[str, list[object]]:
    """The failed devices that are tried again, as SQL."""
    parts = ["(error_class = ? AND tries <= ?)" for _ in retry.tries]
    return f"state = 'failed' AND ({' OR '.join(parts)})", [each for pair in retry.tries.items() for each in pair]
