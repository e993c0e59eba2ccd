"""A hub's job that operates some devices of a batch: where it stands, and what comes next. Pure.

planned --intend--> submitting --(the hub has it)--> submitted --(it has ended, its rows are read)--> closed
   ^                    |
   +----refused---------+   by an answer that says that nothing was done
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from azext_iotjobs.fleet_job.engine import Drain
from azext_iotjobs.model.job import Job, JobStatus, JobType

# Between us and the hub. Generous, as for a machine that takes its local time for UTC: who takes a job of its own for
# somebody else's operates its devices twice, and the run's key keeps the others apart.
CLOCK_SKEW = timedelta(hours=24)
VANISHED_AFTER = timedelta(seconds=60)  # a hub's GET may lag behind its PUT


class PartState(Enum):
    """Where a part stands."""

    PLANNED = "planned"  # nothing was sent
    SUBMITTING = "submitting"  # it may have been sent
    SUBMITTED = "submitted"  # the hub has it
    CLOSED = "closed"  # what it did is in its devices' rows


@dataclass(frozen=True, kw_only=True)
class Part:
    """One hub job, as its row says."""

    batch: int
    number: int  # 1 or more in its batch
    job_id: str
    condition: str
    state: PartState
    intended_at: datetime | None = None
    submitted_at: datetime | None = None
    status: str | None = None  # the hub's word, as last seen
    was_cancel_asked: bool = False  # by us: if it is cancelled, its devices wait again
    limit_s: int | None = None  # how long the hub tries it; None: it is not known yet


class PartStep(Enum):
    """What is to be done with a part now."""

    INTEND = "intend"  # write down that it is going to be sent
    SUBMIT = "submit"  # PUT it: nobody else has sent it
    CONFIRM = "confirm"  # it may have been sent: GET it, and PUT it if the hub does not know it
    CONFIRM_ONLY = "confirm-only"  # GET it; it is not sent any more
    POLL = "poll"  # look at it
    CANCEL = "cancel"  # ask the hub not to begin it; then look
    FREE = "free"  # nothing was sent, nothing will be: its devices wait
    LEAVE = "leave"  # it goes on by itself


def next_step(part: Part, drain: Drain, *, is_own_intent: bool, is_cancel_asked: bool) -> PartStep:
    """What is to be done.

    is_own_intent: this process wrote the intent and has sent nothing since, or was told that nothing was done.
    is_cancel_asked: this process has asked the hub not to begin it, whatever it answered.
    """
    if part.state is PartState.CLOSED:
        return PartStep.LEAVE
    if part.state is PartState.PLANNED:
        return PartStep.INTEND if drain is Drain.NO else PartStep.FREE
    if part.state is PartState.SUBMITTING:
        if is_own_intent:
            return PartStep.SUBMIT if drain is Drain.NO else PartStep.FREE
        if drain is Drain.NO:
            return PartStep.CONFIRM
        return PartStep.CONFIRM_ONLY if drain is Drain.CANCEL else PartStep.LEAVE
    if drain is Drain.NO:
        return PartStep.POLL
    if not is_cancel_asked and part.status != JobStatus.RUNNING.value:
        return PartStep.CANCEL
    return PartStep.LEAVE if drain is Drain.STOP and part.status == JobStatus.RUNNING.value else PartStep.POLL


def is_ours(part: Part, job: Job, job_type: JobType) -> bool:
    """Whether a hub's job under the part's id is the one that the part stands for.

    The hub echoes the condition verbatim, and a job that starts at once has not started before it was intended.
    """
    if job.job_type is not job_type or job.condition != part.condition:
        return False
    if part.intended_at is None or job.starts_at is None:
        return part.intended_at is not None
    return job.starts_at >= part.intended_at - CLOCK_SKEW
