"""Hub topics <-> what they mean. Pure, both directions.

Source: IoT Hub "communicate using MQTT". Topics carry ids as they are; properties are a percent-encoded bag in which a
key alone means no value, and "+" is a plus.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from urllib.parse import quote, unquote

from azext_iotjobs.localhub.address import Address


class Subscription(Enum):
    """What a device may listen to."""

    METHODS = "methods"
    TWIN_ANSWERS = "twin answers"
    DESIRED = "desired properties"
    MESSAGES = "cloud-to-device messages"


@dataclass(frozen=True)
class Telemetry:
    """A message to the hub."""

    properties: Mapping[str, str | None]


@dataclass(frozen=True)
class MethodResponse:
    """The answer to a method call; the payload is the answer's."""

    status: int
    rid: str


@dataclass(frozen=True)
class TwinGet:
    """The device asks for its twin."""

    rid: str


@dataclass(frozen=True)
class ReportedPatch:
    """The device changes its reported properties."""

    rid: str


Meaning = Telemetry | MethodResponse | TwinGet | ReportedPatch

METHOD_RESPONSE = "$iothub/methods/res/"
TWIN_GET = "$iothub/twin/GET/"
REPORTED = "$iothub/twin/PATCH/properties/reported/"


def parse(address: Address, topic: str) -> Meaning | None:
    """What a device means by publishing to a topic; None for one that it may not publish to."""
    events = f"{_base(address)}/messages/events"
    if topic == events or topic.startswith(f"{events}/"):
        return Telemetry(parse_bag(topic[len(events) + 1 :]))
    if topic.startswith(METHOD_RESPONSE):
        status, _, query = topic[len(METHOD_RESPONSE) :].partition("/?")
        rid = parse_bag(query).get("$rid")
        is_status = status.removeprefix("-").isdecimal() and status.isascii() and len(status) <= 11
        return MethodResponse(int(status), rid) if rid and is_status else None
    for prefix, meaning in ((TWIN_GET, TwinGet), (REPORTED, ReportedPatch)):
        if topic.startswith(f"{prefix}?"):
            rid = parse_bag(topic[len(prefix) + 1 :]).get("$rid")
            return meaning(rid) if rid else None
    return None


def parse_filter(address: Address, topic_filter: str) -> Subscription | None:
    """What a device wants to hear; None for a filter that it may not have."""
    allowed = {
        "$iothub/methods/POST/#": Subscription.METHODS,
        "$iothub/twin/res/#": Subscription.TWIN_ANSWERS,
        "$iothub/twin/PATCH/properties/desired/#": Subscription.DESIRED,
    }
    if address.module_id is None:
        allowed[f"devices/{address.device_id}/messages/devicebound/#"] = Subscription.MESSAGES
    return allowed.get(topic_filter)


def method_topic(rid: str, name: str) -> str:
    """Where a method call goes."""
    return f"$iothub/methods/POST/{quote(name, safe='')}/?$rid={rid}"


def twin_answer_topic(status: int, rid: str, version: int | None = None) -> str:
    """Where an answer about a twin goes; the device's own request id comes back as it was."""
    tail = "" if version is None else f"&$version={version}"
    return f"$iothub/twin/res/{status}/?$rid={quote(rid, safe='')}{tail}"


def desired_topic(version: int) -> str:
    """Where a change of desired properties goes."""
    return f"$iothub/twin/PATCH/properties/desired/?$version={version}"


def parse_bag(text: str) -> dict[str, str | None]:
    """ "a=1&b=&c" -> {"a": "1", "b": "", "c": None}."""
    bag: dict[str, str | None] = {}
    for part in filter(None, text.strip("/").split("&")):
        key, equals, value = part.partition("=")
        bag[unquote(key)] = unquote(value) if equals else None
    return bag


def _base(address: Address) -> str:
    device = f"devices/{address.device_id}"
    return device if address.module_id is None else f"{device}/modules/{address.module_id}"
