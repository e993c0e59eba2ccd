"""A hub job that operates some devices of a batch: where it stands, and what comes next. Pure.

planned --intend--> submitting --(the hub has it)--> submitted --(it has ended, its rows are read)--> closed
   ^                    |
   +----refused---------+   by an answer that says that nothing was done
"""

from datetime import datetime
from enum import Enum

from azext_iotjobs.fleet_job.engine import Drain
from azext_iotjobs.model.job import Job, JobStatus, JobType
from azext_iotjobs.model.late_dataclass import dataclass

VANISHED_AFTER_S = 60.0  # a hub's GET may lag behind its PUT


class HubJobState(Enum):
    """Where a hub job stands."""

    PLANNED = "planned"  # nothing was sent
    SUBMITTING = "submitting"  # it may have been sent
    SUBMITTED = "submitted"  # the hub has it
    CLOSED = "closed"  # what it did is in its devices' rows


@dataclass(frozen=True, kw_only=True)
class HubJob:
    """One hub job of a batch, as the store has it."""

    batch: int
    number: int  # 1 or more in its batch
    job_id: str
    condition: str
    state: HubJobState
    intended_at: datetime | None = None
    submitted_at: datetime | None = None
    status: str | None = None  # the hub's word, as last polled
    was_cancel_asked: bool = False  # by us: if it is cancelled, its devices wait again
    limit_s: int | None = None  # how long the hub tries it; None: it is not known yet


class HubJobStep(Enum):
    """What is to be done with a hub job now."""

    INTEND = "intend"  # record that it is going to be sent
    SUBMIT = "submit"  # PUT it: nobody else has sent it
    CONFIRM = "confirm"  # it may have been sent: GET it, and PUT it if the hub does not know it
    CONFIRM_ONLY = "confirm-only"  # GET it; it is not sent any more
    POLL = "poll"  # GET its status
    CANCEL = "cancel"  # ask the hub not to begin it; then poll
    FREE = "free"  # nothing was sent, nothing will be: its devices wait
    LEAVE = "leave"  # it continues by itself


def next_step(hub_job: HubJob, drain: Drain, *, is_own_intent: bool, is_cancel_asked: bool) -> HubJobStep:
    """What is to be done.

    drain: how the driver works now.
    is_own_intent: this process recorded the intent and has sent nothing since, or the hub answered that nothing was
    done.
    is_cancel_asked: this process has asked the hub not to begin it, whatever it answered.
    """
    if hub_job.state is HubJobState.CLOSED:
        return HubJobStep.LEAVE
    if hub_job.state is HubJobState.PLANNED:
        return HubJobStep.INTEND if drain is Drain.NO else HubJobStep.FREE
    if hub_job.state is HubJobState.SUBMITTING:
        if is_own_intent:
            return HubJobStep.SUBMIT if drain is Drain.NO else HubJobStep.FREE
        if drain is Drain.NO:
            return HubJobStep.CONFIRM
        return HubJobStep.CONFIRM_ONLY if drain is Drain.CANCEL else HubJobStep.LEAVE
    if drain is Drain.NO:
        return HubJobStep.POLL
    if not is_cancel_asked and hub_job.status != JobStatus.RUNNING.value:
        return HubJobStep.CANCEL
    return HubJobStep.LEAVE if drain is Drain.STOP and hub_job.status == JobStatus.RUNNING.value else HubJobStep.POLL


def is_ours(hub_job: HubJob, job: Job, job_type: JobType) -> bool:
    """Whether the job that the hub has under a hub job's id is that one, and not somebody else's.

    Its start says nothing: this machine's clock may be days ahead of the hub's, and taking a job of our own for
    somebody else's would operate its devices twice. The run's key in the id keeps the jobs of others apart.

    job: as the hub describes it.  job_type: what ours is.
    Source: the hub echoes the condition verbatim.
    """
    return hub_job.intended_at is not None and job.job_type is job_type and job.condition == hub_job.condition
