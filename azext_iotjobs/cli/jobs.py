"""Handlers of az iot hub job create | wait | show | list | cancel: options -> values -> the hub's document."""

from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli import job_waiting
from azext_iotjobs.cli.json_values import Given, json_object_or_file, json_or_file, one_from_stdin
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.result_codec import render_summary
from azext_iotjobs.model.clock import SystemClock, parse_instant, render_instant
from azext_iotjobs.model.condition import doubts
from azext_iotjobs.model.job import JobRequest, JobStatus, JobType
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.outcome import DEFAULT_SUCCESS_STATUS, parse_success_status
from azext_iotjobs.model.twin import TwinPatch
from azext_iotjobs.operations import jobs as operation
from azext_iotjobs.operations import results

logger = get_logger(__name__)


def create(
    cmd: Any,
    client: HubClient,
    job: str,
    job_kind: str,
    condition: str | None = None,
    patch: Given | None = None,
    method: str | None = None,
    method_json: Given | None = None,
    connect_timeout: int = 30,
    response_timeout: int = 30,
    start_at: str | None = None,
    ttl_s: int = 3600,
    wait_for_end: bool = False,
    poll_every_s: int = 10,
    poll_limit_s: int = 600,
    waits_for_slot: bool = False,
    success: str = DEFAULT_SUCCESS_STATUS,
    always_zero: bool = False,
) -> dict[str, Any] | None:
    """Create a job and, with --wait, wait for its end."""
    policy = operation.WaitPolicy(interval_s=poll_every_s, limit_s=poll_limit_s or None)
    success_status = parse_success_status(success)
    one_from_stdin({"--method-payload": method_json, "--twin-patch": patch})
    call = None
    if method is not None or method_json is not None:
        call = MethodCall(
            name=method or "",
            payload=None if method_json is None else json_or_file(method_json, "--method-payload"),
            response_timeout_s=response_timeout,
            connect_timeout_s=connect_timeout,
        )
    request = JobRequest(
        job_id=job,
        job_type=JobType(job_kind),
        condition=condition or "",
        method=call,
        patch=None if patch is None else TwinPatch(document=json_object_or_file(patch, "--twin-patch")),
        start_at=None if start_at is None else _start(start_at),
        max_execution_s=ttl_s,
    )
    for doubt in doubts(request.condition):
        logger.warning("--query-condition: %s", doubt)
    created = (
        operation.create_when_free(client, request, policy.interval_s, SystemClock(), job_waiting.say_slot_taken)
        if waits_for_slot
        else operation.create(client, request)
    )
    if not wait_for_end:
        return created.document
    return job_waiting.wait(cmd, client, job, policy, success_status, always_zero=always_zero)


def wait(
    cmd: Any,
    client: HubClient,
    job: str,
    poll_every_s: int = 10,
    poll_limit_s: int = 600,
    success: str = DEFAULT_SUCCESS_STATUS,
    always_zero: bool = False,
) -> dict[str, Any] | None:
    """Wait for a job's end."""
    policy = operation.WaitPolicy(interval_s=poll_every_s, limit_s=poll_limit_s or None)
    return job_waiting.wait(cmd, client, job, policy, parse_success_status(success), always_zero=always_zero)


def show(
    client: HubClient, job: str, with_summary: bool = False, success: str = DEFAULT_SUCCESS_STATUS
) -> dict[str, Any]:  # fmt: skip
    """Show one job; with --summary, also what it did to its devices, counted."""
    success_status = parse_success_status(success)
    found = operation.show(client, job)
    if not with_summary:
        return found.document
    query = results.ResultQuery(
        job_id=job, status=None, error_class=None, success=success_status, looks_in_registry=False
    )
    counted = results.summarise(client, query)
    answers = ((each.method_status, each.payload, each.count) for each in counted.answers)
    summary = render_summary(counted.by_status, counted.by_error_class, answers, counted.other_answer_count)
    return {**found.document, "summary": summary}


def list_jobs(
    client: HubClient, job_kind: str | None = None, job_state: str | None = None, limit: int | None = None
) -> list[dict[str, Any]]:
    """List jobs, import and export jobs included."""
    jobs = operation.list_jobs(
        client,
        JobType(job_kind) if job_kind else None,
        JobStatus(job_state) if job_state else None,
        limit,
    )
    return [job.document for job in jobs]


def cancel(client: HubClient, job: str) -> dict[str, Any] | None:
    """Cancel a job."""
    cancelled = operation.cancel(client, job)
    return cancelled.document if cancelled else None


def _start(text: str) -> Any:
    instant = parse_instant(text, "--start-time")
    if instant.assumed_utc:
        logger.warning("--start-time %s has no offset: read as UTC, %s.", text, render_instant(instant.at))
    return instant.at
