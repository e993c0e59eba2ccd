"""What an IoT Central job does, its `data` -> an Action: a twin patch or a direct method. Pure.

A path with a dot names a component and a member of it, as IoT Central's queries write it. What that is on the wire is
IoT Plug and Play's convention: a component of desired properties carries the marker "__t": "c", and a command of one
is the method component*command.
Source: IoT Central data plane 2022-07-31, JobData; IoT Plug and Play conventions.
"""

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

from azext_iotjobs.central.documents import is_number_as_text, object_of, others, shown
from azext_iotjobs.central.report import MemberList
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.fleet_job import Action
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.text import Text, command
from azext_iotjobs.model.twin import TwinPatch

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,511}")  # of a property, command or component; DTDL allows 512 characters
COMPONENT_MARKER = {"__t": "c"}
MAX_ENTRIES = 1_000
TIMEOUT_S = 30  # connecting, and answering: IoT Central's longest, and the default here
KNOWN = ("type", "target", "path", "value")
SUFFIX = "jobdata"  # PropertyJobData is property, as the API's page and its definition have it
NO_TARGET = "a fleet job has no template: it operates all devices of its group"
OF_COMPONENT = "read as a component and a member of it"
LIKE_A_NUMBER = "a number in quotes: it stays text, which a device may refuse"


class DataType(Enum):
    """What an entry of `data` is; the value is the API's word, in small letters."""

    PROPERTY = "property"
    CLOUD_PROPERTY = "cloudproperty"
    COMMAND = "command"
    TEMPLATE = "devicetemplatemigration"
    MANIFEST = "devicemanifestmigration"


NOT_IMPORTED = {
    DataType.TEMPLATE: "it changes the device template, and a hub has none: devices announce their model themselves.",
    DataType.MANIFEST: Text.of(
        "it changes the deployment manifest of edge devices, which is not in the document: {create}",
        create=command("iot hub fleet-job create", fleet_job_id="FLEET-JOB", content="@deployment.json"),
    ),
}


def action_of(data: object, members: MemberList) -> Action:
    """The action of a job.

    data: the member of that name.  members: where each of its members is recorded.
    Raises BadValue for what is not a job, and for what no fleet job does.
    """
    if not isinstance(data, list) or not 1 <= len(data) <= MAX_ENTRIES:
        raise BadValue(f"data is not a list with 1 to {MAX_ENTRIES} entries.")
    entries = [object_of(entry, f"data[{number}]") for number, entry in enumerate(data)]
    types = [_type_of(entry, f"data[{number}]") for number, entry in enumerate(entries)]
    for each in types:
        if each in NOT_IMPORTED:
            raise BadValue(NOT_IMPORTED[each])
    if DataType.COMMAND not in types:
        return _patch(entries, types, members)
    if len(entries) > 1:
        raise BadValue("data has a command and more: a fleet job calls one method, or patches twins.")
    return _method(entries[0], members)


def paths_set_by(data: object) -> dict[str, str]:
    """Where the properties that a job sets are in twins, by their names: what a filter does not say of a name.

    A cloud property is a tag; a writable property is reported with its value one level down.
    Source: IoT Plug and Play conventions, "writable properties".
    """
    found = {}
    for entry in data if isinstance(data, list) else ():
        word, path = (entry.get("type"), entry.get("path")) if isinstance(entry, dict) else (None, None)
        if isinstance(word, str) and isinstance(path, str):
            kind = _plain(word)
            if kind == DataType.CLOUD_PROPERTY.value:
                found[path] = f"tags.{path}"
            elif kind == DataType.PROPERTY.value:
                found[path] = f"properties.reported.{path}.value"
    return found


def _type_of(entry: Mapping[str, Any], where: str) -> DataType:
    word = entry.get("type")
    plain = _plain(word) if isinstance(word, str) else ""
    if plain not in [each.value for each in DataType]:
        raise BadValue(f"{where}.type is none of property, cloudProperty and command.")
    return DataType(plain)


def _plain(word: str) -> str:
    return word.lower().removesuffix(SUFFIX)


def _method(entry: Mapping[str, Any], members: MemberList) -> Action:
    names = _names(entry, "data[0]")
    name = "*".join(names)
    _record(entry, "data[0]", "a direct method", members)
    members.became("data[0].path", f"method {name}", OF_COMPONENT if len(names) > 1 else "")
    if "value" in entry:
        members.became("data[0].value", "the method's payload", _note_on(entry["value"]))
    call = MethodCall(name=name, payload=entry.get("value"), response_timeout_s=TIMEOUT_S, connect_timeout_s=TIMEOUT_S)
    return Action(method=call)


def _patch(entries: list[Mapping[str, Any]], types: list[DataType], members: MemberList) -> Action:
    desired: dict[str, Any] = {}
    tags: dict[str, Any] = {}
    for number, (entry, kind) in enumerate(zip(entries, types, strict=True)):
        where = f"data[{number}]"
        names = _names(entry, where)
        if "value" not in entry:
            raise BadValue(f"{where}.value is missing: it is what the property is set to.")
        if kind is DataType.CLOUD_PROPERTY:
            _set(tags, names, entry["value"], {}, where)
            _record(entry, where, "a tag", members)
            _record_property(where, ["tags", *names], entry["value"], members)
        else:
            _set(desired, names, entry["value"], COMPONENT_MARKER, where)
            _record(entry, where, "a desired property", members)
            _record_property(where, ["properties.desired", *names], entry["value"], members)
    document: dict[str, Any] = {"tags": tags} if tags else {}
    if desired:
        document["properties"] = {"desired": desired}
    return Action(patch=TwinPatch(document=document))


def _record_property(where: str, path: list[str], value: Any, members: MemberList) -> None:
    members.became(f"{where}.path", ".".join(path), OF_COMPONENT if len(path) > 2 else "")
    members.became(f"{where}.value", "null, which removes it" if value is None else "its value", _note_on(value))


def _names(entry: Mapping[str, Any], where: str) -> list[str]:
    path = entry.get("path")
    names = path.split(".") if isinstance(path, str) else []
    if not 1 <= len(names) <= 2 or not all(map(NAME.fullmatch, names)):
        seen = f" {shown(path)}" if isinstance(path, str) else ""
        raise BadValue(
            f"{where}.path{seen} is neither a name nor a component and a name with a dot between them, of letters, "
            "digits and underscore."
        )
    return names


def _set(part: dict[str, Any], names: list[str], value: Any, marker: Mapping[str, str], where: str) -> None:
    """Put a value into a part of the patch. Raises BadValue where another one is there."""
    if len(names) == 1:
        if names[0] in part and part[names[0]] != value:
            raise BadValue(f"{where}.path {names[0]} is given twice, with different values.")
        part[names[0]] = value
        return
    component = part.setdefault(names[0], dict(marker))
    if not isinstance(component, dict) or (marker and component.get("__t") != marker["__t"]):
        raise BadValue(f"{where}.path {names[0]} is a property, and a component.")
    _set(component, names[1:], value, {}, where)


def _record(entry: Mapping[str, Any], where: str, kind: str, members: MemberList) -> None:
    """Record what is the same for all types."""
    members.became(f"{where}.type", kind)
    if entry.get("target") is not None:
        members.left_out(f"{where}.target", NO_TARGET)
    for name in others(entry, KNOWN):
        members.left_out(f"{where}.{name}", "not known")


def _note_on(value: Any) -> str:
    return LIKE_A_NUMBER if is_number_as_text(value) else ""
