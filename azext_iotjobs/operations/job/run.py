"""Create, wait for, show, list and cancel a hub job."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import (
    BadRequest,
    BadValue,
    HubAnswer,
    HubFault,
    IotJobsError,
    LinkError,
    NotFound,
    Throttled,
)
from azext_iotjobs.model.job import Job, JobStatus, JobType
from azext_iotjobs.model.outcome import Outcome, SuccessStatus
from azext_iotjobs.model.query import rows_of_job
from azext_iotjobs.model.text import Field, Text, command
from azext_iotjobs.transport.retry import SLOT_TAKEN

if TYPE_CHECKING:
    from azext_iotjobs.model.job_request import JobRequest
    from azext_iotjobs.model.waiting import WaitPolicy

V1_TYPES = (JobType.EXPORT, JobType.IMPORT)
FIRST_PAUSE_S = 1.0  # many jobs end within seconds
PAUSE_GROWTH = 1.5
GRACE_S = 60.0  # a hub notices a deadline late
LONGEST_S = 8 * 24 * 3600.0  # for a job without a deadline: a job starts within 7 days
FIRST_POLL_LIMIT_S = 600.0  # until the hub has shown the job, and so its deadline
STATUS_PATH = "outcome.deviceMethodResponse.status"


class Waited(NamedTuple):
    """The result of waiting: the job as the hub showed it last, None when it never did; and whether it has ended."""

    job: Job | None
    finished: bool


class JobObserver(Protocol):
    """Gets each poll while a job is waited for."""

    def polled(self, job: Job, left_s: float) -> None:
        """The hub has shown the job. left_s: how long it will be waited for at most."""

    def poll_failed(self, reason: str, left_s: float) -> None:
        """The hub did not answer, or was busy; it is polled again. left_s: as for `polled`."""


def create(client: HubClient, request: "JobRequest") -> Job:
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
            hint=Text(
                "Wait for its end, or cancel it if it has not begun: ",
                command("iot hub job cancel", job_id="JOB"),
                ". A scheduled job holds its slot until it has run.",
            ),
        ) from refused


def create_when_free(
    client: HubClient, request: "JobRequest", interval_s: float, clock: Clock, on_taken: Callable[[str], None]
) -> Job:
    """Create a job once the hub has a free slot for it, however long that takes.

    interval_s: the longest pause between two tries.  on_taken: called with who holds the slot, whenever that changes.
    Raises HubAnswer, LinkError.
    """
    pause_s, reported = FIRST_PAUSE_S, ""
    while True:
        try:
            return create(client, request)
        except Throttled as refused:
            if refused.hub_code != SLOT_TAKEN:
                raise
            if str(refused) != reported:
                reported = str(refused)
                on_taken(reported)
        clock.sleep(min(pause_s, interval_s))
        pause_s *= PAUSE_GROWTH


def wait(client: HubClient, job_id: str, policy: "WaitPolicy", clock: Clock, observer: JobObserver) -> Waited:
    """Poll a job, at once and then in growing intervals, until it has ended or the policy's time is over.

    policy: the longest interval, and the time limit.  observer: gets each poll.
    A hub that is busy or cannot be reached is polled again.
    Raises NotFound when the hub does not know the id; other HubAnswers.
    """
    started_at, pause_s = clock.monotonic(), FIRST_PAUSE_S
    limit_s, seen = policy.limit_s, None
    while True:
        try:
            seen = client.jobs.get(job_id)
        except (Throttled, HubFault, LinkError) as err:
            trouble: IotJobsError | None = err
        else:
            trouble = None
            if seen.status is JobStatus.UNKNOWN:
                raise unknown_job(job_id)
            if limit_s is None:
                limit_s = clock.monotonic() - started_at + own_deadline_s(seen, clock.now())
        left_s = (FIRST_POLL_LIMIT_S if limit_s is None else limit_s) - (clock.monotonic() - started_at)
        if trouble is not None:
            observer.poll_failed(str(trouble), max(0.0, left_s))
        elif seen is not None:
            observer.polled(seen, max(0.0, left_s))
            if seen.status.is_terminal:
                return Waited(job=seen, finished=True)
        if left_s <= 0:
            return Waited(job=seen, finished=False)
        clock.sleep(min(pause_s, policy.interval_s, left_s))
        pause_s *= PAUSE_GROWTH


def own_deadline_s(job: Job, now: datetime) -> float:
    """Seconds until a job must have ended by its own time limit, with a grace period; LONGEST_S when it has none."""
    if job.starts_at is None or job.max_execution_s is None:
        return LONGEST_S
    return max(0.0, (job.starts_at - now).total_seconds()) + job.max_execution_s + GRACE_S


def outcome_of(client: HubClient, waited: Waited, success: SuccessStatus, on_slow: Callable[[str], None]) -> Outcome:
    """The outcome of a job that was waited for; of a method job, the statuses of the devices' responses count too.

    success: the statuses with which a device has succeeded.
    on_slow: called with the reason when all rows of the job have to be read for that.
    Raises HubAnswer, LinkError.
    """
    job = waited.job
    if job is None or not waited.finished:
        return Outcome.WAIT_OVER
    if job.status is not JobStatus.COMPLETED:
        return Outcome.JOB_FAILED
    device_count, failed_count = _counts(client, job)
    if not device_count:
        return Outcome.NO_DEVICE
    if failed_count:
        return Outcome.DEVICES_FAILED
    if job.job_type is JobType.METHOD and _any_status_outside(client, job.job_id, success, on_slow):
        return Outcome.DEVICES_FAILED
    return Outcome.SUCCESS


def _counts(client: HubClient, job: Job) -> tuple[int, int]:
    """How many devices a job had and how many failed; where the hub does not count, 1 stands for any number."""
    if job.tally is not None:
        return job.tally.device_count, job.tally.failed_count
    own = rows_of_job(job.job_id)
    conditions = ("", " AND status = 'failed'")
    device_count, failed_count = (len(list(islice(client.queries.run(own + each, top=1), 1))) for each in conditions)
    return device_count, failed_count


def _any_status_outside(client: HubClient, job_id: str, success: SuccessStatus, on_slow: Callable[[str], None]) -> bool:
    own = rows_of_job(job_id)
    try:
        return any(True for _ in client.queries.run(f"{own} AND {success.outside(STATUS_PATH)}", top=1))
    except BadRequest as err:
        on_slow(f"The hub cannot search by method status ({err}); all rows of the job are read.")
    return any(status_of(row) not in success for row in client.queries.run(own) if status_of(row) is not None)


def status_of(row: Mapping[str, Any]) -> int | None:
    """The method status in a job's row of one device; None where there is none."""
    response = (row.get("outcome") or {}).get("deviceMethodResponse") or {}
    status = response.get("status")
    return status if isinstance(status, int) else None


