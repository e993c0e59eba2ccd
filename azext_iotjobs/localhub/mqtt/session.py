"""One connection's protocol: packets in, packets and events out. Pure: no socket, no clock, no store.

    NEW --CONNECT--> ADMITTING --accept--> OPEN --DISCONNECT or a fault--> CLOSED
                         |                                                    ^
                         +----------------refuse------------------------------+

Strategy: a table says which packet may come when; what is not in it ends the connection. The service drops a connection
where MQTT would allow an error answer; so does this.
Source: IoT Hub "communicate using MQTT"; OASIS MQTT 3.1.1, whose normative statements are named [MQTT-x].
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple
from urllib.parse import unquote

from azext_iotjobs.localhub.address import Address
from azext_iotjobs.localhub.mqtt import packets, topics
from azext_iotjobs.localhub.rules.identity import is_id

MAX_MESSAGE_BYTES = 256 * 1024  # what a device may send at once, IoT Hub quotas
KEEP_ALIVE_CAP_S = 1767.0  # 29.45 minutes, "communicate using MQTT"
GRANTED_QOS = 1  # QoS 2 is granted as 1
BAD_PROTOCOL, IDENTIFIER_REJECTED, UNAVAILABLE, NOT_AUTHORISED = 1, 2, 3, 5  # CONNACK codes
_QUERY_STARTS = ("?", "api-version=", "DeviceClientType=")  # an old C SDK leaves the "?" out


class State(Enum):
    """Where a connection stands."""

    NEW = "new"
    ADMITTING = "admitting"
    OPEN = "open"
    CLOSED = "closed"


# --- what a session tells its surroundings to do


@dataclass(frozen=True, slots=True)
class Send:
    """Send a packet."""

    packet: packets.Packet


@dataclass(frozen=True, slots=True)
class Admit:
    """Check who this is; then call `accept`, `refuse` or `put_off`."""

    address: Address
    host: str
    token: str = field(repr=False)
    model_id: str | None = None  # that the device announces


@dataclass(frozen=True, slots=True)
class SubscriptionsChanged:
    """The device listens to something else than before."""


@dataclass(frozen=True, slots=True)
class Received:
    """The device published something; send what `acknowledge` gives when it is taken."""

    meaning: topics.Meaning
    publish: packets.Publish


@dataclass(frozen=True, slots=True)
class Taken:
    """The device has acknowledged the message that was delivered under this token."""

    token: str


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection; `reason` is for the log."""

    reason: str


Effect = Send | Admit | SubscriptionsChanged | Received | Taken | Close


class Granted(NamedTuple):
    """A subscription: the filter that named it, and the QoS that was granted."""

    filter: str
    qos: int


