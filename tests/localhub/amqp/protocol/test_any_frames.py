"""Whatever a client sends, in whatever pieces and order: no exception, an answer that can be read, bounded memory.

The short form is the same on every run; IOTJOBS_TORTURE=1 looks further.
"""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azext_iotjobs.localhub.amqp.protocol import limits
from azext_iotjobs.localhub.amqp.protocol.connection import AmqpConnection, State
from azext_iotjobs.localhub.amqp.protocol.events import (
    Closed,
    CreditChanged,
    DeliverySettled,
    Event,
    LinkDetached,
    LinkRequested,
    MessageReceived,
    SaslReceived,
)
from azext_iotjobs.localhub.amqp.protocol.in_link import InLink
from azext_iotjobs.localhub.amqp.wire.frames import (
    AMQP_HEADER,
    SASL_FRAME,
    SASL_HEADER,
    Frame,
    FrameReader,
    ProtocolHeader,
    encode_frame,
)
from azext_iotjobs.localhub.amqp.wire.performatives import (
    Accepted,
    AmqpError,
    Attach,
    Begin,
    Close,
    Composite,
    Detach,
    Disposition,
    End,
    Flow,
    Modified,
    Open,
    Received,
    Rejected,
    Released,
    SaslInit,
    Source,
    Target,
    Transfer,
)
from tests.helpers.amqp_frames import attach_receiver, attach_sender, begin, flow, transfer
from tests.helpers.short_form import examples, some

LARGEST = (1 << 32) - 1


def bounds(short: int) -> settings:
    return examples(short, short * 50)


class Hub:
    """A connection whose nodes accept or refuse links by turns, settle what comes, and send while there is credit."""

    def __init__(self) -> None:
        self.wakes = 0
        self.protocol = AmqpConnection("hub", self._wake)
        self.said: list[Any] = []
        self.events: list[Event] = []
        self.open_links: set[Any] = set()
        self._reader = FrameReader(limits.MAX_FRAME_BYTES)

    def _wake(self) -> None:
        self.wakes += 1

    def feed(self, data: bytes) -> None:
        """Bytes of the client, and all that follows from them."""
        found = self.protocol.receive(data, max_frames=1)
        while found or self.protocol.has_more:
            for event in found:
                self.events.append(event)
                self._answer(event)
            self._read()
            found = self.protocol.receive(b"", max_frames=1)
        self._read()
        self._check()

    def _answer(self, event: Event) -> None:
        match event:
            case SaslReceived(mechanism):
                self.protocol.finish_sasl(mechanism != "EXTERNAL")
            case LinkRequested(link):
                self.open_links.add(link)
                if link.address == "refused":
                    link.refuse(AmqpError("amqp:not-found"))
                elif isinstance(link, InLink):
                    link.accept(credit=3, max_message_bytes=300)
                else:
                    link.accept()
            case MessageReceived(link, delivery):
                assert len(delivery.payload) <= 300 and delivery.tag is not None
                link.settle(delivery, Accepted())
                if delivery.payload == b"detach":
                    link.detach(AmqpError("amqp:not-allowed"))
            case CreditChanged(link):
                for _ in range(min(link.credit, 3)):
                    if link.credit:
                        link.send(b"x" * 700)
                link.end_drain()
            case DeliverySettled(link, tag, outcome):
                link.confirm(tag, outcome)
            case LinkDetached(link):
                self.open_links.remove(link)  # once, and only of those that were requested
                assert not link.is_open

    def _read(self) -> None:
        self._reader.feed(self.protocol.take_output())
        while (item := self._reader.next()) is not None:
            self.said.append(item)

    def _check(self) -> None:
        protocol = self.protocol
        assert 0 <= protocol._unfinished_bytes <= limits.MAX_UNFINISHED_BYTES
        assert len(protocol._reader._buffer) <= limits.MAX_FRAME_BYTES
        assert len(protocol._sessions) <= limits.CHANNEL_MAX + 1
        for session in protocol._sessions.values():
            assert len(session._links) <= limits.HANDLE_MAX + 1
            assert len(session._outgoing._unsettled) <= limits.MAX_UNSETTLED
        ends = [each for each in self.events if isinstance(each, Closed)]
        assert len(ends) == (protocol.state in (State.CLOSING, State.OVER))
        if ends:
            assert not self.open_links and not protocol._sessions


def frames_of(*performatives: Composite | tuple[Composite, bytes], channel: int = 0) -> bytes:
    """Frames, some with a payload."""
    pairs = [each if isinstance(each, tuple) else (each, b"") for each in performatives]
    return b"".join(encode_frame(channel, performative, payload) for performative, payload in pairs)


