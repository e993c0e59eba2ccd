"""az iot device simulate for many devices: find them, create those that are missing, run them, report."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from knack.log import get_logger

from azext_iotjobs.cli.output.exit_code import leave_with
from azext_iotjobs.cli.output.interrupt import stopped_by_ctrl_c
from azext_iotjobs.cli.output.terminal_safe import print_now
from azext_iotjobs.cli.simulate import create_devices, detached, monitor, select_devices
from azext_iotjobs.cli.simulate.announced import Announced, announced, facts_of
from azext_iotjobs.cli.simulate.credentials import CredentialPlan
from azext_iotjobs.cli.simulate.device_options import DeviceSettings
from azext_iotjobs.cli.simulate.monitor import Monitor, MonitorPlan
from azext_iotjobs.cli.simulate.options import SimulateOptions
from azext_iotjobs.cli.simulate.select_devices import DeviceSelectionSpec, SimulatedDevices
from azext_iotjobs.cli.simulate.shard_record import Options, options_of, record
from azext_iotjobs.cli.simulate.typed_options import TypedOptions
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import IotJobsError
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.model.simulated_devices import DeviceFacts
from azext_iotjobs.operations.simulate import event_loop as operation
from azext_iotjobs.operations.simulate.event_loop import SimulatedDevice, Summary
from azext_iotjobs.simulator.events import DeviceInfo
from azext_iotjobs.simulator.expectations import Verdict
from azext_iotjobs.transport.device_login import DeviceCredential
from azext_iotjobs.transport.open_files import make_room

logger = get_logger(__name__)


def simulate(cmd: Any, client: HubClient, settings: DeviceSettings, typed: TypedOptions) -> dict[str, Any]:
    """Simulate many devices until what --until or --expect say, or until Ctrl-C; gives the result.

    settings: what holds for each device; if they name a device, it is the only one.
    typed: all options.
    Raises UserError, HubAnswer, LinkError.
    """
    options = typed.many
    if options.clean_up is not None:
        return create_devices.clean_up(cmd, client, options)
    is_single = settings.device is not None
    plans = _Plans(
        monitoring=monitor.read(options),
        ramp_per_s=options.ramp_per_s,
        which=select_devices.read(cmd, client.target, settings.device, options),
        credentials=CredentialPlan.read(settings.device, settings.sign_in, options),
        shared={} if options.shard is None else options_of(typed),
    )
    found = select_devices.find(client, plans.which, options, is_single=is_single)
    if options.dry_run:
        return select_devices.dry_run_document(client, found, options, is_single=is_single)
    select_devices.check_topics(found)
    plans.monitoring.check(found.count)
    if options.shard is not None and typed.behaviour.seed is None:
        logger.warning("--shard without --seed: this shard's result cannot be merged with others. Give all the same.")
    make_room(found.count)
    plans.credentials.check(found)
    if options.detach and not detached.is_in_background():
        return detached.detach(client.target, options, found.count, SystemClock())
    result, outcome, verdicts = _simulate(client, found, plans, settings, options)
    if plans.monitoring.reports:
        _report(cmd, result, verdicts, plans.monitoring)
    leave_with(cmd, outcome, exit_zero=False)
    return result


def _report(cmd: Any, result: dict[str, Any], verdicts: Sequence[Verdict], monitoring: MonitorPlan) -> None:
    from azext_iotjobs.cli.simulate.expectation_report import write_report  # here: few simulations are reported

    try:
        write_report(result, verdicts, monitoring.reports)
    except IotJobsError:
        print_now(cmd, result)  # an error leaves no result
        raise


class _Plans(NamedTuple):
    """What the options say, read and checked."""

    monitoring: MonitorPlan
    ramp_per_s: float
    which: DeviceSelectionSpec
    credentials: CredentialPlan
    shared: Options  # what all shards have in common


def _simulate(
    client: HubClient, found: SimulatedDevices, plans: _Plans, settings: DeviceSettings, options: SimulateOptions
) -> tuple[dict[str, Any], Outcome, Sequence[Verdict]]:
    """Create what is missing, run the devices, and remove what was created: the result, its outcome, the verdicts."""
    with (
        stopped_by_ctrl_c() as ctrl_c,
        tempfile.TemporaryDirectory(prefix="iotjobs-") as folder,  # only its owner can read it
        monitor.open_sinks(plans.monitoring) as sinks,
    ):
        stop = detached.ends_with_hub(ctrl_c, client.target, SystemClock())
        with create_devices.registered(client, found, options, plans.credentials, stop) as registered:
            devices = registered.devices
            credentials = plans.credentials.credentials(client, devices, Path(folder), settings.way, stop)
            simulated = _simulated(devices, credentials, settings)
            ids = [each.device_id for each in devices.existing]
            facts = facts_of(client.target, ids, settings.behaviour.sources, options)
            with (
                announced(facts, SystemClock(), stop) as seen,
                monitor.monitoring(plans.monitoring, sinks, ids, SystemClock(), seen) as monitored,
            ):
                _announce(monitored, seen)
                summary = _run(client, simulated, monitored, settings, plans.ramp_per_s)
                result, outcome = monitored.end(summary)
    groups = settings.behaviour.group_sizes(_info_of(devices, each) for each in devices.existing)
    document = {
        "hub": client.target.authority,
        "seed": settings.behaviour.seed,
        **result,
        **({"groups": groups} if groups else {}),
        "creation": registered.document(),
    }
    if plans.which.shard is not None:
        document["shard"] = record(plans.which.shard, plans.shared, monitored.statistics.latency)
    return document, Outcome.DEVICES_FAILED if registered.left_count else outcome, monitored.verdicts


def _announce(monitored: Monitor, seen: Announced) -> None:
    """Say how the run fares: now, each second, and before whoever waits hears that all devices are connected."""

    def on_ready() -> None:
        seen.write(monitored.standing())
        detached.announce_ready()

    monitored.on_ready, monitored.on_tick = on_ready, seen.write
    seen.write(monitored.standing())


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
