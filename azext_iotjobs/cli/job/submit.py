"""Hand a job to the hub as the command line asks: checked, only shown, when a slot is free, waited for."""

from datetime import datetime
from typing import Any, NamedTuple

from knack.log import get_logger

from azext_iotjobs.cli.input.device_selection import check_exclusions, most_devices
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock, parse_instant, render_instant
from azext_iotjobs.model.job import Job
from azext_iotjobs.model.job_request import JobRequest, check_start
from azext_iotjobs.model.outcome import SuccessStatus, parse_success_status
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.waiting import WaitPolicy
from azext_iotjobs.operations.job import run as operation

logger = get_logger(__name__)


class Manner(NamedTuple):
    """How a job is handed in."""

    devices_at_most: int | None  # None: any number
    only_plans: bool
    waits_for_slot: bool
    waits_for_end: bool
    policy: WaitPolicy
    success: SuccessStatus
    always_zero: bool


def read_manner(
    cmd: Any,
    devices_at_most: int | None,
    poll_every_s: int,
    poll_limit_s: int,
    success: str,
    *,
    only_plans: bool,
    waits_for_slot: bool,
    waits_for_end: bool,
    always_zero: bool,
) -> Manner:
    """How a job is handed in, from what was typed. Raises BadValue, naming the option."""
    return Manner(
        devices_at_most=most_devices(cmd, devices_at_most),
        only_plans=only_plans,
        waits_for_slot=waits_for_slot,
        waits_for_end=waits_for_end,
        policy=WaitPolicy(interval_s=poll_every_s, limit_s=poll_limit_s or None),
        success=parse_success_status(success),
        always_zero=always_zero,
    )


def starting_instant(text: str) -> datetime:
    """When a job is to start; that a text without an offset is read as UTC is said.

    Raises BadValue, also for one that is too far ahead.
    """
    instant = parse_instant(text, "--start-time")
    if instant.assumed_utc:
        logger.warning("--start-time %s has no offset: read as UTC, %s.", text, render_instant(instant.at))
    check_start(instant.at, SystemClock().now())
    return instant.at


def submit(
    cmd: Any, client: HubClient, request: JobRequest, selection: Selection, manner: Manner
) -> dict[str, Any] | None:  # fmt: skip
    """Create a job, or show what it would be; gives the document to print."""
    check_exclusions(client, selection)
    if manner.devices_at_most is not None:
        client.selections.check_at_most(selection, manner.devices_at_most)
    if manner.only_plans:
        from azext_iotjobs.cli.output.dry_run import show_plan  # here, so that others start without it
        from azext_iotjobs.clients.job_request_codec import render_job

        return show_plan(client, selection, render_job(request))
    created = create(client, request, manner)
    if not manner.waits_for_end:
        return created.document
    from azext_iotjobs.cli.job import wait

    return wait.wait(
        cmd, client, request.job_id, manner.policy, manner.success, always_zero=manner.always_zero
    )  # fmt: skip


def create(client: HubClient, request: JobRequest, manner: Manner) -> Job:
    """Create a job, when a slot is free if that is asked for."""
    if not manner.waits_for_slot:
        return operation.create(client, request)
    from azext_iotjobs.cli.job import wait

    return operation.create_when_free(
        client, request, manner.policy.interval_s, SystemClock(), wait.say_slot_taken
    )  # fmt: skip
