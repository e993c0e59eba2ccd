"""Handlers of az iot hub device-identity parent show | set and children add | list | remove."""

from typing import Any

from knack.log import get_logger

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import ConflictingChoice, IotJobsError, MissingChoice
from azext_iotjobs.operations.identity import parents

logger = get_logger(__name__)


def show_parent(client: HubClient, our_device_id: str) -> dict[str, Any]:
    """Show the parent of a device."""
    return parents.parent_of(client, our_device_id).document


def set_parent(client: HubClient, our_device_id: str, parent_device_id: str, our_force: bool = False) -> None:
    """Give a device a parent."""
    _apply(client, parents.plan_adoption(client, parent_device_id, [our_device_id], force=our_force))


def add_children(client: HubClient, our_device_id: str, our_child_list: list[str], our_force: bool = False) -> None:
    """Give devices this parent."""
    _apply(client, parents.plan_adoption(client, our_device_id, _each_once(our_child_list), force=our_force))


def list_children(client: HubClient, our_device_id: str) -> list[str]:
    """List the ids of an edge device's children."""
    return parents.children_of(client, our_device_id)


def remove_children(
    client: HubClient, our_device_id: str, our_child_list: list[str] | None = None, our_remove_all: bool = False
) -> None:
    """Take children away from their parent; the devices stay."""
    if our_child_list and our_remove_all:
        raise ConflictingChoice("--child-list and --remove-all exclude each other.", hint="Give one of them.")
    if our_remove_all:
        change = parents.plan_release_of_all(client, our_device_id)
        if not change.children:
            logger.warning("Device %s has no children: nothing was changed.", our_device_id)
    elif our_child_list:
        change = parents.plan_release(client, our_device_id, _each_once(our_child_list))
    else:
        raise MissingChoice("No child is named.", hint="Give --child-list, or --remove-all for all of them.")
    _apply(client, change)


def _apply(client: HubClient, change: parents.ParentChange) -> None:
    done: list[str] = []
    try:
        for child in parents.apply(client, change):
            done.append(child)  # noqa: PERF402 - an error may come in between
    except IotJobsError:
        if done:
            logger.warning("Changed before this error: %s. It is safe to run the command again.", ", ".join(done))
        raise


def _each_once(ids: list[str]) -> list[str]:
    return list(dict.fromkeys(each.strip() for each in ids))
