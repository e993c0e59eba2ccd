"""Services send messages to devices: what a message says of itself arrives, and what is wrong has its condition."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.localhub.amqp import dispatch
from azext_iotjobs.localhub.amqp.nodes.base import ConnectionContext, Direction
from azext_iotjobs.localhub.amqp.wire.message import AmqpValue, Message, Properties, encode_message
from azext_iotjobs.localhub.amqp.wire.performatives import Accepted, AmqpError, Rejected
from azext_iotjobs.localhub.amqp.wire.types import Long, Timestamp, ULong
from azext_iotjobs.localhub.engine.quotas import Quotas
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.c2d_message import MAX_MESSAGE_BYTES, MAX_QUEUED, Ack
from azext_iotjobs.localhub.rules.quota import Quota, Throttle
from tests.helpers.hub_in_memory import DeliveryOfTest, HubInMemory, InLinkOfTest
from tests.helpers.short_form import examples

PUMP, MODULE = Address("pump-1"), Address("pump-1", "m")
TO = "/devices/pump-1/messages/devicebound"
SAS = "servicebus.windows.net:sastoken"


@pytest.fixture
def hub() -> Iterator[HubInMemory]:
    with HubInMemory(PUMP, MODULE) as hub:
        yield hub


def attach(
    hub: HubInMemory, policy: str = "service", quotas: Quotas | None = None
) -> tuple[ConnectionContext, InLinkOfTest]:
    context, link = hub.context(quotas=quotas), InLinkOfTest("amqps://localhost/messages/deviceBound")
    context.peer.put_token(SAS, hub.token("localhost", policy=policy))
    dispatch.open_link(context, link, Direction.IN)
    return context, link


@pytest.fixture
def link(hub: HubInMemory) -> InLinkOfTest:
    return attach(hub)[1]


def send(link: InLinkOfTest, data: bytes = b"hello", *, application: Any = None, **properties: Any) -> None:
    message = Message(
        properties=Properties(**{"to": TO, **properties}), application_properties=application or {}, data=(data,)
    )
    dispatch.receive(link, DeliveryOfTest(encode_message(message)))


def refused(link: InLinkOfTest) -> AmqpError:
    outcome = link.outcomes[-1]
    assert isinstance(outcome, Rejected) and outcome.error is not None
    return outcome.error


def test_everything_that_a_message_says_of_itself_is_queued(hub: HubInMemory, link: InLinkOfTest) -> None:
    end = hub.clock.now() + timedelta(minutes=5)
    send(
        link,
        b'{"a": 1}',
        message_id="m-1",
        correlation_id=UUID(int=5),
        user_id="é".encode(),
        content_type="application/json",
        content_encoding="utf-8",
        absolute_expiry_time=int(end.timestamp() * 1000),
        application={"iothub-ack": "Full", "site": "north", "n": 7, "on": True, "nothing": None, "x": 1.5},
    )
    assert link.outcomes == [Accepted()]
    (message,) = hub.messages.queue(PUMP)
    sent = message.sent
    assert (sent.body, sent.message_id, sent.correlation_id) == (b'{"a": 1}', "m-1", str(UUID(int=5)))
    assert (sent.user_id, sent.content_type, sent.content_encoding) == ("é", "application/json", "utf-8")
    assert (sent.ack, sent.expires_at, sent.has_expiry) == (Ack.FULL, end, True)
    assert sent.properties == {"site": "north", "n": "7", "on": "true", "nothing": "", "x": "1.5"}


@pytest.mark.parametrize(
    ("to", "address"),
    [
        (TO, PUMP),
        ("/devices/pump-1/messages/deviceBound", PUMP),
        ("devices/pump-1/messages/devicebound", PUMP),
        ("/Devices/pump%2D1/Messages/Devicebound", PUMP),
        ("amqps://localhost/devices/pump-1/messages/devicebound", PUMP),
        ("/devices/pump-1/modules/m/messages/devicebound", MODULE),
    ],
)
def test_the_property_to_says_for_whom_it_is(hub: HubInMemory, link: InLinkOfTest, to: str, address: Address) -> None:
    send(link, to=to)
    assert link.outcomes == [Accepted()] and hub.messages.count(address) == 1


@pytest.mark.parametrize(
    ("data", "body"), [((b"one ", b"body"), b"one body"), ((), b""), (AmqpValue(value="text"), b"text")]
)
def test_a_body_may_be_in_pieces_or_a_text(hub: HubInMemory, link: InLinkOfTest, data: Any, body: bytes) -> None:
    parts: Any = {"value": data} if isinstance(data, AmqpValue) else {"data": data}
    dispatch.receive(link, DeliveryOfTest(encode_message(Message(properties=Properties(to=TO), **parts))))
    assert [each.sent.body for each in hub.messages.queue(PUMP)] == [body]


def test_a_message_without_an_id_is_given_one(hub: HubInMemory, link: InLinkOfTest) -> None:
    send(link)
    send(link, message_id=ULong(7))
    first, second = hub.messages.queue(PUMP)
    assert UUID(first.sent.message_id) and second.sent.message_id == "7"


@pytest.mark.parametrize(
    ("properties", "condition"),
    [
        ({"to": "/devices/nobody/messages/devicebound"}, "amqp:not-found"),
        ({"to": "/devices/pump-1/modules/no/messages/devicebound"}, "amqp:not-found"),
        ({"to": None}, "com.microsoft:argument-error"),
        ({"to": "/devices/pump-1"}, "com.microsoft:argument-error"),
        ({"to": "/devices/a b/messages/devicebound"}, "com.microsoft:argument-error"),
        ({"application": {"iothub-ack": "perhaps"}}, "com.microsoft:argument-error"),
        ({"application": {"": "a"}}, "com.microsoft:argument-error"),
        ({"application": {"a": [1]}}, "com.microsoft:argument-error"),
        ({"message_id": "m" * 129}, "com.microsoft:argument-error"),
        ({"user_id": b"\xff"}, "com.microsoft:argument-error"),
        ({"absolute_expiry_time": 0}, "com.microsoft:argument-error"),
        ({"absolute_expiry_time": 2**62}, "com.microsoft:argument-error"),
        ({"data": b"x" * (MAX_MESSAGE_BYTES + 1)}, "amqp:link:message-size-exceeded"),
    ],
)
def test_what_is_wrong_is_rejected_and_nothing_is_queued(
    hub: HubInMemory, link: InLinkOfTest, properties: Any, condition: str
) -> None:
    send(link, **properties)
    assert refused(link).condition == condition and link.ended_with == []
    assert hub.messages.count(PUMP) == 0 and hub.messages.count(MODULE) == 0


def test_a_full_queue_is_the_devices_limit(hub: HubInMemory, link: InLinkOfTest) -> None:
    for _ in range(MAX_QUEUED):
        send(link)
    send(link)
    assert refused(link).condition == "amqp:resource-limit-exceeded"
    assert hub.messages.count(PUMP) == MAX_QUEUED


@pytest.mark.parametrize("policy", ["device", "registryReadWrite", "registryRead"])
def test_a_policy_without_service_connect_may_not_send(hub: HubInMemory, policy: str) -> None:
    _, link = attach(hub, policy)
    assert link.condition == "amqp:unauthorized-access" and not link.is_accepted


def test_an_outage_of_the_store_is_told_and_what_comes_after_it_is_taken(hub: HubInMemory, link: InLinkOfTest) -> None:
    hub.database.rows("PRAGMA query_only = 1")
    send(link)
    assert refused(link).condition == "com.microsoft:timeout" and link.ended_with == []
    hub.database.rows("PRAGMA query_only = 0")
    send(link)
    assert link.outcomes[-1] == Accepted() and hub.messages.count(PUMP) == 1


def test_what_is_expired_ends_the_link(hub: HubInMemory) -> None:
    context, link = attach(hub)
    hub.clock.advance(601)
    expired = dispatch.end_expired(context)
    assert (link.condition, expired.ends_connection) == ("amqp:unauthorized-access", False)


def test_messages_above_the_throttle_wait_and_are_refused_beyond_it(hub: HubInMemory) -> None:
    quotas = Quotas({Throttle.MESSAGE_SENDS: Quota(rate=50, burst=1, queue_s=0.03)}, hub.clock)
    _, link = attach(hub, quotas=quotas)
    for number in range(3):
        send(link, message_id=str(number))
    assert link.outcomes == [Accepted()]
    hub.loop.run_until_complete(asyncio.wait_for(settled_by(link, 3), 30))
    assert link.outcomes[1] == Accepted() and hub.messages.count(PUMP) == 2
    assert refused(link).condition == "com.microsoft:device-container-throttled"


async def settled_by(link: InLinkOfTest, count: int) -> None:
    while len(link.outcomes) < count:
        await asyncio.sleep(0.01)


VALUES = st.one_of(st.none(), st.booleans(), st.integers(-5, 5).map(Long), st.text(max_size=20), st.binary(max_size=9))


@given(
    to=st.one_of(st.none(), st.just(TO), st.text(max_size=40)),
    message_id=st.one_of(st.none(), st.text(max_size=140), st.uuids(), st.integers(0, 2**64 - 1).map(ULong)),
    expiry=st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1).map(Timestamp)),
    application=st.dictionaries(st.text(max_size=10), VALUES, max_size=4),
    data=st.lists(st.binary(max_size=50), max_size=3),
)
@examples(150, 10_000)
def test_any_message_is_settled_once(
    to: str | None, message_id: Any, expiry: int | None, application: dict[str, Any], data: list[bytes]
) -> None:
    with HubInMemory(PUMP) as hub:
        link = attach(hub)[1]
        properties = Properties(to=to, message_id=message_id, absolute_expiry_time=expiry)
        message = Message(properties=properties, application_properties=application, data=tuple(data))
        dispatch.receive(link, DeliveryOfTest(encode_message(message)))
        assert len(link.outcomes) == 1 and link.ended_with == []
        assert hub.messages.count(PUMP) == (link.outcomes == [Accepted()])
