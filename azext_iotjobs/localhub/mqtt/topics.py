"""Hub topics <-> what they mean. Pure, both directions.

Source: IoT Hub "communicate using MQTT". Topics carry ids as they are; properties are a percent-encoded bag in which a
key alone means no value, and "+" is a plus. A device's request ids are opaque: they go back as they came.
"""

import re
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


@dataclass(frozen=True, slots=True)
class Telemetry:
    """A message to the hub."""

    properties: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class MethodResponse:
    """The answer to a method call; the payload is the answer's."""

    status: int
    rid: str


@dataclass(frozen=True, slots=True)
class TwinGet:
    """The device asks for its twin."""

    rid: str


@dataclass(frozen=True, slots=True)
class ReportedPatch:
    """The device changes its reported properties."""

    rid: str


Meaning = Telemetry | MethodResponse | TwinGet | ReportedPatch

MAX_RID_CHARS = 1024  # ours: an answer's topic is longer than the question's and must fit into MQTT's 65,535 bytes too
_METHOD_RESPONSE = re.compile(r"\$iothub/methods/res/(-?[0-9]{1,10})/\?(.*)", re.DOTALL)
_TWIN_GET = "$iothub/twin/GET/?"
_REPORTED = "$iothub/twin/PATCH/properties/reported/?"
# A device may compare a name without decoding it, and a component's command has a "*" in it. Only what means something
# in a topic has to be encoded: / + # ? & % and what is not ASCII.
_PLAIN_IN_NAMES = "*$:@!,;=()'"


def parse(address: Address, topic: str) -> Meaning | None:
    """What a device means by publishing to a topic; None for one that it may not publish to."""
    events = f"{_base(address)}/messages/events"
    if topic == events or topic.startswith(f"{events}/"):
        return Telemetry(parse_bag(topic[len(events) + 1 :]))
    if (response := _METHOD_RESPONSE.fullmatch(topic)) is not None:
        rid = _rid(response[2])
        return MethodResponse(int(response[1]), rid) if rid else None
    for prefix, meaning in ((_TWIN_GET, TwinGet), (_REPORTED, ReportedPatch)):
        if topic.startswith(prefix):
            rid = _rid(topic[len(prefix) :])
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
    return f"$iothub/methods/POST/{quote(name, safe=_PLAIN_IN_NAMES)}/?$rid={rid}"


def twin_answer_topic(status: int, rid: str, version: int | None = None) -> str:
    """Where an answer about a twin goes; `rid` is the device's own, `version` that of its reported properties."""
    tail = "" if version is None else f"&$version={version}"
    return f"$iothub/twin/res/{status}/?$rid={rid}{tail}"


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


def _rid(query: str) -> str | None:
    for part in query.split("&"):
        key, _, value = part.partition("=")
        if key == "$rid":
            return value if len(value) <= MAX_RID_CHARS else None
    return None


def _base(address: Address) -> str:
    device = f"devices/{address.device_id}"
    return device if address.module_id is None else f"{device}/modules/{address.module_id}"
