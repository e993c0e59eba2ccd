"""The MQTT protocol of one connection: packets in, effects out. Pure: no socket, no clock, no store.

    NEW --CONNECT--> AUTHENTICATING --accept--> OPEN --DISCONNECT or an error--> CLOSED
                           |                                                       ^
                           +------------------refuse, defer------------------------+

Strategy: a table says which packet is allowed in which state; any other ends the connection. The service drops a
connection where MQTT would allow an error response; so does this hub.
Source: IoT Hub "communicate using MQTT"; OASIS MQTT 3.1.1, whose normative statements are named [MQTT-x].
"""

from collections.abc import Callable, Mapping
from enum import Enum

from azext_iotjobs.localhub.mqtt import packets, topics
from azext_iotjobs.localhub.mqtt.connect_fields import parse_client_id, parse_host, parse_model_id
from azext_iotjobs.localhub.mqtt.effects import (
    Acknowledged,
    Authenticate,
    Close,
    Effect,
    Received,
    Send,
    SubscriptionsChanged,
)
from azext_iotjobs.localhub.mqtt.filters import matches
from azext_iotjobs.localhub.process.disconnect_log import quoted
from azext_iotjobs.localhub.rules.address import Address

MAX_MESSAGE_BYTES = 256 * 1024  # of one message from a device, IoT Hub quotas
KEEP_ALIVE_CAP_S = 1767.0  # 29.45 minutes, "communicate using MQTT"
GRANTED_QOS = 1  # QoS 2 is granted as 1
MAX_SUBSCRIPTIONS = 50  # ours: five are documented, and what the service does with a sixth is not
BAD_PROTOCOL, IDENTIFIER_REJECTED, UNAVAILABLE, NOT_AUTHORISED = 1, 2, 3, 5  # CONNACK codes


class State(Enum):
    """The state of a connection; the value is for messages."""

    NEW = "new"
    AUTHENTICATING = "authenticating"
    OPEN = "open"
    CLOSED = "closed"


