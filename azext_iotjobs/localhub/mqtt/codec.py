"""MQTT 3.1.1: bytes <-> packets, both directions. Pure: no socket, no clock.

The content of a packet is checked where it is built; what only exists on the wire (reserved bits, lengths, bytes left
over) is checked here.
Source: OASIS MQTT 3.1.1; [MQTT-x] names its normative statements.
"""

from collections.abc import Callable, Iterator

from azext_iotjobs.localhub.mqtt.packets import (
    PROTOCOL_LEVEL,
    Acknowledgement,
    Connack,
    Connect,
    Disconnect,
    MalformedPacket,
    OversizePacket,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    Will,
    require,
)

MAX_REMAINING_BYTES = 268_435_455  # four bytes of seven bits, 2.2.3


def encode(packet: Packet) -> bytes:
    """A packet as it goes on the wire.

    Raises MalformedPacket if it would need more than 268,435,455 bytes after its header.
    """
    kind, flags = _KINDS[type(packet)], _REQUIRED_FLAGS.get(type(packet), 0)
    if isinstance(packet, Publish):
        flags = packet.dup << 3 | packet.qos << 1 | packet.retain
    body = _body(packet)
    require(len(body) <= MAX_REMAINING_BYTES, "packet too large for MQTT")
    size = len(body)
    if size <= 0x7F:  # most packets
        return bytes((kind << 4 | flags, size)) + body
    return bytes([kind << 4 | flags, *_length_bytes(size)]) + body


class Decoder:
    """Bytes in pieces of any size -> packets.

    max_packet_bytes: of the largest accepted packet, header included; no more than that is ever buffered.
    After a MalformedPacket it accepts nothing more: it is unknown where the next packet would begin.
    """

    __slots__ = ("_broken", "_buffer", "_max_packet_bytes")

    def __init__(self, max_packet_bytes: int) -> None:
        self._max_packet_bytes = max_packet_bytes
        self._buffer = bytearray()
        self._broken = False

    def feed(self, data: bytes) -> list[Packet]:
        """The packets that these bytes complete, in order; [] when none is complete yet.

        Raises MalformedPacket, whose `before` has the valid packets before the malformed one; OversizePacket as soon as
        a header announces too much, before the body has arrived.
        """
        require(not self._broken, "bytes after a malformed packet")
        self._buffer += data
        packets: list[Packet] = []
        try:
            while (packet := self._next_packet()) is not None:
                packets.append(packet)
        except MalformedPacket as err:
            self._broken = True
            self._buffer.clear()
            err.before = tuple(packets)
            raise
        return packets

    def _next_packet(self) -> Packet | None:
        if not self._buffer:
            return None
        kind, flags = self._buffer[0] >> 4, self._buffer[0] & 0x0F
        require(kind in _PARSERS, "reserved packet type")
        packet_type, parse = _PARSERS[kind]
        require(
            packet_type is Publish or flags == _REQUIRED_FLAGS.get(packet_type, 0), "reserved flags"
        )  # [MQTT-2.2.2-2]
        length = _length_from(self._buffer)
        if length is None:
            return None
        remaining_bytes, body_start = length
        end = body_start + remaining_bytes
        if end > self._max_packet_bytes:
            raise OversizePacket(f"a packet of {end} bytes; at most {self._max_packet_bytes} are accepted")
        if len(self._buffer) < end:
            return None
        reader = _Reader(bytes(self._buffer[body_start:end]))
        del self._buffer[:end]
        packet = parse(reader, flags)
        require(not reader.rest(), "bytes left over at the end of a packet")
        return packet


