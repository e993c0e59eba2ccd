"""Links: attach, refuse, detach, and who is told."""

import pytest

from azext_iotjobs.localhub.amqp.protocol.events import Closed, LinkDetached, LinkRequested, MessageReceived
from azext_iotjobs.localhub.amqp.protocol.in_link import InLink
from azext_iotjobs.localhub.amqp.protocol.limits import MAX_LINKS
from azext_iotjobs.localhub.amqp.protocol.out_link import OutLink
from azext_iotjobs.localhub.amqp.wire.performatives import (
    RECEIVER,
    SENDER,
    Accepted,
    AmqpError,
    Attach,
    Close,
    Detach,
    End,
    Flow,
    Source,
    Target,
)
from azext_iotjobs.localhub.amqp.wire.types import Described, Symbol, UInt
from tests.helpers.amqp_frames import Talk, attach_receiver, attach_sender, begin, flow, of, transfer

GONE = AmqpError("amqp:not-found", "There is no such address.")


def test_a_link_says_what_the_client_asks_for() -> None:
    filters = {Symbol("apache.org:selector-filter:string"): Described(Symbol("apache.org:selector-filter:string"), "x")}
    properties = {Symbol("com.microsoft:epoch"): 3}
    attach = attach_receiver(
        source=Source("events", filter=filters),
        target=Target("mine"),
        properties=properties,
        desired_capabilities=("com.microsoft:enable-receiver-runtime-metric",),
    )
    link = Talk().begin().requested(attach)
    assert isinstance(link, OutLink)
    assert (link.name, link.address, link.properties) == ("in 0", "events", {"com.microsoft:epoch": 3})
    assert link.filters == {str(key): value for key, value in filters.items()}
    assert link.target == Target("mine") and link.source == attach.source
    assert link.desired_capabilities == ("com.microsoft:enable-receiver-runtime-metric",)
    assert not link.is_settled_by_sender


@pytest.mark.parametrize(
    "attach",
    [
        attach_sender(target=None),
        attach_sender(target=Described(Symbol("amqp:coordinator:list"), [])),
        attach_sender(target=Target()),
        attach_sender(target=Target(UInt(5))),
        attach_receiver(source=None),
        attach_receiver(source=Source(dynamic=True)),
    ],
    ids=["no target", "a coordinator", "no address", "a number", "no source", "dynamic"],
)
def test_a_link_without_an_address_has_an_empty_one(attach: Attach) -> None:
    assert Talk().begin().requested(attach).address == ""


def test_an_accepted_receiver_is_attached_with_its_source() -> None:
    talk = Talk().begin()
    link = talk.requested(attach_receiver("events", snd_settle_mode=1, rcv_settle_mode=0))
    assert isinstance(link, OutLink)
    assert talk.said() == []
    link.accept(offered_capabilities=("fast",))
    answer = talk.answer(Attach)
    assert (answer.name, answer.role, answer.source) == ("in 0", SENDER, Source("events"))
    assert (answer.snd_settle_mode, answer.rcv_settle_mode, answer.initial_delivery_count) == (1, 0, 0)
    assert answer.offered_capabilities == ("fast",)


def test_an_accepted_sender_is_attached_and_may_send() -> None:
    talk = Talk().begin()
    link = talk.requested(attach_sender("events", initial_delivery_count=7, rcv_settle_mode=1))
    assert isinstance(link, InLink)
    link.accept(credit=20, max_message_bytes=500)
    attached, granted = talk.said()
    assert (attached.role, attached.target, attached.max_message_size) == (RECEIVER, Target("events"), 500)
    assert attached.rcv_settle_mode == 0  # the hub settles at once
    assert (granted.handle, granted.delivery_count, granted.link_credit) == (0, 7, 20)


@pytest.mark.parametrize("attach", [attach_sender("nowhere"), attach_receiver("nowhere")], ids=["sender", "receiver"])
def test_a_refused_link_is_attached_to_nothing_and_detached_with_the_reason(attach: Attach) -> None:
    talk = Talk().begin()
    link = talk.requested(attach)
    link.refuse(GONE)
    attached, detached = talk.said()
    assert (attached.source, attached.target, attached.role) == (None, None, not attach.role)
    assert detached == Detach(0, closed=True, error=GONE)
    assert talk.hub.take_events() == [LinkDetached(link, GONE)]
    assert talk.send(Detach(0, closed=True)) == [] and talk.said() == []
    talk.requested(attach)  # its handle is free again


def test_what_is_asked_of_a_link_that_has_ended_does_nothing() -> None:
    talk = Talk().begin()
    out_link, in_link = talk.out_link(credit=5), talk.in_link(handle=1)
    talk.send(transfer(handle=1), payload=b"x")
    delivery = of(talk.events, MessageReceived)[0].delivery
    out_link.detach()
    in_link.detach(GONE)
    talk.said()
    for link in (out_link, in_link):
        link.accept()
        link.refuse(GONE)
        link.detach(GONE)
    in_link.settle(delivery, Accepted())
    out_link.send(b"x")
    out_link.confirm(b"x", None)
    out_link.end_drain()
    assert out_link.credit == 0 and not out_link.has_link_credit
    assert talk.said() == []
    assert len(of(talk.hub.take_events(), LinkDetached)) == 2


