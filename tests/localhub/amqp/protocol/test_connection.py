"""A connection's protocol: headers, SASL, open, close, and what breaks it."""

import pytest

from azext_iotjobs.localhub.amqp.protocol.events import Closed, LinkDetached, LinkRequested, Opened, SaslReceived
from azext_iotjobs.localhub.amqp.protocol.limits import MAX_FRAME_BYTES
from azext_iotjobs.localhub.amqp.wire.frames import (
    AMQP_HEADER,
    SASL_FRAME,
    SASL_HEADER,
    ProtocolHeader,
    encode_frame,
)
from azext_iotjobs.localhub.amqp.wire.performatives import (
    Accepted,
    AmqpError,
    Begin,
    Close,
    Composite,
    Detach,
    Disposition,
    End,
    Flow,
    Open,
    SaslInit,
    SaslMechanisms,
    SaslOutcome,
)
from tests.helpers.amqp_frames import Talk, attach_receiver, attach_sender, begin, flow, of, transfer

MECHANISMS = ("ANONYMOUS", "PLAIN", "EXTERNAL", "MSSBCBS")


def test_a_client_may_open_without_sasl() -> None:
    talk = Talk()
    assert talk.feed(AMQP_HEADER.encoded()) == []
    assert talk.send(Open("me", "localhost")) == [Opened("me", "localhost")]
    header, opened = talk.said()
    assert header == AMQP_HEADER
    assert opened == Open("hub", max_frame_size=65536, channel_max=255, idle_time_out=120_000)


def test_sasl_is_answered_once_its_init_has_come() -> None:
    talk = Talk()
    talk.feed(SASL_HEADER.encoded())
    assert talk.said() == [SASL_HEADER, SaslMechanisms(MECHANISMS)]
    assert talk.send(SaslInit("PLAIN", b"\0user\0secret", "host"), kind=SASL_FRAME) == [
        SaslReceived("PLAIN", b"\0user\0secret", "host")
    ]
    assert talk.said() == []
    talk.hub.finish_sasl(True)
    talk.feed(AMQP_HEADER.encoded())
    assert talk.said() == [SaslOutcome(0), AMQP_HEADER]


def test_what_follows_sasl_in_the_same_bytes_waits_for_its_answer() -> None:
    talk = Talk()
    init = encode_frame(0, SaslInit("ANONYMOUS"), kind=SASL_FRAME)
    events = talk.feed(SASL_HEADER.encoded() + init + AMQP_HEADER.encoded() + encode_frame(0, Open("me")))
    assert of(events, Opened) == [] and not talk.hub.has_more
    talk.hub.finish_sasl(True)
    assert talk.hub.has_more
    assert talk.feed(b"") == [Opened("me", None)]


def test_a_client_with_bad_credentials_is_told_and_no_more_is_read() -> None:
    talk = Talk()
    talk.feed(SASL_HEADER.encoded())
    talk.send(SaslInit("PLAIN", b""), kind=SASL_FRAME)
    talk.hub.finish_sasl(False)
    assert talk.said()[-1] == SaslOutcome(1)
    assert talk.feed(AMQP_HEADER.encoded()) == [Closed(None, is_by_client=False)]
    assert talk.said() == []


def test_an_unknown_mechanism_is_refused() -> None:
    talk = Talk()
    talk.feed(SASL_HEADER.encoded())
    assert of(talk.send(SaslInit("GSSAPI", b""), kind=SASL_FRAME), SaslReceived) == []
    assert talk.said()[-1] == SaslOutcome(1)


def test_a_secret_is_not_shown() -> None:
    assert "secret" not in repr(SaslReceived("PLAIN", b"secret", None))


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        ProtocolHeader(2, (1, 0, 0)).encoded(),
        ProtocolHeader(0, (0, 9, 1)).encoded(),
        encode_frame(0, Open("me")),
        encode_frame(0, None),
    ],
    ids=["HTTP", "AMQP over TLS", "AMQP 0.9.1", "no header", "an empty frame"],
)
def test_what_is_not_amqp_1_is_answered_with_its_header_and_ended(data: bytes) -> None:
    talk = Talk()
    (event,) = talk.feed(data)
    assert isinstance(event, Closed) and event.error is not None
    assert talk.said() == [AMQP_HEADER]
    assert talk.feed(AMQP_HEADER.encoded()) == [] and talk.said() == []


def test_close_is_answered_and_ends_every_link() -> None:
    talk = Talk().begin()
    link = talk.in_link()
    error = AmqpError("amqp:internal-error", "I am broken.")
    assert talk.send(Close(error)) == [LinkDetached(link, error), Closed(error, is_by_client=True)]
    assert talk.said() == [Close()]
    assert not link.is_open and talk.hub.state.name == "OVER"


def test_the_hub_closes_and_waits_for_the_clients_close() -> None:
    talk = Talk().begin()
    link = talk.out_link()
    error = AmqpError("amqp:connection:forced", "The hub ends.")
    talk.hub.close(error)
    assert talk.said() == [Close(error)]
    assert talk.hub.take_events() == [LinkDetached(link, error), Closed(error, is_by_client=False)]
    assert talk.send(begin(), channel=3) == [] and talk.said() == []
    assert talk.hub.state.name == "CLOSING"
    talk.send(Close())
    assert talk.hub.state.name == "OVER"


def test_a_lost_connection_ends_every_link_once() -> None:
    talk = Talk().begin()
    link = talk.out_link()
    talk.hub.lost()
    talk.hub.lost()
    assert talk.hub.take_events() == [LinkDetached(link, None), Closed(None, is_by_client=True)]


