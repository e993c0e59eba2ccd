"""The lease of a run: who may execute it. What only its holder may write is written inside `HeldLease.transaction`.

Each lease has a number, the run's epoch. Every transaction first renews the lease in the run's row, by that number: a
process that was suspended and comes back after another one took over changes nothing, and begins nothing, for an intent
is written before each effect.
"""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from datetime import datetime

from azext_iotjobs.fleet_job.store.holder import Holder, is_gone
from azext_iotjobs.fleet_job.store.sql import rows
from azext_iotjobs.fleet_job.store.sql.database import Database, TwoVersions
from azext_iotjobs.fleet_job.unfinished import executed_by
from azext_iotjobs.model.errors import LeaseLost, NotFound
from azext_iotjobs.model.run import Run

LEASE_S = 30.0  # without a heartbeat; a holder that is silent for longer has lost it
BEAT_S = 5.0


class HeldLease:
    """A lease that this process has taken."""

    def __init__(self, database: Database, key: int, epoch: int, now: datetime) -> None:
        self.key = key
        self.epoch = epoch
        # The database's last version since which nothing but rows of devices was changed, with what is counted of them,
        # and the heartbeat; whoever reads the rest of the run sets it, and reads it again once there is another one.
        self.version_of_devices: Hashable | None = None
        self._database = database
        self._beat_at = now

    @classmethod
    def take(cls, database: Database, run: Run, holder: Holder, now: datetime) -> "HeldLease":
        """Take the lease of a run. Raises LeaseHeld, saying who has it and until when; NotFound.

        holder: the process that takes it.
        """
        with database.transaction():
            row = database.row("SELECT * FROM run WHERE key = ?", (run.key,))
            if row is None:
                raise NotFound("The run is gone: its record was deleted.")
            held = rows.holder_of(row)
            if held is not None and held[1] > now and not is_gone(held[0]):
                raise executed_by(run, held[0].owner, held[1])
            epoch = rows.epoch_of(row) + 1
            beat_at = database.lease_clock(now)
            database.change(
                "UPDATE run SET epoch = ?, lease_owner = ?, lease_machine = ?, lease_pid = ?, lease_until = ?, "
                "lease_beat_at = ? WHERE key = ?",
                (epoch, holder.owner, holder.machine, holder.pid, beat_at + LEASE_S, beat_at, run.key),
            )
        return cls(database, run.key, epoch, now)

    def release(self) -> None:
        """Give the lease back, if it is still ours."""
        with self._database.transaction(of_run=self.key):
            self._database.change(
                "UPDATE run SET lease_owner = NULL, lease_machine = NULL, lease_pid = NULL, lease_until = NULL, "
                "lease_beat_at = NULL WHERE key = ? AND epoch = ?",
                (self.key, self.epoch),
            )

    @contextmanager
    def transaction(self, now: datetime) -> Iterator[None]:
        """A transaction that only is while the lease is ours; it is a heartbeat too. Raises LeaseLost."""
        with self._database.transaction(of_run=self.key):
            beat_at = self._database.lease_clock(now)
            if not self._database.change(
                "UPDATE run SET lease_until = ?, lease_beat_at = ? WHERE key = ? AND epoch = ?",
                (beat_at + LEASE_S, beat_at, self.key, self.epoch),
            ):
                raise LeaseLost(
                    "Another process has taken the run over: this one was silent for too long and has ended.",
                    hint="The other process completes what this one had begun.",
                )
            yield
        self._beat_at = now

    @contextmanager
    def transaction_of_devices(self, now: datetime) -> Iterator[None]:
        """The same, for what changes nothing but rows of devices, and with them what is counted of them."""
        read = self.version_of_devices
        is_told_apart = isinstance(read, TwoVersions) and read == self._database.version()
        with self.transaction(now):
            yield
        if not is_told_apart:
            return
        after = self._database.version()
        if isinstance(after, TwoVersions) and isinstance(read, TwoVersions) and after.of_others == read.of_others:
            self.version_of_devices = after

    def beat(self, now: datetime) -> None:
        """Renew the lease when it is time to. Raises LeaseLost."""
        if (now - self._beat_at).total_seconds() >= BEAT_S:
            with self.transaction(now):
                pass
