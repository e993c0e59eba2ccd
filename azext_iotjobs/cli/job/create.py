"""Handler of az iot hub job create: options -> values -> the hub's document."""

from typing import Any

from azext_iotjobs.cli.input.device_selection import TypedSelection
from azext_iotjobs.cli.input.json_option import Given, json_or_file
from azext_iotjobs.cli.job.submit import read_manner, starting_instant, submit
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.job import JobType
from azext_iotjobs.model.job_request import JobRequest
from azext_iotjobs.model.outcome import DEFAULT_SUCCESS_STATUS


def create(
    cmd: Any,
    client: HubClient,
    job: str,
    job_kind: str,
    condition: str | None = None,
    named_devices: str | None = None,
    devices_path: str | None = None,
    left_out: str | None = None,
    devices_at_most: int | None = None,
    only_plans: bool = False,
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
    manner = read_manner(
        cmd, devices_at_most, poll_every_s, poll_limit_s, success, only_plans=only_plans,
        waits_for_slot=waits_for_slot, waits_for_end=wait_for_end, always_zero=always_zero,
    )  # fmt: skip
    call = changed = None
    if method is not None or method_json is not None:
        from azext_iotjobs.model.method import MethodCall  # here, so that a twin job starts without it

        call = MethodCall(
            name=method or "",
            payload=None if method_json is None else json_or_file(method_json, "--method-payload"),
            response_timeout_s=response_timeout,
            connect_timeout_s=connect_timeout,
        )
    selection = TypedSelection(
        condition=condition, ids=named_devices, ids_file=devices_path, excluded=left_out
    ).read()  # fmt: skip
    if patch is not None:
        from azext_iotjobs.cli.input.twin_patch import read_twin_patch  # here, so that a method job starts without it

        changed = read_twin_patch(patch)
    request = JobRequest(
        job_id=job,
        job_type=JobType(job_kind),
        condition=selection.as_condition(),
        method=call,
        patch=changed,
        start_at=None if start_at is None else starting_instant(start_at),
        max_execution_s=ttl_s,
    )
    return submit(cmd, client, request, selection, manner)