@pytest.mark.parametrize("is_closed", [True, None], ids=["closed", "not closed"])
def test_the_clients_detach_is_answered_alike(is_closed: bool | None) -> None:
    talk = Talk().begin()
    link = talk.out_link()
    assert talk.send(Detach(0, closed=is_closed, error=GONE)) == [LinkDetached(link, GONE)]
    assert talk.said() == [Detach(0, closed=is_closed)]


def test_a_detach_before_the_answer_refuses_the_link() -> None:
    talk = Talk().begin()
    events = talk.send(attach_receiver("events"), Detach(0, closed=True))
    assert [type(each) for each in events] == [LinkRequested, LinkDetached]
    assert not of(events, LinkRequested)[0].link.is_open
    attached, detached = talk.said()
    assert attached.source is None and detached == Detach(0, closed=True)


def test_what_still_comes_on_a_link_that_the_hub_has_detached_is_ignored() -> None:
    talk = Talk().begin()
    talk.in_link().detach(GONE)
    talk.out_link(handle=1).detach(GONE)
    talk.said()
    talk.hub.take_events()
    assert talk.send(transfer(), flow(handle=1, link_credit=5, echo=True), flow(handle=0, echo=True)) == []
    assert talk.said() == []


def test_the_end_of_a_session_ends_its_links() -> None:
    talk = Talk().begin()
    first, second = talk.in_link(), talk.out_link(handle=1)
    assert talk.send(End()) == [LinkDetached(first, None), LinkDetached(second, None)]
    assert talk.said() == [End()]


@pytest.mark.parametrize(
    ("performative", "condition"),
    [
        (attach_sender(), "amqp:session:handle-in-use"),
        (Detach(5), "amqp:session:unattached-handle"),
        (flow(handle=5), "amqp:session:unattached-handle"),
        (transfer(handle=5), "amqp:session:unattached-handle"),
        (transfer(handle=1), "amqp:not-allowed"),
    ],
    ids=["handle in use", "detach", "flow", "transfer", "transfer to a sender"],
)
def test_an_error_of_the_session_ends_it_alone(performative: Attach, condition: str) -> None:
    talk = Talk().begin(4).begin(0)
    talk.in_link()
    talk.out_link(handle=1)
    events = talk.send(performative, attach_sender(handle=9))
    assert [type(each) for each in events] == [LinkDetached, LinkDetached]
    error = talk.answer(End).error
    assert error is not None and error.condition == condition and error.description
    assert talk.send(flow(handle=9)) == [] and talk.said() == []
    talk.send(End())
    assert talk.said() == []
    talk.begin(0)
    assert of(talk.send(attach_sender(), channel=4), LinkRequested)


def test_a_connection_has_a_limit_of_links() -> None:
    talk = Talk().open()
    events = []
    for number in range(MAX_LINKS + 1):
        channel, handle = divmod(number, 250)
        if handle == 0:
            talk.send(begin(), channel=channel)
        events += talk.send(attach_sender(handle=handle), channel=channel)
    assert len(of(events, LinkRequested)) == MAX_LINKS
    (closed,) = of(events, Closed)
    assert closed.error is not None and closed.error.condition == "amqp:resource-limit-exceeded"
    assert isinstance(talk.said()[-1], Close)


def test_links_that_ended_do_not_count() -> None:
    talk = Talk().begin()
    for _ in range(MAX_LINKS + 1):
        talk.requested(attach_sender()).refuse(GONE)
        talk.send(Detach(0, closed=True))
    assert talk.hub.state.name == "OPEN"


def test_a_handle_beyond_what_the_client_takes_is_refused() -> None:
    talk = Talk().begin(handle_max=3)
    talk.requested(attach_sender(handle=3))
    (event,) = of(talk.send(attach_sender(handle=4)), Closed)
    assert event.error is not None and event.error.condition == "amqp:connection:framing-error"


def test_a_link_can_be_drained_only_by_its_client() -> None:
    talk = Talk().begin()
    link = talk.out_link(credit=3)
    link.end_drain()
    assert talk.said() == [] and link.credit == 3


def test_an_echo_is_answered_with_the_links_state() -> None:
    talk = Talk().begin()
    talk.out_link(credit=3)
    talk.in_link(handle=1, credit=8)
    talk.send(flow(handle=0, delivery_count=0, link_credit=3, echo=True))
    assert talk.answer(Flow).link_credit == 3
    talk.send(flow(handle=1, delivery_count=0, echo=True))
    assert talk.answer(Flow).link_credit == 8