class Session:
    """The protocol of one connection."""

    __slots__ = (
        "_in_flight", "_last_packet_id", "address", "clean_session", "keep_alive_s", "state", "subscriptions", "will",
    )  # fmt: skip

    def __init__(self) -> None:
        self.state = State.NEW
        self.address: Address | None = None
        self.clean_session = True
        self.will: packets.Will | None = None
        self.subscriptions: dict[topics.Subscription, Granted] = {}
        self._in_flight: dict[int, str] = {}  # packet id -> token of a message that is not acknowledged yet
        self._last_packet_id = 0
        self.keep_alive_s: float | None = None  # silence that ends the connection; None before CONNECT

    def on_packet(self, packet: packets.Packet) -> list[Effect]:
        """What to do about a packet from the device. After the end nothing is."""
        if self.state is State.CLOSED:
            return []
        step = _TABLE.get((self.state, type(packet)))
        return step(self, packet) if step else self._close(f"{type(packet).__name__} while {self.state.value}")

    def accept(self, kept_filters: Mapping[str, int] | None) -> list[Effect]:
        """The device may come in.

        kept_filters: what it listened to when it was here last, with the QoS; None when nothing is known. A clean
        session starts without; SDKs that start no clean one do not subscribe again.
        """
        if self.state is not State.ADMITTING:
            return []
        self.state = State.OPEN
        is_present = kept_filters is not None and not self.clean_session
        if kept_filters is not None and is_present:
            self.subscriptions = _subscriptions(self._own_address(), kept_filters.items()) or {}
        return [Send(packets.Connack(session_present=is_present, return_code=0))]

    def refuse(self) -> list[Effect]:
        """The device may not come in. It is not told why: every refusal looks alike."""
        if self.state is not State.ADMITTING:
            return []
        return self._reject(NOT_AUTHORISED, "not authorised")

    def put_off(self) -> list[Effect]:
        """The device may come in, but not now."""
        if self.state is not State.ADMITTING:
            return []
        return self._reject(UNAVAILABLE, "too many connections at once")

    def acknowledge(self, publish: packets.Publish) -> list[Effect]:
        """What a taken message is answered with."""
        return [Send(packets.Puback(publish.packet_id))] if publish.packet_id is not None else []

    def filters(self) -> dict[str, int]:
        """What the device listens to, and with which QoS."""
        return dict(self.subscriptions.values())

    def deliver(self, topic: str, payload: bytes, token: str) -> list[Effect]:
        """Send a message that is held under `token`; without QoS there is no acknowledgement to wait for."""
        granted = self.subscriptions.get(topics.Subscription.MESSAGES)
        if granted is None or self.state is not State.OPEN:
            return []
        if granted.qos == 0:
            return [Send(packets.Publish(topic, payload)), Taken(token)]
        packet_id = self._next_packet_id()
        self._in_flight[packet_id] = token
        return [Send(packets.Publish(topic, payload, qos=1, packet_id=packet_id))]

    def _next_packet_id(self) -> int:
        # A device has far fewer messages than there are ids: one is always free.
        while True:
            self._last_packet_id = self._last_packet_id % 0xFFFF + 1
            if self._last_packet_id not in self._in_flight:
                return self._last_packet_id

    def _connect(self, connect: packets.Connect) -> list[Effect]:
        if connect.protocol_level != packets.PROTOCOL_LEVEL:
            return self._reject(BAD_PROTOCOL, f"protocol level {connect.protocol_level}")
        address = parse_client_id(connect.client_id)
        if address is None:
            return self._reject(IDENTIFIER_REJECTED, "the client id names no device")
        host = parse_host(connect.username or "", connect.client_id)
        if host is None:
            # Which code the service gives here is not published; 5 is what SDKs read as "do not try again".
            return self._reject(NOT_AUTHORISED, "user name and client id do not fit")
        if connect.will is not None and not _is_event_topic(address, connect.will.topic):
            return self._reject(NOT_AUTHORISED, "will on a topic that is not the device's own")
        self.address, self.will, self.clean_session = address, connect.will, connect.clean_session
        # Half as long again as promised [MQTT-3.1.2-24]; 0 means "no limit" in MQTT, but the service has one.
        self.keep_alive_s = min(1.5 * connect.keep_alive_s or KEEP_ALIVE_CAP_S, KEEP_ALIVE_CAP_S)
        self.state = State.ADMITTING
        token = (connect.password or b"").decode("utf-8", "replace")
        model_id = parse_model_id(connect.username or "", connect.client_id)
        return [Admit(address, host, token, model_id)]

    def _publish(self, publish: packets.Publish) -> list[Effect]:
        if publish.qos > 1:
            return self._close("QoS 2")
        if len(publish.payload) > MAX_MESSAGE_BYTES:
            return self._close("published more than 256 KB")
        meaning = topics.parse(self._own_address(), publish.topic)
        return [Received(meaning, publish)] if meaning else self._close("published to a topic that is not allowed")

    def _subscribe(self, subscribe: packets.Subscribe) -> list[Effect]:
        # The service allows five subscriptions; these are never more, as one kind has one filter.
        asked = [(name, min(qos, GRANTED_QOS)) for name, qos in subscribe.filters]
        wanted = _subscriptions(self._own_address(), asked)
        if wanted is None:
            return self._close("subscribed to a topic that is not allowed")
        self.subscriptions.update(wanted)
        codes = tuple(qos for _, qos in asked)
        return [Send(packets.Suback(subscribe.packet_id, codes)), SubscriptionsChanged()]

    def _unsubscribe(self, unsubscribe: packets.Unsubscribe) -> list[Effect]:
        names = set(unsubscribe.filters)
        self.subscriptions = {
            kind: granted for kind, granted in self.subscriptions.items() if granted.filter not in names
        }
        return [SubscriptionsChanged(), Send(packets.Unsuback(unsubscribe.packet_id))]

    def _ping(self, _pingreq: packets.Pingreq) -> list[Effect]:
        return [Send(packets.Pingresp())]

    def _take_puback(self, puback: packets.Puback) -> list[Effect]:
        token = self._in_flight.pop(puback.packet_id, None)
        return [] if token is None else [Taken(token)]

    def _disconnect(self, _disconnect: packets.Disconnect) -> list[Effect]:
        self.will = None  # a clean farewell has no will [MQTT-3.14.4-3]
        return self._close("DISCONNECT")

    def _reject(self, code: int, reason: str) -> list[Effect]:
        return [Send(packets.Connack(session_present=False, return_code=code)), *self._close(reason)]

    def _close(self, reason: str) -> list[Effect]:
        self.state = State.CLOSED
        return [Close(reason)]

    def _own_address(self) -> Address:
        assert self.address is not None  # a CONNECT that names none goes no further than NEW
        return self.address


