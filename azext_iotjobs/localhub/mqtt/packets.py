"""The packets of MQTT 3.1.1 as values. Pure.

Strategy: a packet that exists is valid. It is checked where it is built, so that the decoder and senders obey the same
rules.
Source: OASIS MQTT 3.1.1; [MQTT-x] names its normative statements.
"""

from dataclasses import dataclass, field

PROTOCOL_LEVEL = 4  # of MQTT 3.1.1, 3.1.2.2
MAX_TEXT_BYTES = 65_535  # its length has two bytes, 1.5.3
_SUBACK_FAILURE = 0x80


class MalformedPacket(ValueError):
    """Bytes or a value that MQTT 3.1.1 does not allow; the connection has to be closed [MQTT-4.8.0-1].

    before: the valid packets that the same feed() completed before the malformed one, in order.
    """

    before: tuple["Packet", ...] = ()


class OversizePacket(MalformedPacket):
    """A packet that announces more bytes than the decoder accepts; its body was not buffered."""


@dataclass(frozen=True)
class Will:
    """The message that the server publishes for a client that disappears without DISCONNECT."""

    topic: str
    payload: bytes
    qos: int  # 0..2
    retain: bool

    def __post_init__(self) -> None:
        _check_topic(self.topic)
        _check_binary(self.payload)
        _check_qos(self.qos)


@dataclass(frozen=True, kw_only=True)
class Connect:
    """The first packet of a client.

    With a protocol_level other than 4 the rest of a received packet follows other rules: at most the client id is read,
    and the other fields have their defaults. The response is CONNACK 1 [MQTT-3.1.2-2].
    """

    client_id: str = ""  # an empty one with clean_session=False is for the server to refuse with 2 [MQTT-3.1.3-8]
    clean_session: bool = True
    keep_alive_s: int = 0  # 0..65535; 0 means none
    username: str | None = None
    password: bytes | None = field(default=None, repr=False)
    will: Will | None = None
    protocol_level: int = PROTOCOL_LEVEL  # 0..255

    def __post_init__(self) -> None:
        require(0 <= self.keep_alive_s <= 0xFFFF, "keep alive is more than 65535 seconds")
        require(0 <= self.protocol_level <= 0xFF, "protocol level does not fit one byte")
        require(self.username is not None or self.password is None, "password without user name")  # [MQTT-3.1.2-22]
        _check_text(self.client_id)
        _check_text(self.username or "")
        _check_binary(self.password or b"")


@dataclass(frozen=True)
class Connack:
    """The response to CONNECT; 0 accepts."""

    session_present: bool
    return_code: int  # 0..5

    def __post_init__(self) -> None:
        require(0 <= self.return_code <= 5, "reserved CONNACK return code")
        require(not (self.session_present and self.return_code), "a refusal has no session")  # [MQTT-3.2.2-4]


@dataclass(frozen=True)
class Publish:
    """A message under a topic, in either direction."""

    topic: str  # no wildcards
    payload: bytes
    qos: int = 0  # 0..2
    retain: bool = False
    dup: bool = False
    packet_id: int | None = None  # None exactly when qos is 0

    def __post_init__(self) -> None:
        _check_topic(self.topic)
        _check_qos(self.qos)
        require((self.packet_id is None) == (self.qos == 0), "a packet id belongs to QoS 1 and 2 alone")
        require(self.qos > 0 or not self.dup, "DUP with QoS 0")  # [MQTT-3.3.1-2]
        if self.packet_id is not None:
            _check_packet_id(self.packet_id)


@dataclass(frozen=True)
class Acknowledgement:
    """A packet with nothing but the id of another."""

    packet_id: int  # 1..65535

    def __post_init__(self) -> None:
        _check_packet_id(self.packet_id)


class Puback(Acknowledgement):
    """QoS 1, acknowledgement."""


class Pubrec(Acknowledgement):
    """QoS 2, received."""


class Pubrel(Acknowledgement):
    """QoS 2, release."""


