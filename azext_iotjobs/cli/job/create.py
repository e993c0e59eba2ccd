"""Handler of az iot hub job create: options -> values -> the hub's document."""

from typing import Any

from azext_iotjobs.cli.input.device_selection import SelectionOptions
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.job.options import ActionOptions, SubmitOptions, WaitOptions
from azext_iotjobs.cli.job.submit import submit
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.job import JobType
from azext_iotjobs.model.job_request import JobRequest

TTL_S = 3600  # that a job may run


@takes_option_groups
def create(
    cmd: Any,
    client: HubClient,
    our_job_id: str,
    our_job_type: str,
    *,
    action: ActionOptions,
    selection: SelectionOptions,
    submitting: SubmitOptions,
    waiting: WaitOptions,
) -> dict[str, Any] | None:
    """Create a job and, with --wait, wait for its end."""
    plan = submitting.read(cmd, waiting)
    call = None
    if action.names_method:
        from azext_iotjobs.cli.input.method_changes import TIMEOUT_S  # here, so that a twin job starts without them
        from azext_iotjobs.model.method import MethodCall

        defaults = {"name": "", "connect_timeout_s": TIMEOUT_S, "response_timeout_s": TIMEOUT_S}
        call = MethodCall(**{**defaults, **action.method_changes()})
    selected = selection.read()
    request = JobRequest(
        job_id=our_job_id,
        job_type=JobType(our_job_type),
        condition=selected.as_condition(),
        method=call,
        patch=action.twin_patch(),
        start_at=action.start_at(),
        max_execution_s=TTL_S if action.our_ttl is None else action.our_ttl,
    )
    return submit(cmd, client, request, selected, plan)
