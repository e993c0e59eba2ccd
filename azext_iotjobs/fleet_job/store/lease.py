"""Lease: who may carry a run on. Everything that only that one may write is written inside `_ours`.

Each lease has a number, the run's epoch. Every transaction first says "I still have it" in the run's row, by that
number: a process that was suspended and comes back after another one took over changes nothing, and begins nothing,
for an intent is written before each effect.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

from azext_iotjobs.fleet_job.store import rows
from azext_iotjobs.fleet_job.store.holder import Holder, is_gone
from azext_iotjobs.fleet_job.store.sqlite import FleetStore
from azext_iotjobs.model.errors import LeaseHeld, LeaseLost
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.text import Text, command

LEASE_S = 30.0  # without a heartbeat; who is gone for longer has lost it
BEAT_S = 5.0

Taken = TypeVar("Taken", bound="Lease")


class Lease:
    """A run's lease that we have."""

    def __init__(self, store: FleetStore, key: int, epoch: int, now: datetime) -> None:
        self.store = store
        self.key = key
        self._epoch = epoch
        self._beat_at = now
        self._database = store.database

    @classmethod
    def take(cls: type[Taken], store: FleetStore, run: Run, holder: Holder, now: datetime) -> Taken:
        """Take the lease. Raises LeaseHeld, saying who has it and until when."""
        with store.database.transaction():
            row = store.database.row("SELECT * FROM run WHERE key = ?", (run.key,))
            if row is None:
                store.run_by_key(run.key)
            assert row is not None
            held = rows.holder_of(row)
            if held is not None and held[1] > now and not is_gone(held[0]):
                raise LeaseHeld(
                    f"{run.name} is carried on by {held[0].owner}; its lease holds until {held[1]:%H:%M:%S} UTC, and "
                    "longer while it lives.",
                    hint=Text(
                        "Watch it: ",
                        command("iot hub fleet-job show", "-j", run.fleet_job_id),
                        ". End it: ",
                        command("iot hub fleet-job stop", "-j", run.fleet_job_id),
                    ),
                )
            epoch = rows.epoch_of(row) + 1
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
