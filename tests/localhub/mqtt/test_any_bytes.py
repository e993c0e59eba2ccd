"""Whatever devices send: packets or MalformedPacket, memory within its bound, and the others are served on.

The short form is the same on every run; IOTJOBS_TORTURE=1 looks further.
"""

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azext_iotjobs.localhub.mqtt.codec import Decoder, encode
from azext_iotjobs.localhub.mqtt.effects import Close
from azext_iotjobs.localhub.mqtt.packets import (
    MalformedPacket,
    OversizePacket,
    Packet,
    Pingreq,
    Pingresp,
    Publish,
    Subscribe,
    Unsubscribe,
)
from azext_iotjobs.localhub.mqtt.session import Session, State
from tests.helpers.moved_loop import MovedLoop, run, turns
from tests.helpers.mqtt_packets import PACKETS
from tests.helpers.raw_device import ALL_FILTERS, Hub, hello, listening
from tests.helpers.short_form import examples

LIMIT = 1000


def bounds(short: int) -> settings:
    return examples(short, short * 50)


@st.composite
def pieces(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """Bytes, cut anywhere, also into nothing."""
    places = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    return [data[start:end] for start, end in itertools.pairwise([0, *places, len(data)])]


def fed(decoder: Decoder, data: Iterable[bytes]) -> tuple[list[Packet], bool]:
    """The packets, and whether the bytes broke off; what is kept between two pieces is bounded."""
    found: list[Packet] = []
    for piece in data:
        try:
            found += decoder.feed(piece)
        except MalformedPacket as err:
            found += err.before
            assert len(decoder._buffer) == 0
            with pytest.raises(MalformedPacket):
                decoder.feed(encode(Pingreq()))
            return found, True
        assert len(decoder._buffer) <= LIMIT
    return found, False


@bounds(200)
@given(st.data(), st.lists(PACKETS, min_size=1, max_size=4))
def test_a_stream_gives_the_same_packets_in_whatever_pieces_it_comes(data: st.DataObject, stream: list[Packet]) -> None:
    whole = b"".join(map(encode, stream))
    assert fed(Decoder(LIMIT), data.draw(pieces(whole))) == (stream, False)


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """A stream of good packets with some of its bytes changed, doubled, left out or added."""
    data = bytearray(b"".join(map(encode, draw(st.lists(PACKETS, min_size=1, max_size=3)))))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 4)))
        data[start:end] = draw(st.one_of(st.binary(max_size=4), st.just(data[start:end] * 2), st.just(b"\xff\xff\xff")))
    return bytes(data)


@bounds(400)
@given(st.data(), spoilt() | st.binary(max_size=400))
def test_malformed_streams_have_the_same_result_in_whatever_pieces_they_come(
    data: st.DataObject, stream: bytes
) -> None:
    at_once, in_pieces = fed(Decoder(LIMIT), [stream]), fed(Decoder(LIMIT), data.draw(pieces(stream)))
    assert at_once == in_pieces
    again = b"".join(map(encode, at_once[0]))
    assert fed(Decoder(len(stream) + LIMIT), [again])[0] == at_once[0], "what was read can be written, and read again"


@pytest.mark.parametrize("kind", range(16))
@pytest.mark.parametrize("length", [b"\xff\xff\xff\x7f", b"\xff\xff\x7f", b"\xe6\x07", b"\xff\xff\xff\xff"])
def test_an_absurd_length_is_refused_before_a_byte_of_it_is_kept(kind: int, length: bytes) -> None:
    for flags in range(16):
        decoder = Decoder(LIMIT)
        with pytest.raises(MalformedPacket) as caught:
            for byte in bytes([kind << 4 | flags]) + length:
                decoder.feed(bytes([byte]))
        assert caught.value.before == ()
        assert len(decoder._buffer) == 0


def test_what_is_kept_of_a_packet_that_comes_slowly_is_never_more_than_the_largest_packet() -> None:
    decoder, packet = Decoder(LIMIT), encode(Publish("a", b"x" * (LIMIT - 6)))
    assert len(packet) == LIMIT
    for _ in range(100):
        for byte in packet[:-1]:
            assert decoder.feed(bytes([byte])) == []
            assert len(decoder._buffer) < LIMIT
        assert len(decoder.feed(packet[-1:])) == 1
    with pytest.raises(OversizePacket):
        decoder.feed(encode(Publish("a", b"x" * (LIMIT - 5))))


@bounds(200)
@given(st.lists(PACKETS, max_size=20), st.booleans())
def test_a_session_ends_once_and_sends_nothing_more(stream: list[Packet], is_admitted: bool) -> None:
    session, ends = Session(), 0
    for packet in [hello(), *stream]:
        was = session.state
        effects = session.on_packet(packet)
        if session.state is State.AUTHENTICATING:
            effects += session.accept(None) if is_admitted else session.refuse("no")
        ends += sum(isinstance(effect, Close) for effect in effects)
        assert effects == [] or was is not State.CLOSED
    assert ends == (session.state is State.CLOSED)


# --- over sockets, beside a device that does no wrong

ODD_JSON = [
    b"",
    b"{}",
    b"null",
    b"[]",
    b"NaN",
    b'{"a":',
    b'{"a":' * 50_000,
    b"[" * 990 + b"]" * 990,
    b"\xff",
    b'{"a":1e999}',
    b'{"\\ud800":"\\ud800"}',
    b'{"$version":1}',
    b'{"a":"' + b"x" * 40_000 + b'"}',
    b"9" * 5000,
]
TOPICS = [
    "$iothub/twin/GET/?$rid=1",
    "$iothub/twin/GET/?$rid=" + "r" * 1024,
    "$iothub/twin/GET/?",
    "$iothub/twin/GET/",
    "$iothub/twin/PATCH/properties/reported/?$rid=2",
    "$iothub/methods/res/200/?$rid=1",
    "$iothub/methods/res/-9999999999/?$rid=77",
    "$iothub/methods/res/200/?$rid=",
    "devices/bad/messages/events/",
    "devices/bad/messages/events/%=%ff&=&a=%ed%a0%80",
    "devices/good/messages/events/",
    "$SYS",
    "/",
]
SAYINGS = st.one_of(
    st.builds(lambda topic, body: encode(Publish(topic, body)), st.sampled_from(TOPICS), st.sampled_from(ODD_JSON)),
    st.builds(lambda topic, body: encode(Publish(topic, body)), st.sampled_from(TOPICS), st.sampled_from(ODD_JSON)),
    st.sampled_from([encode(Unsubscribe(1, ALL_FILTERS)), encode(Subscribe(1, ((ALL_FILTERS[1], 2),)))]),
    st.just(encode(Pingreq()) * 100),
    PACKETS.map(encode),
    st.binary(min_size=1, max_size=20),
)


@bounds(60)
@given(st.lists(SAYINGS, min_size=1, max_size=6), st.booleans())
def test_a_device_that_sends_anything_disturbs_no_other(sayings: list[bytes], is_in: bool) -> None:
    async def served(hub: Hub) -> None:
        good = await hub.device("good", ALL_FILTERS[1])
        bad = await hub.device("bad", *ALL_FILTERS) if is_in else await hub.wire()
        for number, each in enumerate(sayings):
            bad.writer.write(each)
            good.send(Publish(f"$iothub/twin/GET/?$rid={number}", b""), Pingreq())
            assert (await good.message()).topic == f"$iothub/twin/res/200/?$rid={number}"
            assert await good.next() == Pingresp()
        await bad.gone()
        await turns(20)
        assert hub.links.count_devices() == 1

    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            await served(hub)

    run(main)
