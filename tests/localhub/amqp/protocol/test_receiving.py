"""What the client sends: messages from their parts, credit, windows, outcomes."""

from typing import Any

import pytest

from azext_iotjobs.localhub.amqp.protocol.events import Closed, LinkDetached, MessageReceived
from azext_iotjobs.localhub.amqp.protocol.limits import INCOMING_WINDOW, MAX_UNFINISHED_BYTES
from azext_iotjobs.localhub.amqp.wire.performatives import (
    RECEIVER,
    SENDER,
    Accepted,
    AmqpError,
    DeliveryState,
    Detach,
    Disposition,
    End,
    Flow,
    Rejected,
    Transfer,
)
from tests.helpers.amqp_frames import Talk, attach_sender, flow, of, transfer


def last(talk: Talk) -> Any:
    """The newest message."""
    return of(talk.events, MessageReceived)[-1].delivery


def test_a_message_comes_with_what_the_client_says_of_it() -> None:
    talk = Talk().begin()
    link = talk.in_link()
    (event,) = talk.send(transfer(4, tag=b"t", message_format=0x80013700), payload=b"hello")
    assert isinstance(event, MessageReceived) and event.link is link
    found = event.delivery
    assert (found.delivery_id, found.tag, found.is_settled) == (4, b"t", False)
    assert (found.message_format, found.payload) == (0x80013700, b"hello")


def test_parts_are_put_together_also_among_parts_of_other_links() -> None:
    talk = Talk().begin()
    talk.in_link()
    talk.in_link(handle=1)
    assert talk.send(transfer(0, more=True), payload=b"a") == []
    talk.send(transfer(1, handle=1, more=True), payload=b"1")
    talk.send(transfer(None, more=True), payload=b"b")
    talk.send(transfer(0), payload=b"c")
    talk.send(transfer(None, handle=1), payload=b"2")
    assert talk.received() == [b"abc", b"12"]


def test_an_aborted_message_never_comes() -> None:
    talk = Talk().begin()
    talk.in_link()
    talk.send(transfer(0, more=True), payload=b"a")
    talk.send(transfer(0, aborted=True), payload=b"b")
    talk.send(transfer(1), payload=b"c")
    assert talk.received() == [b"c"]


@pytest.mark.parametrize(
    ("mode", "first", "second", "is_settled"),
    [
        (None, None, None, False),
        (None, True, None, True),
        (None, None, True, True),
        (1, None, None, True),
        (0, None, None, False),
    ],
    ids=["by default", "first part", "last part", "mode settled", "mode unsettled"],
)
def test_a_message_is_settled_as_the_client_says(mode: Any, first: Any, second: Any, is_settled: bool) -> None:
    talk = Talk().begin()
    link = talk.in_link(snd_settle_mode=mode)
    talk.send(transfer(0, more=True, settled=first), payload=b"a")
    talk.send(transfer(0, settled=second), payload=b"b")
    assert last(talk).is_settled is is_settled
    link.settle(last(talk), Accepted())
    assert len(of(talk.said(), Disposition)) == (not is_settled)


def test_outcomes_one_after_another_are_one_frame() -> None:
    talk = Talk().begin()
    one, two = talk.in_link(), talk.in_link(handle=1)
    deliveries = []
    for number in range(4):
        talk.send(transfer(number, handle=number % 2), payload=b"x")
        deliveries.append(last(talk))
    talk.said()
    bad = Rejected(AmqpError("amqp:not-allowed", "Not this one."))
    outcomes: list[DeliveryState] = [Accepted(), Accepted(), bad, bad]
    for link, delivery, outcome in zip((one, two, one, two), deliveries, outcomes, strict=True):
        link.settle(delivery, outcome)
    assert talk.said() == [
        Disposition(RECEIVER, 0, 1, settled=True, state=Accepted()),
        Disposition(RECEIVER, 2, 3, settled=True, state=bad),
    ]


def test_outcomes_out_of_order_are_frames_of_their_own() -> None:
    talk = Talk().begin()
    link = talk.in_link()
    talk.send(transfer(0), transfer(1))
    first, second = (each.delivery for each in of(talk.events, MessageReceived))
    link.settle(second, Accepted())
    link.settle(first, Accepted())
    link.settle(first, Accepted())  # once is enough
    assert [(each.first, each.last) for each in talk.said()] == [(1, 1), (0, 0)]


def test_an_outcome_goes_out_before_what_is_sent_after_it() -> None:
    talk = Talk().begin()
    link = talk.in_link()
    talk.send(transfer(0))
    link.settle(last(talk), Accepted())
    link.detach()
    assert [type(each) for each in talk.said()] == [Disposition, Detach]


def test_credit_is_renewed_when_half_of_it_is_used_and_what_was_received_is_settled() -> None:
    talk = Talk().begin()
    link = talk.in_link(credit=4)
    for number in range(2):
        talk.send(transfer(number), payload=b"x")
    assert of(talk.said(), Flow) == []  # half is used, and all of that is unsettled
    link.settle(last(talk), Accepted())
    granted = of(talk.said(), Flow)[-1]
    assert (granted.delivery_count, granted.link_credit, granted.next_incoming_id) == (2, 3, 2)


