"""What a job did to its devices, counted: for az iot hub job show --summary."""

from typing import Any

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.result_codec import render_summary
from azext_iotjobs.model.outcome import SuccessStatus
from azext_iotjobs.operations.job import results


def summary(client: HubClient, job_id: str, success: SuccessStatus) -> dict[str, Any]:
    """The counts, as az prints them."""
    query = results.ResultQuery(
        job_id=job_id, status=None, error_class=None, success=success, looks_in_registry=False
    )  # fmt: skip
    counted = results.summarise(client, query)
    answers = ((each.method_status, each.payload, each.count) for each in counted.answers)
    return render_summary(counted.by_status, counted.by_error_class, answers, counted.other_answer_count)
