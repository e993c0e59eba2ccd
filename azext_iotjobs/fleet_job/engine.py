"""What comes next in a run: `decide(view) -> step`. Pure: no clock, no store, no driver.

Strategy: every step is decided from stored rows and from what the driver has in flight, so starting and resuming are
the same call. Reasons to end the run are examined first; then one batch after the other is begun, worked on, taken past
its gates and closed.
"""

from datetime import datetime, timedelta
from enum import Enum

from azext_iotjobs.fleet_job.gates import (
    GateStep,
    gate_step,
    is_gated,
    reason_of_end,
    refusal,
    verdicts_after_resume,
    who_refused,
)
from azext_iotjobs.fleet_job.threshold import failure_count, verdict
from azext_iotjobs.model.gates import GateVerdict
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.rollout import Rollout, ThresholdAction
from azext_iotjobs.model.run import Batch, RequestKind, Run
from azext_iotjobs.model.run_state import BatchState, RunEvent, RunState
from azext_iotjobs.model.schedule import BY_SCHEDULE


class Drain(Enum):
    """Whether a driver may begin anything, and what becomes of what is in flight."""

    NO = "no"  # it begins whatever is due
    STOP = "stop"  # nothing begins; what continues by itself (a hub job that runs) may be left for a resume
    CANCEL = "cancel"  # nothing begins; all that was begun is brought to its end: nobody resumes


@dataclass(frozen=True, kw_only=True)
class View:
    """All that a step is decided from."""

    run: Run  # with its tally
    rollout: Rollout
    is_verified: bool = False  # devices are, and have to stay so while their batch bakes
    batch: Batch | None  # the first that has not ended, with its tally; None: all have
    cut_off_count: int  # calls that another process began, which is gone
    retry_count: int  # devices to be tried again at the end
    retry_round: int  # how often that was done before, and 1
    in_flight_count: int  # calls of this process, or hub jobs that have to be settled
    unsettled_count: int  # hub jobs whose end a cancelled run has to await; in_flight_count for calls
    is_stopping: bool  # Ctrl-C or a signal
    trouble: str | None  # why the driver cannot continue
    now: datetime
    shuts_at: datetime | None = None  # when the window of its schedule shuts; None: there is none
    stop_by: str | None = None  # in whose name Ctrl-C or a signal stops it; None: of nobody but who pressed it


@dataclass(frozen=True)
class Begin:
    """The run starts or resumes."""

    event: RunEvent
    forgiven_of_run: int = 0  # failures that its threshold does not count any more: somebody resumed over them
    forgiven_of_batch: int = 0
    verdicts: tuple[GateVerdict, ...] | None = None  # what stays of those of the batch; None: all of them


@dataclass(frozen=True)
class Settle:
    """Settle calls that were cut off: repeatable ones are checked and repeated, others are uncertain."""


@dataclass(frozen=True)
class BeginBatch:
    """A batch begins."""

    ordinal: int


@dataclass(frozen=True)
class Work:
    """The driver takes one turn on the batch."""

    drain: Drain
    why: str | None = None  # nothing else begins


@dataclass(frozen=True)
class EndBatch:
    """All devices of a batch have ended."""

    ordinal: int
    next_batch_at: datetime  # the next may not begin before


@dataclass(frozen=True)
class BeginRetries:
    """Devices that failed are put into a batch of their own."""

    next_batch_at: datetime


@dataclass(frozen=True)
class BeginOffline:
    """Devices that still wait to connect are put into a batch of their own; they are operated in it as they connect."""


@dataclass(frozen=True)
class Wait:
    """Nothing may begin before."""

    until: datetime
    why: str


@dataclass(frozen=True)
class End:
    """The run ends, or breaks off."""

    event: RunEvent  # FINISH, BREAK, STOP, CANCEL
    reason: str | None
    by: str | None  # who requested it


@dataclass(frozen=True)
class Nothing:
    """The run has ended; nothing is to be done."""


Step = Begin | Settle | BeginBatch | Work | GateStep | EndBatch | BeginRetries | BeginOffline | Wait | End | Nothing


