"""Handlers of az iot hub module-twin show | update | replace."""

from typing import Any

from azext_iotjobs.cli.input.generic_update import Edit
from azext_iotjobs.cli.twin.changes import Change, replace_twin, update_twin
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.ids import Address


def show(client: HubClient, device: str, module: str) -> dict[str, Any]:
    """Show a module's twin."""
    return client.twins.get(device, module).document


def update(
    client: HubClient,
    device: str,
    module: str,
    desired_patch: str | None = None,
    tags_patch: str | None = None,
    if_match: str | None = None,
    set_edits: list[Edit] | None = None,
    add_edits: list[Edit] | None = None,
    remove_edits: list[Edit] | None = None,
    as_string: bool = False,
) -> dict[str, Any]:
    """Merge into a twin's tags and desired properties."""
    edits = {"set": set_edits, "add": add_edits, "remove": remove_edits}
    change = Change(desired=desired_patch, tags=tags_patch, edits=edits, keep_text=as_string)
    return update_twin(client, Address(device, module), change, if_match)


def replace(
    client: HubClient, device: str, module: str, twin_json: str, if_match: str | None = None
) -> dict[str, Any]:  # fmt: skip
    """Replace a twin's tags and desired properties."""
    return replace_twin(client, Address(device, module), twin_json, if_match)