SASL = SASL_HEADER.encoded() + encode_frame(0, SaslInit("PLAIN", b"\0a\0b"), kind=SASL_FRAME)
OPENED = AMQP_HEADER.encoded() + frames_of(Open("me", max_frame_size=512), begin())
CONVERSATIONS = {
    "telemetry": SASL
    + OPENED
    + frames_of(
        attach_sender(),
        (transfer(0, more=True), b"a" * 100),
        (transfer(None), b"b" * 100),
        (transfer(1, settled=True), b"c"),
        (transfer(2, more=True), b"d"),
        transfer(None, aborted=True),
        Detach(0, closed=True),
        End(),
        Close(),
    ),
    "a receiver": OPENED
    + frames_of(
        attach_receiver(rcv_settle_mode=1),
        flow(handle=0, delivery_count=0, link_credit=5),
        Disposition(True, 0, 1, settled=False, state=Accepted()),
        Disposition(True, 2, settled=True, state=Released()),
        flow(next_incoming_id=6, handle=0, delivery_count=3, link_credit=2, drain=True),
        flow(next_incoming_id=9, echo=True),
        Close(AmqpError("amqp:internal-error")),
    ),
    "many links": OPENED
    + frames_of(begin(), channel=1)
    + frames_of(attach_sender("refused"), attach_receiver("refused", 1), attach_sender(handle=2), channel=1)
    + frames_of((transfer(0, handle=2), b"detach"), Detach(2, closed=True), Detach(0), End(), channel=1)
    + frames_of(attach_receiver(handle=9), Close()),
}


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_conversation_may_be_cut_in_two_anywhere(name: str) -> None:
    data = CONVERSATIONS[name]
    whole = Hub()
    whole.feed(data)
    assert whole.protocol.state is State.OVER and whole.said[-1].performative == Close()
    for place in some(range(len(data)), 80, name):
        hub = Hub()
        hub.feed(data[:place])
        hub.feed(data[place:])
        assert hub.said == whole.said
        assert [type(each) for each in hub.events] == [type(each) for each in whole.events]


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_conversation_may_end_anywhere(name: str) -> None:
    data = CONVERSATIONS[name]
    for place in some(range(len(data)), 80, name):
        hub = Hub()
        hub.feed(data[:place])
        hub.protocol.lost()
        hub.feed(b"")
        assert not hub.open_links and hub.protocol.state is State.OVER


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_any_byte_of_a_conversation_may_be_wrong(name: str) -> None:
    data = CONVERSATIONS[name]
    for place in some(range(len(data)), 60, name):
        for change in (0x01, 0x80, 0xFF):
            Hub().feed(data[:place] + bytes([data[place] ^ change]) + data[place + 1 :])


@bounds(200)
@given(st.binary(max_size=300), st.sampled_from([b"", AMQP_HEADER.encoded(), SASL_HEADER.encoded(), SASL, OPENED]))
def test_any_bytes_may_come_in_any_state(data: bytes, before: bytes) -> None:
    hub = Hub()
    hub.feed(before)
    hub.feed(data)


NUMBERS = st.sampled_from([0, 1, 2, 255, 256, LARGEST // 2, LARGEST]) | st.integers(0, 8)
HANDLES = st.integers(0, 3)
MAYBE = st.none() | st.booleans()
ADDRESSES = st.sampled_from(["events", "refused", None])
STATES = st.sampled_from(
    [None, Accepted(), Rejected(AmqpError("x")), Released(), Modified(True), Received(0, 0), "no state"]
)
PERFORMATIVES: st.SearchStrategy[Composite] = st.one_of(
    st.builds(
        Attach,
        name=st.just("link"),
        handle=HANDLES,
        role=st.booleans(),
        snd_settle_mode=st.none() | st.integers(0, 2),
        rcv_settle_mode=st.none() | st.integers(0, 1),
        source=st.none() | st.builds(Source, address=ADDRESSES),
        target=st.none() | st.builds(Target, address=ADDRESSES),
        initial_delivery_count=st.none() | NUMBERS,
    ),
    st.builds(
        Flow,
        next_incoming_id=st.none() | NUMBERS,
        incoming_window=NUMBERS,
        next_outgoing_id=NUMBERS,
        outgoing_window=NUMBERS,
        handle=st.none() | HANDLES,
        delivery_count=st.none() | NUMBERS,
        link_credit=st.none() | NUMBERS,
        drain=MAYBE,
        echo=MAYBE,
    ),
    st.builds(
        Transfer,
        handle=HANDLES,
        delivery_id=st.none() | NUMBERS,
        delivery_tag=st.none() | st.binary(max_size=33),
        settled=MAYBE,
        more=MAYBE,
        aborted=MAYBE,
    ),
    st.builds(
        Disposition,
        role=st.booleans(),
        first=NUMBERS,
        last=st.none() | NUMBERS,
        settled=MAYBE,
        state=STATES,
    ),
    st.builds(Detach, handle=HANDLES, closed=MAYBE),
    st.builds(
        Begin,
        remote_channel=st.none() | st.just(0),
        next_outgoing_id=NUMBERS,
        incoming_window=NUMBERS,
        outgoing_window=NUMBERS,
        handle_max=st.none() | NUMBERS,
    ),
    st.builds(End),
    st.builds(Open, container_id=st.just("me"), max_frame_size=st.none() | NUMBERS, channel_max=st.none()),
)
STEPS = st.tuples(st.integers(0, 2), PERFORMATIVES, st.sampled_from([b"", b"x" * 150, b"detach"]))
LINKS = st.lists(st.sampled_from(["in", "out", "refused"]), max_size=3)


def attached(links: list[str]) -> bytes:
    """An open connection with a session and links."""
    attaches = {"in": attach_sender, "out": attach_receiver}
    made = [
        attaches[kind](handle=handle) if kind in attaches else attach_sender("refused", handle)
        for handle, kind in enumerate(links)
    ]
    return OPENED + frames_of(*made)


@bounds(100)
@given(LINKS, st.lists(STEPS, max_size=12))
def test_performatives_may_come_in_any_order(links: list[str], steps: list[tuple[int, Composite, bytes]]) -> None:
    hub = Hub()
    hub.feed(attached(links))
    for channel, performative, payload in steps:
        hub.feed(encode_frame(channel, performative, payload))
    for item in hub.said:
        assert isinstance(item, ProtocolHeader | Frame)


@bounds(50)
@given(LINKS, st.lists(STEPS, max_size=12))
def test_an_outgoing_frame_is_never_larger_than_the_client_accepts(
    links: list[str], steps: list[tuple[int, Composite, bytes]]
) -> None:
    hub = Hub()
    hub._reader = FrameReader(512)  # as the client has asked for
    hub.feed(attached(links))
    hub.feed(b"".join(encode_frame(*step) for step in steps))
