"""Handlers of az iot hub fleet-job group create | show | list | update | delete: device groups, saved conditions."""

from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.target_options import LIST_GROUPS
from azext_iotjobs.cli.output.confirm import agreed
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.store.contract import DeviceGroup
from azext_iotjobs.model.condition import doubts
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, NotFound
from azext_iotjobs.model.fleet_job import MAX_NAME_CHARACTERS
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.operations.fleet_job.planning import host_of

logger = get_logger(__name__)

MAX_NAMED = 10  # fleet jobs in a question


def create(cmd: Any, client: FleetJobContext, group: str, our_query_condition: str) -> dict[str, Any]:
    """Save a condition under a new name."""
    if not group.strip() or len(group) > MAX_NAME_CHARACTERS or not group.isprintable():
        raise BadValue(f"--group: give a name of 1 to {MAX_NAME_CHARACTERS} characters.")
    hub = client.hub()
    count = _count(hub, our_query_condition)
    client.store.groups.add(host_of(hub), group, our_query_condition)
    return {**_shown(DeviceGroup(host_of(hub), group, our_query_condition)), "deviceCount": count}


def show(cmd: Any, client: FleetJobContext, group: str) -> dict[str, Any]:
    """Show a device group, with the fleet jobs whose runs select its devices. Nothing is sent to a hub."""
    found = _only(client, group)
    return {**_shown(found), "fleetJobs": client.store.groups.users(found.host, found.name)}


def list_groups(cmd: Any, client: FleetJobContext) -> list[dict[str, Any]]:
    """List the saved device groups, of all hubs or of the one that is typed. Nothing is sent to a hub."""
    return [_shown(each) for each in client.store.groups.list_all() if client.means(each.host)]


def update(cmd: Any, client: FleetJobContext, group: str, our_query_condition: str) -> dict[str, Any]:
    """Save another condition under an existing name; runs that have begun keep their devices."""
    found = _only(client, group)
    count = _count(client.hub_at(found.host), our_query_condition)
    client.store.groups.save(found.host, found.name, our_query_condition)
    return {**_shown(DeviceGroup(found.host, found.name, our_query_condition)), "deviceCount": count}


def delete(cmd: Any, client: FleetJobContext, group: str, our_yes: bool = False) -> None:
    """Remove a device group; nothing is sent to a hub."""
    found = _only(client, group)
    jobs = client.store.groups.users(found.host, found.name)
    if jobs:
        more = f" and {len(jobs) - MAX_NAMED} more" if len(jobs) > MAX_NAMED else ""
        text = f"Fleet jobs use the device group {group!r}: {', '.join(jobs[:MAX_NAMED])}{more}"
        if not agreed(f"{text}. Their next runs will not find their devices. Delete it?", text, assume_yes=our_yes):
            raise BadValue("Nothing was deleted.")
    client.store.groups.delete(found.host, found.name)


def _only(context: FleetJobContext, name: str) -> DeviceGroup:
    """The group of that name. Raises NotFound; ConflictingChoice where several hubs have one."""
    found = [each for each in context.store.groups.list_all() if each.name == name and context.means(each.host)]
    if not found:
        raise NotFound(
            f"There is no device group {name[:60]!r}.",
            hint=LIST_GROUPS,
        )
    if len(found) > 1:
        hosts = ", ".join(each.host for each in found)
        text = f"{len(found)} hubs have a device group {name!r}: {hosts}."
        raise ConflictingChoice(text, hint="Say which one: -n HUB")
    return found[0]


def _count(hub: HubClient, condition: str) -> int:
    """How many devices a condition means now; one that the hub cannot read is refused here."""
    selection = Selection(condition=condition)
    for doubt in doubts(condition):
        logger.warning("--query-condition: %s", doubt)
    return hub.selections.count(selection)


def _shown(group: DeviceGroup) -> dict[str, Any]:
    return {"name": group.name, "hub": group.host, "queryCondition": group.condition}
