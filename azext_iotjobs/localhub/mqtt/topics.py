"""Parses and renders the hub's topics. Pure.

Topics contain ids as they are; properties are a percent-encoded bag in which a key without "=" has no value, and "+" is
a plus. A device's request ids are opaque: a response repeats them.
Source: IoT Hub "communicate using MQTT".
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from urllib.parse import quote, unquote

from azext_iotjobs.localhub.clock import render
from azext_iotjobs.localhub.mqtt.filters import matches, overlap
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.c2d_message import Ack
from azext_iotjobs.localhub.store.messages import Message


class Subscription(Enum):
    """What a device may subscribe to; the value is for people."""

    METHODS = "methods"
    TWIN_RESPONSES = "responses to twin requests"
    DESIRED = "desired properties"
    MESSAGES = "cloud-to-device messages"
    INPUTS = "inputs of a module"
    ALL_OF_MODULE = "everything below a module"


@dataclass(frozen=True, slots=True)
class Telemetry:
    """A message to the hub."""

    properties: Mapping[str, str | None]  # the application's
    system: Mapping[str, str]  # by the service's names


@dataclass(frozen=True, slots=True)
class MethodResponse:
    """The response to a method call; the payload is the message's."""

    status: int
    rid: str


@dataclass(frozen=True, slots=True)
class TwinGet:
    """The device requests its twin."""

    rid: str


@dataclass(frozen=True, slots=True)
class ReportedPatch:
    """The device changes its reported properties."""

    rid: str


ParsedTopic = Telemetry | MethodResponse | TwinGet | ReportedPatch

MAX_RID_CHARS = (
    1024  # ours: the topic of a response is longer than the request's and must fit into MQTT's 65,535 bytes too
)
MAX_FILTER_CHARS = 1024  # ours: ids and method names with the fixed parts are shorter
WILDCARDS = re.compile("[+#]")
_STATUS_AND_QUERY = re.compile(r"(-?[0-9]{1,10})/\?(.*)", re.DOTALL)
# A device may compare a name without decoding it, and a component's command contains "*". Only characters with a
# meaning in topics have to be encoded: / + # ? & % and non-ASCII ones.
_PLAIN_IN_NAMES = "*$:@!,;=()'"
SYSTEM_NAMES = {
    "$.mid": "messageId",
    "$.cid": "correlationId",
    "$.uid": "userId",
    "$.ct": "contentType",
    "$.ce": "contentEncoding",
    "$.exp": "expiryTimeUtc",
    "$.to": "to",
    "$.on": "outputName",
    "$.ifid": "interfaceId",
    "$.sub": "componentName",
    "iothub-creation-time-utc": "creationTimeUtc",
}


@dataclass(frozen=True, slots=True)
class PublishTopic:
    """One row of the table of topics to which devices publish."""

    start: str  # {device} and {module} are the client's own ids
    rest: str  # as the documentation writes it
    read: Callable[[str], ParsedTopic | None]  # the part after `start` -> its meaning; None: not allowed
    what: str  # for people


@dataclass(frozen=True, slots=True)
class SubscribeTopic:
    """One row of the table of topics that devices receive, as the documented filter."""

    filter: str  # {device} and {module} are the client's own ids
    kind: Subscription


def _telemetry(rest: str) -> ParsedTopic | None:
    if rest[:1] not in ("", "/"):
        return None
    bag = parse_bag(rest[1:])
    system = {SYSTEM_NAMES[name]: value or "" for name, value in bag.items() if name in SYSTEM_NAMES}
    return Telemetry({name: value for name, value in bag.items() if name not in SYSTEM_NAMES}, system)


def _method_response(rest: str) -> ParsedTopic | None:
    found = _STATUS_AND_QUERY.fullmatch(rest)
    rid = _rid(found[2]) if found else None
    return MethodResponse(int(found[1]), rid) if found and rid else None


def _twin_get(rest: str) -> ParsedTopic | None:
    rid = _rid(rest)
    return TwinGet(rid) if rid else None


def _reported(rest: str) -> ParsedTopic | None:
    rid = _rid(rest)
    return ReportedPatch(rid) if rid else None


PUBLISH_TOPICS = (
    PublishTopic("devices/{device}/messages/events", "/{properties}", _telemetry, "telemetry of a device"),
    PublishTopic(
        "devices/{device}/modules/{module}/messages/events", "/{properties}", _telemetry, "telemetry of a module"
    ),
    PublishTopic("$iothub/methods/res/", "{status}/?$rid={request id}", _method_response, "respond to a method call"),
    PublishTopic("$iothub/twin/GET/?", "$rid={request id}", _twin_get, "request the twin"),
    PublishTopic(
        "$iothub/twin/PATCH/properties/reported/?", "$rid={request id}", _reported, "merge reported properties"
    ),
)
MESSAGES = "devices/{device}/messages/devicebound/#"
SUBSCRIBE_TOPICS = (
    SubscribeTopic("$iothub/methods/POST/#", Subscription.METHODS),
    SubscribeTopic("$iothub/twin/res/#", Subscription.TWIN_RESPONSES),
    SubscribeTopic("$iothub/twin/PATCH/properties/desired/#", Subscription.DESIRED),
    SubscribeTopic(MESSAGES, Subscription.MESSAGES),
    SubscribeTopic("devices/{device}/modules/{module}/inputs/#", Subscription.INPUTS),
    SubscribeTopic("devices/{device}/modules/{module}/#", Subscription.ALL_OF_MODULE),
)


