"""LeasedRun: a run in the hands of the one who carries it on; nobody else writes what is written here.

Each lease has a number, the run's epoch. Every transaction first says "I still have it" in the run's row, by that
number: a process that was suspended and comes back after another one took over changes nothing, and begins nothing,
for an intent is written before each effect.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from azext_iotjobs.fleet import rows
from azext_iotjobs.fleet.holder import Holder, is_gone
from azext_iotjobs.fleet.parts import Part, PartState
from azext_iotjobs.fleet.plan import PlannedPart
from azext_iotjobs.fleet.store import FleetStore
from azext_iotjobs.model.errors import LeaseHeld, LeaseLost
from azext_iotjobs.model.rollout import Retry
from azext_iotjobs.model.run import (
    Attempt,
    Batch,
    BatchState,
    DeviceState,
    Ended,
    Run,
    RunEvent,
    RunState,
    moved,
)

LEASE_S = 30.0  # without a heartbeat; who is gone for longer has lost it
BEAT_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the rows say."""

    run: Run
    batch: Batch | None  # the first that has not ended
    cut_off_count: int
    retry_count: int


class LeasedRun:
    """A run whose lease we have; `FleetStore` gives what everybody may see."""

    def __init__(self, store: FleetStore, key: int, epoch: int, now: datetime) -> None:
        self.store = store
        self.key = key
        self._epoch = epoch
        self._beat_at = now
        self._database = store.database

    @classmethod
    def take(cls, store: FleetStore, run: Run, holder: Holder, now: datetime) -> "LeasedRun":
        """Take the lease. Raises LeaseHeld, saying who has it and until when."""
        with store.database.transaction():
            row = store.database.row("SELECT * FROM run WHERE key = ?", (run.key,))
            if row is None:
                store.run_by_key(run.key)
            assert row is not None
            if row["lease_owner"] is not None and row["lease_until"] > now.timestamp():
                other = Holder(row["lease_owner"], row["lease_machine"], row["lease_pid"])
                if not is_gone(other):
                    until = rows.instant(row["lease_until"])
                    raise LeaseHeld(
                        f"{run.name} is carried on by {other.owner}; its lease holds until {until:%H:%M:%S} UTC, and "
                        "longer while it lives.",
                        hint=f"Watch it: az iot hub fleet-job show -j {run.fleet_job_id}. End it: az iot hub fleet-job "
                        f"stop -j {run.fleet_job_id}",
                    )
            epoch = row["epoch"] + 1
            store.database.change(
                "UPDATE run SET epoch = ?, lease_owner = ?, lease_machine = ?, lease_pid = ?, lease_until = ?, "
                "lease_beat_at = ? WHERE key = ?",
                (
                    epoch, holder.owner, holder.machine, holder.pid, now.timestamp() + LEASE_S, now.timestamp(),
                    run.key,
                ),
            )  # fmt: skip
        return cls(store, run.key, epoch, now)

    def release(self) -> None:
        """Give the lease back, if it is still ours."""
        with self._database.transaction():
            self._database.change(
                "UPDATE run SET lease_owner = NULL, lease_machine = NULL, lease_pid = NULL, lease_until = NULL, "
                "lease_beat_at = NULL WHERE key = ? AND epoch = ?",
                (self.key, self._epoch),
            )

    @contextmanager
    def _ours(self, now: datetime) -> Iterator[None]:
        """A transaction that is only while the lease is ours; it is a heartbeat too. Raises LeaseLost."""
        with self._database.transaction():
            if not self._database.change(
                "UPDATE run SET lease_until = ?, lease_beat_at = ? WHERE key = ? AND epoch = ?",
                (now.timestamp() + LEASE_S, now.timestamp(), self.key, self._epoch),
            ):
                raise LeaseLost(
                    "Another process carries the run on: this one was silent for too long, and has ended.",
                    hint="What it had begun is settled by the other one.",
                )
            yield
        self._beat_at = now

    def beat(self, now: datetime) -> None:
        """Say that we live, when it is time to. Raises LeaseLost."""
        if (now - self._beat_at).total_seconds() >= BEAT_S:
            with self._ours(now):
                pass

    # -- the run ------------------------------------------------------------------------------------------------------

    def look(self, retry: Retry | None) -> Seen:
        """What the rows say now."""
        run = self.store.run_by_key(self.key)
        batch = self._batch()
        cut_off = self._row_count("SELECT count(*) FROM device WHERE run = ? AND state = 'calling' AND epoch <> ?")
        retries = 0
        if batch is None and retry is not None and run.state is RunState.RUNNING:
            condition, values = _again(retry)
            retries = self._row_count(
                f"SELECT count(*) FROM device WHERE run = ? AND ? AND {condition}", 1, *values
            )  # fmt: skip
        return Seen(run=run, batch=batch, cut_off_count=cut_off, retry_count=retries)

    def begin(self, event: RunEvent, now: datetime, *, forgiven_of_run: int, forgiven_of_batch: int) -> None:
        """The run starts or goes on; what was asked of it before that is done with."""
        with self._ours(now):
            self._move(event)
            self._database.change(
                "UPDATE run SET started_at = coalesce(started_at, ?), ended_at = NULL, reason = NULL, ended_by = NULL, "
                "forgiven = ? WHERE key = ?",
                (now.timestamp(), forgiven_of_run, self.key),
            )
            self._database.change(
                "UPDATE batch SET forgiven = ? "
                "WHERE run = ?2 AND ordinal = (SELECT current FROM run WHERE key = ?2)".replace("= ? ", "= ?1 "),
                (forgiven_of_batch, self.key),
            )

    def withdraw(self, now: datetime) -> None:
        """What was asked of the run is done with."""
        with self._ours(now):
            self._database.change(
                "UPDATE run SET wish = NULL, wish_by = NULL, wish_reason = NULL, wish_at = NULL WHERE key = ?",
                (self.key,),
            )

    def end(self, event: RunEvent, now: datetime, *, reason: str | None, by: str | None) -> None:
        """The run ends or breaks off; the lease is given back with it."""
        with self._ours(now):
            state = self._move(event)
            self._database.change(
                "UPDATE run SET ended_at = ?, reason = ?, ended_by = ?, go_on_at = CASE WHEN ? THEN NULL ELSE go_on_at "
                "END, wish = NULL, wish_by = NULL, wish_reason = NULL, wish_at = NULL, lease_owner = NULL, "
                "lease_machine = NULL, lease_pid = NULL, lease_until = NULL, lease_beat_at = NULL WHERE key = ?",
                (now.timestamp(), rows.text(reason), rows.text(by), state.has_ended, self.key),
            )
            if state is RunState.CANCELED:
                self._database.change(
                    "UPDATE batch SET state = CASE state WHEN 'running' THEN 'canceled' ELSE 'skipped' END, "
                    "ended_at = CASE state WHEN 'running' THEN ? END WHERE run = ? AND state IN ('pending', 'running')",
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
                "UPDATE device SET state = 'pending', was_cut_off = 1, due_at = NULL "
                f"WHERE run = ?1 AND state = 'calling' {whose}",
                (self.key, self._epoch),
            )
        return self._database.change(
            "UPDATE device SET state = 'uncertain', ended_at = ?3, error_class = NULL, error_code = 'CutOff', "
            "error_text = 'The call was under way when the process that made it ended; the device may have been "
            f"called.' WHERE run = ?1 AND state = 'calling' {whose}",
            (self.key, self._epoch, now.timestamp()),
        )

    def begin_batch(self, ordinal: int, now: datetime) -> None:
        """A batch begins."""
        with self._ours(now):
            self._database.change(
                "UPDATE batch SET state = 'running', started_at = ? WHERE run = ? AND ordinal = ?",
                (now.timestamp(), self.key, ordinal),
            )

    def end_batch(self, ordinal: int, now: datetime, go_on_at: datetime) -> None:
        """A batch has ended; the next begins no sooner than `go_on_at`."""
        with self._ours(now):
            self._database.change(
                "UPDATE batch SET state = 'completed', ended_at = ? WHERE run = ? AND ordinal = ?",
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
            ordinal = (row["last"] if row else 0) + 1
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

    # -- calls --------------------------------------------------------------------------------------------------------

    def due(self, batch: int, now: datetime, limit: int, *, after: int = 0) -> list[Attempt]:
        """Devices of a batch that wait to be operated and may be now, by their numbers, at most `limit`."""
        found = self._database.rows(
            "SELECT seq, device_id, module_id, tries, was_cut_off FROM device "
            "WHERE run = ? AND batch = ? AND seq > ? AND state = 'pending' AND part IS NULL "
            "AND coalesce(due_at, 0) <= ? ORDER BY seq LIMIT ?",
            (self.key, batch, after, now.timestamp(), limit),
        )
        return [rows.attempt_of(each) for each in found]

    def write(
        self,
        now: datetime,
        *,
        ended: Iterable[Ended],
        again: Iterable[int] = (),
        cut_off: Iterable[int] = (),
        begun: Iterable[Attempt] = (),
    ) -> None:
        """One transaction: what tries came to; those that were not made after all (`again`, by number); tries of a
        repeatable action that broke off, to be looked at before they are repeated; new intents.

        A device of `begun` is called after this returns, never before.
        """
        with self._ours(now):
            self._database.change_many(
                "UPDATE device SET state = ?, tries = ?, began_at = ?, ended_at = ?, error_class = ?, error_code = ?, "
                "error_text = ?, method_status = ?, payload = ?, due_at = ?, was_cut_off = 0, epoch = NULL, "
                "part = CASE WHEN ? THEN NULL ELSE part END WHERE run = ? AND seq = ?",
                (self._ended_values(each) for each in ended),
            )
            self._database.change_many(
                "UPDATE device SET state = 'pending', epoch = NULL WHERE run = ? AND seq = ?",
                ((self.key, seq) for seq in again),
            )
            self._database.change_many(
                "UPDATE device SET state = 'pending', was_cut_off = 1, epoch = NULL WHERE run = ? AND seq = ?",
                ((self.key, seq) for seq in cut_off),
            )
            self._database.change_many(
                "UPDATE device SET state = 'calling', epoch = ? WHERE run = ? AND seq = ?",
                ((self._epoch, self.key, each.seq) for each in begun),
            )

    def _ended_values(self, ended: Ended) -> tuple[object, ...]:
        is_again = ended.due_at is not None
        return (
            (DeviceState.PENDING if is_again else ended.state).value, ended.tries, ended.began_at.timestamp(),
            ended.ended_at.timestamp(), ended.error_class.value if ended.error_class else None, ended.error_code,
            ended.error_text, ended.method_status, _payload(ended),
            rows.seconds(ended.due_at), is_again, self.key, ended.seq,
        )  # fmt: skip

    # -- hub jobs -----------------------------------------------------------------------------------------------------

    def open_parts(self) -> list[Part]:
        """The run's hub jobs that are not closed; they are all of one batch."""
        found = self._database.rows(
            "SELECT * FROM part WHERE run = ? AND state <> 'closed' ORDER BY batch, number", (self.key,)
        )
        return [
            Part(
                batch=each["batch"],
                number=each["number"],
                job_id=each["job_id"],
                condition=each["condition"],
                state=PartState(each["state"]),
                intended_at=rows.instant(each["intended_at"]),
                submitted_at=rows.instant(each["submitted_at"]),
                status=each["status"],
            )
            for each in found
        ]

    def next_part_number(self, batch: int) -> int:
        """The number that no part of a batch had yet."""
        row = self._database.row("SELECT max(number) AS last FROM part WHERE run = ? AND batch = ?", (self.key, batch))
        return 1 + ((row["last"] if row else None) or 0)

    def add_part(self, part: Part, planned: PlannedPart, now: datetime) -> None:
        """Plan a hub's job for some devices: they are its own until it is closed."""
        with self._ours(now):
            self._database.change(
                "INSERT INTO part (run, batch, number, job_id, condition, state) VALUES (?, ?, ?, ?, ?, ?)",
                (self.key, part.batch, part.number, part.job_id, part.condition, part.state.value),
            )
            self._database.change_many(
                "UPDATE device SET part = ? WHERE run = ? AND seq = ?",
                ((part.number, self.key, each.seq) for each in planned.devices),
            )

    def save_part(self, part: Part, now: datetime) -> None:
        """Write where a part stands."""
        with self._ours(now):
            self._save_part(part)

    def close_part(self, part: Part, now: datetime, *, ended: Iterable[Ended], note: str | None = None) -> None:
        """The last of its outcomes; devices of it that have none wait again."""
        with self._ours(now):
            self.write(now, ended=list(ended))
            self._database.change(
                "UPDATE device SET part = NULL WHERE run = ? AND batch = ? AND part = ? AND state = 'pending'",
                (self.key, part.batch, part.number),
            )
            self._save_part(replace(part, state=PartState.CLOSED))
            self._database.change(
                "UPDATE part SET note = ? WHERE run = ? AND batch = ? AND number = ?",
                (note, self.key, part.batch, part.number),
            )

    def devices_of(self, part: Part) -> list[Attempt]:
        """The devices of a part that have not ended."""
        found = self._database.rows(
            "SELECT seq, device_id, module_id, tries, was_cut_off FROM device "
            "WHERE run = ? AND batch = ? AND part = ? AND state = 'pending' ORDER BY seq",
            (self.key, part.batch, part.number),
        )
        return [rows.attempt_of(each) for each in found]

    def _save_part(self, part: Part) -> None:
        self._database.change(
            "UPDATE part SET state = ?, intended_at = ?, submitted_at = ?, status = ? "
            "WHERE run = ? AND batch = ? AND number = ?",
            (
                part.state.value, rows.seconds(part.intended_at), rows.seconds(part.submitted_at), part.status,
                self.key, part.batch, part.number,
            ),
        )  # fmt: skip

    # -- helpers ------------------------------------------------------------------------------------------------------

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
        state = moved(run.state, event, run.name)
        self._database.change("UPDATE run SET state = ? WHERE key = ?", (state.value, self.key))
        return state

    def _row_count(self, sql: str, *values: object) -> int:
        row = self._database.row(sql, (self.key, *(values or (self._epoch,))))
        return int(row[0]) if row is not None else 0


def _payload(ended: Ended) -> str | None:
    """A device's answer as it is stored; None for one that is nested too deep to be written."""
    try:
        return json.dumps(ended.payload) if ended.has_payload else None
    except RecursionError:
        return None


def _again(retry: Retry) -> tuple[str, list[object]]:
    """The failed devices that are tried again, as SQL."""
    parts = ["(error_class = ? AND tries <= ?)" for _ in retry.tries]
    return f"state = 'failed' AND ({' OR '.join(parts)})", [each for pair in retry.tries.items() for each in pair]
