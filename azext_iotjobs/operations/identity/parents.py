"""Parents and children: edge devices, and the devices that connect to the hub through them."""

from collections.abc import Iterator, Sequence

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.identity_codec import render_with_parent
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, NotFound
from azext_iotjobs.model.identity import Identity
from azext_iotjobs.model.ids import DEVICE, can_be
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.query import quoted
from azext_iotjobs.model.text import Field, Text, command

SCOPE_PREFIX = "ms-azure-iot-edge://"  # then the edge device's id, a dash and a number


def parent_of(client: HubClient, device_id: str) -> Identity:
    """The parent of a device. Raises NotFound when it has none; HubAnswer, LinkError."""
    child = client.identities.get(device_id)
    if not child.parent_scopes:
        raise NotFound(
            f"Device {device_id} has no parent.",
            hint=Text(
                "Give it one: ",
                command("iot hub device-identity parent set", device_id=device_id, parent_device_id="EDGE-DEVICE"),
            ),
        )
    (scope, *_) = child.parent_scopes
    parent_id = scope.removeprefix(SCOPE_PREFIX).rpartition("-")[0]
    is_readable = scope.startswith(SCOPE_PREFIX) and can_be(DEVICE, parent_id)
    parent = client.identities.get(parent_id) if is_readable else None
    if parent is None or parent.scope != scope:
        raise NotFound(f"Device {device_id} has the parent scope {scope}, but no device has that scope now.")
    return parent


@dataclass(frozen=True)
class ParentChange:
    """Devices and the parent that they are to get: checked, but not sent yet."""

    scope: str | None  # the new parent's own scope; None: no parent
    children: tuple[Identity, ...]  # as they were read


def plan_adoption(client: HubClient, parent_id: str, child_ids: Sequence[str], *, force: bool) -> ParentChange:
    """The change that gives devices a parent. Reads and checks them all; changes nothing.

    parent_id: an edge device.  force: include devices that have another parent now.
    Gives the devices that do not have this parent already.
    Raises BadValue for a parent that is not an edge device, ConflictingChoice for a device that has another parent;
    HubAnswer, LinkError.
    """
    parent = edge_device(client, parent_id)
    if parent_id in child_ids:
        raise BadValue(f"Device {parent_id} cannot be its own parent.")
    children = [client.identities.get(each) for each in child_ids]
    others = [each.device_id for each in children if each.parent_scopes and parent.scope not in each.parent_scopes]
    if others and not force:
        raise ConflictingChoice(
            f"{_devices(others)} another parent already.",
            hint=Text(Field("force"), f" gives {_them(others)} this one instead."),
        )
    return ParentChange(parent.scope, tuple(each for each in children if parent.scope not in each.parent_scopes))


def children_of(client: HubClient, parent_id: str) -> list[str]:
    """The ids of an edge device's children, as the hub's query finds them. Raises BadValue for another device."""
    parent = edge_device(client, parent_id)
    assert parent.scope is not None
    query = f"SELECT deviceId FROM devices WHERE ARRAY_CONTAINS(parentScopes, {quoted(parent.scope)})"
    return [str(row["deviceId"]) for row in client.queries.run(query)]


def plan_release(client: HubClient, parent_id: str, child_ids: Sequence[str]) -> ParentChange:
    """The change that takes children away from their parent. Reads and checks them all; changes nothing.

    parent_id: an edge device.  child_ids: children of it.
    Raises BadValue for a device that is not a child of it; HubAnswer, LinkError.
    """
    parent = edge_device(client, parent_id)
    children = [client.identities.get(each) for each in child_ids]
    strangers = [each.device_id for each in children if parent.scope not in each.parent_scopes]
    if strangers:
        raise BadValue(
            f"Not children of {parent_id}: {', '.join(strangers)}. Nothing was changed.",
            hint=Text("Its children: ", command("iot hub device-identity children list", device_id=parent_id)),
        )
    return ParentChange(None, tuple(children))


def plan_release_of_all(client: HubClient, parent_id: str) -> ParentChange:
    """The same for all children. The hub's query may lag some seconds: former children are skipped."""
    scope = edge_device(client, parent_id).scope
    found = []
    for child_id in children_of(client, parent_id):
        try:
            child = client.identities.get(child_id)
        except NotFound:
            continue
        if scope in child.parent_scopes:
            found.append(child)
    return ParentChange(None, tuple(found))


def apply(client: HubClient, change: ParentChange) -> Iterator[str]:
    """Change devices' parents one by one; gives each device's id once it is changed. Raises HubAnswer, LinkError."""
    for child in change.children:
        client.identities.replace(child.device_id, render_with_parent(child, change.scope), etag=child.etag)
        yield child.device_id


def edge_device(client: HubClient, device_id: str) -> Identity:
    """A device that can have children. Raises BadValue when it is not an edge device; HubAnswer, LinkError."""
    device = client.identities.get(device_id)
    if not device.is_edge or device.scope is None:
        raise BadValue(
            f"Device {device_id} is not an edge device, so it has no children.",
            hint=Text(
                "Make it one: ", command("iot hub device-identity update", device_id=device_id, edge_enabled=True)
            ),
        )
    return device


def _devices(ids: Sequence[str]) -> str:
    return f"Device {ids[0]} has" if len(ids) == 1 else f"Devices {', '.join(ids)} have"


def _them(ids: Sequence[str]) -> str:
    return "it" if len(ids) == 1 else "them"
