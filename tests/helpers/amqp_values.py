"""Generated AMQP values, for tests of the codec and of what stands on it."""

import struct
from typing import Any

from hypothesis import strategies as st

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
)

WIDTHS: tuple[tuple[type, int, int], ...] = (
    (UByte, 0, 2**8 - 1),
    (UShort, 0, 2**16 - 1),
    (UInt, 0, 2**32 - 1),
    (ULong, 0, 2**64 - 1),
    (Byte, -(2**7), 2**7 - 1),
    (Short, -(2**15), 2**15 - 1),
    (int, -(2**31), 2**31 - 1),
    (Long, -(2**63), 2**63 - 1),
    (Timestamp, -(2**63), 2**63 - 1),
)
SYMBOLS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=300).map(Symbol)


def _single(number: float) -> Float:
    return Float(struct.unpack(">f", struct.pack(">f", number))[0])


NUMBERS = [st.integers(low, high).map(kind) for kind, low, high in WIDTHS]
SIMPLE: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    *NUMBERS,
    st.floats(allow_nan=False),
    st.floats(width=32, allow_nan=False).map(_single),
    st.characters(exclude_categories=["Cs"]).map(Char),
    st.uuids(),
    st.binary(max_size=300),
    st.text(max_size=300),
    SYMBOLS,
    st.sampled_from([4, 8, 16]).flatmap(lambda size: st.binary(min_size=size, max_size=size)).map(Decimal),
)
ARRAYS = st.one_of(*(st.lists(each, max_size=5) for each in (*NUMBERS, st.booleans(), st.text(), SYMBOLS, st.uuids())))
DESCRIPTORS = st.one_of(SYMBOLS, st.integers(0, 2**64 - 1).map(ULong))


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(st.one_of(st.text(max_size=20), SYMBOLS), inner, max_size=5),
        st.builds(Described, DESCRIPTORS, inner),
    )


VALUES = st.recursive(SIMPLE | ARRAYS.map(Array), _nested, max_leaves=20)
