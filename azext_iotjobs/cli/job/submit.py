"""Submit a job to the hub: checked, only shown, once a slot is free, waited for."""

from typing import Any

from azext_iotjobs.cli.input.device_selection import check_exclusions
from azext_iotjobs.cli.job.options import SubmitPlan
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.job import Job
from azext_iotjobs.model.job_request import JobRequest
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.operations.job import run as operation


def submit(
    cmd: Any, client: HubClient, request: JobRequest, selection: Selection, plan: SubmitPlan
) -> dict[str, Any] | None:
    """Create a job, or show what it would be; gives the document to print.

    selection: the devices of `request`, as they were typed.
    Raises BadValue for more devices than the plan allows; HubAnswer, LinkError.
    """
    check_exclusions(client, selection)
    if plan.max_devices is not None:
        client.selections.check_at_most(selection, plan.max_devices)
    preview = check_verification(client, plan, of_modules=selection.is_of_modules)
    if plan.dry_run:
        from azext_iotjobs.cli.output.dry_run import show_plan  # here, so that others start without it
        from azext_iotjobs.clients.job_request_codec import render_job

        return {**show_plan(client, selection, render_job(request)), **preview}
    created = create(client, request, plan)
    if not plan.waits_for_end:
        return created.document
    from azext_iotjobs.cli.job import wait

    return wait.wait_for_end(cmd, client, request.job_id, plan.waiting)


def check_verification(client: HubClient, plan: SubmitPlan, *, of_modules: bool) -> dict[str, Any]:
    """Check what verifies the devices, before anything is sent; gives what a preview shows of it.

    of_modules: the job is on modules.
    Raises BadValue; HubAnswer, LinkError.
    """
    if plan.waiting.verifying is None:
        return {}
    from azext_iotjobs.cli.job import verify  # here: few jobs are verified

    return verify.check(client, plan.waiting.verifying, of_modules=of_modules)


def create(client: HubClient, request: JobRequest, plan: SubmitPlan) -> Job:
    """Create a job, at once or when a slot is free. Raises HubAnswer, LinkError."""
    if not plan.waits_for_slot:
        return operation.create(client, request)
    from azext_iotjobs.cli.job import wait

    interval_s = plan.waiting.policy.interval_s
    return operation.create_when_free(client, request, interval_s, SystemClock(), wait.say_slot_taken)
