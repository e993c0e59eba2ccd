"""What the hub sends: credit, windows, frames, outcomes, drain."""

from typing import Any

import pytest

from azext_iotjobs.localhub.amqp.protocol.events import CreditChanged, DeliverySettled
from azext_iotjobs.localhub.amqp.protocol.limits import MAX_OUTPUT_BYTES, MAX_UNSETTLED
from azext_iotjobs.localhub.amqp.wire.frames import Frame
from azext_iotjobs.localhub.amqp.wire.performatives import (
    RECEIVER,
    SENDER,
    Accepted,
    AmqpError,
    Detach,
    Disposition,
    End,
    Flow,
    Modified,
    Received,
    Rejected,
    Released,
    Transfer,
)
from tests.helpers.amqp_frames import MANY, Talk, attach_receiver, flow, of

LARGEST = 1 << 32


def outcome(first: int, last: int | None = None, *, settled: bool = True, state: Any = None) -> Disposition:
    """The client's word on deliveries."""
    return Disposition(RECEIVER, first, last, settled=settled, state=Accepted() if state is None else state)


def test_a_message_is_sent_while_there_is_credit() -> None:
    talk = Talk().begin()
    link = talk.out_link()
    assert link.credit == 0 and not link.has_link_credit
    assert talk.send(flow(handle=0, delivery_count=0, link_credit=2)) == [CreditChanged(link)]
    assert link.credit == 2
    link.send(b"one")
    link.send(b"two", tag=b"mine", is_settled=True)
    assert link.credit == 0
    frames = [each for each in talk.frames() if isinstance(each, Frame)]
    first, second = (each.performative for each in frames)
    assert first == Transfer(0, 0, b"\0\0\0\0", 0, False, False) and frames[0].payload == b"one"
    assert second == Transfer(0, 1, b"mine", 0, True, False) and frames[1].payload == b"two"
    with pytest.raises(AssertionError):
        link.send(b"three")


def test_delivery_ids_count_per_session_and_tags_per_link() -> None:
    talk = Talk().begin()
    one, two = talk.out_link(credit=5), talk.out_link(handle=1, credit=5)
    one.send(b"x")
    two.send(b"x")
    one.send(b"x")
    found = [(each.handle, each.delivery_id, each.delivery_tag) for each in talk.said()]
    assert found == [(0, 0, b"\0\0\0\0"), (1, 1, b"\0\0\0\0"), (0, 2, b"\0\0\0\1")]


def test_a_client_that_wants_settled_messages_gets_them_settled() -> None:
    talk = Talk().begin()
    link = talk.out_link(snd_settle_mode=1, credit=1)
    assert link.is_settled_by_sender
    link.send(b"x")
    assert talk.answer(Transfer).settled is True


def test_a_large_message_is_split_into_the_clients_frames() -> None:
    talk = Talk().open(max_frame_size=512).begin()
    link = talk.out_link(credit=2)
    payload = bytes(range(256)) * 5
    link.send(payload, tag=b"t" * 32)
    output = talk.frames()
    parts = [each for each in output if isinstance(each, Frame)]
    transfers = [each.performative for each in parts]
    assert b"".join(each.payload for each in parts) == payload
    assert [each.more for each in transfers if isinstance(each, Transfer)] == [True, True, False]
    assert {each.delivery_id for each in transfers if isinstance(each, Transfer)} == {0}


def test_no_frame_is_larger_than_the_client_accepts() -> None:
    talk = Talk().open(max_frame_size=512).begin()
    link = talk.out_link(credit=2, handle=255)
    link.send(b"x" * 5000, tag=b"t" * 32)
    output, sizes = talk.hub.take_output(), []
    while output:
        sizes.append(int.from_bytes(output[:4], "big"))
        output = output[sizes[-1] :]
    assert max(sizes) <= 512 and max(sizes) > 480


def test_an_empty_message_is_one_frame() -> None:
    talk = Talk().begin()
    talk.out_link(credit=1).send(b"")
    assert talk.answer(Transfer).more is False


def test_the_credit_counts_from_the_deliveries_that_the_client_has_seen() -> None:
    talk = Talk().begin()
    link = talk.out_link(credit=10)
    for _ in range(4):
        link.send(b"x")
    talk.send(flow(handle=0, delivery_count=1, link_credit=10))
    assert link.credit == 7  # three of the ten are on their way
    talk.send(flow(handle=0, delivery_count=4, link_credit=0))
    assert link.credit == 0