@pytest.mark.parametrize(
    ("data", "condition"),
    [
        (b"\0\0\0\x04\x02\0\0\0", "amqp:connection:framing-error"),
        ((MAX_FRAME_BYTES + 1).to_bytes(4, "big") + b"\x02\0\0\0", "amqp:connection:framing-error"),
        (b"\0\0\0\x09\x02\0\0\0\xff", "amqp:decode-error"),
        (encode_frame(0, Open("again")), "amqp:not-allowed"),
        (encode_frame(0, SaslInit("PLAIN"), kind=SASL_FRAME), "amqp:not-allowed"),
        (AMQP_HEADER.encoded(), "amqp:not-allowed"),
        (encode_frame(0, AmqpError("x")), "amqp:not-allowed"),
        (encode_frame(0, begin()), "amqp:not-allowed"),
        (encode_frame(1, begin(remote_channel=0)), "amqp:not-allowed"),
        (encode_frame(256, begin()), "amqp:connection:framing-error"),
        (encode_frame(9, End()), "amqp:not-allowed"),
        (encode_frame(9, attach_sender()), "amqp:not-allowed"),
        (encode_frame(0, attach_sender(handle=256)), "amqp:connection:framing-error"),
    ],
    ids=range(13),
)
def test_an_error_of_the_connection_closes_it_with_its_condition(data: bytes, condition: str) -> None:
    talk = Talk().begin()
    (event,) = talk.feed(data)
    assert isinstance(event, Closed) and event.error is not None and not event.is_by_client
    assert talk.said() == [Close(event.error)]
    assert event.error.condition == condition and event.error.description
    assert talk.feed(data + encode_frame(5, begin())) == [] and talk.said() == []


@pytest.mark.parametrize(
    "opened",
    [Open("me", idle_time_out=5), Open("me", max_frame_size=511)],
    ids=["a time-out too short", "frames too small"],
)
def test_an_open_that_the_hub_cannot_serve_is_answered_with_open_and_close(opened: Open) -> None:
    talk = Talk()
    talk.feed(AMQP_HEADER.encoded())
    (event,) = talk.send(opened)
    assert isinstance(event, Closed) and event.error is not None
    assert [type(each) for each in talk.said()] == [type(AMQP_HEADER), Open, Close]


@pytest.mark.parametrize("early", [begin(), Close(), flow(), End(), Detach(0)], ids=lambda each: type(each).__name__)
def test_nothing_comes_before_open(early: Composite) -> None:
    talk = Talk()
    talk.feed(AMQP_HEADER.encoded())
    (event,) = talk.send(early)
    assert isinstance(event, Closed)
    assert talk.hub.state.name == "CLOSING"


def test_the_clients_idle_time_out_is_known_and_empty_frames_keep_it_content() -> None:
    talk = Talk().open(idle_time_out=30_000)
    assert talk.hub.client.idle_timeout_s == 30
    assert talk.feed(encode_frame(0, None)) == []
    talk.hub.heartbeat()
    assert talk.said() == [None]
    assert Talk().open().hub.client.idle_timeout_s is None
    assert Talk().open(idle_time_out=0).hub.client.idle_timeout_s is None


def test_frames_beyond_the_most_for_one_turn_wait_for_the_next() -> None:
    talk = Talk().begin()
    data = b"".join(encode_frame(0, attach_sender(handle=each)) for each in range(5))
    assert len(talk.hub.receive(data, max_frames=3)) == 3 and talk.hub.has_more
    assert len(talk.hub.receive(b"", max_frames=3)) == 2 and not talk.hub.has_more


def test_bytes_may_come_one_by_one() -> None:
    talk = Talk()
    init = encode_frame(0, SaslInit("EXTERNAL"), kind=SASL_FRAME)
    for each in SASL_HEADER.encoded() + init:
        talk.feed(bytes([each]))
    talk.hub.finish_sasl(True)
    for each in AMQP_HEADER.encoded() + encode_frame(0, Open("me")) + encode_frame(0, begin()):
        talk.feed(bytes([each]))
    talk.feed(encode_frame(0, attach_receiver()))
    assert [type(each) for each in talk.events] == [SaslReceived, Opened, LinkRequested]


def test_the_hub_wakes_its_transport_once_for_what_it_has_to_send() -> None:
    talk = Talk().begin()
    link = talk.in_link()
    before = talk.wakes
    talk.send(transfer(0), payload=b"x")
    assert talk.wakes == before
    delivery = talk.events[-1].delivery  # type: ignore[union-attr]
    link.settle(delivery, Accepted())
    link.detach()
    assert talk.wakes == before + 1
    assert [type(each) for each in talk.said()] == [Disposition, Detach]


def test_sessions_and_links_stay_apart_on_channels_of_their_own() -> None:
    talk = Talk().begin(0).begin(7)
    talk.send(attach_sender(handle=1), channel=7)
    talk.events[-1].link.accept()  # type: ignore[union-attr]
    assert {each.channel for each in talk.frames() if hasattr(each, "channel")} == {7}
    assert of(talk.send(End(), channel=0), LinkDetached) == []
    assert len(of(talk.send(End(), channel=7), LinkDetached)) == 1
    assert talk.send(begin(), channel=7) == []  # the number is free again
    assert [type(each) for each in talk.said()] == [End, End, Begin]


def test_flow_frames_of_a_session_are_answered_on_request() -> None:
    talk = Talk().begin()
    talk.send(flow())
    assert talk.said() == []
    talk.send(flow(echo=True))
    assert isinstance(talk.answer(Flow), Flow)
