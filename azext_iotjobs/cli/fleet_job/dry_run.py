"""What --dry-run shows of a fleet job: devices, batches, time and quota by each driver. Nothing is stored or sent."""

from dataclasses import replace
from typing import Any

from azext_iotjobs.cli.fleet_job.context import FleetPlace
from azext_iotjobs.cli.fleet_job.progress import new_progress
from azext_iotjobs.cli.input.device_selection import most_devices, warn_of_idle
from azext_iotjobs.cli.output.dry_run import not_registered
from azext_iotjobs.clients.fleet_codec import render_action, render_estimate
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.fleet import Definition, FleetJob
from azext_iotjobs.operations.fleet_job import planning


def show_plan(cmd: Any, place: FleetPlace, hub: HubClient, job: FleetJob) -> dict[str, Any]:
    """What a run of a fleet job, saved or not, would be now. Raises UserError, NotFound, HubAnswer, LinkError."""
    once = replace(job, definition=limited(cmd, job.definition))
    progress = new_progress(cmd)
    try:
        found = planning.preview(place.store, hub, once, place.tier, progress.chosen, warn_of_idle)
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
        "driver": found.driver,
        "driverReason": found.driver_reason,
        "estimates": [render_estimate(each) for each in found.estimates],
        "action": render_action(job.definition.action),
    }


def limited(cmd: Any, definition: Definition) -> Definition:
    """A definition with the standing limit of devices, where it has none of its own. Raises BadValue."""
    limit = most_devices(cmd, definition.targets.max_devices)
    return replace(definition, targets=replace(definition.targets, max_devices=limit))
