"""AMQP 1.0 values: bytes -> Python. Pure.

What is accepted is bounded: a value may be nested 32 deep, and no count of elements is believed before as many bytes
are there.
Source: OASIS AMQP 1.0, part 1, Types.
"""

import struct
from collections.abc import Callable
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
)

MAX_DEPTH = 32
MAX_EMPTY_ELEMENTS = 64  # of an array whose elements take no bytes: a frame may have thousands of such arrays
_DESCRIBED = 0x00


def decode(buffer: bytes, position: int = 0) -> tuple[Any, int]:
    """The value at `position`, and the position after it. Raises DecodeError."""
    try:
        return _decode(buffer, position, 0)
    except (IndexError, struct.error):
        raise DecodeError("a value ends in the middle") from None


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
