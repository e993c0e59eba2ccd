"""What a store lets the holder of a run's lease do, and nobody else. Part of the store's contract."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from azext_iotjobs.fleet_job.hub_job import HubJob
from azext_iotjobs.fleet_job.plan import PlannedHubJob
from azext_iotjobs.model.attempt import Attempt, AttemptResult, VerifiedAttempt
from azext_iotjobs.model.fleet_job import Delivery
from azext_iotjobs.model.gates import GateVerdict
from azext_iotjobs.model.job import JobTally
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.rollout import Retry
from azext_iotjobs.model.run import Batch, Run
from azext_iotjobs.model.run_state import RunEvent
from azext_iotjobs.model.verification import VerifyingDevice
from azext_iotjobs.model.when_online import Connected, WaitingDevice


@dataclass(frozen=True, kw_only=True)
class RunSnapshot:
    """What the store says of a run now: all that its next step is decided from."""

    run: Run
    batch: Batch | None  # the first that has not ended
    cut_off_count: int  # calls that another process began, and that it cannot end any more
    retry_count: int  # devices to be tried again at the end
    retry_round: int  # 1 or more


class DeviceRecords(Protocol):
    """The devices of a run: which are due, which calls were begun, what came of them.

    any_broke_off: whether an attempt has broken off under this lease that is to be repeated: it may have taken effect.
    """

    any_broke_off: bool

    def due(self, batch: int, now: datetime, limit: int, *, after: int = 0) -> list[Attempt]:
        """Devices of a batch that wait to be operated and may be now, by their numbers.

        limit: of their count.  after: only those with higher numbers.
        """

    def write(
        self,
        now: datetime,
        *,
        ended: Iterable[AttemptResult],
        again: Iterable[int] = (),
        cut_off: Iterable[int] = (),
        begun: Iterable[Attempt] = (),
    ) -> None:
        """Record, all at once, how attempts ended and which begin. Raises LeaseLost.

        again: numbers of devices whose attempt was not made after all.
        cut_off: numbers of devices whose attempt, of a repeatable action, broke off; it is checked before it is
        repeated.
        begun: called after this returns, never before.
        """


class VerifyingRecords(Protocol):
    """The devices of a run that were operated and are being verified."""

    def page(
        self, after: VerifyingDevice | None, limit: int, *, since: datetime | None = None
    ) -> list[VerifyingDevice]:
        """Some of them, the first to be verified first.

        after: only those behind it; None: from the first.  limit: of their count.
        since: only those that may be verified until this instant or later; None: all.
        """

    def first_deadline(self) -> datetime | None:
        """By when the first of them has to be verified; None: there are none."""

    def write(self, now: datetime, ended: Iterable[VerifiedAttempt]) -> None:
        """Record, all at once, what looks at their twins have decided. Raises LeaseLost.

        A device that is not verifying any more is left as it is.
        """

    def verified(self, batch: int, limit: int, *, after: int = 0) -> list[VerifyingDevice]:
        """Devices of a batch that have completed, and so were verified, by their numbers.

        batch: its number.  limit: of their count.  after: only those with higher numbers.
        """

    def fail_verified(self, now: datetime, ended: Iterable[VerifiedAttempt]) -> None:
        """Record, all at once, that devices that were verified are not any more. Raises LeaseLost."""


class WaitingRecords(Protocol):
    """The devices of a run that were offline, and wait to connect."""

    def page(self, after: int, limit: int, now: datetime) -> list[WaitingDevice]:
        """Those that are to be looked for now, by their numbers.

        after: only those with higher numbers.  limit: of their count.
        """

    def next_look_at(self) -> datetime | None:
        """When the first of them is to be looked for; None: nobody waits."""

    def write(
        self, now: datetime, batch: int, *, connected: Sequence[Connected], over: Iterable[WaitingDevice]
    ) -> None:
        """Record, all at once, what looking for them has found. Raises LeaseLost.

        batch: the one that runs; those that have connected are moved into it.
        over: those that have not connected in time: they have failed.
        A device that does not wait any more is left as it is.
        """


class HubJobRecords(Protocol):
    """The hub jobs of a run. Every change raises LeaseLost when somebody else has the lease."""

    def open(self) -> list[HubJob]:
        """Those that are not closed; they are all of one batch."""

    def next_number(self, batch: int) -> int:
        """The first number that no hub job of a batch has had."""

    def add(self, hub_job: HubJob, planned: PlannedHubJob, now: datetime) -> None:
        """Plan a hub job for some devices: they are its own until it is closed."""

    def save(self, hub_job: HubJob, now: datetime) -> None:
        """Record where a hub job stands."""

    def save_progress(self, hub_job: HubJob, tally: JobTally | None, awaited: Sequence[str], now: datetime) -> None:
        """Record what the hub says of a hub job that runs, for those who look at the run.

        tally: the hub's counts.  awaited: some of the devices that have not ended.
        """

    def size_of(self, hub_job: HubJob) -> int:
        """How many devices a hub job was made for."""

    def close(self, hub_job: HubJob, now: datetime, *, ended: Iterable[AttemptResult], note: str | None = None) -> None:
        """Record the last of its results; devices of it that have none wait again.

        note: why it was closed, for whoever examines the store.
        """

    def devices_of(self, hub_job: HubJob) -> list[Attempt]:
        """The devices of a hub job that have not ended."""


class LeasedRun(Protocol):
    """A run whose lease we have. Every change raises LeaseLost when somebody took it over."""

    @property
    def key(self) -> int:
        """The run's key in its store."""

    @property
    def devices(self) -> DeviceRecords:
        """Its devices."""

    @property
    def verifying(self) -> VerifyingRecords:
        """Those of its devices that are being verified."""

    @property
    def waiting(self) -> WaitingRecords:
        """Those of its devices that wait to connect."""

    @property
    def hub_jobs(self) -> HubJobRecords:
        """Its hub jobs."""

    def beat(self, now: datetime) -> None:
        """Renew the lease when it is time to."""

    def release(self) -> None:
        """Give the lease back, if it is still ours."""

    def snapshot(self, retry: Retry | None) -> RunSnapshot:
        """What the store says now. retry: None: devices to be tried again are not counted."""

    def begin(
        self,
        event: RunEvent,
        now: datetime,
        *,
        forgiven_of_run: int,
        forgiven_of_batch: int,
        verdicts: Sequence[GateVerdict] | None = None,
    ) -> None:
        """The run starts or resumes.

        forgiven_of_run, forgiven_of_batch: failures that the threshold does not count any more.
        verdicts: what stays of those of the batch, None: all; with the one of the manual gate its answer goes.
        """

    def withdraw_request(self, now: datetime, delivery: Delivery) -> None:
        """Remove what was requested of the run. delivery: how its devices are reached from here on.

        How the run is before is kept, for `undo_resume`.
        """

    def undo_resume(self, now: datetime) -> None:
        """A run that was resumed, and of which nothing could be done, is as it was; the lease is given back with it.

        It was stopped or failed when its request was withdrawn; since then no device was operated, and no batch ended.
        """

    def stay_stopped(self, now: datetime, *, reason: str | None, by: str) -> None:
        """A run that is stopped stays so by another's request. reason: for people.  by: who requested it."""

    def end(self, event: RunEvent, now: datetime, *, reason: str | None, by: str | None) -> None:
        """The run ends or breaks off; the lease is given back with it.

        reason: for people.  by: who requested it; None: nobody.
        """

    def settle(self, now: datetime, *, is_repeatable: bool) -> int:
        """Settle calls of a process that is gone: they are checked and repeated, or uncertain. Gives how many."""

    def settle_own(self, now: datetime, *, is_repeatable: bool) -> int:
        """Settle our own calls likewise, when we leave without awaiting them."""

    def begin_batch(self, ordinal: int, now: datetime) -> None:
        """A batch begins."""

    def begin_gates(self, ordinal: int, now: datetime) -> None:
        """The devices of a batch have ended; its gates are evaluated."""

    def judge(self, ordinal: int, verdict: GateVerdict, now: datetime) -> None:
        """A gate has said something of a batch; it stands in place of what the gate said before."""

    def end_batch(self, ordinal: int, now: datetime, next_batch_at: datetime) -> None:
        """A batch has ended, and its gates have passed; the next begins no sooner than `next_batch_at`."""

    def begin_retries(self, retry: Retry, now: datetime, next_batch_at: datetime) -> None:
        """Put the devices that are tried again into a batch of their own, behind the others."""

    def begin_offline(self, now: datetime) -> None:
        """Put the devices that wait to connect into a batch of their own, behind the others."""
