"""Digital twins: a device's twin in the terms of its model, and changes of it by JSON Patch. Pure.

Models are not read: what is a component says the twin itself, by the marker of the conventions of IoT Plug and Play.
Source: IoT Hub "understand digital twins" and "manage digital twins"; IoT Plug and Play conventions.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from azext_iotjobs.localhub.errors import (
    ARGUMENT_INVALID,
    INVALID_DIGITAL_TWIN_JSON_PATCH,
    INVALID_DIGITAL_TWIN_PATCH_PATH,
    HubError,
)
from azext_iotjobs.localhub.rules.content_paths import difference
from azext_iotjobs.localhub.rules.twin import Section, Tree, TwinState

MARKER, COMPONENT = "__t", "c"
METADATA = "$metadata"
NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9_]{0,62}[A-Za-z0-9])?")
MAX_OPERATIONS = 1000  # of one patch; ours: each copies the component that it changes
ACK_FIELDS = {"av": "ackVersion", "ac": "ackCode", "ad": "ackDescription"}


class Side(NamedTuple):
    """The desired or the reported values of a twin or component, with their metadata."""

    data: Mapping[str, Any]
    metadata: Mapping[str, Any]

    def inside(self, name: str) -> "Side":
        """Those of a component."""
        return Side(_object(self.data.get(name)), _object(self.metadata.get(name)))


def digital_twin_document(device_id: str, model_id: str, twin: TwinState) -> Tree:
    """A digital twin. That of a device which has announced no model has no properties."""
    desired, reported = _side(twin.desired), _side(twin.reported)
    if not model_id:
        return {"$dtId": device_id, METADATA: {"$model": ""}}
    values = _values(desired, reported, twin)
    return {"$dtId": device_id, **values, METADATA: {"$model": model_id, **values[METADATA]}}


def desired_patch(twin: TwinState, operations: Iterable[Mapping[str, Any]]) -> Tree:
    """The merge patch of desired properties that a JSON Patch of the digital twin is.

    Raises HubError 400 for an operation or a path that digital twins do not have.
    """
    desired = twin.desired.data
    count = 0
    for operation in operations:
        count += 1
        if count > MAX_OPERATIONS:
            raise HubError(INVALID_DIGITAL_TWIN_JSON_PATCH, f"A patch may have at most {MAX_OPERATIONS} operations.")
        desired = _patched(desired, twin.reported.data, operation)
    if not count:
        raise HubError(INVALID_DIGITAL_TWIN_JSON_PATCH, "The patch has no operations.")
    return difference(twin.desired.data, desired)


def _values(desired: Side, reported: Side, twin: TwinState) -> Tree:
    """The properties and components of a twin, or the properties of a component."""
    values: Tree = {}
    metadata: Tree = {}
    for name in dict.fromkeys((*reported.data, *desired.data)):
        if name == MARKER:
            continue
        if _is_component(desired.data.get(name)) or _is_component(reported.data.get(name)):
            values[name] = _values(desired.inside(name), reported.inside(name), twin)
            continue
        metadata[name] = _desired_metadata(name, desired, twin)
        if name in reported.data:
            values[name], acknowledged = _reported(reported.data[name])
            updated_at = _object(reported.metadata.get(name)).get("$lastUpdated")
            metadata[name] |= {**acknowledged, "lastUpdateTime": updated_at}
    return {**values, METADATA: metadata}


def _desired_metadata(name: str, desired: Side, twin: TwinState) -> Tree:
    if name not in desired.data:
        return {}
    version = _object(desired.metadata.get(name)).get("$lastUpdatedVersion", twin.desired.version)
    return {"desiredValue": desired.data[name], "desiredVersion": version}


def _reported(value: Any) -> tuple[Any, Tree]:
    """A reported value, and what its device says of the desired one."""
    if not isinstance(value, dict) or not {"value", "ac", "av"} <= value.keys():
        return value, {}
    return value["value"], {name: value[key] for key, name in ACK_FIELDS.items() if key in value}


def _patched(desired: Tree, reported: Tree, operation: Mapping[str, Any]) -> Tree:
    word, value = operation.get("op"), operation.get("value")
    if word not in ("add", "replace", "remove"):
        text = f"The operation {str(word)[:100]!a} is none of add, replace and remove."
        raise HubError(INVALID_DIGITAL_TWIN_JSON_PATCH, text)
    if word != "remove" and value is None:
        raise HubError(INVALID_DIGITAL_TWIN_JSON_PATCH, f"The operation {word} needs a value.")
    names = _names(operation.get("path"))
    known = [side[names[0]] for side in (desired, reported) if names[0] in side]
    is_component = any(map(_is_component, known))
    if len(names) == 2:
        if known and not is_component:
            text = f"{names[0]!a} exists within the device twin and is not digital twin conformant property."
            raise HubError(ARGUMENT_INVALID, text)
        return _with_member(desired, names[0], names[1], None if word == "remove" else value)
    if word == "remove":
        return {name: each for name, each in desired.items() if name != names[0]}
    if is_component or (isinstance(value, dict) and METADATA in value):
        value = _component(names[0], value)
    return {**desired, names[0]: value}


def _component(name: str, value: Any) -> Tree:
    """The desired properties of a whole component."""
    if not isinstance(value, dict) or value.get(METADATA) != {}:
        raise HubError(ARGUMENT_INVALID, f"The value of the component {name!a} needs the member {METADATA}: {{}}.")
    members = {key: each for key, each in value.items() if key not in (METADATA, MARKER)}
    for key in members:
        _check_name(key)
    return {MARKER: COMPONENT, **members}


def _with_member(desired: Tree, component: str, name: str, value: Any) -> Tree:
    """Desired properties with one property of a component; None removes it, the last one with its component."""
    members = {key: each for key, each in _object(desired.get(component)).items() if key not in (name, MARKER)}
    if value is not None:
        members[name] = value
    others = {key: each for key, each in desired.items() if key != component}
    return {**others, component: {MARKER: COMPONENT, **members}} if members else others


def _names(path: Any) -> list[str]:
    """The names in a path: a property or component, or a component and its property."""
    if not isinstance(path, str) or not path.startswith("/"):
        raise HubError(INVALID_DIGITAL_TWIN_PATCH_PATH, "The path of an operation must be a text that begins with /.")
    names = path[1:].split("/")
    if len(names) > 2:
        text = f"The path {path[:100]!a} names more than a component and its property."
        raise HubError(INVALID_DIGITAL_TWIN_PATCH_PATH, text)
    for name in names:
        _check_name(name)
    return names


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise HubError(
            INVALID_DIGITAL_TWIN_PATCH_PATH,
            f"{name[:70]!a} is not the name of a property or component: it may hold 1 to 64 letters, digits and _, "
            "begins with a letter and does not end with _.",
        )


def _is_component(value: Any) -> bool:
    return isinstance(value, dict) and value.get(MARKER) == COMPONENT


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _side(section: Section) -> Side:
    return Side(section.data, section.metadata)