class _Reader:
    """Reads the fields of one packet's body in order."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def take(self, count: int) -> bytes:
        require(self._at + count <= len(self._body), "a packet ends in the middle of a field")
        self._at += count
        return self._body[self._at - count : self._at]

    def number(self, size_bytes: int = 2) -> int:
        return int.from_bytes(self.take(size_bytes), "big")

    def binary(self) -> bytes:
        return self.take(self.number())

    def text(self) -> str:
        try:
            return self.binary().decode("utf-8")  # strict: no surrogates, no overlong forms [MQTT-1.5.3-1]
        except UnicodeDecodeError as err:
            raise MalformedPacket("text is not UTF-8") from err

    def rest(self) -> bytes:
        return self.take(len(self._body) - self._at)

    def until_end(self) -> Iterator["_Reader"]:
        while self._at < len(self._body):
            yield self


def _parse_connect(reader: _Reader, _flags: int) -> Connect:
    name, level = reader.text(), reader.number(1)
    require(name in ("MQTT", "MQIsdp"), "unknown protocol name")  # MQTT 3.1, level 3, has the name MQIsdp
    if (name, level) != ("MQTT", PROTOCOL_LEVEL):
        require(level != PROTOCOL_LEVEL, "protocol level 4 under another name")  # [MQTT-3.1.2-1]
        client_id = _client_id_of_other(reader, level)
        reader.rest()
        return Connect(protocol_level=level, client_id=client_id)
    bits = reader.number(1)
    has_will, will_bits = bool(bits & 0x04), bits & 0x38
    require(not bits & 0x01, "reserved CONNECT flag")  # [MQTT-3.1.2-3]
    require(has_will or not will_bits, "will QoS or will retain without will")  # [MQTT-3.1.2-13, -15]
    keep_alive_s, client_id = reader.number(), reader.text()
    will = Will(reader.text(), reader.binary(), bits >> 3 & 3, bool(bits & 0x20)) if has_will else None
    return Connect(
        client_id=client_id,
        clean_session=bool(bits & 0x02),
        keep_alive_s=keep_alive_s,
        will=will,
        username=reader.text() if bits & 0x80 else None,
        password=reader.binary() if bits & 0x40 else None,
    )


def _client_id_of_other(reader: _Reader, level: int) -> str:
    """The client id in a CONNECT of MQTT 3.1 or 5, so that the log can name the client; "" when there is none."""
    if level not in (3, 5):
        return ""
    try:
        reader.take(3)  # flags, keep-alive
        if level == 5:
            reader.take(_property_bytes(reader))  # [MQTT 5, 3.1.2.11]
        client_id = reader.text()
    except MalformedPacket:  # it is refused for its version anyway
        return ""
    return "" if "\0" in client_id else client_id


def _property_bytes(reader: _Reader) -> int:
    """The length of the properties, which is encoded in up to four bytes."""
    size = 0
    for position in range(4):
        byte = reader.number(1)
        size |= (byte & 0x7F) << 7 * position
        if byte < 0x80:
            break
    return size


def _parse_connack(reader: _Reader, _flags: int) -> Connack:
    acknowledge_flags = reader.number(1)
    require(acknowledge_flags <= 1, "reserved CONNACK flags")
    return Connack(bool(acknowledge_flags), reader.number(1))


def _parse_publish(reader: _Reader, flags: int) -> Publish:
    qos = flags >> 1 & 3
    topic = reader.text()
    packet_id = reader.number() if qos else None
    return Publish(topic, reader.rest(), qos, bool(flags & 1), bool(flags & 8), packet_id)


def _parse_subscribe(reader: _Reader, _flags: int) -> Subscribe:
    return Subscribe(reader.number(), tuple((r.text(), r.number(1)) for r in reader.until_end()))


def _parse_unsubscribe(reader: _Reader, _flags: int) -> Unsubscribe:
    return Unsubscribe(reader.number(), tuple(r.text() for r in reader.until_end()))


_PARSERS: dict[int, tuple[type[Packet], Callable[[_Reader, int], Packet]]] = {
    1: (Connect, _parse_connect),
    2: (Connack, _parse_connack),
    3: (Publish, _parse_publish),
    4: (Puback, lambda reader, _flags: Puback(reader.number())),
    5: (Pubrec, lambda reader, _flags: Pubrec(reader.number())),
    6: (Pubrel, lambda reader, _flags: Pubrel(reader.number())),
    7: (Pubcomp, lambda reader, _flags: Pubcomp(reader.number())),
    8: (Subscribe, _parse_subscribe),
    9: (Suback, lambda reader, _flags: Suback(reader.number(), tuple(reader.rest()))),
    10: (Unsubscribe, _parse_unsubscribe),
    11: (Unsuback, lambda reader, _flags: Unsuback(reader.number())),
    12: (Pingreq, lambda _reader, _flags: Pingreq()),
    13: (Pingresp, lambda _reader, _flags: Pingresp()),
    14: (Disconnect, lambda _reader, _flags: Disconnect()),
}
_KINDS = {packet_type: kind for kind, (packet_type, _parse) in _PARSERS.items()}
_REQUIRED_FLAGS: dict[type[Packet], int] = {
    Pubrel: 2,
    Subscribe: 2,
    Unsubscribe: 2,
}  # all others 0; PUBLISH has variable ones


def _body(packet: Packet) -> bytes:
    match packet:
        case Connect():
            return _connect_body(packet)
        case Connack(session_present, return_code):
            return bytes([session_present, return_code])
        case Publish(topic=topic, payload=payload, packet_id=packet_id):
            return _text(topic) + (b"" if packet_id is None else _number(packet_id)) + payload
        case Subscribe(packet_id, filters):
            return _number(packet_id) + b"".join(_text(name) + bytes([qos]) for name, qos in filters)
        case Suback(packet_id, codes):
            return _number(packet_id) + bytes(codes)
        case Unsubscribe(packet_id, names):
            return _number(packet_id) + b"".join(map(_text, names))
        case Acknowledgement(packet_id):
            return _number(packet_id)
        case Pingreq() | Pingresp() | Disconnect():
            return b""


def _connect_body(connect: Connect) -> bytes:
    bits = connect.clean_session << 1 | (connect.username is not None) << 7 | (connect.password is not None) << 6
    fields = [_text(connect.client_id)]
    if connect.will is not None:
        bits |= 0x04 | connect.will.qos << 3 | connect.will.retain << 5
        fields += [_text(connect.will.topic), _binary(connect.will.payload)]
    if connect.username is not None:
        fields.append(_text(connect.username))
    if connect.password is not None:
        fields.append(_binary(connect.password))
    head = _text("MQTT") + bytes([connect.protocol_level, bits]) + _number(connect.keep_alive_s)
    return head + b"".join(fields)


def _number(value: int) -> bytes:
    return value.to_bytes(2, "big")


def _binary(value: bytes) -> bytes:
    return _number(len(value)) + value


def _text(value: str) -> bytes:
    return _binary(value.encode("utf-8"))


def _length_bytes(length: int) -> Iterator[int]:
    while length > 0x7F:
        yield length & 0x7F | 0x80
        length >>= 7
    yield length


def _length_from(buffer: bytearray) -> tuple[int, int] | None:
    """(remaining length, start of the body), or None while the length itself is incomplete."""
    if len(buffer) > 1 and buffer[1] < 0x80:  # most packets
        return buffer[1], 2
    length = 0
    for position, byte in enumerate(buffer[1:5]):
        length |= (byte & 0x7F) << 7 * position
        if not byte & 0x80:
            return length, position + 2
    require(len(buffer) < 5, "remaining length of more than four bytes")
    return None
