"""An event as it is shown: the reference's members in the reference's order. Pure."""

from collections.abc import Iterable
from typing import Any

from azext_iotjobs.cli.events.payload import Payload
from azext_iotjobs.model.device_event import DeviceEvent

SYSTEM, APPLICATION, ANNOTATIONS, ALL = KINDS = ("sys", "app", "anno", "all")


def event_document(event: DeviceEvent, payload: Payload, kinds: Iterable[str]) -> dict[str, Any]:
    """The document of an event.

    payload: its body.  kinds: which of KINDS are shown beside it.
    """
    shown = frozenset(kinds)
    members: dict[str, Any] = {
        "origin": event.device_id,
        "module": event.module_id,
        "interface": event.interface,
        "component": event.annotation("dt-subject"),
    }
    properties: dict[str, Any] = {}
    if shown & {SYSTEM, ALL}:
        properties["system"] = {name: value for name, value in event.system.items() if value not in (None, "")}
    if shown & {APPLICATION, ALL}:
        properties["application"] = dict(event.application)
    if properties:
        members["properties"] = properties
    if shown & {ANNOTATIONS, ALL}:
        members["annotations"] = dict(event.annotations)
    members["payload"] = payload.value
    return {"event": members}
