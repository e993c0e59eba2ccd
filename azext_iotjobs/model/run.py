"""A run, one execution of a fleet job: its batches, its counts, its lease, what was requested of it. Pure."""

from collections.abc import Mapping
from dataclasses import field, replace
from datetime import datetime
from enum import Enum
from fractions import Fraction

from azext_iotjobs.model.errors import WrongState
from azext_iotjobs.model.fleet_job import Delivery, Driver, Targets
from azext_iotjobs.model.gates import BatchGates
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.run_state import TRANSITIONS, USER_EVENTS, BatchState, RunEvent, RunState
from azext_iotjobs.model.text import Command, Text, command, printable
from azext_iotjobs.model.tier import TierFacts

FLEET_JOB = "iot hub fleet-job"


@dataclass(frozen=True, kw_only=True)
class Tally:
    """Devices by state; each device counts once."""

    pending: int = 0
    calling: int = 0
    verifying: int = 0  # operated; it is not seen yet that they report so
    waiting: int = 0  # offline when they were operated; they wait to connect, and hold no batch
    completed: int = 0
    failed: int = 0
    uncertain: int = 0
    by_class: Mapping[str, int] = field(default_factory=dict)  # of `failed`, by the words of ErrorClass
    in_hub_jobs: int = 0  # of `pending`: a hub's job operates them, or may; what came of it is not read yet

    @property
    def in_progress(self) -> int:
        """Those that are being operated, or may be."""
        return self.calling + self.in_hub_jobs

    @property
    def not_begun(self) -> int:
        """Those not operated yet, or to be tried again."""
        return self.pending - self.in_hub_jobs

    @property
    def total(self) -> int:
        """All of them."""
        return self.open + self.waiting + self.ended

    @property
    def open(self) -> int:
        """Those that have not ended, and do not wait to connect."""
        return self.pending + self.calling + self.verifying

    @property
    def ended(self) -> int:
        """Those that have."""
        return self.completed + self.failed + self.uncertain

    def seen(self, *, has_runner: bool) -> "Tally":
        """The same as people see it: a call whose process is gone is uncertain."""
        return self if has_runner else replace(self, calling=0, uncertain=self.uncertain + self.calling)


class RequestKind(Enum):
    """What somebody requests of a run; the process that executes it reads this from its row before each step."""

    STOP = "stop"
    CANCEL = "cancel"


@dataclass(frozen=True, kw_only=True)
class StopRequest:
    """A request to end a run: of whom, and why."""

    kind: RequestKind
    by: str
    reason: str | None
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Lease:
    """Which process executes a run, and until when no other one may."""

    owner: str  # for people: user@host, process
    until: datetime
    beat_at: datetime
    is_gone: bool = False  # whether that process has surely ended


@dataclass(frozen=True, kw_only=True)
class Narrowed:
    """Fewer devices than the definition means, for one run; None, None: all of them."""

    limit: int | None = None
    sample_percent: Fraction | None = None
    seed: int = 0

    def of(self, targets: Targets) -> Targets:
        """`targets` with these limits in place of their own."""
        return replace(targets, limit=self.limit, sample_percent=self.sample_percent, seed=self.seed)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One execution of a fleet job."""

    key: int  # in its store
    fleet_job_id: str
    host: str
    number: int  # 1 or more, per fleet job
    version: int  # of the definition that it executes
    run_key: str  # 8 of a-z, 0-9: in the ids of the hub's jobs, never the same on two state files
    state: RunState
    driver: Driver  # JOBS or CALLS
    driver_reason: str
    delivery: Delivery
    device_count: int
    batch_count: int
    created_at: datetime
    created_by: str
    started_at: datetime | None = None
    ended_at: datetime | None = None  # of its last end; None while it runs
    next_batch_at: datetime | None = None  # the next batch does not begin before
    reason: str | None = None  # why it is stopped, failed or canceled
    ended_by: str | None = None  # who stopped or cancelled it; None: nobody, its threshold, an error
    stop_request: StopRequest | None = None
    lease: Lease | None = None
    tier: TierFacts | None = None  # of its hub, as far as it was known when it was made
    narrowed: Narrowed | None = None  # fewer devices than the definition means
    forgiven: int = 0  # failures that somebody accepted by resuming; its threshold does not count them any more
    occurrence_at: datetime | None = None  # of its fleet job's schedule; None: somebody started it
    tally: Tally = Tally()

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"Run {self.number} of fleet job {self.fleet_job_id}"

    @property
    def by_whom(self) -> str:
        """Who has stopped or canceled it, in words that follow its state: " by ann@host"; else, or by nobody, none."""
        was_ended = self.ended_by is not None and self.state in (RunState.STOPPED, RunState.CANCELED)
        return f" by {printable(self.ended_by or '')}" if was_ended else ""

    @property
    def has_runner(self) -> bool:
        """Whether a process had its lease when it was read; the lease may have expired since."""
        return self.lease is not None and not self.lease.is_gone

    def is_unattended(self, now: datetime) -> bool:
        """Whether no process executes it."""
        return self.lease is None or self.lease.is_gone or self.lease.until < now

    def duration_s(self, now: datetime) -> float | None:
        """Seconds from its start to its end, or to now while it runs; None: it has not started."""
        if self.started_at is None:
            return None
        return max(0.0, ((self.ended_at or now) - self.started_at).total_seconds())


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Some devices of a run; they are operated once the batch before has ended."""

    ordinal: int  # 1 or more
    state: BatchState
    size: int  # devices, as planned; those tried again at the end have moved to another batch
    is_retry: bool = False  # of devices that failed in the batches before
    is_of_offline: bool = False  # of devices that still wait to connect when the batches before have ended
    joined: int = 0  # devices of earlier batches that connected while it ran, and were moved into it
    started_at: datetime | None = None
    ended_at: datetime | None = None
    forgiven: int = 0  # as Run.forgiven
    gates: BatchGates | None = None  # None: they are not evaluated yet, or there are none
    tally: Tally = Tally()


def shown_status(batch: Batch, run: Run) -> str:
    """The word for a batch's state; one that was running when its run ended or stopped has the state of the run."""
    has_stopped = batch.state is BatchState.RUNNING and run.state is not RunState.RUNNING
    return run.state.value if has_stopped else batch.state.value


def next_state(run: Run, event: RunEvent) -> RunState:
    """The state of a run after an event. Raises WrongState, saying what is possible."""
    state = run.state
    after = TRANSITIONS.get((state, event))
    if after is None:
        may = [each.value for before, each in TRANSITIONS if before is state and each in USER_EVENTS]
        can = f"it can be asked to {' or '.join(may)}" if may else "it has ended"
        suggestion = (
            ("", command(f"{FLEET_JOB} {may[0]}", fleet_job_id=run.fleet_job_id)) if may else _after_the_end(run)
        )
        raise WrongState(f"{run.name} is {state.value}: {event.value} is not possible; {can}.", hint=Text(*suggestion))
    return after


def _after_the_end(run: Run) -> tuple[str, Command]:
    """What can be done about a run that has ended, and by which command; nothing is run again that has succeeded."""
    job = run.fleet_job_id
    if run.tally.failed:
        return "What failed can be run again: ", command(f"{FLEET_JOB} rerun", fleet_job_id=job)
    left = [word for word, count in (("uncertain", run.tally.uncertain), ("pending", run.tally.pending)) if count]
    if left:
        return "What was not completed can be run again: ", command(
            f"{FLEET_JOB} rerun", fleet_job_id=job, on=",".join(left)
        )
    return "See what it did: ", command(f"{FLEET_JOB} results", fleet_job_id=job)
