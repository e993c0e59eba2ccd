"""az iot device simulate for a fleet: find its devices, let them live, say what came of it."""

from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli import fleet_watch
from azext_iotjobs.cli.ctrl_c import stopped_by_ctrl_c
from azext_iotjobs.cli.exit import leave_with
from azext_iotjobs.cli.fleet_options import FleetOptions
from azext_iotjobs.cli.selections import TypedSelection
from azext_iotjobs.cli.simulate import OneDevice
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.fleets import numbered_ids
from azext_iotjobs.model.target import DeviceKey
from azext_iotjobs.operations import simulate as operation
from azext_iotjobs.simulator.events import Who

logger = get_logger(__name__)


def simulate(cmd: Any, client: HubClient, one: OneDevice, fleet: FleetOptions) -> dict[str, Any]:
    """Simulate a fleet until what --until or --expect say, or until Ctrl-C; gives what came of it."""
    sight = fleet_watch.read(fleet)
    if not fleet.names_devices:
        ids = [str(one.device)]
    elif fleet.id_prefix is not None:
        ids = numbered_ids(fleet.id_prefix, fleet.fleet_size or 0)
    else:
        ids = (
            TypedSelection(
                condition=fleet.condition, ids=fleet.named_devices, ids_file=fleet.devices_path, excluded=fleet.left_out
            )
            .read()
            .named
        )
    sight.check(len(ids))
    policy = client.policy_key
    devices = [
        operation.SimulatedDevice(
            device_id=each,
            credential=DeviceKey(device_id=each, key=policy.key, policy=policy.policy),
            behaviour=one.behaving.of(Who(device_id=each, number=number)),
            plan=one.plan if one.sends else None,
            model_id=one.model,
            number=number,
        )
        for number, each in enumerate(ids)
    ]
    clock = SystemClock()
    with stopped_by_ctrl_c() as stop, fleet_watch.watching(sight, ids, clock, stop) as watch:
        summary = operation.run(client.target, devices, watch.on_seen, clock, watch, one.way, one.behaving.seed)
        result, outcome = watch.end(summary)
    leave_with(cmd, outcome, always_zero=False)
    return {"hub": client.target.authority, "seed": one.behaving.seed, **result}
