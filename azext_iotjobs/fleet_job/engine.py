"""What comes next in a run: `decide(view) -> step`. Pure: no clock, no store, no driver.

Strategy: every step is decided from stored rows and from what the driver says is under way, so starting and resuming
are the same call. What ends a run is asked first; then a batch after the other is begun, worked on and closed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from azext_iotjobs.fleet_job.threshold import counted, verdict
from azext_iotjobs.model.rollout import Rollout, ThresholdAction
from azext_iotjobs.model.run import Batch, BatchState, Run, RunEvent, RunState, Wish


class Drain(Enum):
    """How a driver works."""

    NO = "no"  # on
    STOP = "stop"  # nothing begins; what goes on by itself (a hub's job that runs) may be left for a resume
    CANCEL = "cancel"  # nothing begins; all that was begun is brought to its end: nobody comes back for it


@dataclass(frozen=True, kw_only=True)
class View:
    """All that is looked at."""

    run: Run  # with its tally
    rollout: Rollout
    batch: Batch | None  # the first that has not ended, with its tally; None: all have
    cut_off_count: int  # calls that another process began, which is gone
    retry_count: int  # devices to be tried again at the end
    retry_round: int  # how often that was done before, and 1
    in_flight_count: int  # calls of this process, or hub jobs that have to be settled
    unsettled_count: int  # hub jobs that a cancelled run has to see the end of; in_flight_count for calls
    is_stopping: bool  # Ctrl-C
    trouble: str | None  # why the driver cannot go on
    now: datetime


@dataclass(frozen=True)
class Begin:
    """The run starts, or goes on."""

    event: RunEvent
    forgiven_of_run: int = 0  # failures that its threshold does not count any more: someone resumed over them
    forgiven_of_batch: int = 0


@dataclass(frozen=True)
class Settle:
    """Calls that were cut off: repeatable ones are to be looked at again, others are uncertain."""


@dataclass(frozen=True)
class BeginBatch:
    """A batch begins."""

    ordinal: int


@dataclass(frozen=True)
class Work:
    """The driver takes one turn on a batch."""

    ordinal: int
    drain: Drain
    why: str | None = None  # nothing else begins


@dataclass(frozen=True)
class EndBatch:
    """All devices of a batch have ended."""

    ordinal: int
    go_on_at: datetime  # the next may not begin before


@dataclass(frozen=True)
class BeginRetries:
    """Devices that failed are put into a batch of their own."""

    go_on_at: datetime


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
    by: str | None  # who wanted it


@dataclass(frozen=True)
class Rest:
    """It has ended; nothing is to be done."""


Step = Begin | Settle | BeginBatch | Work | EndBatch | BeginRetries | Wait | End | Rest


def decide(view: View) -> Step:
    """The one thing to do next."""
    run = view.run
    if run.state.has_ended:
        return Rest()
    if view.cut_off_count:
        return Settle()
    ending = _ending(view)
    if run.state is not RunState.RUNNING:
        if ending is not None and ending.event is RunEvent.CANCEL and not view.unsettled_count:
            return ending
        return _begin(view)
    if ending is not None:
        return _brought_to(ending, view)
    batch = view.batch
    if batch is None:
        return _after_the_last(view)
    if batch.state is BatchState.PENDING:
        if run.go_on_at is not None and view.now < run.go_on_at:
            why = "failed devices are tried again" if batch.is_retry else f"a pause before batch {batch.ordinal}"
            return Wait(run.go_on_at, why)
        return BeginBatch(batch.ordinal)
    if batch.tally.open or view.in_flight_count:
        return Work(batch.ordinal, Drain.NO)
    return EndBatch(batch.ordinal, view.now + timedelta(seconds=view.rollout.pause_s))


def _begin(view: View) -> Begin:
    """Start, or go on. Whom the threshold stopped, and who goes on all the same, has accepted those failures."""
    run, threshold = view.run, view.rollout.threshold
    if run.state is RunState.PENDING:
        return Begin(RunEvent.START)
    of_batch = 0 if view.batch is None else view.batch.forgiven
    is_over = threshold is not None and threshold.action is ThresholdAction.STOP
    if threshold is None or not is_over or verdict(threshold, run, view.batch) is None:
        return Begin(RunEvent.RESUME, run.forgiven, of_batch)
    in_batch = of_batch if view.batch is None else counted(view.batch.tally, threshold)
    return Begin(RunEvent.RESUME, counted(run.tally, threshold), in_batch)


def _ending(view: View) -> End | None:
    """Why the run is to end before its devices have; the gravest reason first."""
    asked, threshold = view.run.asked, view.rollout.threshold
    if asked is not None and asked.wish is Wish.CANCEL:
        return End(RunEvent.CANCEL, asked.reason, asked.by)
    exceeded = verdict(threshold, view.run, view.batch) if view.run.state is RunState.RUNNING else None
    if exceeded is not None and threshold is not None:
        is_cancel = threshold.action is ThresholdAction.CANCEL
        return End(RunEvent.CANCEL if is_cancel else RunEvent.STOP, exceeded.reason, None)
    if asked is not None:
        return End(RunEvent.STOP, asked.reason, asked.by)
    if view.is_stopping:
        return End(RunEvent.STOP, "Stopped by Ctrl-C or a signal.", None)
    if view.trouble is not None:
        return End(RunEvent.BREAK, view.trouble, None)
    return None


def _brought_to(ending: End, view: View) -> Step:
    """The end, or first what has to end before."""
    is_cancel = ending.event is RunEvent.CANCEL
    waits_for = view.unsettled_count if is_cancel else view.in_flight_count
    if waits_for and is_cancel and view.trouble is not None:
        return End(RunEvent.BREAK, f"It was to be canceled, but {view.trouble}", ending.by)
    if waits_for and view.batch is not None:
        why = ending.reason or (None if ending.by is None else f"{ending.by} has asked for it.")
        return Work(view.batch.ordinal, Drain.CANCEL if is_cancel else Drain.STOP, why)
    return ending


def _after_the_last(view: View) -> Step:
    retry = view.rollout.retry
    if view.retry_count and retry is not None:
        return BeginRetries(view.now + timedelta(seconds=retry.pause_after_s(view.retry_round)))
    return End(RunEvent.FINISH, None, None)
