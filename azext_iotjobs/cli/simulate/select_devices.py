"""What is typed -> the devices to simulate: read, found, and checked."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.input.device_files import rows_of
from azext_iotjobs.cli.input.device_selection import SelectionOptions, check_exclusions, most_devices
from azext_iotjobs.cli.input.device_tables import CONNECTION_NAME
from azext_iotjobs.cli.output.cells import printable
from azext_iotjobs.cli.output.dry_run import SAMPLE
from azext_iotjobs.cli.simulate.options import SimulateOptions
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.connection_string import parse_connection_string
from azext_iotjobs.model.device_credentials import DeviceKey
from azext_iotjobs.model.device_topics import over_mqtt, reason_against
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, NotFound
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.selection import Selection, device_ids
from azext_iotjobs.model.simulated_devices import (
    DeviceFacts,
    Shard,
    check_simulation_allowed,
    numbered_ids,
    obstacles,
    parse_shard,
    registry_time,
    shown_ids,
)
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.model.text import Text, command, counted
from azext_iotjobs.operations.simulate import provisioning as operation

logger = get_logger(__name__)

OVER_HTTPS = "Over HTTPS such a device sends and receives messages, one a command: --protocol http -d ID"


@dataclass(frozen=True, kw_only=True)
class DeviceSelectionSpec:
    """Which devices to simulate, as typed."""

    selection: Selection
    shard: Shard | None
    limit: int | None
    own_keys: Mapping[str, DeviceKey] = field(default_factory=dict)  # from connection strings, by device


@dataclass(frozen=True, kw_only=True)
class SimulatedDevices:
    """The devices of a simulation."""

    existing: tuple[DeviceFacts, ...]  # registered devices
    missing: tuple[str, ...]  # that are to be created
    numbers: Mapping[str, int]
    own_keys: Mapping[str, DeviceKey]

    @property
    def count(self) -> int:
        return len(self.existing) + len(self.missing)


def read(cmd: Any, target: HubTarget, device: str | None, options: SimulateOptions) -> DeviceSelectionSpec:
    """Which devices to simulate.

    target: the hub that the devices have to be of.  device: the one device; None: the options name them.
    Raises UserError, which names the option.
    """
    own_keys: dict[str, DeviceKey] = {}
    shard = None if options.shard is None else parse_shard(options.shard)
    limit = most_devices(cmd, options.max_devices)
    if device is not None:
        selection = Selection(device_ids=device_ids([device], "--device-id"))
        return DeviceSelectionSpec(selection=selection, shard=shard, limit=limit)
    if options.prefix is not None:
        named = numbered_ids(options.prefix, options.count or 0)
        without = SelectionOptions(exclude=options.exclude).read_excluded()
        return DeviceSelectionSpec(selection=Selection(device_ids=named, excluded=without), shard=shard, limit=limit)
    in_file: tuple[str, ...] = ()
    if options.devices_file is not None:
        in_file, own_keys = _read_file(options.devices_file, target)
    typed = SelectionOptions(
        our_query_condition=options.our_query_condition,
        our_device_ids=options.our_device_ids,
        exclude=options.exclude,
    ).read(more_ids=in_file)
    if typed.is_of_modules:
        raise ConflictingChoice("--query-condition selects modules; devices are simulated.")
    return DeviceSelectionSpec(selection=typed, shard=shard, limit=limit, own_keys=own_keys)


def find(
    client: HubClient, spec: DeviceSelectionSpec, options: SimulateOptions, *, is_single: bool
) -> SimulatedDevices:
    """Read the devices from the hub and, unless --dry-run, check that they may be simulated.

    is_single: whether --device-id names the device.
    Raises NotFound for devices that are not registered and are not to be created, ConflictingChoice for devices that
    may not be simulated, BadValue for more than allowed; HubAnswer, LinkError.
    """
    check_exclusions(client, spec.selection)
    found = operation.find(client, spec.selection, spec.shard, spec.limit)
    if found.missing and not options.create and not options.dry_run:
        raise NotFound(
            f"Not registered: {shown_ids(found.missing)}.",
            hint="--create registers those of --prefix and --count that are missing."
            if options.prefix is not None
            else Text("Look with: ", command("iot hub device-identity show", "-d", found.missing[0])),
        )
    devices = SimulatedDevices(
        existing=found.existing, missing=found.missing, numbers=found.numbers, own_keys=spec.own_keys
    )
    if not devices.count and not options.dry_run:
        raise NotFound("No device is selected: none matches, or none is in this shard.")
    if not options.dry_run:
        check(client, devices.existing, options, total_count=devices.count, is_single=is_single)
    return devices


def check(
    client: HubClient,
    existing: tuple[DeviceFacts, ...],
    options: SimulateOptions,
    *,
    total_count: int,
    is_single: bool,
) -> None:
    """Raise ConflictingChoice when devices that this run did not create may not be simulated.

    total_count: of all devices of the simulation.  is_single: whether --device-id names the device.
    """
    check_simulation_allowed(
        existing,
        total_count=total_count,
        is_local=client.target.is_local,
        takes_over=options.take_over or is_single,
    )


def check_topics(devices: SimulatedDevices) -> None:
    """Warn of devices whose ids MQTT topics cannot hold: the others are simulated, these count as failed.

    Raises BadValue when there are no others.
    """
    fit, unfit = over_mqtt([*(each.device_id for each in devices.existing), *devices.missing])
    if unfit and not fit:
        raise BadValue(str(reason_against(unfit[0])), hint=OVER_HTTPS)
    if unfit:
        logger.warning(
            "MQTT cannot carry %s: topics cannot contain + or #. They count as failed; %s simulated. %s",
            printable(shown_ids(unfit)),
            counted(len(fit), "other device is", "other devices are"),
            OVER_HTTPS,
        )


def dry_run_document(
    client: HubClient, devices: SimulatedDevices, options: SimulateOptions, *, is_single: bool
) -> dict[str, Any]:
    """The result of --dry-run: the devices, which of them are missing, and why they may not be simulated."""
    in_the_way = obstacles(
        devices.existing,
        total_count=devices.count,
        is_local=client.target.is_local,
        takes_over=options.take_over or is_single,
    )
    names = [each.device_id for each in devices.existing]
    unfit = over_mqtt([*names, *devices.missing])[1]
    document = {
        "dryRun": True,
        "hub": client.target.authority,
        "deviceCount": devices.count,
        "sample": (names + list(devices.missing))[:SAMPLE],
        "notRegisteredCount": len(devices.missing),
        "notRegistered": list(devices.missing[:SAMPLE]),
        "creates": options.create,
        "deletesAfter": options.delete_after,
        "inTheWay": in_the_way,
        "notOverMqttCount": len(unfit),
        "notOverMqtt": unfit[:SAMPLE],
    }
    if devices.missing and options.create and not client.target.is_local:
        document["registryTime"] = registry_time(len(devices.missing))
    return document


def _read_file(path: str, target: HubTarget) -> tuple[tuple[str, ...], dict[str, DeviceKey]]:
    option = "--devices-file"
    names: list[str] = []
    keys: dict[str, DeviceKey] = {}
    for row in rows_of(path, option):
        name = row["deviceid"]
        names.append(name)
        if (text := row.get(CONNECTION_NAME)) is None:
            continue
        parsed = parse_connection_string(text)
        if not _is_of(parsed.host, target):
            raise BadValue(
                f"{option} {path}: device {name[:128]!r} belongs to hub {parsed.host[:128]!r}, not {target.host}.",
                hint="A simulation has one hub: give the file of this one, or the other with --hub-name.",
            )
        if parsed.key is not None:  # else the device signs in with a certificate, or the string only has its id
            keys[name] = DeviceKey(device_id=name, key=parsed.key)
    found = device_ids(names, f"{option} {path}")
    if not found:
        raise BadValue(f"{option} {path}: there is no device in it.")
    return found, keys


def _is_of(host: str, target: HubTarget) -> bool:
    return HubTarget(host=host, https_port=target.https_port).canonical == target.canonical or (
        target.is_loopback and HubTarget(host=host).is_loopback
    )
