"""Frames: cut anywhere they are the same frames; what is no frame is refused by its first bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.localhub.amqp.wire.frames import (
    AMQP_HEADER,
    SASL_FRAME,
    SASL_HEADER,
    Frame,
    FrameReader,
    FramingError,
    ProtocolHeader,
    encode_frame,
    encode_transfer,
)
from azext_iotjobs.localhub.amqp.wire.performatives import Begin, Close, Open, SaslInit, Transfer
from azext_iotjobs.localhub.amqp.wire.types import DecodeError
from tests.helpers.short_form import examples

LIMIT = 4096
CONVERSATION: list[ProtocolHeader | Frame] = [
    SASL_HEADER,
    Frame(SASL_FRAME, 0, SaslInit("ANONYMOUS")),
    AMQP_HEADER,
    Frame(0, 0, Open("client")),
    Frame(0, 1, Begin(None, 0, 10, 10)),
    Frame(0, 0, None),
    Frame(0, 1, Transfer(0, 0, b"t", 0, True), b"a payload"),
    Frame(0, 0, Close()),
]


def encoded(item: ProtocolHeader | Frame) -> bytes:
    if isinstance(item, ProtocolHeader):
        return item.encoded()
    return encode_frame(item.channel, item.performative, item.payload, item.kind)


BYTES = b"".join(map(encoded, CONVERSATION))


def read(reader: FrameReader, *pieces: bytes) -> list[ProtocolHeader | Frame]:
    found = []
    for piece in pieces:
        reader.feed(piece)
        while (item := reader.next()) is not None:
            found.append(item)
    return found


@pytest.mark.parametrize("cut", range(len(BYTES) + 1))
def test_a_conversation_is_the_same_wherever_it_is_cut(cut: int) -> None:
    assert read(FrameReader(LIMIT), BYTES[:cut], BYTES[cut:]) == CONVERSATION


def test_a_conversation_is_the_same_byte_by_byte() -> None:
    assert read(FrameReader(LIMIT), *(BYTES[at : at + 1] for at in range(len(BYTES)))) == CONVERSATION


@examples(200, 50_000)
@given(st.lists(st.binary(max_size=60), max_size=10))
def test_any_bytes_are_frames_or_refused_and_little_is_kept(pieces: list[bytes]) -> None:
    reader = FrameReader(512)
    for piece in pieces:
        reader.feed(piece)
        try:
            while reader.next() is not None:
                pass
        except FramingError:
            return
        except DecodeError:
            continue
        assert len(reader._buffer) - reader._position <= 512 + len(piece)


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ("00000007 02000000", "begins outside"),
        ("00000008 01000000", "begins outside"),
        ("00000008 03000000", "begins outside"),
        ("00001001 02000000", "4097 bytes; at most 4096"),
        ("ffffffff 02000000", "at most 4096"),
        ("00000008 02020000", "kind 2"),
        ("47455420 2f204854", "kind 32"),  # GET / HT
    ],
)
def test_what_is_no_frame_is_refused_by_its_first_eight_bytes(head: str, reason: str) -> None:
    reader = FrameReader(LIMIT)
    reader.feed(bytes.fromhex(head))

    with pytest.raises(FramingError, match=reason):
        reader.next()


def test_a_frame_with_wrong_content_is_skipped_and_the_next_one_read() -> None:
    reader = FrameReader(LIMIT)
    reader.feed(bytes.fromhex("0000000c 02000000 00533f45") + encode_frame(0, Close()))

    with pytest.raises(DecodeError):
        reader.next()
    assert reader.next() == Frame(0, 0, Close())


def test_an_extended_header_is_skipped() -> None:
    plain = encode_frame(3, Close())
    size = len(plain) + 4

    reader = FrameReader(LIMIT)
    reader.feed(size.to_bytes(4, "big") + b"\x03" + plain[5:8] + b"more" + plain[8:])

    assert reader.next() == Frame(0, 3, Close())


@examples(100, 5_000)
@given(
    st.builds(
        Transfer,
        handle=st.integers(0, 2**32 - 1),
        delivery_id=st.none() | st.integers(0, 2**32 - 1),
        delivery_tag=st.none() | st.binary(max_size=32),
        message_format=st.none() | st.integers(0, 2**32 - 1),
        settled=st.booleans(),
        more=st.booleans(),
    ),
    st.binary(max_size=300),
)
def test_the_fast_way_to_write_a_transfer_gives_the_same_bytes(transfer: Transfer, payload: bytes) -> None:
    assert encode_transfer(7, transfer, payload) == encode_frame(7, transfer, payload)
