"""az iot device simulate for many devices: find them, create those that are missing, run them, report."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from azext_iotjobs.cli.output.exit_code import leave_with
from azext_iotjobs.cli.output.interrupt import stopped_by_ctrl_c
from azext_iotjobs.cli.simulate import create_devices, monitor, select_devices
from azext_iotjobs.cli.simulate.credentials import CredentialPlan
from azext_iotjobs.cli.simulate.device_options import DeviceSettings
from azext_iotjobs.cli.simulate.monitor import Monitor
from azext_iotjobs.cli.simulate.options import SimulateOptions
from azext_iotjobs.cli.simulate.select_devices import SimulatedDevices
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.model.simulated_devices import DeviceFacts
from azext_iotjobs.operations.simulate import event_loop as operation
from azext_iotjobs.operations.simulate.event_loop import SimulatedDevice, Summary
from azext_iotjobs.simulator.events import DeviceInfo
from azext_iotjobs.transport.device_login import DeviceCredential
from azext_iotjobs.transport.open_files import make_room


def simulate(cmd: Any, client: HubClient, settings: DeviceSettings, options: SimulateOptions) -> dict[str, Any]:
    """Simulate many devices until what --until or --expect say, or until Ctrl-C; gives the result.

    settings: what holds for each device; if they name a device, it is the only one.
    Raises UserError, HubAnswer, LinkError.
    """
    if options.clean_up is not None:
        return create_devices.clean_up(cmd, client, options)
    is_single = settings.device is not None
    monitor_plan = monitor.read(options)
    ramp_per_s = options.ramp_per_s
    spec = select_devices.read(cmd, client.target, settings.device, options)
    credential_plan = CredentialPlan.read(settings.device, settings.sign_in, options)
    found = select_devices.find(client, spec, options, is_single=is_single)
    if options.dry_run:
        return select_devices.dry_run_document(client, found, options, is_single=is_single)
    select_devices.check_topics(found)
    monitor_plan.check(found.count)
    make_room(found.count)
    credential_plan.check(found)
    with (
        stopped_by_ctrl_c() as stop,
        tempfile.TemporaryDirectory(prefix="iotjobs-") as folder,  # only its owner can read it
        monitor.open_sinks(monitor_plan) as sinks,
    ):
        with create_devices.registered(client, found, options, credential_plan, stop) as registered:
            credentials = credential_plan.credentials(client, registered.devices, Path(folder), settings.way, stop)
            simulated = _simulated(registered.devices, credentials, settings)
            ids = [each.device_id for each in registered.devices.existing]
            with monitor.monitoring(monitor_plan, sinks, ids, SystemClock(), stop) as monitored:
                summary = _run(client, simulated, monitored, settings, ramp_per_s)
                result, outcome = monitored.end(summary)
    leave_with(cmd, Outcome.DEVICES_FAILED if registered.left_count else outcome, exit_zero=False)
    groups = settings.behaviour.group_sizes(_info_of(registered.devices, each) for each in registered.devices.existing)
    return {
        "hub": client.target.authority,
        "seed": settings.behaviour.seed,
        **result,
        **({"groups": groups} if groups else {}),
        "creation": registered.document(),
    }


def _run(
    client: HubClient,
    devices: Sequence[SimulatedDevice],
    monitored: Monitor,
    settings: DeviceSettings,
    ramp_per_s: float,
) -> Summary:
    return operation.run(
        client.target,
        devices,
        monitored.on_activity,
        SystemClock(),
        monitored,
        settings.way,
        settings.behaviour.seed,
        ramp_per_s,
    )


def _simulated(
    devices: SimulatedDevices, credentials: Mapping[str, DeviceCredential], settings: DeviceSettings
) -> list[SimulatedDevice]:
    """The devices that have credentials, for the event loop."""
    behaviour_of = settings.behaviour.of if settings.device is None else settings.behaviour.of_one
    return [
        SimulatedDevice(
            device_id=each.device_id,
            credential=credentials[each.device_id],
            behaviour=behaviour_of(_info_of(devices, each)),
            plan=settings.plan if settings.sends else None,
            model_id=settings.model_id,
            number=devices.numbers[each.device_id],
            tags=each.tags,
        )
        for each in devices.existing
        if each.device_id in credentials
    ]


def _info_of(devices: SimulatedDevices, facts: DeviceFacts) -> DeviceInfo:
    return DeviceInfo(device_id=facts.device_id, number=devices.numbers[facts.device_id], tags=facts.tags)
