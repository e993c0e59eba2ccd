"""/jobs/v2, and the old /jobs."""

from datetime import datetime
from typing import Any

from azext_iotjobs.localhub.clock import HubClock
from azext_iotjobs.localhub.engine.job_runner import JobRunner
from azext_iotjobs.localhub.errors import (
    ARGUMENT_INVALID,
    GENERIC_BAD_REQUEST,
    JOB_ALREADY_EXISTS,
    JOB_NOT_FOUND,
    OPERATION_NOT_ALLOWED_IN_CURRENT_STATE,
    PRECONDITION_FAILED,
    THROTTLING_MAX_ACTIVE_JOB_COUNT_EXCEEDED,
    HubError,
)
from azext_iotjobs.localhub.http.documents import job_document, short_job_document, unknown_job_document
from azext_iotjobs.localhub.http.paging import CONTINUATION, ITEM_TYPE, ContinuationTokens, page_size
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse, instant, member, seconds
from azext_iotjobs.localhub.http.twins import method_spec, service_parts
from azext_iotjobs.localhub.rules import job as rules
from azext_iotjobs.localhub.rules.job import JobSpec, JobStatus, JobType
from azext_iotjobs.localhub.rules.json_values import dump_json
from azext_iotjobs.localhub.rules.twin import Change
from azext_iotjobs.localhub.store.jobs import Job, Jobs

MAX_CONDITION_CHARACTERS = 8192


class JobRoutes:
    """Create, read, cancel and list jobs."""

    def __init__(self, jobs: Jobs, runner: JobRunner, clock: HubClock, max_active: int | None, secret: str) -> None:
        """max_active: of jobs; None: no limit.  secret: known to this hub only; it signs continuation tokens."""
        self._continuations = ContinuationTokens(secret)
        self._jobs = jobs
        self._runner = runner
        self._clock = clock
        self._max_active = max_active

    async def put(self, request: HubRequest) -> HubResponse:
        """PUT /jobs/v2/{job}: always a new job."""
        spec = _spec(request.path["job"], request.document())
        now = self._clock.now()
        rules.check_start(spec.start_at, now)
        if self._jobs.get(spec.job_id) is not None:
            raise HubError(JOB_ALREADY_EXISTS, f"A job with ID {spec.job_id} already exists.")
        if self._max_active is not None and len(self._jobs.active()) >= self._max_active:
            raise HubError(
                THROTTLING_MAX_ACTIVE_JOB_COUNT_EXCEEDED,
                f"The number of active jobs has reached its limit of {self._max_active}.",
            )
        self._jobs.create(spec, now)
        self._runner.wake()
        return HubResponse(document=short_job_document(self._existing(spec.job_id)))

    async def get(self, request: HubRequest) -> HubResponse:
        """GET /jobs/v2/{job}: 200 for an unknown id too."""
        job_id = request.path["job"]
        job = self._jobs.get(job_id)
        return HubResponse(document=unknown_job_document(job_id) if job is None else self._document(job))

    async def cancel(self, request: HubRequest) -> HubResponse:
        """POST /jobs/v2/{job}/cancel: only a job that has not started."""
        job = self._existing(request.path["job"])
        if job.status not in rules.CANCELLABLE:
            raise HubError(
                OPERATION_NOT_ALLOWED_IN_CURRENT_STATE,
                f"The job {job.spec.job_id} is {job.status.value}; only a job that has not begun can be cancelled.",
            )
        self._jobs.set_status(job.spec.job_id, JobStatus.CANCELLED, ended_at=self._clock.now())
        self._runner.wake()
        return HubResponse(document=short_job_document(self._existing(job.spec.job_id)))

    async def list(self, request: HubRequest) -> HubResponse:
        """GET /jobs/v2/query"""
        job_type, status = request.query.get("jobType") or None, request.query.get("jobStatus") or None
        filters, size = dump_json(["jobs", job_type, status]), page_size(request)
        after, given = self._continuations.start_after(request, filters)
        found = self._jobs.page(job_type=job_type, status=status, after=after, count=size + 1)
        headers = {ITEM_TYPE: "JobResponse"}
        if len(found) > size:
            headers[CONTINUATION] = self._continuations.token(found[size - 1].row_id, given + size, filters)
        return HubResponse(document=[self._document(job) for job in found[:size]], headers=headers)

    def _existing(self, job_id: str) -> Job:
        job = self._jobs.get(job_id)
        if job is None:
            raise HubError(JOB_NOT_FOUND, f"Job not found: {job_id!a}.")
        return job

    def _document(self, job: Job) -> dict[str, Any]:
        return job_document(job, self._jobs.device_counts(job.spec.job_id))


def _spec(job_id: str, document: dict[str, Any]) -> JobSpec:
    """A job from its document; unknown members are ignored, as the service does. Raises HubError."""
    for name in ("startTime", "maxExecutionTimeInSeconds"):
        if name in document and document[name] is None:
            raise HubError(GENERIC_BAD_REQUEST, f"{name} may be left out, but not be null.")
    job_type = rules.type_named(document.get("type"))
    tags, desired = _patch(document) if job_type is JobType.TWIN else (None, None)
    return JobSpec(
        job_id=job_id,
        type=job_type,
        condition=_condition(document),
        method=_method(document) if job_type is JobType.METHOD else None,
        tags=tags,
        desired=desired,
        start_at=_start(document),
        max_execution_s=_max_execution(document),
    )


def _condition(document: dict[str, Any]) -> str:
    condition = str(member(document, "queryCondition", str, ""))
    if len(condition) > MAX_CONDITION_CHARACTERS:
        raise HubError(PRECONDITION_FAILED, f"The condition is longer than {MAX_CONDITION_CHARACTERS} characters.")
    if not condition.strip():
        raise HubError(ARGUMENT_INVALID, "The queryCondition is missing.")
    return condition


def _method(document: dict[str, Any]) -> rules.MethodSpec:
    method = member(document, "cloudToDeviceMethod", dict)
    if method is None:
        raise HubError(ARGUMENT_INVALID, "The cloudToDeviceMethod is missing.")
    return rules.check_method(method_spec(method))


def _patch(document: dict[str, Any]) -> tuple[Change, Change]:
    patch = member(document, "updateTwin", dict)
    if patch is None:
        raise HubError(ARGUMENT_INVALID, "The updateTwin is missing.")
    if patch.get("etag") != "*":
        raise HubError(ARGUMENT_INVALID, 'The etag of updateTwin must be "*".')
    tags, desired = service_parts(patch)
    if tags is None and desired is None:
        raise HubError(ARGUMENT_INVALID, "The updateTwin changes nothing.")
    return tags, desired


def _max_execution(document: dict[str, Any]) -> int:
    value = seconds(document, "maxExecutionTimeInSeconds", rules.DEFAULT_EXECUTION_S)
    if not 1 <= value < 2**31:
        raise HubError(ARGUMENT_INVALID, "maxExecutionTimeInSeconds is out of range.")
    return value


def _start(document: dict[str, Any]) -> datetime | None:
    text = member(document, "startTime", str)
    return None if text is None else instant(text, "startTime")