def test_settled_messages_renew_the_credit_by_themselves() -> None:
    talk = Talk().begin()
    talk.in_link(credit=10)
    for number in range(100):
        talk.send(transfer(number, settled=True), payload=b"x")
    assert len(talk.received()) == 100
    assert len(of(talk.said(), Flow)) == 20


def test_a_message_without_credit_ends_the_link() -> None:
    talk = Talk().begin()
    talk.in_link(credit=1)
    talk.send(transfer(0))
    (event,) = talk.send(transfer(1))
    assert isinstance(event, LinkDetached) and event.error is not None
    assert event.error.condition == "amqp:link:transfer-limit-exceeded"
    assert talk.answer(Detach).error == event.error
    assert talk.hub.state.name == "OPEN"


def test_a_message_before_the_attach_is_answered_refuses_the_link() -> None:
    talk = Talk().begin()
    talk.send(attach_sender(), transfer(0))
    assert of(talk.events, MessageReceived) == []
    assert [type(each).__name__ for each in talk.said()] == ["Attach", "Detach"]


def test_a_message_that_is_too_large_ends_the_link_before_it_is_whole() -> None:
    talk = Talk().begin()
    talk.in_link(max_message_bytes=100)
    talk.send(transfer(0, more=True), payload=b"x" * 60)
    (event,) = talk.send(transfer(None, more=True), payload=b"x" * 60)
    assert isinstance(event, LinkDetached) and event.error is not None
    assert event.error.condition == "amqp:link:message-size-exceeded"
    assert talk.received() == []


@pytest.mark.parametrize(
    "wrong",
    [
        Transfer(0, None, b"t"),
        Transfer(0, 0, None),
        Transfer(0, 0, b"t" * 33),
        transfer(7),
    ],
    ids=["no id", "no tag", "a long tag", "an id in use"],
)
def test_a_delivery_that_does_not_say_what_it_is_ends_the_link(wrong: Transfer) -> None:
    talk = Talk().begin()
    talk.in_link()
    talk.send(transfer(7))
    (event,) = talk.send(wrong)
    assert isinstance(event, LinkDetached) and event.error is not None
    assert event.error.condition == "amqp:invalid-field"


def test_a_delivery_may_not_begin_within_another() -> None:
    talk = Talk().begin()
    talk.in_link()
    talk.send(transfer(0, more=True), payload=b"a")
    (event,) = talk.send(transfer(1), payload=b"b")
    assert isinstance(event, LinkDetached) and talk.received() == []


def test_unfinished_messages_of_all_links_together_have_a_limit() -> None:
    talk = Talk().begin()
    size, events = 60_000, []
    for handle in range(MAX_UNFINISHED_BYTES // size + 1):
        talk.in_link(handle=handle, max_message_bytes=size)
        events = talk.send(transfer(handle, handle=handle, more=True), payload=b"x" * size)
    (closed,) = of(events, Closed)
    assert closed.error is not None and closed.error.condition == "amqp:resource-limit-exceeded"


@pytest.mark.parametrize("end", ["whole", "aborted", "detached", "link ended by the hub", "session ended"])
def test_finished_messages_free_their_memory(end: str) -> None:
    talk = Talk().begin()
    for number in range(3 * MAX_UNFINISHED_BYTES // 60_000):
        link = talk.in_link(max_message_bytes=120_000)
        talk.send(transfer(number, more=True, settled=True), payload=b"x" * 60_000)
        match end:
            case "whole":
                talk.send(transfer(None))
            case "aborted":
                talk.send(transfer(None, aborted=True))
            case "detached":
                pass
            case "link ended by the hub":
                link.detach()
            case "session ended":
                talk.send(End())
                talk.begin()
                continue
        talk.send(Detach(0, closed=True))
    assert talk.hub.state.name == "OPEN"


def test_a_window_is_renewed_when_half_of_it_is_used() -> None:
    talk = Talk().begin()
    talk.in_link(credit=INCOMING_WINDOW * 4)
    for number in range(INCOMING_WINDOW // 2):
        talk.send(transfer(number, settled=True))
    renewed = talk.answer(Flow)
    assert (renewed.incoming_window, renewed.next_incoming_id) == (INCOMING_WINDOW, INCOMING_WINDOW // 2)


def test_a_client_may_settle_without_waiting_for_the_outcome() -> None:
    talk = Talk().begin()
    link = talk.in_link(credit=2)
    talk.send(transfer(0), transfer(1))
    deliveries = [each.delivery for each in of(talk.events, MessageReceived)]
    talk.said()
    talk.send(Disposition(SENDER, 0, 1, settled=True))
    assert talk.answer(Flow).link_credit == 2
    for delivery in deliveries:
        link.settle(delivery, Accepted())
    assert talk.said() == []


def test_a_client_that_gives_credit_back_gets_new_credit() -> None:
    talk = Talk().begin()
    talk.in_link(credit=10)
    assert talk.send(flow(handle=0, delivery_count=8)) == []
    granted = talk.answer(Flow)
    assert (granted.delivery_count, granted.link_credit) == (8, 10)


def test_a_clients_flow_from_before_its_last_message_changes_nothing() -> None:
    talk = Talk().begin()
    talk.in_link(credit=10)
    talk.send(transfer(0))
    talk.send(flow(handle=0, delivery_count=0))
    assert talk.said() == []
