"""Runs of fleet jobs: states and what moves them, batches, devices, counts. Pure.

pending --start--> running --finish--> completed
                    |  ^ \\---break---> failed ---+
              stop  |  |                         | resume
                    v  +------ resume -----------+
                   stopped
cancel and exceed (a threshold whose action is cancel) end all but completed and canceled runs: canceled.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from fractions import Fraction
from typing import Any

from azext_iotjobs.model.errors import WrongState
from azext_iotjobs.model.fleet import Delivery, Driver, Targets
from azext_iotjobs.model.job import JobTally
from azext_iotjobs.model.result import ErrorClass
from azext_iotjobs.model.text import Command, Text, command
from azext_iotjobs.model.tier import TierFacts

FLEET_JOB = "iot hub fleet-job"


class RunState(Enum):
    """Where a run stands; the words are those of IoT Central."""

    PENDING = "pending"  # its devices are fixed, none was operated
    RUNNING = "running"
    COMPLETED = "completed"  # it ran on all devices; some may have failed
    FAILED = "failed"  # it broke off; it can be resumed
    STOPPED = "stopped"  # by someone, or by a threshold whose action is stop; it can be resumed
    CANCELED = "canceled"  # by someone, or by its threshold; it has ended

    @property
    def has_ended(self) -> bool:
        """Whether nothing can follow."""
        return self in (RunState.COMPLETED, RunState.CANCELED)


class RunEvent(Enum):
    """What moves a run."""

    START = "start"
    FINISH = "finish"  # all devices have ended
    BREAK = "break"  # what no other device would survive: refused, away for long
    STOP = "stop"
    CANCEL = "cancel"
    RESUME = "resume"


TRANSITIONS: Mapping[tuple[RunState, RunEvent], RunState] = {
    (RunState.PENDING, RunEvent.START): RunState.RUNNING,
    (RunState.PENDING, RunEvent.RESUME): RunState.RUNNING,
    (RunState.PENDING, RunEvent.STOP): RunState.STOPPED,
    (RunState.PENDING, RunEvent.CANCEL): RunState.CANCELED,
    (RunState.RUNNING, RunEvent.RESUME): RunState.RUNNING,  # whoever ran it is gone
    (RunState.RUNNING, RunEvent.FINISH): RunState.COMPLETED,
    (RunState.RUNNING, RunEvent.BREAK): RunState.FAILED,
    (RunState.RUNNING, RunEvent.STOP): RunState.STOPPED,
    (RunState.RUNNING, RunEvent.CANCEL): RunState.CANCELED,
    (RunState.STOPPED, RunEvent.RESUME): RunState.RUNNING,
    (RunState.STOPPED, RunEvent.CANCEL): RunState.CANCELED,
    (RunState.FAILED, RunEvent.RESUME): RunState.RUNNING,
    (RunState.FAILED, RunEvent.CANCEL): RunState.CANCELED,
}


def moved(run: "Run", event: RunEvent) -> RunState:
    """The state of a run after an event. Raises WrongState, saying what is possible."""
    state = run.state
    after = TRANSITIONS.get((state, event))
    if after is None:
        may = [each.value for before, each in TRANSITIONS if before is state and each in BY_HAND]
        can = f"it can be asked to {' or '.join(may)}" if may else "it has ended"
        next_step = ("", command(f"{FLEET_JOB} {may[0]}", "-j", run.fleet_job_id)) if may else _after_the_end(run)
        raise WrongState(
            f"{run.name} is {state.value}: {event.value} is not possible; {can}.",
            hint=Text(*next_step),
        )
    return after


def _after_the_end(run: "Run") -> tuple[str, Command]:
    """What can be done about a run that has ended, and by which command; nothing is run again that has succeeded."""
    which = ("-j", run.fleet_job_id)
    if run.tally.failed:
        return "What failed can be run again: ", command(f"{FLEET_JOB} rerun", *which)
    left = [word for word, count in (("uncertain", run.tally.uncertain), ("pending", run.tally.pending)) if count]
    if left:
        return "What was not completed can be run again: ", command(
            f"{FLEET_JOB} rerun", *which, "--on", ",".join(left)
        )
    return "What came of it: ", command(f"{FLEET_JOB} results", *which)


BY_HAND = (RunEvent.STOP, RunEvent.CANCEL, RunEvent.RESUME)


class BatchState(Enum):
    """Where a batch stands."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"  # all its devices have ended
    CANCELED = "canceled"  # its run was, while it ran
    SKIPPED = "skipped"  # its run ended before


class DeviceState(Enum):
    """Where a device of a run stands."""

    PENDING = "pending"  # not operated, or to be tried again
    CALLING = "calling"  # a call was begun; whether it got there is not known yet. Shown as in progress while it lasts
    COMPLETED = "completed"
    FAILED = "failed"
    UNCERTAIN = "uncertain"  # whether it was operated cannot be known

    @property
    def has_ended(self) -> bool:
        """Whether its run is done with it."""
        return self not in (DeviceState.PENDING, DeviceState.CALLING)


