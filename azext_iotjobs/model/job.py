"""Jobs: what is asked of the hub, and what it says of them."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.twin import TwinPatch

JOB_ID = re.compile(r"[A-Za-z0-9'-]{1,64}")  # devguide "jobs"; a live hub takes lower case only, and says so itself


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


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """A job to create. Raises UserError, naming the option, when its parts do not fit together."""

    job_id: str
    job_type: JobType  # METHOD or TWIN
    condition: str  # WHERE part; * is all devices
    method: MethodCall | None
    patch: TwinPatch | None
    start_at: datetime | None  # aware; None: now
    max_execution_s: int  # > 0

    def __post_init__(self) -> None:
        if not JOB_ID.fullmatch(self.job_id):
            raise BadValue(f"--job-id {self.job_id!r}: give 1 to 64 of a-z, 0-9 and dash.")
        Selection(condition=self.condition).as_condition()
        if self.job_type is JobType.METHOD:
            self._check_method_job()
        elif self.job_type is JobType.TWIN:
            self._check_twin_job()
        if self.max_execution_s < 1:
            raise BadValue(f"--ttl {self.max_execution_s}: give 1 second or more.")

    def _check_method_job(self) -> None:
        if self.method is None:
            raise MissingChoice("--job-type scheduleDeviceMethod needs --method-name.")
        if self.patch is not None:
            raise ConflictingChoice("--twin-patch goes with --job-type scheduleUpdateTwin only.")

    def _check_twin_job(self) -> None:
        if self.patch is None:
            raise MissingChoice("--job-type scheduleUpdateTwin needs --twin-patch.")
        if self.method is not None:
            raise ConflictingChoice("--method-name and --method-payload go with --job-type scheduleDeviceMethod only.")
