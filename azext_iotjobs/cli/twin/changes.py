"""Change a twin as it was typed: a device's or a module's."""

from dataclasses import dataclass
from typing import Any

from azext_iotjobs.cli.input.generic_update import EditOptions, apply_edits, check_edits, merge_patch
from azext_iotjobs.cli.input.json_option import Given, json_object_or_file
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.new_twin_codec import parse_new_twin
from azext_iotjobs.model.errors import BadValue, MissingChoice
from azext_iotjobs.model.identity import Address
from azext_iotjobs.model.twin import TwinPatch


@dataclass(frozen=True, kw_only=True)
class Change:
    """What was typed; None where nothing was."""

    desired: Given | None
    tags: Given | None
    edits: EditOptions


def update_twin(client: HubClient, of: Address, change: Change, if_match: str | None) -> dict[str, Any]:
    """Merge into a twin's tags and desired properties; gives the twin as it is then."""
    if change.desired is None and change.tags is None and not change.edits.is_typed:
        raise MissingChoice("Nothing to update.", hint="Give --desired, --tags, --set, --add or --remove.")
    check_edits(change.edits.by_verb, keep_text=change.edits.our_force_string)
    patch = _typed_patch(change)
    if patch:
        TwinPatch(document=patch)  # checks itself before anything is fetched
    if change.edits.is_typed:
        before = client.twins.get(of.device_id, of.module_id).document
        after = apply_edits(before, change.edits.by_verb, keep_text=change.edits.our_force_string)
        _combine(patch, _editable_difference(before, after))
        # The edits were made on the twin as it was read: it must not have moved, unless the user says what it must be.
        if_match = if_match or before["etag"]
        if not patch:
            return before  # every edit left the twin as it is
    return client.twins.patch(of.device_id, TwinPatch(document=patch, etag=if_match or "*"), of.module_id).document


def replace_twin(client: HubClient, of: Address, text: Given, if_match: str | None) -> dict[str, Any]:
    """Replace a twin's tags and desired properties by those of a JSON object or file of it; gives the twin."""
    new = parse_new_twin(json_object_or_file(text, "--json"), "--json")
    return client.twins.replace(of.device_id, new, etag=if_match or "*", module_id=of.module_id).document


def _typed_patch(change: Change) -> dict[str, Any]:
    patch: dict[str, Any] = {}
    if change.desired is not None:
        patch["properties"] = {"desired": json_object_or_file(change.desired, "--desired")}
    if change.tags is not None:
        patch["tags"] = json_object_or_file(change.tags, "--tags")
    return patch


def _editable_difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The merge patch of what the service may write. Raises BadValue when an edit touched anything else."""
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