@dataclass(frozen=True, kw_only=True)
class Tally:
    """Devices by state; each device counts once."""

    pending: int = 0
    calling: int = 0
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
    def waiting(self) -> int:
        """Those that nothing was begun with, or that wait to be tried again."""
        return self.pending - self.in_hub_jobs

    @property
    def total(self) -> int:
        """All of them."""
        return self.pending + self.calling + self.completed + self.failed + self.uncertain

    @property
    def open(self) -> int:
        """Those that have not ended."""
        return self.pending + self.calling

    @property
    def ended(self) -> int:
        """Those that have."""
        return self.completed + self.failed + self.uncertain


class Wish(Enum):
    """What someone asked of a run, in its row; whoever runs it sees it at the next step."""

    STOP = "stop"
    CANCEL = "cancel"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A wish, whose it is, and why."""

    wish: Wish
    by: str
    reason: str | None
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Lease:
    """Who carries a run on, and until when nobody else may."""

    owner: str  # for people: user@host, process
    until: datetime
    beat_at: datetime
    is_gone: bool = False  # whether that process has surely ended


@dataclass(frozen=True, kw_only=True)
class Narrowed:
    """Which of the devices a run has, as it was asked for this run alone; None, None: all of them."""

    limit: int | None = None
    sample_percent: Fraction | None = None
    seed: int = 0

    def of(self, targets: Targets) -> Targets:
        """The same targets, with this in place of their own."""
        return replace(targets, limit=self.limit, sample_percent=self.sample_percent, seed=self.seed)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One carrying-out of a fleet job."""

    key: int  # in its store
    fleet_job_id: str
    host: str
    number: int  # 1 or more, per fleet job
    version: int  # of the definition that it carries out
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
    go_on_at: datetime | None = None  # the next batch does not begin before
    reason: str | None = None  # why it is stopped, failed or canceled
    ended_by: str | None = None  # who stopped or cancelled it; None: nobody, its threshold, an error
    asked: Asked | None = None
    lease: Lease | None = None
    tier: TierFacts | None = None  # of its hub, as far as it was known when it was made
    narrowed: Narrowed | None = None  # fewer devices than the definition means, this time
    forgiven: int = 0  # failures of the run that its threshold has seen and someone resumed over
    tally: Tally = Tally()

    @property
    def name(self) -> str:
        """For people."""
        return f"Run {self.number} of fleet job {self.fleet_job_id}"

    @property
    def has_runner(self) -> bool:
        """Whether somebody had it when it was read; the lease may have passed since."""
        return self.lease is not None and not self.lease.is_gone

    def is_left_alone(self, now: datetime) -> bool:
        """Whether nobody carries it on."""
        return self.lease is None or self.lease.is_gone or self.lease.until < now

    def duration_s(self, now: datetime) -> float | None:
        """Seconds from its start to its end, or to now while it runs; None: it has not started."""
        if self.started_at is None:
            return None
        return max(0.0, ((self.ended_at or now) - self.started_at).total_seconds())


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Some devices of a run; they begin when the batch before has ended."""

    ordinal: int  # 1 or more
    state: BatchState
    size: int  # devices, as planned; those that are tried again at the end have left it
    is_retry: bool = False  # of devices that failed in the batches before
    started_at: datetime | None = None
    ended_at: datetime | None = None
    forgiven: int = 0  # as Run.forgiven
    tally: Tally = Tally()


@dataclass(frozen=True, kw_only=True)
class HubJob:
    """A hub's job that operates devices of a batch, as its row says: it was sent, and what it did is not read yet."""

    batch: int
    job_id: str
    status: str | None  # the hub's word, as last seen; None: it may not have got there
    submitted_at: datetime | None
    until: datetime | None  # the hub gives it up then; None: not known
    size: int  # devices that it was made for
    open_count: int  # of these, whose end is not recorded
    tally: JobTally | None = None  # the hub's own counts, as last seen
    seen_at: datetime | None = None  # when that was
    awaited: tuple[str, ...] = ()  # some of the devices that the hub's rows say are open; () where nobody has asked

    @property
    def ended_count(self) -> int:
        """Devices that have ended by the hub's count, and of which nothing is recorded yet."""
        if self.tally is None:
            return 0
        recorded = self.size - self.open_count
        ended = self.tally.succeeded_count + self.tally.failed_count
        return max(0, min(self.open_count, ended - recorded))


@dataclass(frozen=True, kw_only=True)
class Awaited:
    """What a run waits for in one batch: calls that were begun, or a hub's job."""

    batch: int
    device_ids: tuple[str, ...]  # some of them, with modules as device/module; () where the hub has not said
    count: int
    since: datetime | None
    until: datetime | None  # it is over then, whatever the devices do; None: not known
    job_id: str | None = None  # None: calls


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A device that is to be operated now."""

    seq: int  # its number in the run
    device_id: str
    module_id: str | None
    tries: int  # that were made before
    was_cut_off: bool = False  # the last one broke off: it may have been done, and is looked at before it is repeated


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What a try came to."""

    seq: int
    state: DeviceState  # COMPLETED, FAILED, UNCERTAIN
    tries: int  # that were made, this one included
    began_at: datetime
    ended_at: datetime
    error_class: ErrorClass | None = None
    error_code: str | None = None
    error_text: str | None = None
    method_status: int | None = None
    payload: Any = None
    has_payload: bool = False  # null is an answer too
    due_at: datetime | None = None  # FAILED: it is tried again in its batch then, and is pending until it is
