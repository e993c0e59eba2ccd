"""AMQP 1.0 messages: bytes <-> sections. Pure.

Source: OASIS AMQP 1.0, 3.2 message format.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from uuid import UUID

from azext_iotjobs.localhub.amqp.wire.decoder import decode
from azext_iotjobs.localhub.amqp.wire.encoder import encode
from azext_iotjobs.localhub.amqp.wire.types import DecodeError, Described, Symbol, Timestamp, UInt, ULong, Value

HEADER, DELIVERY_ANNOTATIONS, ANNOTATIONS, PROPERTIES, APPLICATION_PROPERTIES = 0x70, 0x71, 0x72, 0x73, 0x74
DATA, SEQUENCE, VALUE, FOOTER = 0x75, 0x76, 0x77, 0x78
_NAMES = {
    "amqp:header:list": HEADER,
    "amqp:delivery-annotations:map": DELIVERY_ANNOTATIONS,
    "amqp:message-annotations:map": ANNOTATIONS,
    "amqp:properties:list": PROPERTIES,
    "amqp:application-properties:map": APPLICATION_PROPERTIES,
    "amqp:data:binary": DATA,
    "amqp:amqp-sequence:list": SEQUENCE,
    "amqp:amqp-value:*": VALUE,
    "amqp:footer:map": FOOTER,
}
MessageId = int | UUID | bytes | str  # ULong, UUID, binary or string


@dataclass(frozen=True, kw_only=True)
class Properties:
    """What a message's sender says about it; a delivery passes it on unchanged."""

    message_id: MessageId | None = None
    user_id: bytes | None = None
    to: str | None = None
    subject: str | None = None
    reply_to: str | None = None
    correlation_id: MessageId | None = None
    content_type: str | None = None
    content_encoding: str | None = None
    absolute_expiry_time: int | None = None  # ms since 1970, as creation_time
    creation_time: int | None = None
    group_id: str | None = None
    group_sequence: int | None = None
    reply_to_group_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class AmqpValue:
    """A body that is one value."""

    value: Any


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message; its body is either `data`, or a `value`, or `sequences`."""

    durable: bool = False  # of the header, all of whose other fields are ignored
    delivery_annotations: Mapping[str, Any] = field(default_factory=dict)
    annotations: Mapping[str, Any] = field(default_factory=dict)
    properties: Properties = Properties()
    application_properties: Mapping[str, Any] = field(default_factory=dict)
    data: tuple[bytes, ...] = field(default=(), repr=False)  # several sections are one body in pieces
    value: AmqpValue | None = field(default=None, repr=False)
    sequences: tuple[list[Any], ...] = field(default=(), repr=False)
    footer: Mapping[str, Any] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        """The body as bytes: of a value that is a text its UTF-8. Raises DecodeError for any other body."""
        if self.value is None and not self.sequences:
            return b"".join(self.data)
        if self.value is not None and isinstance(self.value.value, bytes):
            return self.value.value
        if self.value is not None and isinstance(self.value.value, str):
            return self.value.value.encode()
        raise DecodeError("the message's body is neither data nor a text")


def decode_message(payload: bytes) -> Message:
    """The message that a delivery's payload holds. Raises DecodeError."""
    sections: dict[int, list[Any]] = {}
    position, last = 0, 0
    while position < len(payload):
        code, value, position = _read_section(payload, position)
        if code < last or (code == last and code not in (DATA, SEQUENCE)):
            raise DecodeError("the sections of a message are not in their order")
        sections.setdefault(code, []).append(value)
        last = code
    bodies = [code for code in (DATA, SEQUENCE, VALUE) if code in sections]
    if len(bodies) > 1:
        raise DecodeError("a message has bodies of several kinds")
    return _message(sections)


def encode_message(message: Message) -> bytes:
    """A message as a delivery's payload."""
    parts: list[bytes] = []
    if message.durable:
        parts.append(_section(HEADER, [True]))
    for code, annotations in ((DELIVERY_ANNOTATIONS, message.delivery_annotations), (ANNOTATIONS, message.annotations)):
        if annotations:
            parts.append(_section(code, {Symbol(name): value for name, value in annotations.items()}))
    properties = _property_list(message.properties)
    if properties:
        parts.append(_section(PROPERTIES, properties))
    if message.application_properties:
        parts.append(_section(APPLICATION_PROPERTIES, dict(message.application_properties)))
    parts += [_section(DATA, data) for data in message.data]
    parts += [_section(SEQUENCE, items) for items in message.sequences]
    if message.value is not None:
        parts.append(_section(VALUE, message.value.value))
    if message.footer:
        parts.append(_section(FOOTER, {Symbol(name): value for name, value in message.footer.items()}))
    return b"".join(parts)