def parse(address: Address, topic: str) -> ParsedTopic | None:
    """The meaning of a topic to which a device publishes; None for one that is not allowed."""
    for row in PUBLISH_TOPICS:
        start = _own(address, row.start)
        if start is not None and topic.startswith(start):
            return row.read(topic[len(start) :])
    return None


def is_own_filter(address: Address, topic_filter: str) -> bool:
    """Whether a filter covers any of a client's own topics, which are all that it can receive.

    Those to which it publishes count too, although the hub sends nothing there.
    """
    if len(topic_filter) > MAX_FILTER_CHARS:
        return False
    templates = (*(row.filter for row in SUBSCRIBE_TOPICS), *(f"{row.start.rstrip('/?')}/#" for row in PUBLISH_TOPICS))
    return any(own is not None and overlap(topic_filter, own) for own in (_own(address, each) for each in templates))


def may_match_methods(topic_filters: Iterable[str]) -> bool:
    """Whether calls of some method may match one of the filters."""
    return any(overlap(each, "$iothub/methods/POST/+/+") for each in topic_filters)


def accepts_messages(address: Address, topic_filters: Iterable[str]) -> bool:
    """Whether one of the filters matches every cloud-to-device message, whatever its properties are."""
    if _own(address, MESSAGES) is None:  # an id that cannot be in a topic, or a module
        return False
    any_message = f"{_base(address)}/messages/devicebound/\0"  # no filter can contain this text
    return any(matches(each, any_message) for each in topic_filters)


def message_topic(message: Message) -> str:
    """The topic of a cloud-to-device message, with its properties."""
    sent = message.sent
    system = {
        "$.mid": sent.message_id,
        "$.to": f"/devices/{message.address.device_id}/messages/deviceBound",
        "$.exp": render(sent.expires_at) if sent.has_expiry else None,
        "$.cid": sent.correlation_id,
        "$.uid": sent.user_id,
        "$.ct": sent.content_type,
        "$.ce": sent.content_encoding,
        "iothub-ack": None if sent.ack is Ack.NONE else sent.ack.value,
    }
    given = {name: value for name, value in system.items() if value is not None}
    return f"{_base(message.address)}/messages/devicebound/{render_bag({**given, **sent.properties})}"


def method_topic(rid: str, name: str) -> str:
    """The topic of a method call."""
    return f"$iothub/methods/POST/{quote(name, safe=_PLAIN_IN_NAMES)}/?$rid={rid}"


def twin_response_topic(status: int, rid: str, version: int | None = None) -> str:
    """The topic of a response to a twin request.

    rid: the device's request id.  version: of its reported properties.
    """
    tail = "" if version is None else f"&$version={version}"
    return f"$iothub/twin/res/{status}/?$rid={rid}{tail}"


def desired_topic(version: int) -> str:
    """The topic of a change of desired properties."""
    return f"$iothub/twin/PATCH/properties/desired/?$version={version}"


def parse_bag(text: str) -> dict[str, str | None]:
    """ "a=1&b=&c" -> {"a": "1", "b": "", "c": None}."""
    bag: dict[str, str | None] = {}
    for part in filter(None, text.strip("/").split("&")):
        key, equals, value = part.partition("=")
        bag[unquote(key)] = unquote(value) if equals else None
    return bag


def render_bag(bag: Mapping[str, str]) -> str:
    """{"a": "1 2"} -> "a=1%202"."""
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in bag.items())


def _rid(query: str) -> str | None:
    for part in query.split("&"):
        key, _, value = part.partition("=")
        if key == "$rid":
            return value if len(value) <= MAX_RID_CHARS else None
    return None


def _own(address: Address, template: str) -> str | None:
    """A row's topic with the client's own ids; None when it is for another kind of client, or when an id contains a
    wildcard, so that it cannot be in a topic.
    """
    if "{device}" not in template:
        return template
    module_id = address.module_id
    if ("{module}" in template) != (module_id is not None):
        return None
    if WILDCARDS.search(address.device_id) or (module_id is not None and WILDCARDS.search(module_id)):
        return None
    own = template.replace("{device}", address.device_id)
    return own if module_id is None else own.replace("{module}", module_id)


def _base(address: Address) -> str:
    device = f"devices/{address.device_id}"
    return device if address.module_id is None else f"{device}/modules/{address.module_id}"