def decide(view: View) -> Step:
    """The one thing to do next."""
    run = view.run
    if run.state.has_ended:
        return Nothing()
    if view.cut_off_count:
        return Settle()
    ending = _ending(view)
    if run.state is not RunState.RUNNING:
        if ending is not None and ending.event is RunEvent.CANCEL and not view.unsettled_count:
            return ending
        return _begin(view)
    if ending is not None:
        return _after_draining(ending, view)
    batch = view.batch
    if batch is None:
        return _after_the_last(view)
    if batch.state is BatchState.PENDING:
        if run.next_batch_at is not None and view.now < run.next_batch_at:
            why = "failed devices are tried again" if batch.is_retry else f"a pause before batch {batch.ordinal}"
            return Wait(run.next_batch_at, why)
        return BeginBatch(batch.ordinal)
    if batch.tally.open or view.in_flight_count or (batch.is_of_offline and batch.tally.waiting):
        return Work(Drain.NO)
    return _at_the_gates(view, batch) or EndBatch(batch.ordinal, view.now + timedelta(seconds=view.rollout.pause_s))


def _at_the_gates(view: View, batch: Batch) -> GateStep | Wait | None:
    """What comes between the end of a batch's devices and its own; None: nothing, or nothing more."""
    gates = view.rollout.gates
    if not is_gated(batch, view.run, gates):
        return None
    until = None if batch.gates is None else gates.bakes_until(batch.gates)
    if until is not None and view.now < until:
        return Wait(until, f"batch {batch.ordinal} bakes")
    return gate_step(batch, gates, view.now, is_bake_checked=view.is_verified)


def _begin(view: View) -> Begin:
    """Start, or resume. Resuming a run that its threshold or a gate stopped accepts what stopped it."""
    run, threshold = view.run, view.rollout.threshold
    if run.state is RunState.PENDING:
        return Begin(RunEvent.START)
    of_batch = 0 if view.batch is None else view.batch.forgiven
    verdicts = verdicts_after_resume(run, view.batch, view.now)
    stops = threshold is not None and threshold.action is ThresholdAction.STOP
    if threshold is None or not stops or verdict(threshold, run, view.batch) is None:
        return Begin(RunEvent.RESUME, run.forgiven, of_batch, verdicts)
    in_batch = of_batch if view.batch is None else failure_count(view.batch.tally, threshold)
    return Begin(RunEvent.RESUME, failure_count(run.tally, threshold), in_batch, verdicts)


def _ending(view: View) -> End | None:
    """Why the run is to end before its devices have; the gravest reason first."""
    request, threshold = view.run.stop_request, view.rollout.threshold
    if request is not None and request.kind is RequestKind.CANCEL:
        return End(RunEvent.CANCEL, request.reason, request.by)
    exceeded = verdict(threshold, view.run, view.batch) if view.run.state is RunState.RUNNING else None
    if exceeded is not None and threshold is not None:
        is_cancel = threshold.action is ThresholdAction.CANCEL
        return End(RunEvent.CANCEL if is_cancel else RunEvent.STOP, exceeded.reason, None)
    if view.batch is not None and (refused := refusal(view.batch)) is not None:
        return End(RunEvent.STOP, reason_of_end(view.batch.ordinal, refused), who_refused(view.batch, refused))
    if request is not None:
        return End(RunEvent.STOP, request.reason, request.by)
    if view.is_stopping:
        return End(RunEvent.STOP, "Stopped by Ctrl-C or a signal.", view.stop_by)
    if view.shuts_at is not None and view.now >= view.shuts_at:
        return End(RunEvent.STOP, "Its window has shut; it continues when that opens again.", BY_SCHEDULE)
    if view.trouble is not None:
        return End(RunEvent.BREAK, view.trouble, None)
    return None


def _after_draining(ending: End, view: View) -> Step:
    """The end, or first what has to end before."""
    is_cancel = ending.event is RunEvent.CANCEL
    in_flight = view.unsettled_count if is_cancel else view.in_flight_count
    if in_flight and is_cancel and view.trouble is not None:
        return End(RunEvent.BREAK, f"It was being canceled, but {view.trouble}", ending.by)
    if in_flight and view.batch is not None:
        why = ending.reason or (None if ending.by is None else f"{ending.by} has requested it.")
        return Work(Drain.CANCEL if is_cancel else Drain.STOP, why)
    return ending


def _after_the_last(view: View) -> Step:
    retry = view.rollout.retry
    if view.retry_count and retry is not None:
        return BeginRetries(view.now + timedelta(seconds=retry.pause_after_s(view.retry_round)))
    if view.run.tally.waiting:
        return BeginOffline()
    return End(RunEvent.FINISH, None, None)
