"""MQTT bytes <-> packets: what is written is read, however it is cut; anything else is MalformedPacket."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azext_iotjobs.localhub.mqtt import packets
from azext_iotjobs.localhub.mqtt.codec import Decoder, encode
from azext_iotjobs.localhub.mqtt.packets import MalformedPacket, OversizePacket, Packet
from tests.helpers.mqtt_packets import PACKETS

LIMIT = 4096


@given(PACKETS)
def test_what_is_written_is_read(packet: Packet) -> None:
    assert Decoder(LIMIT).feed(encode(packet)) == [packet]


@settings(max_examples=50)
@given(st.lists(PACKETS, min_size=1, max_size=3))
def test_a_stream_may_be_cut_at_every_byte(stream: list[Packet]) -> None:
    data = b"".join(map(encode, stream))
    for cut in range(len(data) + 1):
        decoder = Decoder(LIMIT)
        assert decoder.feed(data[:cut]) + decoder.feed(data[cut:]) == stream
    decoder = Decoder(LIMIT)
    assert [packet for byte in data for packet in decoder.feed(bytes([byte]))] == stream


@settings(max_examples=500)
@given(st.binary(max_size=60))
def test_random_bytes_are_packets_or_malformed_and_nothing_else(data: bytes) -> None:
    try:
        for packet in Decoder(LIMIT).feed(data):
            assert encode(packet)
    except MalformedPacket:
        pass


@settings(max_examples=300)
@given(PACKETS, st.integers(0, 200), st.integers(0, 255))
def test_one_changed_byte_is_another_packet_or_malformed(packet: Packet, place: int, value: int) -> None:
    data = bytearray(encode(packet))
    data[place % len(data)] = value
    try:
        Decoder(LIMIT).feed(bytes(data))
    except MalformedPacket:
        pass


def test_a_packet_that_is_too_large_is_refused_by_its_header_alone() -> None:
    decoder = Decoder(100)
    with pytest.raises(OversizePacket):
        decoder.feed(b"\x30\xe8\x07")  # a PUBLISH of 1000 bytes; none of them is here
    with pytest.raises(MalformedPacket):
        decoder.feed(encode(packets.Pingreq()))


def test_the_good_packets_ahead_of_a_bad_one_are_not_lost() -> None:
    with pytest.raises(MalformedPacket) as caught:
        Decoder(LIMIT).feed(encode(packets.Pingreq()) + b"\xff")
    assert caught.value.before == (packets.Pingreq(),)


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00",  # reserved type
        b"\xc1\x00",  # reserved flags
        b"\x30\x80\x80\x80\x80\x01",  # length of five bytes
        b"\x36\x05\x00\x01a\x00\x01",  # QoS 3
        b"\x32\x05\x00\x01a\x00\x00",  # packet id 0
        b"\x30\x03\x00\x01+",  # wildcard in a topic
        b"\x30\x04\x00\x02\xff\xfe",  # no UTF-8
        b"\x30\x03\x00\x01\x00",  # U+0000
        b"\x82\x02\x00\x01",  # no filter
        b"\x82\x06\x00\x01\x00\x01a\x03",  # QoS 3 asked for
        b"\xc0\x01\x00",  # bytes left over
        b"\x40\x01\x00",  # packet id cut short
        b"\x10\x0c\x00\x04MQTT\x04\x01\x00\x00\x00\x00",  # reserved connect flag
        b"\x10\x0c\x00\x04MQTX\x04\x02\x00\x00\x00\x00",  # another protocol
    ],
)
def test_what_mqtt_does_not_allow_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedPacket):
        Decoder(LIMIT).feed(data)


def test_another_protocol_level_can_still_be_answered() -> None:
    (connect,) = Decoder(LIMIT).feed(b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x00")
    assert isinstance(connect, packets.Connect)
    assert connect.protocol_level == 5
