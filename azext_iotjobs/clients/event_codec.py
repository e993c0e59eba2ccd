"""Events of the built-in endpoint <-> our values: messages, states of partitions, filters' texts, redirects. Pure.

Source: Event Hubs AMQP protocol guide; IoT Hub devguide "read device-to-cloud messages from the built-in endpoint".
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from azext_iotjobs.model.amqp import EVENT_HUB_WEBSOCKET_PATH, AmqpEndpoint, AmqpMessage, Redirect
from azext_iotjobs.model.device_event import BEGINNING, DeviceEvent, EventHub, PartitionState, Position
from azext_iotjobs.model.errors import BadValue, HubFault, MissingChoice
from azext_iotjobs.model.target import SasKey, check_key

DEVICE, MODULE = "iothub-connection-device-id", "iothub-connection-module-id"
OFFSET, NUMBER, ENQUEUED = "x-opt-offset", "x-opt-sequence-number", "x-opt-enqueued-time"
PARTS = {each.lower(): each for each in ("Endpoint", "SharedAccessKeyName", "SharedAccessKey", "EntityPath")}
IGNORED_PARTS = ("usedevelopmentemulator",)
FORM = "It reads Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…;EntityPath=…"


def parse_event(message: AmqpMessage, partition: str) -> DeviceEvent:
    """An event that a partition gave."""
    annotations = message.annotations
    return DeviceEvent(
        partition=partition,
        offset=str(annotations.get(OFFSET, BEGINNING)),
        sequence_number=_whole(annotations.get(NUMBER)),
        device_id=str(annotations.get(DEVICE) or ""),
        module_id=str(annotations.get(MODULE) or ""),
        body=message.body,
        system=message.properties,
        application=message.application,
        annotations=annotations,
    )


def parse_state(described: Mapping[str, Any]) -> PartitionState:
    """How far a partition is, as `$management` says it."""
    return PartitionState(
        last_offset=str(described.get("last_enqueued_offset") or BEGINNING),
        last_sequence_number=_whole(described.get("last_enqueued_sequence_number")),
        is_empty=described.get("is_partition_empty") is True,
    )


def parse_partitions(described: Mapping[str, Any]) -> tuple[str, ...]:
    """The ids of an event hub's partitions. Raises HubFault where it has none."""
    ids = described.get("partition_ids")
    if not isinstance(ids, list) or not ids:
        raise HubFault("The event hub says that it has no partitions.", status=500)
    return tuple(str(each) for each in ids)


def render_selector(position: Position) -> str:
    """The filter's text for what is behind a position."""
    if position.enqueued_after_ms is not None:
        return f"amqp.annotation.{ENQUEUED} > '{position.enqueued_after_ms}'"
    return f"amqp.annotation.{OFFSET} > '{position.offset}'"


def render_address(name: str, group: str, partition: str) -> str:
    """The node of a partition.

    name: of the event hub.  group: the consumer group.  partition: its id.
    """
    return f"{name}/ConsumerGroups/{group}/Partitions/{partition}"


def parse_redirect(redirect: Redirect, hub: AmqpEndpoint, key: SasKey) -> EventHub:
    """The event hub that a hub redirects to.

    hub: which redirected.  key: for both.  Raises HubFault for a redirect that names none.
    """
    address = urlsplit(redirect.address if "://" in redirect.address else f"//{redirect.host}/{redirect.address}")
    name = unquote(address.path.strip("/").split("/")[0])
    host = address.hostname or redirect.host
    if not host or not name:
        raise HubFault("The hub says that its events are elsewhere, and not where.", status=500)
    endpoint = hub._replace(host=host, port=address.port or redirect.port, websocket_path=EVENT_HUB_WEBSOCKET_PATH)
    return EventHub(endpoint=endpoint, name=name, key=key)


def parse_event_hub_string(text: str) -> EventHub:
    """The event hub of a connection string.

    text: `Name=value` parts separated by semicolons; names in any case.
    Raises BadValue or MissingChoice; the error names parts, never their values.
    """
    parts = _parts(text)
    lacking = [name for name in PARTS.values() if not parts.get(name)]
    if lacking:
        raise MissingChoice(f"The Event Hubs connection string has no {lacking[0]}.", hint=FORM)
    check_key(parts["SharedAccessKey"], "SharedAccessKey")
    key = SasKey(policy=parts["SharedAccessKeyName"], key=parts["SharedAccessKey"])
    return event_hub(parts["Endpoint"], parts["EntityPath"], key)


def event_hub(url: str, name: str, key: SasKey) -> EventHub:
    """The event hub at an endpoint.

    url: sb://host[:port]/.  name: of the event hub.  key: of a policy that may listen.  Raises BadValue.
    """
    try:
        address = urlsplit(url)
        host, port = address.hostname, address.port
    except ValueError:
        host, port = None, None
    if not host or address.scheme != "sb":
        raise BadValue(f"Endpoint={url[:60]!r} is not the URL of an Event Hubs endpoint.", hint=FORM)
    endpoint = AmqpEndpoint(host, websocket_path=EVENT_HUB_WEBSOCKET_PATH)
    return EventHub(endpoint=endpoint if port is None else endpoint._replace(port=port), name=name, key=key)


def is_event_hub_string(text: str) -> bool:
    """Whether a connection string is one of Event Hubs."""
    return any(part.strip().lower().startswith("endpoint=") for part in text.strip().strip("\"'").split(";"))


def _parts(text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for piece in filter(None, (each.strip() for each in text.strip().strip("\"'").strip().split(";"))):
        name, equals, value = piece.partition("=")
        if name.strip().lower() in IGNORED_PARTS:
            continue
        known = PARTS.get(name.strip().lower())
        if not equals or known is None:
            raise BadValue(f"The Event Hubs connection string has a part that is none of {', '.join(PARTS.values())}.")
        parts[known] = value.strip()
    return parts


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else -1
