"""AMQP 1.0 values: bytes <-> Python. Pure.

What is accepted is bounded: a value may be nested 32 deep, and no count of elements is believed before as many bytes
are there.
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
    DecodeError,
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

MAX_DEPTH = 32
MAX_EMPTY_ELEMENTS = 64  # of an array whose elements take no bytes: a frame may have thousands of such arrays
_DESCRIBED = 0x00
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


def decode(buffer: bytes, position: int = 0) -> tuple[Any, int]:
    """The value at `position`, and the position after it. Raises DecodeError."""
    try:
        return _decode(buffer, position, 0)
    except (IndexError, struct.error):
        raise DecodeError("a value ends in the middle") from None


# --- encode


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


# --- decode

Reader = Callable[[bytes, int, int], tuple[Any, int]]  # buffer, position after the constructor, depth


def _decode(buffer: bytes, position: int, depth: int) -> tuple[Any, int]:
    return _READERS[buffer[position]](buffer, position + 1, depth)


def _check_depth(depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise DecodeError(f"a value is nested more than {MAX_DEPTH} deep")


def _read_described(buffer: bytes, position: int, depth: int) -> tuple[Described, int]:
    _check_depth(depth)
    descriptor, position = _read_descriptor(buffer, position, depth + 1)
    value, position = _decode(buffer, position, depth + 1)
    return Described(descriptor, value), position


def _read_descriptor(buffer: bytes, position: int, depth: int) -> tuple[Any, int]:
    descriptor, position = _decode(buffer, position, depth)
    if not isinstance(descriptor, Symbol | ULong):
        raise DecodeError("a descriptor is neither a symbol nor an unsigned long")
    return descriptor, position


def _no_type(code: int) -> Reader:
    def read(_buffer: bytes, _position: int, _depth: int) -> tuple[Any, int]:
        raise DecodeError(f"0x{code:02x} is no type")

    return read


def _constant(value: Any) -> Reader:
    return lambda _buffer, position, _depth: (value, position)


def _fixed(form: str, convert: Callable[[Any], Any]) -> Reader:
    """A value of a fixed width."""
    packer = struct.Struct(form)
    unpack, size = packer.unpack_from, packer.size
    return lambda buffer, position, _depth: (convert(unpack(buffer, position)[0]), position + size)


def _short(convert: Callable[[bytes], Any]) -> Reader:
    """Bytes after a length of one byte."""

    def read(buffer: bytes, position: int, _depth: int) -> tuple[Any, int]:
        return _read_bytes(buffer, position + 1, buffer[position], convert)

    return read


def _long(convert: Callable[[bytes], Any]) -> Reader:
    """Bytes after a length of four bytes."""

    def read(buffer: bytes, position: int, _depth: int) -> tuple[Any, int]:
        return _read_bytes(buffer, position + 4, int.from_bytes(buffer[position : position + 4], "big"), convert)

    return read


def _read_bytes(buffer: bytes, start: int, size: int, convert: Callable[[bytes], Any]) -> tuple[Any, int]:
    end = start + size
    if end > len(buffer):
        raise DecodeError("a value ends in the middle")
    try:
        return convert(buffer[start:end]), end
    except UnicodeDecodeError:
        raise DecodeError("a text is not UTF-8, or a symbol not ASCII") from None


def _bounds(buffer: bytes, position: int, form: struct.Struct) -> tuple[int, int, int]:
    """Count, first position and end of a list, map or array; `form`: of its size and its count."""
    size, count = form.unpack_from(buffer, position)
    start = position + form.size
    end = position + form.size // 2 + size  # the size includes the count
    if not start <= end <= len(buffer):
        raise DecodeError("a list, map or array does not have the size that it says")
    return count, start, end


def _compound_reader(form: struct.Struct, convert: Callable[[list[Any]], Any]) -> Reader:
    """A list or map."""

    def read(buffer: bytes, position: int, depth: int) -> tuple[Any, int]:
        _check_depth(depth)
        count, position, end = _bounds(buffer, position, form)
        if count > end - position:  # an element has at least one byte
            raise DecodeError("a list or map has more elements than bytes")
        items = []
        for _ in range(count):
            item, position = _READERS[buffer[position]](buffer, position + 1, depth + 1)
            items.append(item)
        if position != end:
            raise DecodeError("a list or map does not have the size that it says")
        return convert(items), end

    return read


def _as_map(items: list[Any]) -> dict[Any, Any]:
    keys = items[::2]
    if len(items) % 2:
        raise DecodeError("a map has a key without a value")
    try:
        found = dict(zip(keys, items[1::2], strict=True))
    except TypeError:
        raise DecodeError("a key of a map is a list, a map or a value with one in it") from None
    if len(found) < len(keys):
        raise DecodeError("a map has a key twice")
    return found


def _array_reader(form: struct.Struct) -> Reader:
    def read(buffer: bytes, position: int, depth: int) -> tuple[Array, int]:
        _check_depth(depth)
        count, position, end = _bounds(buffer, position, form)
        descriptor = None
        if buffer[position] == _DESCRIBED:
            descriptor, position = _read_descriptor(buffer, position + 1, depth + 1)
        element = buffer[position]
        position += 1
        limit = MAX_EMPTY_ELEMENTS if element in _CONSTANTS else end - position
        if element == _DESCRIBED or count > limit:
            raise DecodeError("an array has more elements than bytes, or elements that are described twice")
        items = []
        for _ in range(count):
            item, position = _READERS[element](buffer, position, depth + 1)
            items.append(item if descriptor is None else Described(descriptor, item))
        if position != end:
            raise DecodeError("an array does not have the size that it says")
        return Array(items), end

    return read


def _char(number: int) -> Char:
    if number > 0x10FFFF or 0xD800 <= number < 0xE000:
        raise DecodeError("a character is not Unicode")
    return Char(chr(number))


def _truth(number: int) -> bool:
    if number > 1:
        raise DecodeError("a boolean is neither 0 nor 1")
    return number == 1


def _symbol(data: bytes) -> Symbol:
    return Symbol(data.decode("ascii"))


_ONE_BYTE_EACH, _FOUR_BYTES_EACH = struct.Struct(">BB"), struct.Struct(">II")  # a size and a count
_CONSTANTS: dict[int, Reader] = {
    0x40: _constant(None),
    0x41: _constant(True),
    0x42: _constant(False),
    0x43: _constant(UInt(0)),
    0x44: _constant(ULong(0)),
    0x45: lambda _buffer, position, _depth: ([], position),
}
_TYPES: dict[int, Reader] = {
    **_CONSTANTS,
    _DESCRIBED: _read_described,
    0x50: _fixed(">B", UByte),
    0x51: _fixed(">b", Byte),
    0x52: _fixed(">B", UInt),
    0x53: _fixed(">B", ULong),
    0x54: _fixed(">b", int),
    0x55: _fixed(">b", Long),
    0x56: _fixed(">B", _truth),
    0x60: _fixed(">H", UShort),
    0x61: _fixed(">h", Short),
    0x70: _fixed(">I", UInt),
    0x71: _fixed(">i", int),
    0x72: _fixed(">f", Float),
    0x73: _fixed(">I", _char),
    0x74: _fixed("4s", Decimal),
    0x80: _fixed(">Q", ULong),
    0x81: _fixed(">q", Long),
    0x82: _fixed(">d", float),
    0x83: _fixed(">q", Timestamp),
    0x84: _fixed("8s", Decimal),
    0x94: _fixed("16s", Decimal),
    0x98: _fixed("16s", lambda data: UUID(bytes=data)),
    0xA0: _short(bytes),
    0xA1: _short(bytes.decode),
    0xA3: _short(_symbol),
    0xB0: _long(bytes),
    0xB1: _long(bytes.decode),
    0xB3: _long(_symbol),
    0xC0: _compound_reader(_ONE_BYTE_EACH, list),
    0xC1: _compound_reader(_ONE_BYTE_EACH, _as_map),
    0xD0: _compound_reader(_FOUR_BYTES_EACH, list),
    0xD1: _compound_reader(_FOUR_BYTES_EACH, _as_map),
    0xE0: _array_reader(_ONE_BYTE_EACH),
    0xF0: _array_reader(_FOUR_BYTES_EACH),
}
_READERS: tuple[Reader, ...] = tuple(_TYPES.get(code) or _no_type(code) for code in range(256))
