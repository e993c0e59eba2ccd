"""What a user types -> the devices of a fleet: found, checked, and registered where they are missing and may be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.input.device_files import rows_of
from azext_iotjobs.cli.input.device_selection import SelectionOptions, check_exclusions, most_devices
from azext_iotjobs.cli.input.device_tables import CONNECTION_NAME
from azext_iotjobs.cli.output.cells import printable
from azext_iotjobs.cli.output.dry_run import SAMPLE
from azext_iotjobs.cli.simulate.options import FleetOptions
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.connection_string import parse_connection_string
from azext_iotjobs.model.device_credentials import DeviceKey
from azext_iotjobs.model.device_topics import over_mqtt, reason_against
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, NotFound
from azext_iotjobs.model.fleets import (
    DeviceFacts,
    Shard,
    check_may_simulate,
    numbered_ids,
    obstacles,
    parse_shard,
    registry_time,
    some,
)
from azext_iotjobs.model.selection import Selection, device_ids
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.model.text import Text, command
from azext_iotjobs.operations.simulate import provisioning as operation

logger = get_logger(__name__)

OVER_HTTPS = "Over HTTPS such a device sends and receives messages, one a command: --protocol http -d ID"


@dataclass(frozen=True, kw_only=True)
class Meant:
    """Which devices were meant, as typed."""

    selection: Selection
    shard: Shard | None
    limit: int | None
    own_keys: Mapping[str, DeviceKey] = field(default_factory=dict)  # out of connection strings, by device


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """The devices of a fleet."""

    there: tuple[DeviceFacts, ...]  # registered before
    missing: tuple[str, ...]  # to be made
    numbers: Mapping[str, int]
    own_keys: Mapping[str, DeviceKey]

    @property
    def size(self) -> int:
        return len(self.there) + len(self.missing)


def read(cmd: Any, target: HubTarget, device: str | None, fleet: FleetOptions) -> Meant:
    """Which devices were meant. Raises UserError, naming the option."""
    own_keys: dict[str, DeviceKey] = {}
    shard = None if fleet.shard is None else parse_shard(fleet.shard)
    limit = most_devices(cmd, fleet.devices_at_most)
    if device is not None:
        return Meant(selection=Selection(device_ids=device_ids([device], "--device-id")), shard=shard, limit=limit)
    if fleet.id_prefix is not None:
        named = numbered_ids(fleet.id_prefix, fleet.fleet_size or 0)
        without = SelectionOptions(exclude=fleet.left_out).read_excluded()
        return Meant(selection=Selection(device_ids=named, excluded=without), shard=shard, limit=limit)
    in_file: tuple[str, ...] = ()
    if fleet.devices_path is not None:
        in_file, own_keys = _read_file(fleet.devices_path, target)
    typed = SelectionOptions(
        our_query_condition=fleet.condition, our_device_ids=fleet.named_devices, exclude=fleet.left_out
    ).read(more_ids=in_file)
    if typed.is_of_modules:
        raise ConflictingChoice("--query-condition selects modules; devices are simulated.")
    return Meant(selection=typed, shard=shard, limit=limit, own_keys=own_keys)


def find(client: HubClient, meant: Meant, fleet: FleetOptions, *, is_single: bool) -> Fleet:
    """The devices, looked at; unless --dry-run, also whether they may be simulated.

    Raises NotFound for devices that are not there and are not to be made, ConflictingChoice where devices are in the
    way, BadValue for more than allowed; HubAnswer, LinkError.
    """
    check_exclusions(client, meant.selection)
    found = operation.find(client, meant.selection, meant.shard, meant.limit)
    if found.missing and not fleet.creates and not fleet.only_plans:
        raise NotFound(
            f"Not registered: {some(found.missing)}.",
            hint="--create registers those of --prefix and --count that are missing."
            if fleet.id_prefix is not None
            else Text("Look with: ", command("iot hub device-identity show", "-d", found.missing[0])),
        )
    result = Fleet(there=found.there, missing=found.missing, numbers=found.numbers, own_keys=meant.own_keys)
    if not result.size and not fleet.only_plans:
        raise NotFound("No device is meant: none matches, or none is in this shard.")
    if not fleet.only_plans:
        check(client, result.there, fleet, fleet_size=result.size, is_single=is_single)
    return result


def check(
    client: HubClient, there: tuple[DeviceFacts, ...], fleet: FleetOptions, *, fleet_size: int, is_single: bool
) -> None:
    """Raise ConflictingChoice when devices that this run did not make may not be simulated."""
    check_may_simulate(
        there,
        fleet_size=fleet_size,
        is_local=client.target.is_local,
        takes_over=fleet.takes_over or is_single,
    )


def check_topics(fleet: Fleet) -> None:
    """Say which devices MQTT cannot carry: the others are simulated, these count as failed.

    Raises BadValue when none can be carried.
    """
    fit, unfit = over_mqtt([*(each.device_id for each in fleet.there), *fleet.missing])
    if unfit and not fit:
        raise BadValue(str(reason_against(unfit[0])), hint=OVER_HTTPS)
    if unfit:
        logger.warning(
            "MQTT cannot carry %s: topics hold no + and #. The other %d are simulated; these count as failed. %s",
            printable(some(unfit)), len(fit), OVER_HTTPS,
        )  # fmt: skip


def show_plan(client: HubClient, found: Fleet, fleet: FleetOptions, *, is_single: bool) -> dict[str, Any]:
    """What --dry-run shows: which devices there are, what is missing, and what is in the way."""
    in_the_way = obstacles(
        found.there,
        fleet_size=found.size,
        is_local=client.target.is_local,
        takes_over=fleet.takes_over or is_single,
    )
    names = [each.device_id for each in found.there]
    unfit = over_mqtt([*names, *found.missing])[1]
    plan = {
        "dryRun": True,
        "hub": client.target.authority,
        "deviceCount": found.size,
        "sample": (names + list(found.missing))[:SAMPLE],
        "notRegisteredCount": len(found.missing),
        "notRegistered": list(found.missing[:SAMPLE]),
        "creates": fleet.creates,
        "deletesAfter": fleet.deletes_after,
        "inTheWay": in_the_way,
        "notOverMqttCount": len(unfit),
        "notOverMqtt": unfit[:SAMPLE],
    }
    if found.missing and fleet.creates and not client.target.is_local:
        plan["registryTime"] = registry_time(len(found.missing))
    return plan


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
                f"{option} {path}: device {name[:128]!r} is of hub {parsed.host[:128]!r}, not {target.host}.",
                hint="A simulation has one hub: give the file of this one, or the other with --hub-name.",
            )
        if parsed.key is not None:  # else it signs in with a certificate, or this string is of no use but for its id
            keys[name] = DeviceKey(device_id=name, key=parsed.key)
    found = device_ids(names, f"{option} {path}")
    if not found:
        raise BadValue(f"{option} {path}: there is no device in it.")
    return found, keys


def _is_of(host: str, target: HubTarget) -> bool:
    return HubTarget(host=host, https_port=target.https_port).canonical == target.canonical or (
        target.is_loopback and HubTarget(host=host).is_loopback
    )
