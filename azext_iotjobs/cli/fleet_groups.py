"""Handlers of az iot hub fleet-job group create | list | delete: device groups, which are saved conditions."""

from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.fleet_place import FleetPlace
from azext_iotjobs.model.condition import doubts
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, NotFound
from azext_iotjobs.model.hints import Hint, command
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.operations.fleet import host_of

logger = get_logger(__name__)

MAX_NAME_CHARACTERS = 148


def create(cmd: Any, client: FleetPlace, device_group: str, condition: str) -> dict[str, Any]:
    """Save a condition under a name, in place of the one that has it."""
    if not device_group.strip() or len(device_group) > MAX_NAME_CHARACTERS or not device_group.isprintable():
        raise BadValue(f"--group: give a name of 1 to {MAX_NAME_CHARACTERS} characters.")
    selection = Selection(condition=condition)
    for doubt in doubts(condition):
        logger.warning("--query-condition: %s", doubt)
    hub = client.hub()
    count = hub.selections.count(selection)  # a condition that the hub cannot read is refused here
    client.store.save_group(host_of(hub), device_group, condition)
    return {"name": device_group, "hub": host_of(hub), "queryCondition": condition, "deviceCount": count}


def list_groups(cmd: Any, client: FleetPlace) -> list[dict[str, Any]]:
    """List the device groups that are saved, of all hubs or of the one that is typed. No hub is asked."""
    return [
        {"name": each.name, "hub": each.host, "queryCondition": each.condition}
        for each in client.store.groups()
        if client.means(each.host)
    ]


def delete(cmd: Any, client: FleetPlace, device_group: str) -> None:
    """Forget a device group; no device is touched, no hub is asked."""
    hosts = [each.host for each in client.store.groups() if each.name == device_group and client.means(each.host)]
    if not hosts:
        raise NotFound(
            f"There is no device group {device_group!r}.",
            hint=Hint("Which there are: ", command("iot hub fleet-job group list")),
        )
    if len(hosts) > 1:
        raise ConflictingChoice(
            f"{len(hosts)} hubs have a device group {device_group!r}: {', '.join(hosts)}.", hint="Say which: -n HUB"
        )
    client.store.delete_group(hosts[0], device_group)
