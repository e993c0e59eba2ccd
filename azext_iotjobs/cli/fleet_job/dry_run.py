"""What --dry-run shows of a fleet job: devices, batches, time and quota by each driver. Nothing is stored or sent."""

from dataclasses import replace
from typing import Any

from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.documents import render_action, render_estimate
from azext_iotjobs.cli.fleet_job.gate_documents import render_gates
from azext_iotjobs.cli.fleet_job.progress import new_progress
from azext_iotjobs.cli.input.device_selection import most_devices, warn_of_idle
from azext_iotjobs.cli.output.dry_run import not_registered
from azext_iotjobs.cli.output.verification import render_plan
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.fleet_job import Definition, FleetJob
from azext_iotjobs.operations.fleet_job import planning


def show_plan(cmd: Any, context: FleetJobContext, hub: HubClient, job: FleetJob) -> dict[str, Any]:
    """What a run of a fleet job would be now.

    job: saved or not.  hub: its hub.  Raises UserError, NotFound, HubAnswer, LinkError.
    """
    once = replace(job, definition=with_device_limit(cmd, job.definition))
    progress = new_progress(cmd)
    try:
        found = planning.preview(
            context.store, hub, once, context.tier, planning.SelectionObserver(progress.on_count, warn_of_idle)
        )
    finally:
        progress.end()
    selection = job.definition.targets.selection
    return {
        "dryRun": True,
        "hub": job.host,
        "deviceCount": found.device_count,
        **({} if selection is None else not_registered(hub, selection)),
        "batches": found.batch_count,
        "batchSizes": found.batch_sizes,
        "pausesSeconds": found.pauses_s,
        "gates": render_gates(found.gates),
        "gateQueryCount": found.gate_query_count,
        "driver": found.driver,
        "driverReason": found.driver_reason,
        "estimates": [render_estimate(each) for each in found.estimates],
        "action": render_action(job.definition.action),
        **_verification(job.definition, found.verified_count),
    }


def _verification(definition: Definition, verified_count: int | None) -> dict[str, Any]:
    """What verifies the devices, and how many of the whole hub meet that already; None where nothing does."""
    if definition.verification is None:
        return {"verification": None}
    return render_plan(definition.verification, verified_count)


def with_device_limit(cmd: Any, definition: Definition) -> Definition:
    """A definition with the configured limit of devices, where it has none of its own. Raises BadValue."""
    limit = most_devices(cmd, definition.targets.max_devices)
    return replace(definition, targets=replace(definition.targets, max_devices=limit))
