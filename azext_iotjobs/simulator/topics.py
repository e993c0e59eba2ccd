"""Device topics <-> events and actions. Pure.

Source: IoT Hub "communicate using MQTT": topics carry the device id as it is; properties are a percent-encoded bag.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from azext_iotjobs.simulator.events import (
    AnswerMethod,
    DesiredPatched,
    Event,
    FetchTwin,
    MessageArrived,
    MethodCalled,
    Report,
    ReportAnswered,
    SendTelemetry,
    TwinFetched,
    Unreadable,
)

METHOD_PREFIX = "$iothub/methods/POST/"
DESIRED_PREFIX = "$iothub/twin/PATCH/properties/desired/"
TWIN_ANSWER_PREFIX = "$iothub/twin/res/"


def filters(device: str) -> tuple[str, ...]:
    """What a device subscribes to: methods, desired properties, responses about its twin, cloud-to-device messages."""
    return (
        f"{METHOD_PREFIX}#",
        f"{DESIRED_PREFIX}#",
        f"{TWIN_ANSWER_PREFIX}#",
        f"devices/{device}/messages/devicebound/#",
    )


def parse(device: str, topic: str, payload: bytes) -> Event:
    """The event that a message from the hub stands for, or Unreadable.

    device: the id of the device that received it.  payload: its body as it was sent.
    """
    if topic.startswith(METHOD_PREFIX):
        return _method(topic, payload)
    if topic.startswith(DESIRED_PREFIX):
        return _desired(topic, payload)
    if topic.startswith(TWIN_ANSWER_PREFIX):
        return _twin_answer(topic, payload)
    c2d_prefix = f"devices/{device}/messages/devicebound/"
    if topic.startswith(c2d_prefix):
        return MessageArrived(properties=parse_bag(topic[len(c2d_prefix) :]), body=payload)
    return Unreadable(topic)


def render_telemetry(device: str, action: SendTelemetry) -> tuple[str, bytes]:
    """Topic and payload of a message to the hub."""
    return f"devices/{device}/messages/events/{render_bag(action.properties)}", action.body


def render_answer(action: AnswerMethod) -> tuple[str, bytes]:
    """Topic and payload of a method's response."""
    topic = f"$iothub/methods/res/{action.status}/?$rid={quote(action.rid, safe='')}"
    return topic, json.dumps(action.payload).encode()


def render_report(action: Report) -> tuple[str, bytes]:
    """Topic and payload of a change of reported properties."""
    topic = f"$iothub/twin/PATCH/properties/reported/?$rid={quote(action.rid, safe='')}"
    return topic, json.dumps(action.patch).encode()


def render_fetch(action: FetchTwin) -> tuple[str, bytes]:
    """Topic and payload of the request for a device's twin."""
    return f"$iothub/twin/GET/?$rid={quote(action.rid, safe='')}", b""


def render_bag(properties: Mapping[str, str | None]) -> str:
    """{"a": "1", "b": ""} -> "a=1&b=": a key alone stands for no value."""
    return "&".join(
        _quoted(key, "$.") if value is None else f"{_quoted(key, '$.')}={_quoted(value, '')}"
        for key, value in properties.items()
    )


def _quoted(text: str, safe: str) -> str:
    """Percent-encode; surrogates, which have no UTF-8 form, as Python escapes them."""
    return quote(text, safe=safe, errors="backslashreplace")


def parse_bag(text: str) -> dict[str, str | None]:
    """The inverse of `render_bag`; "+" is a plus, not a space."""
    bag: dict[str, str | None] = {}
    for part in filter(None, text.strip("/").split("&")):
        key, equals, value = part.partition("=")
        bag[unquote(key)] = unquote(value) if equals else None
    return bag


def _method(topic: str, payload: bytes) -> Event:
    name, _, query = topic[len(METHOD_PREFIX) :].partition("/?")
    rid = parse_bag(query).get("$rid")
    try:
        value = json.loads(payload) if payload.strip() else None
    except (ValueError, RecursionError):
        return Unreadable(topic)
    return MethodCalled(rid=rid, name=unquote(name), payload=value) if rid is not None else Unreadable(topic)


def _desired(topic: str, payload: bytes) -> Event:
    try:
        patch: Any = json.loads(payload)
    except (ValueError, RecursionError):
        return Unreadable(topic)
    return DesiredPatched(patch) if isinstance(patch, dict) else Unreadable(topic)


def _twin_answer(topic: str, payload: bytes) -> Event:
    """A change of reported properties is answered without a body, a request for the twin with the twin."""
    status, _, query = topic[len(TWIN_ANSWER_PREFIX) :].partition("/?")
    rid = parse_bag(query).get("$rid")
    if not rid or not status.isdecimal():
        return Unreadable(topic)
    if status == "200" and payload.strip():
        return _twin(topic, rid, payload)
    return ReportAnswered(rid=rid, status=int(status))


def _twin(topic: str, rid: str, payload: bytes) -> Event:
    try:
        match json.loads(payload):
            case {"desired": dict(desired), "reported": dict(reported)}:
                return TwinFetched(rid=rid, desired=desired, reported=reported)
    except (ValueError, RecursionError):
        pass
    return Unreadable(topic)
