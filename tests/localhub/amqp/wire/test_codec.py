"""AMQP values: what is written is read again, with its type; what is not AMQP is a DecodeError, and costs nothing."""

import struct
import tracemalloc
from typing import Any
from uuid import UUID

import pytest
from azure.eventhub._pyamqp import _decode, _encode
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.localhub.amqp.wire.decoder import MAX_DEPTH, decode
from azext_iotjobs.localhub.amqp.wire.encoder import encode
from azext_iotjobs.localhub.amqp.wire.types import (
    Array,
    DecodeError,
    Described,
    Float,
    Long,
    Symbol,
    Timestamp,
    UInt,
    ULong,
    UShort,
)
from tests.helpers.amqp_values import VALUES
from tests.helpers.short_form import examples


def shape(value: Any) -> Any:
    """A value with its types, all the way down: UInt(1) == 1, but it is not the same."""
    match value:
        case Described(descriptor, inner):
            return "described", shape(descriptor), shape(inner)
        case dict():
            return "map", [(shape(key), shape(each)) for key, each in value.items()]
        case list() | tuple():
            return type(value), [shape(each) for each in value]
    return type(value), value


@examples(200, 20_000)
@given(VALUES)
def test_every_value_is_read_as_it_was_written(value: Any) -> None:
    found, end = decode(encode(value))

    assert shape(found) == shape(value)
    assert end == len(encode(value))


@examples(100, 5_000)
@given(VALUES)
def test_every_value_that_ends_early_is_refused_wherever_it_ends(value: Any) -> None:
    encoded = encode(value)

    for end in range(len(encoded)):
        with pytest.raises(DecodeError):
            decode(encoded[:end])


@examples(500, 100_000)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_refused(data: bytes) -> None:
    try:
        value, end = decode(data)
    except DecodeError:
        return
    assert 0 < end <= len(data)
    written = encode(value)  # whatever is read can be sent back
    assert encode(decode(written)[0]) == written


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (None, "40"),
        (True, "41"),
        (UInt(0), "43"),
        (UInt(255), "52ff"),
        (UInt(256), "7000000100"),
        (ULong(0), "44"),
        (ULong(16), "5310"),
        (UShort(7), "600007"),
        (-1, "54ff"),
        (128, "7100000080"),
        (2**31, "810000000080000000"),
        (Long(-128), "5580"),
        (Timestamp(0), "830000000000000000"),
        (Float(1.0), "723f800000"),
        (1.0, "823ff0000000000000"),
        ("é", "a102c3a9"),
        (Symbol("a"), "a30161"),
        (b"\x01", "a00101"),
        (UUID(int=1), "98" + "00" * 15 + "01"),
        ([], "45"),
        ([True], "c0020141"),
        ({}, "c10100"),
        (Array([Symbol("a"), Symbol("bc")]), "e00d02b300000001610000000" + "26263"),
        (Described(ULong(0x24), []), "00532445"),
    ],
    ids=repr,
)
def test_a_value_has_the_bytes_of_the_specification(value: Any, encoded: str) -> None:
    assert encode(value).hex() == encoded


