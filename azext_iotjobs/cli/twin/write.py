"""Handlers of az iot hub device-twin update | replace and module-twin update | replace."""

from typing import Any, NamedTuple

from azext_iotjobs.cli.input.generic_update import EditOptions, apply_edits, check_edits, merge_patch
from azext_iotjobs.cli.input.json_option import Given, json_object_or_file
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.input.twin_patch import read_desired_and_tags
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.twin_codec import parse_new_twin
from azext_iotjobs.model.errors import BadValue, MissingChoice
from azext_iotjobs.model.ids import Address
from azext_iotjobs.model.twin import TwinPatch


class PatchOptions(NamedTuple):
    """What to merge into a twin, as typed."""

    our_desired: Given | None = None
    our_tags: Given | None = None

    def read(self) -> dict[str, Any]:
        """The patch; {} when nothing was typed. Raises BadValue."""
        return read_desired_and_tags(self.our_desired, self.our_tags)


@takes_option_groups
def update(
    client: HubClient, our_device_id: str, our_etag: str | None = None, *, patch: PatchOptions, edits: EditOptions
) -> dict[str, Any]:
    """Merge into a device twin's tags and desired properties."""
    return _update(client, Address(our_device_id), our_etag, patch, edits)


@takes_option_groups
def update_module(
    client: HubClient,
    our_device_id: str,
    our_module_id: str,
    our_etag: str | None = None,
    *,
    patch: PatchOptions,
    edits: EditOptions,
) -> dict[str, Any]:
    """Merge into a module twin's tags and desired properties."""
    return _update(client, Address(our_device_id, our_module_id), our_etag, patch, edits)


def replace(client: HubClient, our_device_id: str, json: Given, our_etag: str | None = None) -> dict[str, Any]:
    """Replace a device twin's tags and desired properties."""
    return _replace(client, Address(our_device_id), json, our_etag)


def replace_module(
    client: HubClient, our_device_id: str, our_module_id: str, json: Given, our_etag: str | None = None
) -> dict[str, Any]:
    """Replace a module twin's tags and desired properties."""
    return _replace(client, Address(our_device_id, our_module_id), json, our_etag)


def _update(
    client: HubClient, address: Address, etag: str | None, typed: PatchOptions, edits: EditOptions
) -> dict[str, Any]:
    if typed == PatchOptions() and not edits.is_typed:
        raise MissingChoice("Nothing to update.", hint="Give --desired, --tags, --set, --add or --remove.")
    check_edits(edits)
    patch = typed.read()
    if patch:
        TwinPatch(document=patch)  # checks itself before anything is fetched
    if edits.is_typed:
        before = client.twins.get(address.device_id, address.module_id).document
        _combine(patch, _editable_difference(before, apply_edits(before, edits)))
        # The edits apply to the twin as it was read: it must not have changed, unless another etag was typed.
        etag = etag or before["etag"]
        if not patch:
            return before  # every edit left the twin as it is
    new = TwinPatch(document=patch, etag=etag or "*")
    return client.twins.patch(address.device_id, new, address.module_id).document


def _replace(client: HubClient, address: Address, text: Given, etag: str | None) -> dict[str, Any]:
    new = parse_new_twin(json_object_or_file(text, "--json"), "--json")
    return client.twins.replace(address.device_id, new, etag=etag or "*", module_id=address.module_id).document


def _editable_difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The merge patch of the parts that a service may write. Raises BadValue when an edit changed another part."""
    patch = merge_patch(before, after)
    properties = patch.get("properties", {})
    if patch.keys() - {"tags", "properties"} or not isinstance(properties, dict) or properties.keys() - {"desired"}:
        wrong = sorted((patch.keys() - {"tags", "properties"}) or {f"properties.{key}" for key in properties or ()})
        raise BadValue(
            f"--set, --add and --remove cannot change {', '.join(wrong)}.",
            hint="A service may change tags and properties.desired.",
        )
    return patch


def _combine(patch: dict[str, Any], more: dict[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(patch.get(key), dict):
            _combine(patch[key], value)
        else:
            patch[key] = value