class Pubcomp(Acknowledgement):
    """QoS 2, complete."""


class Unsuback(Acknowledgement):
    """The response to UNSUBSCRIBE."""


@dataclass(frozen=True)
class Subscribe:
    """Subscribes to filters."""

    packet_id: int  # 1..65535
    filters: tuple[tuple[str, int], ...]  # (topic filter, requested QoS 0..2), at least one

    def __post_init__(self) -> None:
        _check_packet_id(self.packet_id)
        require(len(self.filters) > 0, "SUBSCRIBE without a filter")  # [MQTT-3.8.3-3]
        for topic_filter, qos in self.filters:
            _check_filter(topic_filter)
            _check_qos(qos)


@dataclass(frozen=True)
class Suback:
    """One granted QoS, or 0x80 for a refusal, for each filter in order."""

    packet_id: int  # 1..65535
    codes: tuple[int, ...]

    def __post_init__(self) -> None:
        _check_packet_id(self.packet_id)
        require(len(self.codes) > 0, "SUBACK without a code")
        require(all(code in (0, 1, 2, _SUBACK_FAILURE) for code in self.codes), "reserved SUBACK code")


@dataclass(frozen=True)
class Unsubscribe:
    """Unsubscribes from filters."""

    packet_id: int  # 1..65535
    filters: tuple[str, ...]  # at least one

    def __post_init__(self) -> None:
        _check_packet_id(self.packet_id)
        require(len(self.filters) > 0, "UNSUBSCRIBE without a filter")  # [MQTT-3.10.3-2]
        for topic_filter in self.filters:
            _check_filter(topic_filter)


@dataclass(frozen=True)
class Pingreq:
    """A sign of life of the client."""


@dataclass(frozen=True)
class Pingresp:
    """The response to PINGREQ."""


@dataclass(frozen=True)
class Disconnect:
    """The client ends the connection; its will is not published."""


Packet = (
    Connect
    | Connack
    | Publish
    | Puback
    | Pubrec
    | Pubrel
    | Pubcomp
    | Subscribe
    | Suback
    | Unsubscribe
    | Unsuback
    | Pingreq
    | Pingresp
    | Disconnect
)


def require(condition: bool, error: str) -> None:
    """Raise MalformedPacket unless the condition holds."""
    if not condition:
        raise MalformedPacket(error)


def _check_binary(value: bytes) -> None:
    require(len(value) <= MAX_TEXT_BYTES, f"a field of more than {MAX_TEXT_BYTES} bytes")


def _check_text(value: str) -> None:
    try:
        encoded = value.encode("utf-8")
    except UnicodeEncodeError as err:
        raise MalformedPacket("text has no UTF-8 form") from err
    _check_binary(encoded)
    require("\0" not in value, "U+0000 in text")  # [MQTT-1.5.3-2]


def _check_topic(topic: str) -> None:
    _check_text(topic)
    require(topic != "", "empty topic")  # [MQTT-4.7.3-1]
    require("+" not in topic and "#" not in topic, "wildcard in a topic that is published to")  # [MQTT-3.3.2-2]


def _check_filter(topic_filter: str) -> None:
    _check_text(topic_filter)
    require(topic_filter != "", "empty topic filter")  # [MQTT-4.7.3-1]
    *parents, last = topic_filter.split("/")
    require(last == "#" or "#" not in last, "# is not a whole level")  # [MQTT-4.7.1-2]
    require(all("#" not in level for level in parents), "# is not the last level")  # [MQTT-4.7.1-2]
    require(all(level == "+" or "+" not in level for level in [*parents, last]), "+ is not a whole level")  # -3


def _check_qos(qos: int) -> None:
    require(qos in (0, 1, 2), "reserved QoS")  # [MQTT-3.3.1-4, -3.1.2-14, -3.8.3-4]


def _check_packet_id(packet_id: int) -> None:
    require(1 <= packet_id <= 0xFFFF, "packet id is not within 1..65535")  # [MQTT-2.3.1-1]