def test_credit_may_be_as_large_as_it_can_be() -> None:
    talk = Talk().begin(incoming_window=LARGEST - 1)
    link = talk.out_link(credit=LARGEST - 1)
    assert link.credit == MAX_UNSETTLED
    link.send(b"x")
    talk.send(flow(next_incoming_id=None, incoming_window=LARGEST - 1))
    assert link.credit == MAX_UNSETTLED - 1


def test_a_closed_window_takes_the_credit_away_until_it_opens() -> None:
    talk = Talk().begin(incoming_window=1)
    link, other = talk.out_link(), talk.out_link(handle=1)
    talk.send(flow(incoming_window=1, handle=0, link_credit=5), flow(incoming_window=1, handle=1, link_credit=5))
    talk.send(flow(incoming_window=1, handle=0, link_credit=5))
    assert link.credit == 1
    link.send(b"x")
    assert (link.credit, other.credit) == (0, 0) and link.has_link_credit
    assert talk.send(flow(next_incoming_id=1, incoming_window=0)) == []
    assert talk.send(flow(next_incoming_id=1, incoming_window=9)) == [CreditChanged(link), CreditChanged(other)]
    assert (link.credit, other.credit) == (4, 5)


def test_a_message_larger_than_the_window_waits_in_part_and_none_follows_it() -> None:
    talk = Talk().open(max_frame_size=512).begin(incoming_window=2)
    link = talk.out_link()
    talk.send(flow(incoming_window=2, handle=0, link_credit=5))
    link.send(b"x" * 1500)
    assert len(talk.said()) == 2 and link.credit == 0
    assert talk.send(flow(next_incoming_id=1, incoming_window=2)) == []
    assert [each.more for each in talk.said()] == [True]
    assert talk.send(flow(next_incoming_id=3, incoming_window=2)) == [CreditChanged(link)]
    assert [each.more for each in talk.said()] == [False]
    assert link.credit == 1


def test_a_link_that_ends_in_the_middle_of_a_message_sends_no_more_of_it() -> None:
    talk = Talk().open(max_frame_size=512).begin(incoming_window=1)
    talk.send(attach_receiver(), flow(incoming_window=1, handle=0, link_credit=5))
    link = of(talk.events, CreditChanged)[0].link
    link.accept()
    link.send(b"x" * 1500)
    talk.said()
    talk.send(Detach(0, closed=True))
    talk.send(flow(next_incoming_id=1, incoming_window=9))
    assert [type(each) for each in talk.said()] == [Detach]


@pytest.mark.parametrize("state", [Accepted(), Rejected(AmqpError("x")), Released(), Modified(True)])
def test_an_outcome_is_reported_once(state: Any) -> None:
    talk = Talk().begin()
    link = talk.out_link(credit=5)
    link.send(b"x", tag=b"a")
    assert talk.send(outcome(0, state=state)) == [DeliverySettled(link, b"a", state, is_settled=True)]
    assert talk.send(outcome(0, state=state)) == []


def test_a_delivery_may_be_settled_without_an_outcome() -> None:
    talk = Talk().begin()
    link = talk.out_link(credit=5)
    link.send(b"x", tag=b"a")
    assert talk.send(Disposition(RECEIVER, 0, settled=True)) == [DeliverySettled(link, b"a", None, is_settled=True)]


def test_a_state_that_is_no_outcome_settles_nothing() -> None:
    talk = Talk().begin()
    link = talk.out_link(credit=5)
    link.send(b"x", tag=b"a")
    assert talk.send(outcome(0, settled=False, state=Received(0, 0))) == []
    assert talk.send(Disposition(RECEIVER, 0)) == []
    assert len(talk.send(outcome(0))) == 1


def test_settled_messages_have_no_outcome() -> None:
    talk = Talk().begin()
    talk.out_link(credit=5).send(b"x", is_settled=True)
    assert talk.send(outcome(0)) == []