# In ADMITTING nothing may come: who feeds a session answers Admit first. After CLOSED nothing follows from anything.
_TABLE: Mapping[tuple[State, type], Callable[..., list[Effect]]] = {
    (State.NEW, packets.Connect): Session._connect,
    (State.OPEN, packets.Publish): Session._publish,
    (State.OPEN, packets.Puback): Session._take_puback,
    (State.OPEN, packets.Subscribe): Session._subscribe,
    (State.OPEN, packets.Unsubscribe): Session._unsubscribe,
    (State.OPEN, packets.Pingreq): Session._ping,
    (State.OPEN, packets.Disconnect): Session._disconnect,
}


def parse_client_id(text: str) -> Address | None:
    """ "device" or "device/module"; None for one that can name neither."""
    device, slash, module = text.partition("/")
    if not is_id(device) or (slash and not is_id(module)):
        return None
    return Address(device, module or None)


def parse_host(username: str, client_id: str) -> str | None:
    """The host of a user name: host/device[/module]/?api-version=…

    The query may be missing, and an old form has it without "?". None when it does not name this client.
    """
    # An id may hold "?" and "=": it is not looked for, it is known.
    host, _, rest = username.partition("/")
    name, tail = rest[: len(client_id)], rest[len(client_id) :]
    fits = tail in ("", "/") or (tail[0] == "/" and tail[1:].startswith(_QUERY_STARTS))
    return host if host and name == client_id and fits else None


def parse_model_id(username: str, client_id: str) -> str | None:
    """The model that a user name of `parse_host`'s form announces; None when it announces none."""
    query = username.partition("/")[2][len(client_id) :].lstrip("/?")
    named = dict(part.partition("=")[::2] for part in query.split("&"))
    return unquote(named["model-id"]) or None if "model-id" in named else None


def _subscriptions(
    address: Address, filters: Iterable[tuple[str, int]]
) -> dict[topics.Subscription, Granted] | None:  # fmt: skip
    """None when one of the filters is not for this address."""
    found = [(topics.parse_filter(address, name), Granted(name, qos)) for name, qos in filters]
    known = {kind: granted for kind, granted in found if kind is not None}
    return known if all(kind is not None for kind, _ in found) else None


def _is_event_topic(address: Address, topic: str) -> bool:
    return isinstance(topics.parse(address, topic), topics.Telemetry)
