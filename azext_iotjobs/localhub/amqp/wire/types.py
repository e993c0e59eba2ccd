"""AMQP 1.0 values that Python has no type for. Pure.

Python's own types stand for the rest: None, bool, int (AMQP's int), float (double), str, bytes, UUID, list, dict.
Source: OASIS AMQP 1.0, part 1, Types.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID


class DecodeError(Exception):
    """Bytes that are not AMQP, or more of it than is accepted."""


class Symbol(str):
    """A text of ASCII characters from a set that both sides know."""

    __slots__ = ()


class Char(str):
    """One Unicode character."""

    __slots__ = ()


class UByte(int):
    """0 to 255."""

    __slots__ = ()


class UShort(int):
    """0 to 65,535."""

    __slots__ = ()


class UInt(int):
    """0 to 4,294,967,295."""

    __slots__ = ()


class ULong(int):
    """0 to 2 ** 64 - 1."""

    __slots__ = ()


class Byte(int):
    """-128 to 127."""

    __slots__ = ()


class Short(int):
    """-32,768 to 32,767."""

    __slots__ = ()


class Long(int):
    """-2 ** 63 to 2 ** 63 - 1."""

    __slots__ = ()


class Timestamp(int):
    """Milliseconds since 1970-01-01, UTC."""

    __slots__ = ()


class Float(float):
    """A number of 32 bits."""

    __slots__ = ()


class Array(tuple[Any, ...]):
    """Values of one type; an empty one is written as an array of symbols."""

    __slots__ = ()


@dataclass(frozen=True)
class Decimal:
    """A decimal number of 4, 8 or 16 bytes, which is passed on as it is."""

    encoded: bytes


@dataclass(frozen=True)
class Described:
    """A value whose descriptor, a Symbol or ULong, says what it is."""

    descriptor: Any
    value: Any


Value = (
    None | bool | int | float | str | bytes | UUID | list[Any] | dict[Any, Any] | tuple[Any, ...] | Decimal | Described
)
