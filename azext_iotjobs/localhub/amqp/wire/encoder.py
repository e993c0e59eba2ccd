"""AMQP 1.0 values: Python -> bytes. Pure.

Source: OASIS AMQP 1.0, part 1, Types; its section numbers stand beside what they explain.
"""

import struct
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from azext_iotjobs.localhub.amqp.wire.types import (
    Array,
    Byte,
    Char,
    Decimal,
    Described,
    Float,
    Long,
    Short,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
    Value,
)

_MIN_INT, _MAX_INT = -(1 << 31), (1 << 31) - 1


def encode(value: Value) -> bytes:
    """A value as it goes on the wire, in its shortest form.

    An int outside 32 bits becomes a long. Raises TypeError for a type that AMQP does not have, ValueError for a number
    that its type does not hold.
    """
    try:
        return _ENCODERS[type(value)](value)
    except KeyError:
        raise TypeError(f"AMQP has no type for {type(value).__name__}") from None
    except struct.error as err:
        raise ValueError(f"{type(value).__name__} {value!r}: {err}") from None


def _encode_int(value: int) -> bytes:
    if -128 <= value <= 127:
        return struct.pack(">Bb", 0x54, value)
    if _MIN_INT <= value <= _MAX_INT:
        return struct.pack(">Bi", 0x71, value)
    return _encode_long(value)


def _encode_long(value: int) -> bytes:
    return struct.pack(">Bb", 0x55, value) if -128 <= value <= 127 else struct.pack(">Bq", 0x81, value)


def _encode_uint(value: int) -> bytes:
    if value == 0:
        return b"\x43"
    return struct.pack(">BB", 0x52, value) if 0 < value < 256 else struct.pack(">BI", 0x70, value)


def _encode_ulong(value: int) -> bytes:
    if value == 0:
        return b"\x44"
    return struct.pack(">BB", 0x53, value) if 0 < value < 256 else struct.pack(">BQ", 0x80, value)


def _packed(form: str, code: int) -> Callable[[Any], bytes]:
    """An encoder of a fixed width."""
    pack = struct.Struct(form).pack
    return lambda value: pack(code, value)


def _variable(short_code: int, data: bytes) -> bytes:
    """Bytes with their length, in one byte or four."""
    if len(data) < 256:
        return struct.pack(">BB", short_code, len(data)) + data
    return struct.pack(">BI", short_code + 0x10, len(data)) + data


def _encode_list(items: Iterable[Any]) -> bytes:
    encoded = [encode(item) for item in items]
    return _compound(0xC0, b"".join(encoded), len(encoded)) if encoded else b"\x45"


def _encode_map(items: dict[Any, Any]) -> bytes:
    return _compound(0xC1, _map_body(items), 2 * len(items))


def _map_body(items: dict[Any, Any]) -> bytes:
    return b"".join(encode(key) + encode(value) for key, value in items.items())


def _compound(short_code: int, body: bytes, count: int) -> bytes:
    if len(body) < 255 and count < 256:  # the size includes the count's own byte
        return struct.pack(">BBB", short_code, len(body) + 1, count) + body
    return struct.pack(">BII", short_code + 0x10, len(body) + 4, count) + body


def _encode_array(items: Array) -> bytes:
    return _compound(0xE0, _array_body(items), len(items))


def _array_body(items: Array) -> bytes:
    """The constructor that all elements share, in the widest form of their type (1.6.24), and the elements."""
    elements = [_element_of(item) for item in items] or [_NO_ELEMENT]
    constructor = elements[0][0]
    if any(each != constructor for each, _ in elements):
        raise TypeError("the elements of an array are of one type")
    return constructor + b"".join(data for _, data in elements)


def _element_of(item: Any) -> tuple[bytes, bytes]:
    """An element's constructor, and what follows it."""
    if isinstance(item, Described):
        constructor, data = _element_of(item.value)
        return b"\x00" + encode(item.descriptor) + constructor, data
    if isinstance(item, Decimal):
        return encode(item)[:1], item.encoded
    try:
        code, pack = _ELEMENTS[type(item)]
    except KeyError:
        raise TypeError(f"AMQP has no type for {type(item).__name__}") from None
    return bytes([code]), pack(item)


def _encode_described(value: Described) -> bytes:
    return b"\x00" + encode(value.descriptor) + encode(value.value)


def _long_bytes(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _long_text(text: str) -> bytes:
    return _long_bytes(text.encode())


def _long_compound(body: bytes, count: int) -> bytes:
    return struct.pack(">II", len(body) + 4, count) + body


def _element(form: str, code: int) -> tuple[int, Callable[[Any], bytes]]:
    return code, struct.Struct(form).pack


_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: b"\x40",
    bool: lambda value: b"\x41" if value else b"\x42",
    UByte: _packed(">BB", 0x50),
    UShort: _packed(">BH", 0x60),
    UInt: _encode_uint,
    ULong: _encode_ulong,
    Byte: _packed(">Bb", 0x51),
    Short: _packed(">Bh", 0x61),
    int: _encode_int,
    Long: _encode_long,
    Float: _packed(">Bf", 0x72),
    float: _packed(">Bd", 0x82),
    Char: lambda value: struct.pack(">BI", 0x73, ord(value)),
    Timestamp: _packed(">Bq", 0x83),
    UUID: lambda value: b"\x98" + value.bytes,
    bytes: lambda value: _variable(0xA0, value),
    str: lambda value: _variable(0xA1, value.encode()),
    Symbol: lambda value: _variable(0xA3, value.encode("ascii")),
    list: _encode_list,
    dict: _encode_map,
    Array: _encode_array,
    Decimal: lambda value: bytes([{4: 0x74, 8: 0x84, 16: 0x94}[len(value.encoded)]]) + value.encoded,
    Described: _encode_described,
}
_ELEMENTS: dict[type, tuple[int, Callable[[Any], bytes]]] = {
    type(None): (0x40, lambda _: b""),
    bool: _element(">B", 0x56),
    UByte: _element(">B", 0x50),
    UShort: _element(">H", 0x60),
    Byte: _element(">b", 0x51),
    Short: _element(">h", 0x61),
    UInt: _element(">I", 0x70),
    ULong: _element(">Q", 0x80),
    int: _element(">i", 0x71),
    Long: _element(">q", 0x81),
    Timestamp: _element(">q", 0x83),
    Float: _element(">f", 0x72),
    float: _element(">d", 0x82),
    Char: (0x73, lambda value: struct.pack(">I", ord(value))),
    UUID: (0x98, lambda value: value.bytes),
    bytes: (0xB0, _long_bytes),
    str: (0xB1, _long_text),
    Symbol: (0xB3, _long_text),
    list: (0xD0, lambda value: _long_compound(b"".join(map(encode, value)), len(value))),
    dict: (0xD1, lambda value: _long_compound(_map_body(value), 2 * len(value))),
    Array: (0xF0, lambda value: _long_compound(_array_body(value), len(value))),
}
_NO_ELEMENT = (b"\xb3", b"")  # an empty array is one of symbols