class Session:
    """The protocol of one connection."""

    __slots__ = tuple(
        "_in_flight _last_packet_id accepts_messages accepts_methods address clean_session client_id keep_alive_s "
        "state subscriptions will".split()
    )

    def __init__(self) -> None:
        self.state = State.NEW
        self.address: Address | None = None
        self.client_id: str | None = None  # as CONNECT has it; None before
        self.clean_session = True
        self.will: packets.Will | None = None
        self.subscriptions: dict[str, int] = {}  # filter -> granted QoS
        self.accepts_methods = self.accepts_messages = False  # follow from the subscriptions
        self._in_flight: dict[int, str] = {}  # packet id -> lock token of a message that is not acknowledged yet
        self._last_packet_id = 0
        self.keep_alive_s: float | None = None  # silence that ends the connection; None before CONNECT

    def on_packet(self, packet: packets.Packet) -> list[Effect]:
        """What to do about a packet from the device; nothing once the session is closed."""
        if self.state is State.CLOSED:
            return []
        step = _TABLE.get((self.state, type(packet)))
        return step(self, packet) if step else self._close(_unexpected(packet, self.state))

    def accept(self, stored_filters: Mapping[str, int] | None) -> list[Effect]:
        """The device may connect.

        stored_filters: the subscriptions of its last session, with their QoS; None when there is none. A clean session
        starts without them; SDKs that do not start a clean one do not subscribe again.
        """
        if self.state is not State.AUTHENTICATING:
            return []
        self.state = State.OPEN
        is_present = stored_filters is not None and not self.clean_session
        if stored_filters is not None and is_present:
            own = (each for each in stored_filters if topics.is_own_filter(self._own_address(), each))
            self._set_subscriptions({each: stored_filters[each] for each in own})
        return [Send(packets.Connack(session_present=is_present, return_code=0))]

    def refuse(self, reason: str) -> list[Effect]:
        """The device may not connect. It does not learn why: every refusal has the same code."""
        if self.state is not State.AUTHENTICATING:
            return []
        return self._reject(NOT_AUTHORISED, f"it was not let in: {reason}")

    def defer(self, reason: str, *, is_client_error: bool) -> list[Effect]:
        """The device may connect, but not now."""
        if self.state is not State.AUTHENTICATING:
            return []
        return self._reject(UNAVAILABLE, reason, is_client_error=is_client_error)

    def acknowledge(self, publish: packets.Publish) -> list[Effect]:
        """The acknowledgement of a message that was processed."""
        return [Send(packets.Puback(publish.packet_id))] if publish.packet_id is not None else []

    def filters(self) -> dict[str, int]:
        """The device's subscriptions, with their QoS."""
        return dict(self.subscriptions)

    def qos_of(self, topic: str) -> int | None:
        """The QoS with which the device receives what is sent to one of its topics; None: it has not subscribed.

        It is the highest that was granted: overlapping filters do not cause a second copy of a message.
        """
        return max((qos for each, qos in self.subscriptions.items() if matches(each, topic)), default=None)

    def deliver(self, topic: str, payload: bytes, token: str) -> list[Effect]:
        """Send a message that is locked under `token`; with QoS 0 there is no acknowledgement to wait for."""
        qos = self.qos_of(topic)
        if qos is None or self.state is not State.OPEN:
            return []
        if qos == 0:
            return [Send(packets.Publish(topic, payload)), Acknowledged(token)]
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
            return self._reject(BAD_PROTOCOL, f"it speaks MQTT {version}; this hub speaks 3.1.1")
        self.client_id = connect.client_id
        address = parse_client_id(connect.client_id)
        if address is None:
            return self._reject(IDENTIFIER_REJECTED, "its client id is neither device nor device/module")
        host = parse_host(connect.username or "", connect.client_id)
        if host is None:
            # Which code the service gives here is not published; 5 is what SDKs read as "do not try again".
            user = "none" if connect.username is None else quoted(connect.username)
            return self._reject(
                NOT_AUTHORISED, f"its user name is {user}; it must be HOST/{{client id}}/?api-version=..."
            )
        if connect.will is not None and not _is_event_topic(address, connect.will.topic):
            topic = quoted(connect.will.topic)
            return self._reject(NOT_AUTHORISED, f"its will is for {topic}, which is not a topic of its telemetry")
        self.address, self.will, self.clean_session = address, connect.will, connect.clean_session
        # One and a half times the interval [MQTT-3.1.2-24]; 0 means "no limit" in MQTT, but the service has one.
        self.keep_alive_s = min(1.5 * connect.keep_alive_s or KEEP_ALIVE_CAP_S, KEEP_ALIVE_CAP_S)
        self.state = State.AUTHENTICATING
        token = (connect.password or b"").decode("utf-8", "replace")
        model_id = parse_model_id(connect.username or "", connect.client_id)
        return [Authenticate(address, host, token, model_id)]

    def _publish(self, publish: packets.Publish) -> list[Effect]:
        if publish.qos > 1:
            return self._close("it published with QoS 2; 0 and 1 are accepted")
        if len(publish.payload) > MAX_MESSAGE_BYTES:
            return self._close(f"it published {len(publish.payload)} bytes; at most {MAX_MESSAGE_BYTES} are accepted")
        topic = topics.parse(self._own_address(), publish.topic)
        if topic is None:
            return self._close(f"it published to {quoted(publish.topic)}, which is not a topic that it may publish to")
        return [Received(topic, publish)]

    def _subscribe(self, subscribe: packets.Subscribe) -> list[Effect]:
        for name, _ in subscribe.filters:
            if not topics.is_own_filter(self._own_address(), name):
                return self._close(f"it subscribed to {quoted(name)}, which covers none of its own topics")
        added = {name: min(qos, GRANTED_QOS) for name, qos in subscribe.filters}
        if len(self.subscriptions | added) > MAX_SUBSCRIPTIONS:
            return self._close(f"it subscribed to more than {MAX_SUBSCRIPTIONS} filters")
        self._set_subscriptions(self.subscriptions | added)
        codes = tuple(min(qos, GRANTED_QOS) for _, qos in subscribe.filters)
        return [Send(packets.Suback(subscribe.packet_id, codes)), SubscriptionsChanged()]

    def _unsubscribe(self, unsubscribe: packets.Unsubscribe) -> list[Effect]:
        removed = set(unsubscribe.filters)
        self._set_subscriptions({name: qos for name, qos in self.subscriptions.items() if name not in removed})
        return [SubscriptionsChanged(), Send(packets.Unsuback(unsubscribe.packet_id))]

    def _set_subscriptions(self, filters: dict[str, int]) -> None:
        self.subscriptions = filters
        self.accepts_methods = topics.may_match_methods(filters)
        self.accepts_messages = topics.accepts_messages(self._own_address(), filters)

    def _ping(self, _pingreq: packets.Pingreq) -> list[Effect]:
        return [Send(packets.Pingresp())]

    def _take_puback(self, puback: packets.Puback) -> list[Effect]:
        token = self._in_flight.pop(puback.packet_id, None)
        return [] if token is None else [Acknowledged(token)]

    def _disconnect(self, _disconnect: packets.Disconnect) -> list[Effect]:
        self.will = None  # after DISCONNECT the will is not published [MQTT-3.14.4-3]
        self.state = State.CLOSED
        return [Close("it sent DISCONNECT", is_client_error=False)]

    def _reject(self, code: int, reason: str, *, is_client_error: bool = True) -> list[Effect]:
        connack = packets.Connack(session_present=False, return_code=code)
        return [Send(connack), *self._close(reason, is_client_error=is_client_error)]

    def _close(self, reason: str, *, is_client_error: bool = True) -> list[Effect]:
        self.state = State.CLOSED
        return [Close(reason, is_client_error)]

    def _own_address(self) -> Address:
        assert self.address is not None  # a CONNECT without one does not get past NEW
        return self.address


# In AUTHENTICATING no packet is allowed: whoever feeds a session handles Authenticate first. CLOSED is final.
_TABLE: Mapping[tuple[State, type], Callable[..., list[Effect]]] = {
    (State.NEW, packets.Connect): Session._connect,
    (State.OPEN, packets.Publish): Session._publish,
    (State.OPEN, packets.Puback): Session._take_puback,
    (State.OPEN, packets.Subscribe): Session._subscribe,
    (State.OPEN, packets.Unsubscribe): Session._unsubscribe,
    (State.OPEN, packets.Pingreq): Session._ping,
    (State.OPEN, packets.Disconnect): Session._disconnect,
}


def _unexpected(packet: packets.Packet, state: State) -> str:
    name = type(packet).__name__.upper()
    when = {State.NEW: "before CONNECT", State.OPEN: "where it has no place"}.get(state, f"while {state.value}")
    return f"it sent {name} {when}"


def _is_event_topic(address: Address, topic: str) -> bool:
    return isinstance(topics.parse(address, topic), topics.Telemetry)