@pytest.mark.parametrize("last", [5, LARGEST // 2 - 1], ids=["narrow", "as wide as can be"])
def test_a_range_settles_what_is_in_it_on_all_links(last: int) -> None:
    talk = Talk().begin()
    one, two = talk.out_link(credit=5), talk.out_link(handle=1, credit=5)
    one.send(b"x", tag=b"a")
    two.send(b"x", tag=b"b", is_settled=True)
    two.send(b"x", tag=b"c")
    events = of(talk.send(outcome(0, last)), DeliverySettled)
    assert [(each.link, each.tag) for each in events] == [(one, b"a"), (two, b"c")]


def test_a_range_that_ends_before_it_begins_ends_the_session() -> None:
    talk = Talk().begin()
    talk.send(outcome(5, 4))
    error = talk.answer(End).error
    assert error is not None and error.condition == "amqp:invalid-field"


def test_a_client_that_settles_second_is_told_once_the_hub_has_stored_the_outcome() -> None:
    talk = Talk().begin()
    link = talk.out_link(rcv_settle_mode=1, credit=5)
    link.send(b"x", tag=b"a")
    link.send(b"y", tag=b"b")
    talk.said()
    assert talk.send(outcome(0, settled=False)) == [DeliverySettled(link, b"a", Accepted(), is_settled=False)]
    assert talk.said() == []
    assert talk.send(outcome(0, settled=False)) == []  # it was told already
    link.confirm(b"a", Accepted())
    link.confirm(b"a", Accepted())
    link.confirm(b"b", Accepted())  # its outcome is not known
    assert talk.said() == [Disposition(SENDER, 0, 0, settled=True, state=Accepted())]


def test_a_client_may_settle_after_it_has_told_the_outcome() -> None:
    talk = Talk().begin()
    link = talk.out_link(credit=5)
    link.send(b"x", tag=b"a")
    talk.said()
    talk.send(outcome(0, settled=False))
    assert talk.send(outcome(0)) == []
    link.confirm(b"a", Accepted())
    assert talk.said() == []


def test_unsettled_deliveries_have_a_limit_and_the_credit_returns_with_their_outcomes() -> None:
    talk = Talk().begin(incoming_window=LARGEST - 1)
    link = talk.out_link(credit=2 * MAX_UNSETTLED)
    while link.credit:
        link.send(b"x")
    assert talk.said()[-1].delivery_id == MAX_UNSETTLED - 1
    assert talk.send(outcome(0, 9))[-1] == CreditChanged(link)
    for _ in range(10):
        link.send(b"x")
    talk.send(outcome(10, 11, settled=False))
    link.confirm(b"\0\0\0\x0a", Accepted())
    assert talk.hub.take_events() == [CreditChanged(link)]


def test_a_drain_is_answered_with_what_is_left_of_the_credit() -> None:
    talk = Talk().begin()
    link = talk.out_link()
    assert talk.send(flow(handle=0, delivery_count=0, link_credit=5, drain=True)) == [CreditChanged(link)]
    assert link.wants_drain
    link.send(b"x")
    link.end_drain()
    link.end_drain()
    sent, drained = talk.said()
    assert (drained.delivery_count, drained.link_credit, drained.drain, drained.next_outgoing_id) == (5, 0, True, 1)
    assert not link.wants_drain and link.credit == 0
    talk.send(flow(handle=0, delivery_count=5, link_credit=3))
    assert link.credit == 3 and not link.wants_drain


def test_credit_before_the_attach_is_answered_counts() -> None:
    talk = Talk().begin()
    talk.send(attach_receiver(), flow(handle=0, delivery_count=0, link_credit=5))
    link = of(talk.events, CreditChanged)[0].link
    assert link.credit == 0
    link.accept()
    assert link.credit == 5


def test_no_link_has_credit_while_the_transport_is_full() -> None:
    talk = Talk().begin()
    link = talk.out_link(credit=5)
    talk.hub.set_writable(False)
    assert link.credit == 0 and talk.hub.take_events() == []
    talk.hub.set_writable(True)
    assert link.credit == 5 and talk.hub.take_events() == [CreditChanged(link)]


def test_what_waits_for_the_transport_is_bounded() -> None:
    talk = Talk().begin()
    link = talk.out_link(credit=MANY)
    sent = 0
    while link.credit:
        link.send(b"x" * 10_000)
        sent += 10_000
    assert MAX_OUTPUT_BYTES <= sent + 50_000 and sent < MAX_OUTPUT_BYTES + 20_000
    talk.said()
    assert link.credit > 0 and talk.hub.take_events() == [CreditChanged(link)]


def test_numbers_begin_again_after_the_largest() -> None:
    talk = Talk().begin(next_outgoing_id=LARGEST - 1)
    link = talk.in_link(credit=4, initial_delivery_count=LARGEST - 2)
    for number in (LARGEST - 1, 0, 1):
        talk.send(Transfer(0, number, b"%d" % number, settled=True), payload=b"x")
    assert len(talk.received()) == 3 and link.is_open
    flows = [each for each in talk.said() if isinstance(each, Flow)]
    assert flows[-1].delivery_count == 0 and flows[-1].next_incoming_id == 1
