"""Handlers of az iot hub device-twin update | replace. Apart from looking at twins, which starts quickly."""

from typing import Any

from azext_iotjobs.cli.input.generic_update import EditOptions
from azext_iotjobs.cli.input.json_option import Given
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.twin.changes import Change, replace_twin, update_twin
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.identity import Address


@takes_option_groups
def update(
    client: HubClient,
    our_device_id: str,
    desired_patch: Given | None = None,
    tags_patch: Given | None = None,
    our_etag: str | None = None,
    *,
    edits: EditOptions,
) -> dict[str, Any]:
    """Merge into a twin's tags and desired properties."""
    change = Change(desired=desired_patch, tags=tags_patch, edits=edits)
    return update_twin(client, Address(our_device_id), change, our_etag)


def replace(client: HubClient, our_device_id: str, twin_json: Given, our_etag: str | None = None) -> dict[str, Any]:
    """Replace a twin's tags and desired properties."""
    return replace_twin(client, Address(our_device_id), twin_json, our_etag)