@pytest.mark.parametrize("size", [0, 1, 253, 254, 255, 256, 65_536])
def test_short_and_long_forms_meet_without_a_gap(size: int) -> None:
    for value in (b"x" * size, "x" * size, Symbol("x" * size), [None] * size, {f"{n}": None for n in range(size)}):
        assert decode(encode(value)) == (value, len(encode(value)))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("d0ffffffffffffffff", "size"),
        ("d0000000087fffffff40404040", "more elements than bytes"),
        ("f0000000057fffffff40", "more elements than bytes"),
        ("b1ffffffff", "ends in the middle"),
        ("c00140", "more elements than bytes"),
        ("c1020140", "without a value"),
        ("c105044040" + "4040", "twice"),
        ("c103024540", "a list, a map"),
        ("a102c328", "not UTF-8"),
        ("a301ff", "not ASCII"),
        ("5602", "boolean"),
        ("73ffffffff", "not Unicode"),
        ("730000d800", "not Unicode"),
        ("00a1016140", "descriptor"),
        ("3f", "no type"),
        ("46", "no type"),
        ("a201", "no type"),
        ("a20100", "no type"),
        ("c20140", "no type"),
        ("e00200" + "00", "ends in the middle"),
    ],
)
def test_what_is_not_amqp_is_refused_with_its_reason(data: str, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        decode(bytes.fromhex(data))


def test_nesting_ends_where_it_is_too_deep() -> None:
    data = b"\x40"
    for _ in range(MAX_DEPTH):
        data = bytes([0xC0, len(data) + 1, 1]) + data
    assert decode(data)[1] == len(data)

    with pytest.raises(DecodeError, match="deep"):
        decode(bytes([0xC0, len(data) + 1, 1]) + data)
    with pytest.raises(DecodeError, match="deep"):
        decode(b"\x00" * 10_000 + b"\x40")


def test_counts_that_lie_cost_no_memory() -> None:
    tracemalloc.start()
    for data in (b"\xf0\x00\x00\x00\x05\xff\xff\xff\xff\x40", b"\xd0\x00\x00\x00\x05\xff\xff\xff\xff\x40"):
        with pytest.raises(DecodeError):
            decode(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000


def test_many_arrays_of_elements_without_bytes_cost_little() -> None:
    array = b"\xf0\x00\x00\x00\x05\x00\x00%c\x00\x41"
    tracemalloc.start()
    for count, is_read in ((0, True), (255, False)):
        data = (array % count) * 1000
        listed = b"\xd0" + (len(data) + 4).to_bytes(4, "big") + (1000).to_bytes(4, "big") + data
        if is_read:
            assert decode(listed) == ([Array()] * 1000, len(listed))
        else:
            with pytest.raises(DecodeError, match="more elements"):
                decode(listed)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize(
    "element",
    ["40", "41", "43", "45", "5001", "7200000000", "7300000061", "7400000000", "a00178", "c00100", "c10100"]
    + ["e00301a000", "005310a10178"],
)
def test_an_array_of_any_type_is_written_again_as_it_was_read(element: str) -> None:
    code, data = bytes.fromhex(element[:2]), bytes.fromhex(element[2:])
    value, _ = decode(bytes([0xE0, len(data) + 2, 1]) + code + data)

    assert shape(decode(encode(value))[0]) == shape(value)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (..., TypeError),
        ({1, 2}, TypeError),
        (Array([1, "a"]), TypeError),
        (Array([[1], {}]), TypeError),
        (Array([..., ...]), TypeError),
        (UInt(-1), ValueError),
        (UInt(2**32), ValueError),
        (2**63, ValueError),
        (Symbol("é"), ValueError),
    ],
    ids=repr,
)
def test_what_amqp_has_no_type_for_is_refused(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        encode(value)


@examples(100, 5_000)
@given(VALUES)
def test_microsofts_codec_reads_what_ours_writes(value: Any) -> None:
    """It gives plain Python values: only their meaning is compared; what it cannot read at all is left out."""
    encoded = memoryview(encode(value))
    try:
        _, theirs = _decode._DECODE_BY_CONSTRUCTOR[encoded[0]](encoded[1:])
    except (KeyError, TypeError, IndexError, ValueError, ArithmeticError, struct.error):
        return
    if isinstance(value, bool | int | bytes | float | UUID) and not isinstance(value, Timestamp):
        assert theirs == value
    if isinstance(value, str) and type(value) in (str, Symbol):
        assert theirs == value.encode()


@examples(100, 5_000)
@given(
    st.recursive(st.none() | st.booleans() | st.integers(-(2**31), 2**31 - 1) | st.binary(), st.lists, max_leaves=10)
)
def test_ours_reads_what_microsofts_codec_writes(value: Any) -> None:
    output = bytearray()
    _encode.encode_value(output, value)

    assert decode(bytes(output)) == (value, len(output))
