"""Handlers of az iot hub device-twin show | update | list."""

from typing import Any

from azext_iotjobs.cli.edits import Edit, apply_edits, check_edits, merge_patch
from azext_iotjobs.cli.json_values import Given, json_object_or_file, one_from_stdin
from azext_iotjobs.cli.queries import device_rows
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import BadValue, MissingChoice
from azext_iotjobs.model.twin import TwinPatch


def show(client: HubClient, device: str) -> dict[str, Any]:
    """Show a device's twin."""
    return client.twins.get(device).document


def update(
    client: HubClient,
    device: str,
    desired_patch: Given | None = None,
    tags_patch: Given | None = None,
    if_match: str | None = None,
    set_edits: list[Edit] | None = None,
    add_edits: list[Edit] | None = None,
    remove_edits: list[Edit] | None = None,
    as_string: bool = False,
) -> dict[str, Any]:
    """Merge into a twin's tags and desired properties."""
    edits = {"set": set_edits, "add": add_edits, "remove": remove_edits}
    if desired_patch is None and tags_patch is None and not any(edits.values()):
        raise MissingChoice("Nothing to update.", hint="Give --desired, --tags, --set, --add or --remove.")
    check_edits(edits)
    patch = _typed_patch(desired_patch, tags_patch)
    if patch:
        TwinPatch(document=patch)  # checks itself before anything is fetched
    if any(edits.values()):
        before = client.twins.get(device).document
        after = apply_edits(before, edits, keep_text=as_string)
        _combine(patch, _editable_difference(before, after))
        # The edits were made on the twin as it was read: it must not have moved, unless the user says what it must be.
        if_match = if_match or before["etag"]
        if not patch:
            return before  # every edit left the twin as it is
    return client.twins.patch(device, TwinPatch(document=patch, etag=if_match or "*")).document


def list_twins(client: HubClient, edge: bool = False, limit: int = 1000) -> list[dict[str, Any]]:
    """List device twins."""
    return device_rows(client, edge=edge, limit=limit)


def _typed_patch(desired: Given | None, tags: Given | None) -> dict[str, Any]:
    one_from_stdin({"--desired": desired, "--tags": tags})
    patch: dict[str, Any] = {}
    if desired is not None:
        patch["properties"] = {"desired": json_object_or_file(desired, "--desired")}
    if tags is not None:
        patch["tags"] = json_object_or_file(tags, "--tags")
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
