"""/messages/serviceBound/…: services receive what waits in a queue, and settle it.

A batch is one message, whose delivery tag is the lock token. It goes out as soon as there is anything; accepted and
rejected remove it, any other outcome unlocks it. What is not settled when the link ends is unlocked.
"""

import asyncio
from contextlib import suppress
from uuid import UUID

from azext_iotjobs.localhub.amqp.nodes.base import OutAmqpLink
from azext_iotjobs.localhub.amqp.nodes.values import timestamp
from azext_iotjobs.localhub.amqp.refusals import REFUSALS, amqp_error
from azext_iotjobs.localhub.amqp.wire.message import Message, Properties, encode_message
from azext_iotjobs.localhub.amqp.wire.performatives import Accepted, DeliveryState, Rejected
from azext_iotjobs.localhub.engine.locked_queue import LockedBatch, LockedQueue
from azext_iotjobs.localhub.errors import HubError
from azext_iotjobs.localhub.rules.host_names import HUB_NAME


class QueueReceiver:
    """Hub -> service."""

    def __init__(self, link: OutAmqpLink, queue: LockedQueue, loop: asyncio.AbstractEventLoop) -> None:
        self._link = link
        self._queue = queue
        self._loop = loop
        self._held: set[str] = set()  # lock tokens of what the service has not settled
        self._is_scheduled = False
        self._is_ended = False
        self._stop_news = queue.news.subscribe(self._pull_soon)
        link.accept()

    def pull(self) -> None:
        """Send what waits. Raises StoreUnavailable, StoreDamaged."""
        while self._link.credit > 0:
            batch = self._queue.take()
            if batch is None:
                break
            self._send(batch)
        self._link.end_drain()

    def settled(self, tag: bytes, outcome: DeliveryState | None) -> None:
        """The service says what became of a batch. Raises StoreUnavailable, StoreDamaged."""
        token = str(UUID(bytes=tag))
        self._held.discard(token)
        answer = outcome
        try:
            if isinstance(outcome, Accepted | Rejected):
                self._queue.complete(token)
            else:
                self._queue.abandon(token)
        except HubError as err:  # its lock has ended
            answer = Rejected(amqp_error(err))
        self._link.confirm(tag, answer)

    def ended(self) -> None:
        """The service receives nothing more on this link."""
        self._is_ended = True
        self._stop_news()
        for token in self._held:
            with suppress(*REFUSALS):  # what cannot be unlocked now is when its lock ends
                self._queue.abandon(token)
        self._held.clear()

    def _send(self, batch: LockedBatch) -> None:
        self._link.send(encode_batch(batch), tag=UUID(batch.lock_token).bytes)
        if self._link.is_settled_by_sender:
            self._queue.complete(batch.lock_token)
        else:
            self._held.add(batch.lock_token)

    def _pull_soon(self) -> None:
        if not self._is_scheduled and self._link.credit > 0:
            self._is_scheduled = True
            self._loop.call_soon(self._pull_again)

    def _pull_again(self) -> None:
        self._is_scheduled = False
        if self._is_ended:
            return
        try:
            self.pull()
        except REFUSALS as err:
            self._link.detach(amqp_error(err))


def encode_batch(batch: LockedBatch) -> bytes:
    """A batch as a delivery's payload. Source: what Microsoft's .NET SDK requires of feedback."""
    return encode_message(
        Message(
            annotations={"iothub-enqueuedtime": timestamp(batch.enqueued_at)},
            properties=Properties(
                message_id=batch.lock_token, user_id=HUB_NAME.encode(), content_type=batch.content_type
            ),
            data=(batch.body,),
        )
    )
