"""Rules of jobs: their states, the next step, limits. Pure: `now` is an argument.

    queued ----> scheduled ----> running ----> completed
      |  \\________________________/  \\------> failed
      |              |
      +--------------+---cancel---> cancelled

When a job enters `running`, its set of devices is fixed: the condition is evaluated then, and not again.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, GENERIC_BAD_REQUEST, HubError
from azext_iotjobs.localhub.rules.json_values import LONE_SURROGATE
from azext_iotjobs.localhub.rules.twin import Change

JOB_ID = re.compile(r"[A-Za-z0-9'-]{1,64}")  # documented with upper case, which one live hub refused; allowed here
LIST_OF_JOBS = "query"  # GET /jobs/v2/query: a job of that id could not be read
HORIZON = timedelta(hours=168)
DEFAULT_EXECUTION_S = 3600  # the service's default is not published
RESPONSE_TIMEOUT_S = (5, 300)
CONNECT_TIMEOUT_S = (0, 300)
DEFAULT_RESPONSE_TIMEOUT_S = 30
MAX_PAYLOAD_BYTES = 128 * 1024
HISTORY = timedelta(days=30)


class JobType(Enum):
    """What a job does; the value is the service's."""

    METHOD = "scheduleDeviceMethod"
    TWIN = "scheduleUpdateTwin"


class JobStatus(Enum):
    """The state of a job; the value is the service's."""

    QUEUED = "queued"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class DeviceStatus(Enum):
    """The state of a job on one device; the value is the service's."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"


ACTIVE = (JobStatus.QUEUED, JobStatus.SCHEDULED, JobStatus.RUNNING)
CANCELLABLE = (JobStatus.QUEUED, JobStatus.SCHEDULED)


class Step(Enum):
    """The next step of a job."""

    WAIT = "wait"  # until its start
    SCHEDULE = "schedule"  # show that it waits for its start
    BEGIN = "begin"  # fix the set of devices
    OPERATE = "operate"  # operate the devices that are left
    COMPLETE = "complete"
    REST = "rest"  # it has ended


@dataclass(frozen=True, kw_only=True)
class MethodSpec:
    """The method that a method job calls."""

    name: str
    payload: Any
    response_timeout_s: int
    connect_timeout_s: int


@dataclass(frozen=True, kw_only=True)
class JobSpec:
    """The job that a request describes, checked."""

    job_id: str
    type: JobType
    condition: str  # verbatim; an invalid one fails the job, not the request
    method: MethodSpec | None
    tags: Change
    desired: Change
    start_at: datetime | None  # aware UTC; None: now
    max_execution_s: int


def decide(*, status: JobStatus, start_at: datetime, open_devices: int, now: datetime) -> Step:
    """The next step of a job.

    start_at, now: aware UTC instants.
    open_devices: how many devices of a running job have no result yet; ignored before it runs.
    """
    if status in CANCELLABLE and now >= start_at:
        return Step.BEGIN
    if status is JobStatus.QUEUED:
        return Step.SCHEDULE
    if status is JobStatus.SCHEDULED:
        return Step.WAIT
    if status is JobStatus.RUNNING:
        return Step.OPERATE if open_devices else Step.COMPLETE
    return Step.REST


def check_start(start_at: datetime | None, now: datetime) -> None:
    """Raise HubError 400 for a start too far in the future."""
    if start_at is not None and start_at - now > HORIZON:
        raise HubError(ARGUMENT_INVALID, "The start time must be within 168 hours from now.")


def check_job_id(job_id: str) -> None:
    """Raise HubError 400 for an id that a job may not have."""
    if not JOB_ID.fullmatch(job_id):
        raise HubError(
            ARGUMENT_INVALID, f"{job_id[:66]!a} is not a job id: it may hold 1 to 64 letters, digits, dashes and '."
        )
    if job_id.lower() == LIST_OF_JOBS:
        raise HubError(ARGUMENT_INVALID, f"{job_id!a} is not a job id: that path has the list of jobs.")


def check_method(spec: MethodSpec) -> MethodSpec:
    """`spec`, if its name and timeouts are valid. Raises HubError 400."""
    if LONE_SURROGATE.search(spec.name) or not 1 <= len(spec.name.encode()) <= 100:
        raise HubError(ARGUMENT_INVALID, "The method name must have 1 to 100 bytes of text.")
    for name, value, (low, high) in (
        ("responseTimeoutInSeconds", spec.response_timeout_s, RESPONSE_TIMEOUT_S),
        ("connectTimeoutInSeconds", spec.connect_timeout_s, CONNECT_TIMEOUT_S),
    ):
        if not low <= value <= high:
            raise HubError(ARGUMENT_INVALID, f"{name} is {value}; it must be from {low} to {high}.")
    if spec.connect_timeout_s > spec.response_timeout_s:
        raise HubError(ARGUMENT_INVALID, "The connection timeout cannot be longer than an overall call timeout.")
    return spec


def type_named(word: Any) -> JobType:
    """The job type with this value, case-sensitive. Raises HubError 400."""
    for each in JobType:
        if each.value == word:
            return each
    raise HubError(GENERIC_BAD_REQUEST, "The job type is not one that can be scheduled.")
