"""Handlers of az iot hub job wait | show | list | cancel. Creating is elsewhere, so that looking starts quickly."""

from typing import Any

from azext_iotjobs.cli.job.parent_links import with_parent
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.job import JobStatus, JobType
from azext_iotjobs.model.outcome import DEFAULT_SUCCESS_STATUS, parse_success_status
from azext_iotjobs.operations.job import run as operation


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
    from azext_iotjobs.cli.job import wait as waiting  # here, so that others start without it
    from azext_iotjobs.model.waiting import WaitPolicy

    policy = WaitPolicy(interval_s=poll_every_s, limit_s=poll_limit_s or None)
    return waiting.wait(cmd, client, job, policy, parse_success_status(success), always_zero=always_zero)


def show(
    client: HubClient, job: str, with_summary: bool = False, success: str = DEFAULT_SUCCESS_STATUS
) -> dict[str, Any]:  # fmt: skip
    """Show one job; with --summary, also what it did to its devices, counted."""
    success_status = parse_success_status(success)
    document = with_parent(client.target.canonical, operation.show(client, job).document)
    if not with_summary:
        return document
    from azext_iotjobs.cli.job.summary import summary  # here, so that others start without it

    return {**document, "summary": summary(client, job, success_status)}


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
