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


def set_parent(client: HubClient, our_device_id: str, parent_device: str, takes_over: bool = False) -> None:
    """Give a device a parent."""
    _carry_out(client, parents.adoption(client, parent_device, [our_device_id], takes_over=takes_over))


def add_children(client: HubClient, our_device_id: str, child_devices: list[str], takes_over: bool = False) -> None:
    """Give devices this parent."""
    _carry_out(client, parents.adoption(client, our_device_id, _each_once(child_devices), takes_over=takes_over))


def list_children(client: HubClient, our_device_id: str) -> list[str]:
    """List the ids of an edge device's children."""
    return parents.children_of(client, our_device_id)


def remove_children(
    client: HubClient, our_device_id: str, child_devices: list[str] | None = None, all_children: bool = False
) -> None:
    """Take devices' parent away."""
    if child_devices and all_children:
        raise ConflictingChoice("--child-list and --remove-all cannot both be meant.")
    if all_children:
        move = parents.release_all(client, our_device_id)
        if not move.children:
            logger.warning("Device %s has no children: nothing was changed.", our_device_id)
    elif child_devices:
        move = parents.release(client, our_device_id, _each_once(child_devices))
    else:
        raise MissingChoice("No child is named.", hint="Give --child-list, or --remove-all for all of them.")
    _carry_out(client, move)


def _carry_out(client: HubClient, move: parents.Move) -> None:
    done: list[str] = []
    try:
        for child in parents.carry_out(client, move):
            done.append(child)  # noqa: PERF402 - what was done until an error is told
    except IotJobsError:
        if done:
            logger.warning("Changed before this error: %s. The command can be given again.", ", ".join(done))
        raise


def _each_once(ids: list[str]) -> list[str]:
    return list(dict.fromkeys(each.strip() for each in ids))
