"""Jobs: what is asked of the hub, and what it says of them."""

from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from enum import Enum
from typing import Any

from azext_iotjobs.model.late_dataclass import dataclass


class JobType(Enum):
    """What a job does; the value is the hub's word."""

    METHOD = "scheduleDeviceMethod"
    TWIN = "scheduleUpdateTwin"
    EXPORT = "export"
    IMPORT = "import"
    UNKNOWN = "unknown"
    UNRECOGNISED = "(unrecognised)"  # a word of the hub's that we do not know; the document keeps it


class JobStatus(Enum):
    """Where a job stands; the value is the hub's word."""

    UNKNOWN = "unknown"  # no such job, said with HTTP 200
    ENQUEUED = "enqueued"
    QUEUED = "queued"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNRECOGNISED = "(unrecognised)"

    @property
    def is_terminal(self) -> bool:
        """Whether the job has ended."""
        return self in (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)

    @property
    def holds_slot(self) -> bool:
        """Whether a job in this status counts against the hub's limit of active jobs; a scheduled one does."""
        return self in (JobStatus.ENQUEUED, JobStatus.QUEUED, JobStatus.SCHEDULED, JobStatus.RUNNING)


@dataclass(frozen=True, kw_only=True)
class JobTally:
    """Counts of a job's devices by state."""

    device_count: int
    failed_count: int
    succeeded_count: int
    running_count: int
    pending_count: int


def added(tallies: Iterable[JobTally]) -> JobTally | None:
    """The counts of several jobs together; None for none."""
    each = list(tallies)
    if not each:
        return None
    return JobTally(**{one.name: sum(getattr(tally, one.name) for tally in each) for one in fields(JobTally)})


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job in the hub; `document` is the hub's own."""

    job_id: str
    job_type: JobType
    status: JobStatus
    tally: JobTally | None  # None: the hub does not say (yet)
    starts_at: datetime | None = None  # aware UTC; None: the hub does not say
    max_execution_s: int | None = None
    condition: str | None = None  # as it was given; None: the hub does not say
    failure_reason: str | None = None
    document: dict[str, Any]
