"""Create, wait for, show, list and cancel a hub job."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import BadValue, HubAnswer, NotFound, Throttled
from azext_iotjobs.model.job import Job, JobRequest, JobStatus, JobType
from azext_iotjobs.transport.retry import SLOT_TAKEN

V1_TYPES = (JobType.EXPORT, JobType.IMPORT)


@dataclass(frozen=True, kw_only=True)
class WaitPolicy:
    """How to wait for a job's end."""

    interval_s: float = 10  # 1 or more, between two looks
    limit_s: float = 600  # 1 or more, in all

    def __post_init__(self) -> None:
        for option, value in (("--poll-interval", self.interval_s), ("--poll-duration", self.limit_s)):
            if value < 1:
                raise BadValue(f"{option} {value}: give 1 second or more.")


@dataclass(frozen=True, kw_only=True)
class Waited:
    """What waiting gave: the job as last seen, and whether it has ended."""

    job: Job
    finished: bool


def create(client: HubClient, request: JobRequest) -> Job:
    """Create a job.

    Raises Throttled, naming the job that holds the slot, when the hub runs as many jobs as its tier allows; other
    HubAnswers, LinkError.
    """
    try:
        return client.jobs.create(request)
    except Throttled as refused:
        if refused.hub_code != SLOT_TAKEN:
            raise
        raise Throttled(
            f"The hub runs as many jobs as its tier allows; {_holders(client)}.",
            status=refused.status,
            hub_code=refused.hub_code,
            tracking_id=refused.tracking_id,
            hint="Wait for its end, or cancel it if it has not begun: az iot hub job cancel. A scheduled job holds its "
            "slot until it has run.",
        ) from refused


def wait(
    client: HubClient, job_id: str, policy: WaitPolicy, clock: Clock, on_look: Callable[[Job], None]
) -> Waited:  # fmt: skip
    """Look at a job until it has ended or the policy's time is over; the first look is at once.

    on_look: told of each look's job.  Raises NotFound when the hub does not know the id; HubAnswer, LinkError.
    """
    deadline = clock.monotonic() + policy.limit_s
    while True:
        job = client.jobs.get(job_id)
        on_look(job)
        if job.status is JobStatus.UNKNOWN:
            raise _unknown(job_id)
        remaining_s = deadline - clock.monotonic()
        if job.status.is_terminal or remaining_s <= 0:
            return Waited(job=job, finished=job.status.is_terminal)
        clock.sleep(min(policy.interval_s, remaining_s))


def show(client: HubClient, job_id: str) -> Job:
    """A job, new or of the old import and export kind. Raises NotFound when the hub knows it as neither."""
    job = client.jobs.get(job_id)
    if job.status is not JobStatus.UNKNOWN:
        return job
    try:
        return client.jobs.get_v1(job_id)
    except NotFound as err:
        raise _unknown(job_id) from err


def list_jobs(
    client: HubClient, job_type: JobType | None, status: JobStatus | None, top: int | None
) -> list[Job]:  # fmt: skip
    """Jobs of a type and status (None is any), import and export jobs after the others, at most `top`.

    Raises BadValue for a `top` below 1.
    """
    if top is not None and top < 1:
        raise BadValue(f"--top {top}: give 1 or more.")
    return list(islice(_all_jobs(client, job_type, status), top))


def cancel(client: HubClient, job_id: str) -> Job | None:
    """Cancel a job that has not begun; None when the hub answers an import or export job with nothing.

    Raises NotFound; HubAnswer 405 for a job that runs or has ended.
    """
    job = show(client, job_id)
    if job.job_type in V1_TYPES:
        return client.jobs.cancel_v1(job_id)
    return client.jobs.cancel(job_id)


def _all_jobs(client: HubClient, job_type: JobType | None, status: JobStatus | None) -> Iterator[Job]:
    if job_type not in V1_TYPES:
        yield from client.jobs.query(job_type, status)
    if job_type is None or job_type in V1_TYPES:
        # The old endpoint knows no filter.
        for job in client.jobs.list_v1():
            if job_type in (None, job.job_type) and status in (None, job.status):
                yield job


def _holders(client: HubClient) -> str:
    """Who holds the slots, in words; not knowing it must not hide the refusal itself."""
    try:
        holders = [f"{job.job_id} ({job.status.value})" for job in client.jobs.query() if job.status.holds_slot]
    except HubAnswer:
        return "which ones could not be read"
    return "the slot is held by " + ", ".join(holders) if holders else "the one that held the slot has just ended"


def _unknown(job_id: str) -> NotFound:
    return NotFound(f"The hub knows no job {job_id}.", hint="List them: az iot hub job list")
