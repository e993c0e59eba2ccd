"""One connection's protocol: packets in, packets and events out. Pure: no socket, no clock, no store.

    NEW --CONNECT--> ADMITTING --accept--> OPEN --DISCONNECT or a fault--> CLOSED
                         |                                                    ^
                         +----------------refuse------------------------------+

Strategy: a table says which packet may come when; what is not in it ends the connection. The service drops a connection
where MQTT would allow an error answer; so does this.
Source: IoT Hub "communicate using MQTT"; OASIS MQTT 3.1.1, whose normative statements are named [MQTT-x].
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import unquote

from azext_iotjobs.localhub.mqtt import packets, topics
from azext_iotjobs.localhub.mqtt.disconnect_log import shown
from azext_iotjobs.localhub.mqtt.filters import fits
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.identity import is_id

MAX_MESSAGE_BYTES = 256 * 1024  # what a device may send at once, IoT Hub quotas
KEEP_ALIVE_CAP_S = 1767.0  # 29.45 minutes, "communicate using MQTT"
GRANTED_QOS = 1  # QoS 2 is granted as 1
MAX_SUBSCRIPTIONS = 50  # ours: five are documented, and what the service does with a sixth is not
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
    is_mistake: bool = True  # of the client's


Effect = Send | Admit | SubscriptionsChanged | Received | Taken | Close


class Session:
    """The protocol of one connection."""

    __slots__ = (
        "_in_flight", "_last_packet_id", "address", "answers_methods", "clean_session", "client_id", "hears_messages",
        "keep_alive_s", "state", "subscriptions", "will",
    )  # fmt: skip

    def __init__(self) -> None:
        self.state = State.NEW
        self.address: Address | None = None
        self.client_id: str | None = None  # as CONNECT has it; None before
        self.clean_session = True
        self.will: packets.Will | None = None
        self.subscriptions: dict[str, int] = {}  # filter -> QoS that was granted
        self.answers_methods = self.hears_messages = False  # what follows from these
        self._in_flight: dict[int, str] = {}  # packet id -> token of a message that is not acknowledged yet
        self._last_packet_id = 0
        self.keep_alive_s: float | None = None  # silence that ends the connection; None before CONNECT

    def on_packet(self, packet: packets.Packet) -> list[Effect]:
        """What to do about a packet from the device. After the end nothing is."""
        if self.state is State.CLOSED:
            return []
        step = _TABLE.get((self.state, type(packet)))
        return step(self, packet) if step else self._close(_out_of_turn(packet, self.state))

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
            own = (each for each in kept_filters if topics.is_own_filter(self._own_address(), each))
            self._listen_to({each: kept_filters[each] for each in own})
        return [Send(packets.Connack(session_present=is_present, return_code=0))]

    def refuse(self, reason: str) -> list[Effect]:
        """The device may not come in. It is not told why: every refusal looks alike."""
        if self.state is not State.ADMITTING:
            return []
        return self._reject(NOT_AUTHORISED, f"it was not let in: {reason}")

    def put_off(self, reason: str, *, is_mistake: bool) -> list[Effect]:
        """The device may come in, but not now."""
        if self.state is not State.ADMITTING:
            return []
        return self._reject(UNAVAILABLE, reason, is_mistake=is_mistake)

    def acknowledge(self, publish: packets.Publish) -> list[Effect]:
        """What a taken message is answered with."""
        return [Send(packets.Puback(publish.packet_id))] if publish.packet_id is not None else []

    def filters(self) -> dict[str, int]:
        """What the device listens to, and with which QoS."""
        return dict(self.subscriptions)

    def qos_of(self, topic: str) -> int | None:
        """With which QoS the device hears of what is sent to one of its own topics: the highest that was granted, as
        filters that overlap make no second message of it. None: it does not listen.
        """
        return max((qos for each, qos in self.subscriptions.items() if fits(each, topic)), default=None)

    def deliver(self, topic: str, payload: bytes, token: str) -> list[Effect]:
        """Send a message that is held under `token`; without QoS there is no acknowledgement to wait for."""
        qos = self.qos_of(topic)
        if qos is None or self.state is not State.OPEN:
            return []
        if qos == 0:
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
            self.client_id = connect.client_id or None
            version = {3: "3.1", 5: "5"}.get(connect.protocol_level, f"level {connect.protocol_level}")
            return self._reject(BAD_PROTOCOL, f"it speaks MQTT {version}; 3.1.1 is spoken here")
        self.client_id = connect.client_id
        address = parse_client_id(connect.client_id)
        if address is None:
            return self._reject(IDENTIFIER_REJECTED, "its client id is neither device nor device/module")
        host = parse_host(connect.username or "", connect.client_id)
        if host is None:
            # Which code the service gives here is not published; 5 is what SDKs read as "do not try again".
            user = "none" if connect.username is None else shown(connect.username)
            return self._reject(
                NOT_AUTHORISED, f"its user name is {user}; it must be HOST/{{client id}}/?api-version=..."
            )
        if connect.will is not None and not _is_event_topic(address, connect.will.topic):
            topic = shown(connect.will.topic)
            return self._reject(NOT_AUTHORISED, f"its will is for {topic}, which is no topic of its telemetry")
        self.address, self.will, self.clean_session = address, connect.will, connect.clean_session
        # Half as long again as promised [MQTT-3.1.2-24]; 0 means "no limit" in MQTT, but the service has one.
        self.keep_alive_s = min(1.5 * connect.keep_alive_s or KEEP_ALIVE_CAP_S, KEEP_ALIVE_CAP_S)
        self.state = State.ADMITTING
        token = (connect.password or b"").decode("utf-8", "replace")
        model_id = parse_model_id(connect.username or "", connect.client_id)
        return [Admit(address, host, token, model_id)]

    def _publish(self, publish: packets.Publish) -> list[Effect]:
        if publish.qos > 1:
            return self._close("it published with QoS 2; 0 and 1 are taken")
        if len(publish.payload) > MAX_MESSAGE_BYTES:
            return self._close(f"it published {len(publish.payload)} bytes; {MAX_MESSAGE_BYTES} are taken")
        meaning = topics.parse(self._own_address(), publish.topic)
        if meaning is None:
            return self._close(f"it published to {shown(publish.topic)}, which is no topic that it may publish to")
        return [Received(meaning, publish)]

    def _subscribe(self, subscribe: packets.Subscribe) -> list[Effect]:
        for name, _ in subscribe.filters:
            if not topics.is_own_filter(self._own_address(), name):
                return self._close(f"it subscribed to {shown(name)}, which covers no topic of its own")
        wanted = {name: min(qos, GRANTED_QOS) for name, qos in subscribe.filters}
        if len(self.subscriptions | wanted) > MAX_SUBSCRIPTIONS:
            return self._close(f"it subscribed to more than {MAX_SUBSCRIPTIONS} filters")
        self._listen_to(self.subscriptions | wanted)
        codes = tuple(min(qos, GRANTED_QOS) for _, qos in subscribe.filters)
        return [Send(packets.Suback(subscribe.packet_id, codes)), SubscriptionsChanged()]

    def _unsubscribe(self, unsubscribe: packets.Unsubscribe) -> list[Effect]:
        gone = set(unsubscribe.filters)
        self._listen_to({name: qos for name, qos in self.subscriptions.items() if name not in gone})
        return [SubscriptionsChanged(), Send(packets.Unsuback(unsubscribe.packet_id))]

    def _listen_to(self, filters: dict[str, int]) -> None:
        self.subscriptions = filters
        self.answers_methods = topics.may_hear_methods(filters)
        self.hears_messages = topics.hears_messages(self._own_address(), filters)

    def _ping(self, _pingreq: packets.Pingreq) -> list[Effect]:
        return [Send(packets.Pingresp())]

    def _take_puback(self, puback: packets.Puback) -> list[Effect]:
        token = self._in_flight.pop(puback.packet_id, None)
        return [] if token is None else [Taken(token)]

    def _disconnect(self, _disconnect: packets.Disconnect) -> list[Effect]:
        self.will = None  # a clean farewell has no will [MQTT-3.14.4-3]
        self.state = State.CLOSED
        return [Close("DISCONNECT", is_mistake=False)]

    def _reject(self, code: int, reason: str, *, is_mistake: bool = True) -> list[Effect]:
        connack = packets.Connack(session_present=False, return_code=code)
        return [Send(connack), *self._close(reason, is_mistake=is_mistake)]

    def _close(self, reason: str, *, is_mistake: bool = True) -> list[Effect]:
        self.state = State.CLOSED
        return [Close(reason, is_mistake)]

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


def _out_of_turn(packet: packets.Packet, state: State) -> str:
    name = type(packet).__name__.upper()
    when = {State.NEW: "before CONNECT", State.OPEN: "where it has no place"}.get(state, f"while {state.value}")
    return f"it sent {name} {when}"


def _is_event_topic(address: Address, topic: str) -> bool:
    return isinstance(topics.parse(address, topic), topics.Telemetry)
