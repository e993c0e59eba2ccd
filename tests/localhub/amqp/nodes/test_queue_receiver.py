"""Services receive feedback: pushed, locked, settled; and what waits when a link goes comes again."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from azext_iotjobs.localhub.amqp import dispatch
from azext_iotjobs.localhub.amqp.nodes.base import ConnectionContext, Direction
from azext_iotjobs.localhub.amqp.wire.performatives import Accepted, Modified, Rejected, Released
from azext_iotjobs.localhub.amqp.wire.types import Timestamp
from azext_iotjobs.localhub.errors import DEVICE_MESSAGE_LOCK_LOST, HubError
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.c2d_message import Ack, NewMessage
from azext_iotjobs.localhub.store.file_uploads import FileNotification
from tests.helpers.hub_in_memory import HubInMemory, OutLinkOfTest

PUMP = Address("pump-1")
SAS = "servicebus.windows.net:sastoken"


@pytest.fixture
def hub() -> Iterator[HubInMemory]:
    with HubInMemory(PUMP) as hub:
        yield hub


@pytest.fixture
def context(hub: HubInMemory) -> ConnectionContext:
    context = hub.context()
    context.peer.put_token(SAS, hub.token("localhost", policy="service"))
    return context


def attach(
    context: ConnectionContext, credit: int = 10, address: str = "/messages/serviceBound/feedback"
) -> OutLinkOfTest:
    link = OutLinkOfTest(address, credit=credit)
    dispatch.open_link(context, link, Direction.OUT)
    return link


def purge(hub: HubInMemory, *ids: str) -> None:
    """Have feedback on messages of these ids."""
    for each in ids:
        end = hub.clock.now() + timedelta(hours=1)
        hub.c2d_queue.send(PUMP, NewMessage(body=b"", message_id=each, ack=Ack.FULL, expires_at=end))
    hub.c2d_queue.purge(PUMP)


def ids_of(link: OutLinkOfTest) -> list[list[str]]:
    return [[each["originalMessageId"] for each in json.loads(message.body)] for message in link.sent]


def test_feedback_goes_out_as_soon_as_there_is_any(hub: HubInMemory, context: ConnectionContext) -> None:
    link = attach(context)
    dispatch.pull(link)
    assert link.sent == []
    purge(hub, "a", "b")
    hub.turn()
    assert ids_of(link) == [["a", "b"]]
    (message,) = link.sent
    assert json.loads(message.body)[0] == {
        "originalMessageId": "a",
        "enqueuedTimeUtc": "2026-05-01T08:00:00.0000000Z",
        "statusCode": "Purged",
        "description": "Purged",
        "deviceId": "pump-1",
        "deviceGenerationId": "g",
    }
    assert message.properties.content_type == "application/vnd.microsoft.iothub.feedback.json"
    assert message.properties.user_id == b"local-hub"
    enqueued = message.annotations["iothub-enqueuedtime"]
    assert isinstance(enqueued, Timestamp) and enqueued == hub.clock.now().timestamp() * 1000
    assert UUID(bytes=link.tags[0])


@pytest.mark.parametrize("outcome", [Accepted(), Rejected()])
def test_what_is_accepted_or_rejected_is_gone(hub: HubInMemory, context: ConnectionContext, outcome: Any) -> None:
    purge(hub, "a")
    link = attach(context)
    dispatch.pull(link)
    dispatch.settled(link, link.tags[0], outcome)
    assert link.confirmed == [outcome]
    hub.clock.advance(120)
    assert hub.c2d_queue.feedback() is None


@pytest.mark.parametrize("outcome", [Released(), Modified(), None])
def test_any_other_outcome_has_it_come_again(hub: HubInMemory, context: ConnectionContext, outcome: Any) -> None:
    purge(hub, "a")
    link = attach(context)
    dispatch.pull(link)
    dispatch.settled(link, link.tags[0], outcome)
    hub.turn()
    assert ids_of(link) == [["a"], ["a"]] and link.tags[0] != link.tags[1]


def test_it_is_locked_for_a_minute_then_it_comes_again(hub: HubInMemory, context: ConnectionContext) -> None:
    purge(hub, "a")
    link = attach(context)
    dispatch.pull(link)
    hub.clock.advance(59)
    hub.c2d_queue.handle_expired()
    hub.turn()
    assert ids_of(link) == [["a"]]
    hub.clock.advance(1)
    hub.c2d_queue.handle_expired()
    hub.turn()
    assert ids_of(link) == [["a"], ["a"]]
    dispatch.settled(link, link.tags[0], Accepted())
    (lost,) = link.confirmed
    assert isinstance(lost, Rejected) and lost.error is not None
    assert lost.error.condition == "com.microsoft:message-lock-lost"
    dispatch.settled(link, link.tags[1], Accepted())
    hub.clock.advance(120)
    assert hub.c2d_queue.feedback() is None


def test_what_is_not_settled_when_the_link_ends_goes_to_another(hub: HubInMemory, context: ConnectionContext) -> None:
    purge(hub, "a")
    first, second = attach(context), attach(context)
    dispatch.pull(first)
    dispatch.pull(second)
    assert (ids_of(first), ids_of(second)) == ([["a"]], [])
    dispatch.close_link(context, first)
    hub.turn()
    assert ids_of(second) == [["a"]]


def test_without_credit_it_waits(hub: HubInMemory, context: ConnectionContext) -> None:
    link = attach(context, credit=0)
    purge(hub, "a")
    hub.turn()
    assert link.sent == []
    link.credit = 1
    dispatch.pull(link)
    assert ids_of(link) == [["a"]]
    purge(hub, "b")
    hub.turn()
    assert ids_of(link) == [["a"]]


def test_a_batch_has_at_most_sixty_four_records(hub: HubInMemory, context: ConnectionContext) -> None:
    purge(hub, *(f"a{number}" for number in range(40)))
    purge(hub, *(f"b{number}" for number in range(40)))
    link = attach(context)
    dispatch.pull(link)
    assert [len(each) for each in ids_of(link)] == [64, 16]


def test_a_client_that_wants_everything_settled_has_nothing_to_lose(
    hub: HubInMemory, context: ConnectionContext
) -> None:
    purge(hub, "a")
    link = attach(context)
    link.is_settled_by_sender = True
    dispatch.pull(link)
    dispatch.close_link(context, link)
    hub.clock.advance(120)
    assert hub.c2d_queue.feedback() is None and ids_of(link) == [["a"]]


def test_nothing_is_sent_on_a_link_that_has_ended(hub: HubInMemory, context: ConnectionContext) -> None:
    link = attach(context)
    purge(hub, "a")
    dispatch.close_link(context, link)
    hub.turn()
    assert link.sent == [] and hub.c2d_queue.feedback() is not None


def test_an_outage_of_the_store_ends_the_link_and_the_lock_by_its_time(
    hub: HubInMemory, context: ConnectionContext
) -> None:
    purge(hub, "a")
    link = attach(context)
    dispatch.pull(link)
    hub.database.rows("PRAGMA query_only = 1")
    dispatch.settled(link, link.tags[0], Accepted())
    assert link.condition == "com.microsoft:timeout"
    dispatch.close_link(context, link)
    hub.database.rows("PRAGMA query_only = 0")
    hub.clock.advance(61)
    again = attach(context)
    dispatch.pull(again)
    assert ids_of(again) == [["a"]]


@pytest.mark.parametrize("name", ["filenotifications", "fileuploadnotifications"])
def test_notifications_of_files_are_received_under_both_names(
    hub: HubInMemory, context: ConnectionContext, name: str
) -> None:
    link, now = attach(context, address=f"/messages/serviceBound/{name}"), hub.clock.now()
    uploaded: dict[str, Any] = {
        "device_id": "pump-1",
        "blob_uri": "https://localhost/a",
        "blob_name": "pump-1/a",
        "size_bytes": 7,
    }
    for _ in range(2):
        hub.file_notifications.add(FileNotification(**uploaded, updated_at=now, enqueued_at=now))
    hub.turn()
    first, second = link.sent
    assert first.properties.content_type == "application/vnd.microsoft.iothub.filenotification.json"
    assert json.loads(first.body) == {
        "deviceId": "pump-1",
        "blobUri": "https://localhost/a",
        "blobName": "pump-1/a",
        "lastUpdatedTime": "2026-05-01T08:00:00+00:00",
        "blobSizeInBytes": 7,
        "enqueuedTimeUtc": "2026-05-01T08:00:00.0000000Z",
    }
    assert second.properties.user_id == b"local-hub"
    for tag in list(link.tags):
        dispatch.settled(link, tag, Accepted())
    hub.clock.advance(120)
    assert hub.file_notifications.take() is None


def test_a_sender_may_not_attach_where_services_receive(context: ConnectionContext) -> None:
    link = OutLinkOfTest("/messages/devicebound")
    dispatch.open_link(context, link, Direction.OUT)
    (error,) = link.ended_with
    assert error is not None and "only a sender may attach there" in (error.description or "")


def test_feedback_that_others_read_over_https_is_pushed_again_when_they_abandon_it(
    hub: HubInMemory, context: ConnectionContext
) -> None:
    purge(hub, "a")
    batch = hub.c2d_queue.feedback()
    assert batch is not None
    link = attach(context)
    dispatch.pull(link)
    assert link.sent == []
    hub.c2d_queue.abandon_feedback(batch.lock_token)
    hub.turn()
    assert ids_of(link) == [["a"]]
    with pytest.raises(HubError) as refusal:
        hub.c2d_queue.complete_feedback(batch.lock_token)
    assert refusal.value.fault is DEVICE_MESSAGE_LOCK_LOST
