"""`$cbs`: one reply for each request, however its message id is written and whichever of the two links comes first."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.localhub.amqp import dispatch
from azext_iotjobs.localhub.amqp.nodes.base import ConnectionContext, Direction
from azext_iotjobs.localhub.amqp.nodes.request_reply import MAX_WAITING, MAX_WAITING_BYTES
from azext_iotjobs.localhub.amqp.wire.message import AmqpValue, Message, Properties, encode_message
from azext_iotjobs.localhub.amqp.wire.performatives import Accepted, Rejected, Target
from azext_iotjobs.localhub.amqp.wire.types import ULong
from azext_iotjobs.localhub.rules.address import Address
from tests.helpers.hub_in_memory import OTHER_KEY, DeliveryOfTest, HubInMemory, InLinkOfTest, OutLinkOfTest
from tests.helpers.short_form import examples

SAS = "servicebus.windows.net:sastoken"


@pytest.fixture
def hub() -> Iterator[HubInMemory]:
    with HubInMemory(Address("pump-1")) as hub:
        yield hub


@pytest.fixture
def context(hub: HubInMemory) -> ConnectionContext:
    return hub.context()


def sender(context: ConnectionContext) -> InLinkOfTest:
    link = InLinkOfTest("$cbs")
    dispatch.open_link(context, link, Direction.IN)
    assert link.is_accepted
    return link


def receiver(context: ConnectionContext, *, credit: int = 10, own_address: str | None = None) -> OutLinkOfTest:
    link = OutLinkOfTest("$cbs", target=Target(own_address), credit=credit)
    dispatch.open_link(context, link, Direction.OUT)
    assert link.is_accepted
    return link


def put(link: InLinkOfTest, token: Any, kind: str = SAS, operation: str = "put-token", **properties: Any) -> None:
    message = Message(
        properties=Properties(**{"message_id": "1", **properties}),
        application_properties={"operation": operation, "type": kind, "name": "localhost"},
        value=AmqpValue(value=token),
    )
    dispatch.receive(link, DeliveryOfTest(encode_message(message)))


def status(reply: Message) -> tuple[Any, Any]:
    return reply.application_properties["status-code"], reply.application_properties["status-description"]


@pytest.mark.parametrize("given", ["cbs-1", ULong(7), UUID(int=9), b"\x01\x02"])
def test_a_token_is_accepted_and_the_reply_has_the_id_as_it_was_written(
    hub: HubInMemory, context: ConnectionContext, given: Any
) -> None:
    requests, replies = sender(context), receiver(context)
    put(requests, hub.token("localhost", policy="service"), message_id=given)
    (reply,) = replies.sent
    assert requests.outcomes == [Accepted()] and status(reply) == (200, "OK")
    assert reply.properties.correlation_id == given and type(reply.properties.correlation_id) is type(given)
    assert context.peer.name == "policy service"


def test_a_request_without_a_message_id_is_answered_by_its_correlation_id(
    hub: HubInMemory, context: ConnectionContext
) -> None:
    requests, replies = sender(context), receiver(context)
    put(requests, hub.token("localhost", policy="service"), message_id=None, correlation_id="c")
    assert replies.sent[0].properties.correlation_id == "c"


def test_replies_wait_for_their_receiver_and_for_its_credit(hub: HubInMemory, context: ConnectionContext) -> None:
    requests = sender(context)
    put(requests, hub.token("localhost", policy="service"), message_id="1")
    put(requests, "nonsense", message_id="2")
    replies = receiver(context, credit=0)
    dispatch.pull(replies)
    assert replies.sent == []
    replies.credit = 1
    dispatch.pull(replies)
    assert [each.properties.correlation_id for each in replies.sent] == ["1"]
    replies.credit = 5
    dispatch.pull(replies)
    assert [each.properties.correlation_id for each in replies.sent] == ["1", "2"]


def test_each_pair_gets_its_own_replies(hub: HubInMemory, context: ConnectionContext) -> None:
    requests, first, second = sender(context), receiver(context, own_address="a"), receiver(context, own_address="b")
    put(requests, "nonsense", reply_to="a")
    put(requests, "nonsense", reply_to="b")
    put(requests, "nonsense", reply_to="nobody")
    assert (len(first.sent), len(second.sent)) == (1, 2)
    dispatch.close_link(context, second)
    put(requests, "nonsense", reply_to="b")
    assert (len(first.sent), len(second.sent)) == (2, 2)


def test_a_client_that_takes_no_replies_loses_its_link(context: ConnectionContext) -> None:
    requests = sender(context)
    for _ in range(MAX_WAITING):
        put(requests, "nonsense")
    assert requests.ended_with == []
    put(requests, "nonsense")
    assert requests.condition == "amqp:resource-limit-exceeded"


def test_replies_that_nobody_takes_are_bounded_in_bytes_too(context: ConnectionContext) -> None:
    requests = sender(context)
    for _ in range(MAX_WAITING_BYTES // 50_000 + 1):
        put(requests, "nonsense", message_id=b"x" * 50_000)
    assert requests.ended_with == []
    put(requests, "nonsense")
    assert requests.condition == "amqp:resource-limit-exceeded"


@pytest.mark.parametrize(
    ("token", "kind", "operation", "code", "said"),
    [
        ("nonsense", SAS, "put-token", 401, "not a shared access signature"),
        (7, SAS, "put-token", 400, "neither data nor a text"),
        (b"\xff", SAS, "put-token", 400, "not a text"),
        ("x", "kerberos", "put-token", 400, "is not known"),
        ("eyJ", "jwt", "put-token", 401, "Entra is not supported"),
        ("x", SAS, "delete-token", 400, "must be put-token"),
    ],
)
def test_what_is_refused_is_said_on_the_reply(
    context: ConnectionContext, token: Any, kind: str, operation: str, code: int, said: str
) -> None:
    requests, replies = sender(context), receiver(context)
    put(requests, token, kind, operation)
    found, description = status(replies.sent[0])
    assert found == code and said in description and context.peer.next_expiry is None


def test_a_wrong_key_is_401_and_an_expired_token_too(hub: HubInMemory, context: ConnectionContext) -> None:
    requests, replies = sender(context), receiver(context)
    put(requests, hub.token("localhost", policy="service", key=OTHER_KEY))
    put(requests, hub.token("localhost", policy="service", life_s=-1))
    assert [status(each)[0] for each in replies.sent] == [401, 401]
    assert "signature" in status(replies.sent[0])[1] and "expired" in status(replies.sent[1])[1]


def test_bytes_that_are_no_message_are_rejected_and_the_link_stays(context: ConnectionContext) -> None:
    requests = sender(context)
    dispatch.receive(requests, DeliveryOfTest(b"\x00\x53\x75"))
    (outcome,) = requests.outcomes
    assert isinstance(outcome, Rejected) and outcome.error is not None
    assert outcome.error.condition == "com.microsoft:argument-error" and requests.ended_with == []


@pytest.mark.parametrize("address", ["", "/nowhere", "$CBS/more", "/devices//twin", "x" * 5000])
def test_an_address_that_this_hub_does_not_have_is_refused(context: ConnectionContext, address: str) -> None:
    link = InLinkOfTest(address)
    dispatch.open_link(context, link, Direction.IN)
    assert link.condition == "amqp:not-found" and not link.is_accepted
    (error,) = link.ended_with
    assert error is not None and len(error.description or "") < 500


WORDS = ("devices", "pump-1", "modules", "m", "messages", "events", "devicebound", "twin", "$cbs", "..", "%", "", "a b")


@given(st.one_of(st.text(max_size=80), st.lists(st.sampled_from(WORDS), max_size=6).map("/".join)), st.booleans())
@examples(150, 10_000)
def test_any_address_has_a_node_or_is_refused(address: str, is_sender: bool) -> None:
    with HubInMemory(Address("pump-1")) as hub:
        context = hub.context()
        context.peer.put_token(SAS, hub.token("localhost", policy="iothubowner"))
        link = InLinkOfTest(address) if is_sender else OutLinkOfTest(address)
        dispatch.open_link(context, link, Direction.IN if is_sender else Direction.OUT)
        assert link.is_accepted != bool(link.ended_with) and len(link.ended_with) < 2
        assert (link.node is not None) == link.is_accepted
        dispatch.close_link(context, link)