def show(client: HubClient, job_id: str) -> Job:
    """A job, new or of the old import and export kind. Raises NotFound when the hub knows it as neither."""
    job = client.jobs.get(job_id)
    if job.status is not JobStatus.UNKNOWN:
        return job
    try:
        return client.jobs.get_v1(job_id)
    except NotFound as err:
        raise unknown_job(job_id) from err


def list_jobs(client: HubClient, job_type: JobType | None, status: JobStatus | None, top: int | None) -> list[Job]:
    """Jobs of the hub, import and export jobs after the others.

    job_type, status: only these; None: any.  top: how many at most, 1 or more; None: all.
    Raises BadValue for a `top` below 1.
    """
    if top is not None and top < 1:
        raise BadValue(Text(Field("limit"), f" {top}: give 1 or more."))
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
        # The old endpoint has no filter.
        for job in client.jobs.list_v1():
            if job_type in (None, job.job_type) and status in (None, job.status):
                yield job


def _holders(client: HubClient) -> str:
    """Who holds the slots, in words; an error here must not hide the refusal itself."""
    try:
        holders = [f"{job.job_id} ({job.status.value})" for job in client.jobs.query() if job.status.holds_slot]
    except HubAnswer:
        return "which ones could not be read"
    return "the slot is held by " + ", ".join(holders) if holders else "the one that held the slot has just ended"


def unknown_job(job_id: str) -> NotFound:
    """The error of a job that the hub does not know."""
    return NotFound(f"The hub knows no job {job_id}.", hint=Text("List them: ", command("iot hub job list")))
