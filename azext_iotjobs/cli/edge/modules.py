"""Handlers of az iot edge set-modules | export-modules."""

from typing import Any

from azext_iotjobs.cli.input.json_option import json_object_or_file
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import BadValue, StateError
from azext_iotjobs.operations.identity.modules import on_device

CONTENT, MODULES, DESIRED = "content", "modulesContent", "properties.desired"
OLD_MODULES = "moduleContent"  # the manifests of the first previews
WRITTEN_BY_HUB = ("$metadata", "$version")
FORM = '{"modulesContent": {"$edgeAgent": {"properties.desired": {…}}, …}}'


def set_modules(client: HubClient, our_device_id: str, our_content: str) -> list[dict[str, Any]]:
    """Set the modules of an edge device; gives their registrations."""
    contents = modules_of(json_object_or_file(our_content, "--content"))
    client.configurations.apply(our_device_id, {MODULES: contents})
    return [each.document for each in client.identities.modules(our_device_id)]


def export_modules(client: HubClient, our_device_id: str) -> dict[str, Any]:
    """The modules of an edge device as a deployment manifest. Raises StateError where it has none."""
    modules = on_device(client, our_device_id, lambda: client.identities.modules(our_device_id))
    if not modules:
        raise StateError(
            f"Device {our_device_id} has no modules; there is nothing to export.",
            hint="An edge device has $edgeAgent and $edgeHub at least. Is this one?",
        )
    contents = {}
    for module_id in (each.module_id for each in modules):
        twin = client.twins.get(our_device_id, module_id).document
        desired = (twin.get("properties") or {}).get("desired") or {}
        contents[module_id] = {DESIRED: {name: desired[name] for name in desired if name not in WRITTEN_BY_HUB}}
    return {CONTENT: {MODULES: contents}}


def modules_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """The contents of modules in a deployment manifest. Raises BadValue for a document that is none."""
    inside = manifest.get(CONTENT, manifest)
    contents = inside.get(MODULES, inside.get(OLD_MODULES)) if isinstance(inside, dict) else None
    if not isinstance(contents, dict) or not contents:
        raise BadValue(f"--content has no {MODULES}, or an empty one.", hint=f"Give {FORM}.")
    for module_id, content in contents.items():
        if not isinstance(content, dict) or not content:
            raise BadValue(f"--content: what is under {module_id} is not an object, or empty.", hint=f"Give {FORM}.")
        odd = next((path for path in content if path != DESIRED and not path.startswith(f"{DESIRED}.")), None)
        if odd is not None:
            raise BadValue(
                f"--content: under {module_id} there is {odd}.",
                hint=f"Give {DESIRED}, or paths that begin with {DESIRED}. and a name.",
            )
    return contents
