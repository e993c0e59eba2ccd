"""Handlers of az iot hub job show | list | cancel. Creating is elsewhere, so that these start quickly."""

from typing import Any, NamedTuple

from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.job.parent_links import with_parent
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.job import JobStatus, JobType
from azext_iotjobs.model.outcome import DEFAULT_SUCCESS_STATUS, SuccessStatus, parse_success_status
from azext_iotjobs.operations.job import run as operation


class SummaryOptions(NamedTuple):
    """Whether devices are counted, and what counts as success."""

    summary: bool = False
    success_status: str = DEFAULT_SUCCESS_STATUS


@takes_option_groups
def show(client: HubClient, our_job_id: str, *, counting: SummaryOptions) -> dict[str, Any]:
    """Show one job; with --summary, also what it did to its devices, counted."""
    success = parse_success_status(counting.success_status)
    document = with_parent(client.target.canonical, operation.show(client, our_job_id).document)
    return {**document, "summary": _summary(client, our_job_id, success)} if counting.summary else document


def list_jobs(
    client: HubClient, our_job_type: str | None = None, our_job_status: str | None = None, our_top: int | None = None
) -> list[dict[str, Any]]:
    """List jobs, import and export jobs included."""
    job_type = JobType(our_job_type) if our_job_type else None
    status = JobStatus(our_job_status) if our_job_status else None
    return [job.document for job in operation.list_jobs(client, job_type, status, our_top)]


def cancel(client: HubClient, our_job_id: str) -> dict[str, Any] | None:
    """Cancel a job."""
    cancelled = operation.cancel(client, our_job_id)
    return cancelled.document if cancelled else None


def _summary(client: HubClient, job_id: str, success: SuccessStatus) -> dict[str, Any]:
    """What a job did to its devices, counted."""
    from azext_iotjobs.cli.output.result_rows import render_summary  # here, so that others start without it
    from azext_iotjobs.operations.job import results

    query = results.ResultQuery(job_id=job_id, success=success, checks_registry=False)
    counted = results.summarise(client, query)
    answers = ((each.method_status, each.payload, each.count) for each in counted.answers)
    return render_summary(counted.by_status, counted.by_error_class, answers, counted.other_answer_count)