def _section(code: int, value: Value) -> bytes:
    return bytes([0x00, 0x53, code]) + encode(value)


def _read_section(payload: bytes, position: int) -> tuple[int, Any, int]:
    """A section's code and value, and the position after it."""
    code: Any
    if payload.startswith(_SHORT_CODE, position):  # nearly always; and then there is one value to decode, not three
        code = payload[position + 2] if position + 2 < len(payload) else None
        value, position = decode(payload, position + 3)
    else:
        described, position = decode(payload, position)
        if not isinstance(described, Described):
            raise DecodeError("a section of a message is of no known kind")
        code, value = described.descriptor, described.value
        if isinstance(code, Symbol):
            code = _NAMES.get(code)
    if code is None or not HEADER <= code <= FOOTER:
        raise DecodeError("a section of a message is of no known kind")
    return int(code), value, position


def _message(sections: Mapping[int, list[Any]]) -> Message:
    header = sections.get(HEADER, _NOTHING)[0]
    data, sequences = tuple(sections.get(DATA, ())), tuple(sections.get(SEQUENCE, ()))
    if not isinstance(header, list) or not all(isinstance(each, list) for each in sequences):
        raise DecodeError("a section of a message is not a list")
    if not all(isinstance(each, bytes) for each in data):
        raise DecodeError("a data section of a message is not binary")
    return Message(
        durable=bool(header and header[0] is True),
        delivery_annotations=_read_map(sections, DELIVERY_ANNOTATIONS),
        annotations=_read_map(sections, ANNOTATIONS),
        properties=_read_properties(sections[PROPERTIES][0]) if PROPERTIES in sections else _NO_PROPERTIES,
        application_properties=_read_map(sections, APPLICATION_PROPERTIES),
        data=data,
        value=AmqpValue(value=sections[VALUE][0]) if VALUE in sections else None,
        sequences=sequences,
        footer=_read_map(sections, FOOTER),
    )


def _read_map(sections: Mapping[int, list[Any]], code: int) -> dict[str, Any]:
    if code not in sections:
        return {}
    (found,) = sections[code]
    if not isinstance(found, dict) or not all(isinstance(name, _NAME_KINDS) for name in found):
        raise DecodeError("a section of a message is not a map with names")
    return {str(name): value for name, value in found.items()}


_SHORT_CODE = b"\x00\x53"  # a descriptor that is an unsigned long of one byte
_NOTHING: list[Any] = [[]]
_NO_PROPERTIES = Properties()
_NAME_KINDS = (str, ULong)
_ID = (ULong, UUID, bytes, str)
_KINDS: dict[str, tuple[type, ...]] = {
    "message_id": _ID,
    "correlation_id": _ID,
    "user_id": (bytes,),
    # SDKs write some of these as strings, though the specification has symbols, and the other way round.
    **dict.fromkeys(("to", "subject", "reply_to", "group_id", "reply_to_group_id"), (str,)),
    **dict.fromkeys(("content_type", "content_encoding"), (str,)),
    **dict.fromkeys(("absolute_expiry_time", "creation_time"), (Timestamp,)),
    "group_sequence": (UInt,),
}
_PROPERTY_NAMES = tuple(each.name for each in fields(Properties))


def _read_properties(given: Any) -> Properties:
    if not isinstance(given, list) or len(given) > len(_PROPERTY_NAMES):
        raise DecodeError("the properties of a message are not a list of at most 13")
    named = {name: value for name, value in zip(_PROPERTY_NAMES, given, strict=False) if value is not None}
    for name, value in named.items():
        if not isinstance(value, _KINDS[name]):
            raise DecodeError(f"the {name.replace('_', '-')} of a message is of the wrong type")
        if isinstance(value, Symbol):
            named[name] = str(value)
    return Properties(**named)


def _property_list(properties: Properties) -> list[Any]:
    values = [_written(name, getattr(properties, name)) for name in _PROPERTY_NAMES]
    while values and values[-1] is None:
        values.pop()
    return values


def _written(name: str, value: Any) -> Any:
    if value is None:
        return None
    match name:
        case "content_type" | "content_encoding":
            return Symbol(value) if value.isascii() else value
        case "absolute_expiry_time" | "creation_time":
            return Timestamp(value)
        case "group_sequence":
            return UInt(value)
        case "message_id" | "correlation_id" if type(value) is int:
            return ULong(value)
    return value
