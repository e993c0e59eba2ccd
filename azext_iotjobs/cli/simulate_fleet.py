"""az iot device simulate for a fleet: find its devices, let them live, say what came of it."""

from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.ctrl_c import stopped_by_ctrl_c
from azext_iotjobs.cli.exit import leave_with
from azext_iotjobs.cli.fleet_options import FleetOptions
from azext_iotjobs.cli.selections import TypedSelection
from azext_iotjobs.cli.simulate import OneDevice
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.fleets import numbered_ids
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.model.target import DeviceKey
from azext_iotjobs.operations import simulate as operation
from azext_iotjobs.simulator.events import Seen, What

logger = get_logger(__name__)

MAX_TOLD = 20  # failures in the result


def simulate(cmd: Any, client: HubClient, one: OneDevice, fleet: FleetOptions) -> dict[str, Any]:
    """Simulate a fleet until all its messages are sent, or until Ctrl-C; gives what came of it."""
    if fleet.id_prefix is not None:
        ids = numbered_ids(fleet.id_prefix, fleet.fleet_size or 0)
    else:
        ids = (
            TypedSelection(
                condition=fleet.condition, ids=fleet.named_devices, ids_file=fleet.devices_path, excluded=fleet.left_out
            )
            .read()
            .named
        )
    policy = client.policy_key
    devices = [
        operation.SimulatedDevice(
            device_id=each,
            credential=DeviceKey(device_id=each, key=policy.key, policy=policy.policy),
            behaviour=one.behaviour,
            plan=one.plan if one.sends else None,
            model_id=one.model,
            number=number,
        )
        for number, each in enumerate(ids)
    ]
    connected: set[str] = set()

    def on_seen(device_id: str, seen: Seen) -> None:
        if seen.what is What.READY:
            connected.add(device_id)

    with stopped_by_ctrl_c() as stop:
        summary = operation.run(client.target, devices, on_seen, SystemClock(), stop, one.way)
    if summary.failures:
        leave_with(cmd, Outcome.DEVICES_FAILED, always_zero=False)
    return {
        "hub": client.target.authority,
        "deviceCount": len(devices),
        "connected": len(connected),
        "sent": summary.sent_count,
        "acknowledged": summary.acknowledged_count,
        "failed": len(summary.failures),
        "failures": [
            {"deviceId": name, "error": str(error)} for name, error in list(summary.failures.items())[:MAX_TOLD]
        ],
        "wasStopped": summary.was_stopped,
    }
