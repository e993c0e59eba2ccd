"""Handlers of az iot hub module-twin show | update | replace."""

from typing import Any

from azext_iotjobs.cli.input.generic_update import EditOptions
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.twin.changes import Change, replace_twin, update_twin
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.identity import Address


def show(client: HubClient, our_device_id: str, our_module_id: str) -> dict[str, Any]:
    """Show a module's twin."""
    return client.twins.get(our_device_id, our_module_id).document


@takes_option_groups
def update(
    client: HubClient,
    our_device_id: str,
    our_module_id: str,
    desired_patch: str | None = None,
    tags_patch: str | None = None,
    our_etag: str | None = None,
    *,
    edits: EditOptions,
) -> dict[str, Any]:
    """Merge into a twin's tags and desired properties."""
    change = Change(desired=desired_patch, tags=tags_patch, edits=edits)
    return update_twin(client, Address(our_device_id, our_module_id), change, our_etag)


def replace(
    client: HubClient, our_device_id: str, our_module_id: str, twin_json: str, our_etag: str | None = None
) -> dict[str, Any]:  # fmt: skip
    """Replace a twin's tags and desired properties."""
    return replace_twin(client, Address(our_device_id, our_module_id), twin_json, our_etag)
