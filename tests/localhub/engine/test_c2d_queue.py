"""What time, a lost connection and the hub's own end do to messages."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from azext_iotjobs.localhub.clock import render
from azext_iotjobs.localhub.engine.c2d_queue import C2dQueue
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.errors import DEVICE_MESSAGE_LOCK_LOST, HubError
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.c2d_message import MAX_DELIVERIES, Ack, MessageOutcome, NewMessage, expiry
from azext_iotjobs.localhub.rules.twin import new_twin
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.identities import Identities, Identity
from azext_iotjobs.localhub.store.messages import Message, Messages
from azext_iotjobs.localhub.store.twins import Twins
from tests.helpers.moved_loop import HandClock, MovedLoop, run, turns, within_limit

PUMP = Address("pump-1")


@dataclass(eq=False)
class Wire:
    """A link that keeps what goes down it."""

    address: Address = PUMP
    accepts_methods: bool = False
    accepts_messages: bool = True
    delivered: list[Message] = field(default_factory=list)

    def call_method(self, rid: str, name: str, payload: str) -> bool:
        raise AssertionError("nobody calls methods here")

    def notify_desired(self, patch: object, version: int) -> None:
        raise AssertionError("nobody changes twins here")

    def deliver(self, message: Message) -> None:
        self.delivered.append(message)

    def close(self, mistake: str | None = None) -> None:
        raise AssertionError("nobody is dropped here")


class Post:
    """A queue of messages to devices, and what it needs; another on the same database is the hub after a restart."""

    def __init__(self, database: Database, clock: HandClock) -> None:
        self.clock = clock
        self.links = Links()
        self.messages = Messages(database)
        self.identities = Identities(database, Twins(database))
        self.box = C2dQueue(database, self.messages, self.identities, self.links, clock)

    def send(self, text: str = "hello", *, life_s: float = 3600, ack: Ack = Ack.FULL) -> None:
        now = self.clock.now()
        end = expiry(now + timedelta(seconds=life_s), now)
        self.box.send(PUMP, NewMessage(body=text.encode(), message_id=text, ack=ack, expires_at=end))

    def fates(self) -> list[MessageOutcome]:
        batch = self.box.feedback()
        return [record.outcome for record in batch.records] if batch else []


@pytest.fixture
def database() -> Iterator[Database]:
    database = Database(None)
    yield database
    database.close()


@pytest.fixture
def post(database: Database) -> Post:
    made = Post(database, HandClock())
    identity = Identity(device_id="pump-1", generation_id="1", etag=1, sign_in="sas")
    made.identities.create(identity, new_twin(render(made.clock.now())))
    return made


def test_a_message_that_is_not_fetched_expires(post: Post) -> None:
    post.send(life_s=60)
    post.clock.advance(59)
    assert post.fates() == [] and post.messages.count(PUMP) == 1
    post.clock.advance(1)
    assert post.fates() == [MessageOutcome.EXPIRED] and post.messages.count(PUMP) == 0


def test_when_the_clock_is_moved_to_its_end_feedback_on_a_message_comes_at_once(post: Post) -> None:
    async def main(_loop: MovedLoop) -> None:
        news = asyncio.Event()
        post.box.feedback_news.subscribe(news.set)
        task = asyncio.ensure_future(post.box.run())
        await turns()
        post.send(life_s=3600)
        post.clock.move(timedelta(hours=1))
        await within_limit(news.wait())
        task.cancel()

    run(main)
    assert post.fates() == [MessageOutcome.EXPIRED]


def test_a_message_that_expires_while_it_is_locked_cannot_be_settled(post: Post) -> None:
    post.send(life_s=30)
    message = post.box.receive(PUMP, 60)
    assert message is not None and message.lock_token is not None
    post.clock.advance(31)
    with pytest.raises(HubError) as refusal:
        post.box.settle(PUMP, message.lock_token, MessageOutcome.SUCCESS)
    assert refusal.value.fault is DEVICE_MESSAGE_LOCK_LOST
    assert post.fates() == [MessageOutcome.EXPIRED]


def test_a_lock_that_lapses_gives_the_message_back_at_its_old_place(post: Post) -> None:
    post.send("first")
    post.send("second")
    locked = post.box.receive(PUMP, 60)
    post.clock.advance(61)
    again = post.box.receive(PUMP, 60)
    assert locked is not None and again is not None
    assert (again.sent.message_id, again.delivery_count) == ("first", 2)
    assert again.lock_token != locked.lock_token
    with pytest.raises(HubError):
        post.box.settle(PUMP, str(locked.lock_token), MessageOutcome.SUCCESS)
    assert post.messages.count(PUMP) == 2


def test_a_lapsed_lock_counts_as_a_delivery(post: Post) -> None:
    post.send()
    for _ in range(MAX_DELIVERIES):
        assert post.box.receive(PUMP, 60) is not None
        post.clock.advance(61)
    assert post.box.receive(PUMP, 60) is None
    assert post.fates() == [MessageOutcome.DELIVERY_COUNT_EXCEEDED]


def test_a_connection_that_ends_gives_its_messages_back(post: Post) -> None:
    wire = Wire()
    post.links.attach(wire)
    post.send("one")
    post.send("two")
    assert [message.sent.message_id for message in wire.delivered] == ["one", "two"]
    post.box.acknowledge(PUMP, str(wire.delivered[0].lock_token))
    post.links.detach(wire)
    post.box.release(PUMP)
    left = post.box.receive(PUMP, 60)
    assert left is not None and (left.sent.message_id, left.delivery_count) == ("two", 2)


def test_a_hub_that_ended_gives_back_what_connections_held_and_keeps_locks(post: Post, database: Database) -> None:
    wire = Wire()
    post.send("over HTTPS")
    assert post.box.receive(PUMP, 60) is not None
    post.links.attach(wire)
    post.send("over MQTT")
    assert len(wire.delivered) == 1
    after = Post(database, post.clock)
    after.box.recover()
    found = after.box.receive(PUMP, 60)
    assert found is not None and found.sent.message_id == "over MQTT"
    assert after.box.receive(PUMP, 60) is None


def test_an_acknowledgement_that_comes_after_the_end_changes_nothing(post: Post) -> None:
    wire = Wire()
    post.links.attach(wire)
    post.send(life_s=10)
    post.clock.advance(11)
    post.box.handle_expired()
    post.box.acknowledge(PUMP, str(wire.delivered[0].lock_token))
    assert post.fates() == [MessageOutcome.EXPIRED]


@pytest.mark.parametrize(
    ("ack", "reported"),
    [
        (Ack.NONE, []),
        (Ack.POSITIVE, [MessageOutcome.SUCCESS]),
        (Ack.NEGATIVE, [MessageOutcome.REJECTED]),
        (Ack.FULL, [MessageOutcome.SUCCESS, MessageOutcome.REJECTED]),
    ],
)
def test_the_sender_gets_the_feedback_it_requested(post: Post, ack: Ack, reported: list[MessageOutcome]) -> None:
    for outcome in (MessageOutcome.SUCCESS, MessageOutcome.REJECTED):
        post.send(ack=ack)
        message = post.box.receive(PUMP, 60)
        assert message is not None
        post.box.settle(PUMP, str(message.lock_token), outcome)
    assert post.fates() == reported


def test_feedback_that_is_not_completed_comes_again(post: Post) -> None:
    post.send(life_s=10)
    post.clock.advance(11)
    batch = post.box.feedback()
    assert batch is not None and post.box.feedback() is None
    post.clock.advance(61)
    again = post.box.feedback()
    assert again is not None and again.records == batch.records
    with pytest.raises(HubError):
        post.box.complete_feedback(batch.lock_token)
    post.box.complete_feedback(again.lock_token)
    post.clock.advance(61)
    assert post.box.feedback() is None
