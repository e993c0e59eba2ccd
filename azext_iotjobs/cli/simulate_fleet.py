"""az iot device simulate for a fleet: find its devices, let them live, say what came of it."""

import tempfile
from pathlib import Path
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli import fleet_creation, fleet_members
from azext_iotjobs.cli.ctrl_c import stopped_by_ctrl_c
from azext_iotjobs.cli.exit import leave_with
from azext_iotjobs.cli.fleet_members import Fleet
from azext_iotjobs.cli.fleet_options import FleetOptions
from azext_iotjobs.cli.fleet_sign_in import Credential, Ways
from azext_iotjobs.cli.one_device import OneDevice
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import StopFlag, SystemClock
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.operations import simulate as operation
from azext_iotjobs.simulator.session import Seen, What

logger = get_logger(__name__)

MAX_TOLD = 20  # failures in the result


def simulate(cmd: Any, client: HubClient, one: OneDevice, options: FleetOptions) -> dict[str, Any]:
    """Simulate a fleet until all its messages are sent, or until Ctrl-C; gives what came of it.

    one: what holds for each device; with its `device`, the fleet is that one.
    """
    if options.cleans_up is not None:
        return fleet_creation.clean_up(cmd, client, options)
    is_single = one.device is not None
    meant = fleet_members.read(cmd, client.target, one.device, options)
    ways = Ways.read(one, options)
    found = fleet_members.find(client, meant, options, is_single=is_single)
    if options.only_plans:
        return fleet_members.show_plan(client, found, options, is_single=is_single)
    ways.check(found)
    with (
        stopped_by_ctrl_c() as stop,
        tempfile.TemporaryDirectory(prefix="iotjobs-") as folder,  # its owner's alone
    ):
        with fleet_creation.made(client, found, options, ways, stop) as made:
            credentials = ways.credentials(client, made.fleet, Path(folder), one.way, stop)
            result = _live(client, made.fleet, credentials, one, stop)
    if result["failed"] or made.left_count:
        leave_with(cmd, Outcome.DEVICES_FAILED, always_zero=False)
    return {**result, **made.document()}


def _live(
    client: HubClient, fleet: Fleet, credentials: dict[str, Credential], one: OneDevice, stop: StopFlag
) -> dict[str, Any]:
    """Let the devices live; gives the part of the result that is about them."""
    devices = [
        operation.SimulatedDevice(
            device_id=each.device_id,
            credential=credentials[each.device_id],
            behaviour=one.behaviour,
            plan=one.plan if one.sends else None,
            model_id=one.model,
            number=fleet.numbers[each.device_id],
            tags=each.tags,
        )
        for each in fleet.there
        if each.device_id in credentials
    ]
    connected: set[str] = set()

    def on_seen(device_id: str, seen: Seen) -> None:
        if seen.what is What.READY:
            connected.add(device_id)
            if len(connected) == len(devices):
                logger.warning("%d devices connected.", len(devices))

    summary = operation.run(client.target, devices, on_seen, SystemClock(), stop, one.way)
    return {
        "hub": client.target.authority,
        "deviceCount": fleet.size,
        "connected": len(connected),
        "sent": summary.sent_count,
        "acknowledged": summary.acknowledged_count,
        "failed": len(summary.failures),
        "failures": [
            {"deviceId": name, "error": str(error)} for name, error in list(summary.failures.items())[:MAX_TOLD]
        ],
        "wasStopped": summary.was_stopped,
    }
