"""One connection's protocol: packets in, packets and events out. Pure: no socket, no clock, no store.

    NEW --CONNECT--> ADMITTING --accept--> OPEN --DISCONNECT or a fault--> CLOSED
                         |                                                    ^
                         +----------------refuse------------------------------+

The service drops a connection where MQTT would allow an error answer; so does this.
"""

from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import parse_qs

from azext_iotjobs.localhub.address import Address
from azext_iotjobs.localhub.mqtt import packets, topics

MAX_SUBSCRIPTIONS = 5  # per connection, IoT Hub "communicate using MQTT"; a sixth ends the connection
KEEP_ALIVE_CAP_S = 1767.0  # 29.45 minutes, the same page
GRANTED_QOS = 1  # QoS 2 is granted as 1
BAD_PROTOCOL, IDENTIFIER_REJECTED, NOT_AUTHORISED = 1, 2, 5  # CONNACK codes


class State(Enum):
    """Where a connection stands."""

    NEW = "new"
    ADMITTING = "admitting"
    OPEN = "open"
    CLOSED = "closed"


# --- what a session tells its surroundings to do


@dataclass(frozen=True)
class Send:
    """Send a packet."""

    packet: packets.Packet


@dataclass(frozen=True)
class Admit:
    """Check who this is; then call `accept` or `refuse`."""

    address: Address
    host: str
    token: str = field(repr=False)


@dataclass(frozen=True)
class Listening:
    """The device subscribed to something."""

    subscription: topics.Subscription


@dataclass(frozen=True)
class Received:
    """The device published something; acknowledge QoS 1 with `acknowledge` when it is taken."""

    meaning: topics.Meaning
    publish: packets.Publish


@dataclass(frozen=True)
class Close:
    """End the connection; `reason` is for the log."""

    reason: str


Effect = Send | Admit | Listening | Received | Close


class Session:
    """The protocol of one connection."""

    def __init__(self) -> None:
        self.state = State.NEW
        self.address: Address | None = None
        self.will: packets.Will | None = None
        self.subscriptions: dict[topics.Subscription, str] = {}
        self.keep_alive_s: float | None = None  # silence that ends the connection; None before CONNECT

    def on_packet(self, packet: packets.Packet) -> list[Effect]:
        """What to do about a packet from the device."""
        if self.state is State.CLOSED:
            return []
        if self.state is State.NEW:
            return self._connect(packet) if isinstance(packet, packets.Connect) else self._close("no CONNECT first")
        if self.state is State.ADMITTING:
            return self._close("did not wait for CONNACK")
        return self._on_open(packet)

    def accept(self) -> list[Effect]:
        """The device may come in."""
        if self.state is not State.ADMITTING:
            return []
        self.state = State.OPEN
        return [Send(packets.Connack(session_present=False, return_code=0))]

    def refuse(self) -> list[Effect]:
        """The device may not come in."""
        if self.state is not State.ADMITTING:
            return []
        return self._reject(NOT_AUTHORISED, "not authorised")

    def _connect(self, connect: packets.Connect) -> list[Effect]:
        if connect.protocol_level != packets.PROTOCOL_LEVEL:
            return self._reject(BAD_PROTOCOL, f"protocol level {connect.protocol_level}")
        address = parse_client_id(connect.client_id)
        if address is None:
            return self._reject(IDENTIFIER_REJECTED, "no client id")
        named = parse_username(connect.username or "")
        if named is None or named[1] != address:
            # Which code the service gives here is not published; 5 is what SDKs read as "do not try again".
            return self._reject(NOT_AUTHORISED, "user name and client id do not fit")
        if connect.will is not None and not self._is_event_topic(address, connect.will.topic):
            return self._reject(NOT_AUTHORISED, "will on a topic that is not the device's own")
        self.address, self.will = address, connect.will
        # Half as long again as promised [MQTT-3.1.2-24]; 0 means "no limit" in MQTT, but the service has one.
        self.keep_alive_s = min(1.5 * connect.keep_alive_s or KEEP_ALIVE_CAP_S, KEEP_ALIVE_CAP_S)
        self.state = State.ADMITTING
        token = (connect.password or b"").decode("utf-8", "replace")
        return [Admit(address, named[0], token)]

    def _on_open(self, packet: packets.Packet) -> list[Effect]:
        match packet:
            case packets.Publish():
                return self._publish(packet)
            case packets.Subscribe():
                return self._subscribe(packet)
            case packets.Unsubscribe():
                return self._unsubscribe(packet)
            case packets.Pingreq():
                return [Send(packets.Pingresp())]
            case packets.Puback():
                return []
            case packets.Disconnect():
                self.will = None  # a clean farewell has no will [MQTT-3.14.4-3]
                return self._close("DISCONNECT")
            case _:
                return self._close(f"{type(packet).__name__} is not for a device to send now")

    def _publish(self, publish: packets.Publish) -> list[Effect]:
        if publish.qos > 1:
            return self._close("QoS 2")
        assert self.address is not None
        meaning = topics.parse(self.address, publish.topic)
        return [Received(meaning, publish)] if meaning else self._close("published to a topic that is not allowed")

    def acknowledge(self, publish: packets.Publish) -> list[Effect]:
        """What a taken message is answered with."""
        return [Send(packets.Puback(publish.packet_id))] if publish.packet_id is not None else []

    def _subscribe(self, subscribe: packets.Subscribe) -> list[Effect]:
        assert self.address is not None
        wanted = {name: topics.parse_filter(self.address, name) for name, _ in subscribe.filters}
        if None in wanted.values():
            return self._close("subscribed to a topic that is not allowed")
        known = {kind: name for name, kind in wanted.items() if kind is not None}
        if len(self.subscriptions.keys() | known.keys()) > MAX_SUBSCRIPTIONS:
            return self._close("too many subscriptions")
        self.subscriptions.update(known)
        codes = tuple(min(qos, GRANTED_QOS) for _, qos in subscribe.filters)
        return [Send(packets.Suback(subscribe.packet_id, codes)), *(Listening(kind) for kind in known)]

    def _unsubscribe(self, unsubscribe: packets.Unsubscribe) -> list[Effect]:
        names = set(unsubscribe.filters)
        self.subscriptions = {kind: name for kind, name in self.subscriptions.items() if name not in names}
        return [Send(packets.Unsuback(unsubscribe.packet_id))]

    def _reject(self, code: int, reason: str) -> list[Effect]:
        return [Send(packets.Connack(session_present=False, return_code=code)), *self._close(reason)]

    def _close(self, reason: str) -> list[Effect]:
        self.state = State.CLOSED
        return [Close(reason)]

    def _is_event_topic(self, address: Address, topic: str) -> bool:
        return isinstance(topics.parse(address, topic), topics.Telemetry)


def parse_client_id(text: str) -> Address | None:
    """ "device" or "device/module"; None for an empty one."""
    device, _, module = text.partition("/")
    return Address(device, module or None) if device else None


def parse_username(text: str) -> tuple[str, Address] | None:
    """The host and the address of a user name: host/device[/module]/?api-version=…

    The query may be missing, and an old form has it without "?". None when it does not parse.
    """
    path, _, query = text.partition("/?")
    parts = path.split("/")
    if len(parts) > 2 and parts[-1].startswith(("api-version=", "DeviceClientType=")):
        query = parts.pop()
    if not 2 <= len(parts) <= 3 or not all(parts):
        return None
    if query and not parse_qs(query):
        return None
    return parts[0], Address(parts[1], parts[2] if len(parts) == 3 else None)
