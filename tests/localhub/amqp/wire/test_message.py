"""Messages: sections in their order, read as they were written; Microsoft's own codec reads them too."""

from typing import Any
from uuid import UUID

import pytest
from azure.eventhub._pyamqp._decode import decode_payload
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.localhub.amqp.wire.encoder import encode
from azext_iotjobs.localhub.amqp.wire.message import AmqpValue, Message, Properties, decode_message, encode_message
from azext_iotjobs.localhub.amqp.wire.types import DecodeError, Described, Long, Symbol, Timestamp, ULong
from tests.helpers.amqp_values import SIMPLE, VALUES
from tests.helpers.short_form import examples

TEXT = st.text(max_size=30)
IDS = st.one_of(st.text(max_size=30), st.binary(max_size=30), st.uuids(), st.integers(0, 2**64 - 1))
MILLISECONDS = st.integers(-(2**63), 2**63 - 1)
PROPERTIES = st.builds(
    Properties,
    message_id=st.none() | IDS,
    user_id=st.none() | st.binary(max_size=30),
    to=st.none() | TEXT,
    subject=st.none() | TEXT,
    correlation_id=st.none() | IDS,
    content_type=st.none() | TEXT,
    content_encoding=st.none() | TEXT,
    absolute_expiry_time=st.none() | MILLISECONDS,
    creation_time=st.none() | MILLISECONDS,
    group_sequence=st.none() | st.integers(0, 2**32 - 1),
)
NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
MESSAGES = st.builds(
    Message,
    durable=st.booleans(),
    annotations=st.dictionaries(NAMES, SIMPLE, max_size=4),
    delivery_annotations=st.dictionaries(NAMES, SIMPLE, max_size=4),
    properties=PROPERTIES,
    application_properties=st.dictionaries(TEXT, SIMPLE, max_size=4),
    data=st.lists(st.binary(max_size=50), max_size=3).map(tuple),
)
FULL = Message(
    annotations={"x-opt-sequence-number": Long(7), "x-opt-offset": "4096", "x-opt-enqueued-time": Timestamp(1000)},
    properties=Properties(message_id="m-1", correlation_id=UUID(int=5), content_type="application/json", user_id=b"u"),
    application_properties={"alert": "true"},
    data=(b'{"temp":', b" 20}"),
)


@examples(150, 10_000)
@given(MESSAGES)
def test_a_message_is_read_as_it_was_written(message: Message) -> None:
    assert decode_message(encode_message(message)) == message


@examples(300, 50_000)
@given(st.binary(max_size=200) | st.lists(VALUES, max_size=4).map(lambda values: b"".join(map(encode, values))))
def test_any_payload_is_a_message_or_refused(payload: bytes) -> None:
    try:
        message = decode_message(payload)
        _ = message.body
    except DecodeError:
        return
    encode_message(message)


def test_microsofts_codec_reads_our_message() -> None:
    theirs: Any = decode_payload(memoryview(encode_message(FULL)))

    assert b"".join(theirs.data) == b'{"temp": 20}'
    assert theirs.message_annotations == {
        b"x-opt-sequence-number": 7,
        b"x-opt-offset": b"4096",
        b"x-opt-enqueued-time": 1000,
    }
    assert theirs.properties.message_id == b"m-1"
    assert theirs.properties.correlation_id == UUID(int=5)
    assert theirs.properties.content_type == b"application/json"
    assert theirs.application_properties == {b"alert": b"true"}


def test_the_body_of_a_value_is_its_text_or_its_bytes() -> None:
    assert Message(value=AmqpValue(value="é")).body == b"\xc3\xa9"
    assert Message(value=AmqpValue(value=b"\x00")).body == b"\x00"
    assert Message().body == b""
    for other in (Message(value=AmqpValue(value=7)), Message(sequences=([1],))):
        with pytest.raises(DecodeError, match="neither data nor a text"):
            _ = other.body


def section(code: int, value: Any) -> bytes:
    return encode(Described(ULong(code), value))


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (section(0x75, b"a") + section(0x74, {}), "order"),
        (section(0x73, []) + section(0x73, []), "order"),
        (section(0x75, b"a") + section(0x77, "b"), "several kinds"),
        (section(0x77, "a") + section(0x77, "b"), "order"),
        (section(0x79, b"a"), "no known kind"),
        (encode(Described(Symbol("amqp:properties"), [])), "no known kind"),
        (encode("text"), "no known kind"),
        (section(0x75, "text"), "not binary"),
        (section(0x74, []), "not a map"),
        (section(0x72, {7: "a"}), "not a map with names"),
        (section(0x73, {}), "properties of a message are not a list"),
        (section(0x73, [None] * 14), "at most 13"),
        (section(0x73, [1.5]), "message-id of a message is of the wrong type"),
        (section(0x73, [None] * 8 + ["soon"]), "absolute-expiry-time of a message is of the wrong type"),
        (section(0x70, "header"), "not a list"),
    ],
)
def test_what_is_no_message_is_refused_with_its_reason(payload: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        decode_message(payload)


def test_sections_may_be_named_by_symbols() -> None:
    payload = encode(Described(Symbol("amqp:properties:list"), ["m-1"])) + encode(
        Described(Symbol("amqp:data:binary"), b"body")
    )
    assert decode_message(payload) == Message(properties=Properties(message_id="m-1"), data=(b"body",))


def test_a_body_is_not_shown() -> None:
    assert "temp" not in repr(FULL)
