"""az iot device simulate for a fleet: find its devices, let them live, say what came of it."""

import tempfile
from pathlib import Path
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.output.exit_code import leave_with
from azext_iotjobs.cli.output.interrupt import stopped_by_ctrl_c
from azext_iotjobs.cli.simulate import create_devices, monitor, select_devices
from azext_iotjobs.cli.simulate.credentials import Credential, Ways
from azext_iotjobs.cli.simulate.device_options import OneDevice
from azext_iotjobs.cli.simulate.monitor import Outlets, WatchPlan
from azext_iotjobs.cli.simulate.options import FleetOptions
from azext_iotjobs.cli.simulate.select_devices import Fleet
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import StopFlag, SystemClock
from azext_iotjobs.model.fleets import DeviceFacts
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.operations.simulate import event_loop as operation
from azext_iotjobs.simulator.events import Who
from azext_iotjobs.transport.open_files import make_room

logger = get_logger(__name__)


def simulate(cmd: Any, client: HubClient, one: OneDevice, options: FleetOptions) -> dict[str, Any]:
    """Simulate a fleet until what --until or --expect say, or until Ctrl-C; gives what came of it.

    one: what holds for each device; with its `device`, the fleet is that one.
    """
    if options.cleans_up is not None:
        return create_devices.clean_up(cmd, client, options)
    is_single = one.device is not None
    sight = monitor.read(options)
    ramp_per_s = options.ramp_per_s
    meant = select_devices.read(cmd, client.target, one.device, options)
    ways = Ways.read(one, options)
    found = select_devices.find(client, meant, options, is_single=is_single)
    if options.only_plans:
        return select_devices.show_plan(client, found, options, is_single=is_single)
    select_devices.check_topics(found)
    sight.check(found.size)
    make_room(found.size)
    ways.check(found)
    with (
        stopped_by_ctrl_c() as stop,
        tempfile.TemporaryDirectory(prefix="iotjobs-") as folder,  # its owner's alone
        monitor.opened(sight) as outlets,
    ):
        with create_devices.made(client, found, options, ways, stop) as made:
            credentials = ways.credentials(client, made.fleet, Path(folder), one.way, stop)
            result, outcome = _live(client, made.fleet, credentials, one, ramp_per_s, sight, outlets, stop)
    leave_with(cmd, Outcome.DEVICES_FAILED if made.left_count else outcome, exit_zero=False)
    groups = one.behaving.group_sizes(_who(made.fleet, each) for each in made.fleet.there)
    return {
        "hub": client.target.authority,
        "seed": one.behaving.seed,
        **result,
        **({"groups": groups} if groups else {}),
        "creation": made.document(),
    }


def _live(
    client: HubClient,
    fleet: Fleet,
    credentials: dict[str, Credential],
    one: OneDevice,
    ramp_per_s: float,
    sight: WatchPlan,
    outlets: Outlets,
    stop: StopFlag,
) -> tuple[dict[str, Any], Outcome]:
    """Let the devices live; gives what came of them."""
    behave = one.behaving.of if one.device is None else one.behaving.of_one
    devices = [
        operation.SimulatedDevice(
            device_id=each.device_id,
            credential=credentials[each.device_id],
            behaviour=behave(_who(fleet, each)),
            plan=one.plan if one.sends else None,
            model_id=one.model,
            number=fleet.numbers[each.device_id],
            tags=each.tags,
        )
        for each in fleet.there
        if each.device_id in credentials
    ]
    clock = SystemClock()
    with monitor.watching(sight, outlets, [each.device_id for each in fleet.there], clock, stop) as watch:
        summary = operation.run(
            client.target, devices, watch.on_seen, clock, watch, one.way, one.behaving.seed, ramp_per_s
        )
        return watch.end(summary)


def _who(fleet: Fleet, facts: DeviceFacts) -> Who:
    return Who(device_id=facts.device_id, number=fleet.numbers[facts.device_id], tags=facts.tags)
