"""Cloud-to-device messages: queued for a device, delivered over MQTT, AMQP or HTTPS, and settled.

A message is stored before its sender receives the acknowledgement, and removed when the device has settled it. What a
connection had not settled when it ended, or when the hub did, is delivered again.
"""

import uuid
from datetime import datetime, timedelta

from azext_iotjobs.localhub.clock import HubClock, render
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.engine.locked_queue import News
from azext_iotjobs.localhub.errors import (
    DEVICE_MAXIMUM_QUEUE_DEPTH_EXCEEDED,
    DEVICE_MESSAGE_LOCK_LOST,
    DEVICE_NOT_FOUND,
    HubError,
    StoreDamaged,
    StoreUnavailable,
)
from azext_iotjobs.localhub.process.background import run_by_clock
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.c2d_message import MAX_DELIVERIES, MAX_QUEUED, MessageOutcome, NewMessage, is_reported
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.identities import Identities
from azext_iotjobs.localhub.store.messages import Feedback, FeedbackBatch, Message, Messages
from azext_iotjobs.localhub.store.row_reader import log_once

FEEDBACK_AT_ONCE = 64
FEEDBACK_LOCK = timedelta(seconds=60)
CHECK_INTERVAL_S = 1.0  # how late an expiry or the end of a lock may be noticed


class C2dQueue:
    """The queues of all devices."""

    def __init__(
        self, database: Database, messages: Messages, identities: Identities, links: Links, clock: HubClock
    ) -> None:
        self._database = database
        self._messages = messages
        self._identities = identities
        self._links = links
        self._clock = clock
        self.feedback_news = News()
        self._holders: set[Address] = set()  # whose connections were given messages
        # What could not be stored when it was due; it is done once the store is available again.
        self._to_release: set[Address] = set()
        self._to_deliver: set[Address] = set()

    def recover(self) -> None:
        """Requeue what connections held when the hub last ended."""
        for message in self._messages.held():
            self._requeue(message)

    def forget(self) -> None:
        """No connection holds messages: the rows are others now."""
        for noted in (self._holders, self._to_release, self._to_deliver):
            noted.clear()

    async def run(self) -> None:
        """Handle expired messages and locks, until cancelled."""
        await run_by_clock("the queue of messages to devices", self._step, self._database.outages, self._clock)

    def _step(self) -> float:
        self._do_postponed()
        self.handle_expired()
        return CHECK_INTERVAL_S

    def handle_expired(self) -> None:
        """Remove expired messages, and requeue those whose lock has expired."""
        now = self._clock.now()
        for message in self._messages.expired(now):
            self._remove(message, MessageOutcome.EXPIRED)
        for message in self._messages.overdue_locks(now):
            self._requeue(message)
            self.deliver(message.address)
        if self.feedback_news and self._messages.has_overdue_feedback(now):
            self.feedback_news.tell()

    def send(self, address: Address, sent: NewMessage) -> int:
        """Queue a message for a device; gives its sequence number. Raises HubError 404001, 403004."""
        if self._identities.get(address) is None:
            raise HubError(DEVICE_NOT_FOUND, f"{address.shown} is not registered.")
        self.handle_expired()
        if self._messages.count(address) >= MAX_QUEUED:
            raise HubError(DEVICE_MAXIMUM_QUEUE_DEPTH_EXCEEDED, f"The device has {MAX_QUEUED} messages waiting.")
        number = self._messages.add(address, sent, self._clock.now())
        self.deliver(address)
        return number

    def deliver(self, address: Address) -> None:
        """Deliver the queued messages of a device that accepts messages; later, if the store is unavailable."""
        try:
            self._deliver(address)
        except StoreUnavailable:
            self._to_deliver.add(address)
        except StoreDamaged as err:  # the damaged message is locked and does not block the next one
            log_once(err)

    def _deliver(self, address: Address) -> None:
        while self._links.accepts_messages(address):
            message = self._messages.take(address, _token(), None)
            if message is None:
                return
            self._holders.add(address)
            self._links.deliver(message)

    def release(self, address: Address) -> None:
        """A device's connection has ended: requeue what it had not settled."""
        if address in self._holders:  # most devices have never been sent anything
            self._holders.remove(address)
            try:
                self._release(address)
            except StoreUnavailable:
                self._to_release.add(address)

    def _release(self, address: Address) -> None:
        with self._database.transaction():
            for message in self._messages.held(address):
                self._requeue(message)

    def _do_postponed(self) -> None:
        """Do what could not be stored when it was due. Raises StoreUnavailable."""
        for address in list(self._to_release):
            # Online again, it may hold other messages by now; all are requeued when this connection ends.
            if address in self._holders or self._links.is_connected(address):
                self._holders.add(address)
            else:
                self._release(address)
            self._to_release.discard(address)
        for address in list(self._to_deliver):
            self._deliver(address)
            self._to_deliver.discard(address)

    def acknowledge(self, address: Address, token: str) -> None:
        """A device has acknowledged a message over MQTT; ignored when the message has expired meanwhile."""
        if message := self._messages.locked(address, token):
            self._remove(message, MessageOutcome.SUCCESS)

    def receive(self, address: Address, lock_s: int) -> Message | None:
        """Lock the oldest message for a device that polls over HTTPS; None when there is none."""
        self.handle_expired()
        until = self._clock.now() + timedelta(seconds=lock_s)
        return self._messages.take(address, _token(), until)

    def settle(self, address: Address, token: str, outcome: MessageOutcome) -> None:
        """Complete or reject a message. Raises HubError 412002 when the lock is lost."""
        self._remove(self._locked(address, token), outcome)

    def abandon(self, address: Address, token: str) -> None:
        """Requeue a message. Raises HubError 412002 when the lock is lost."""
        self._requeue(self._locked(address, token))
        self.deliver(address)

    def purge(self, address: Address) -> int:
        """Empty a device's queue; gives how many messages there were. Raises HubError 404001."""
        if self._identities.get(address) is None:
            raise HubError(DEVICE_NOT_FOUND, f"{address.shown} is not registered.")
        queue = self._messages.queue(address)
        for message in queue:
            self._remove(message, MessageOutcome.PURGED)
        return len(queue)

    def feedback(self) -> FeedbackBatch | None:
        """Feedback on messages whose senders requested it, locked; None when there is none."""
        self.handle_expired()
        return self._messages.take_feedback(FEEDBACK_AT_ONCE, _token(), self._clock.now(), FEEDBACK_LOCK)

    def complete_feedback(self, token: str) -> None:
        """Remove feedback that was read. Raises HubError 412002 when the lock is lost."""
        if not self._messages.remove_feedback(token, self._clock.now()):
            raise _lock_lost()

    def abandon_feedback(self, token: str) -> None:
        """Unlock feedback, to be read again. Raises HubError 412002 when the lock is lost."""
        if not self._messages.unlock_feedback(token, self._clock.now()):
            raise _lock_lost()
        self.feedback_news.tell()

    def _locked(self, address: Address, token: str) -> Message:
        self.handle_expired()
        message = self._messages.locked(address, token)
        if message is None:
            raise _lock_lost()
        return message

    def _requeue(self, message: Message) -> None:
        if message.delivery_count >= MAX_DELIVERIES:
            self._remove(message, MessageOutcome.DELIVERY_COUNT_EXCEEDED)
        else:
            self._messages.unlock(message)

    def _remove(self, message: Message, outcome: MessageOutcome) -> None:
        with self._database.transaction():
            self._messages.remove(message)
            if is_reported(message.sent.ack, outcome):
                try:
                    self._messages.add_feedback(self._feedback(message, outcome, self._clock.now()))
                    self._database.when_stored(self.feedback_news.tell)
                except StoreDamaged as err:  # of the device's own row: the message could never be removed
                    log_once(err)

    def _feedback(self, message: Message, outcome: MessageOutcome, now: datetime) -> Feedback:
        identity = self._identities.get(message.address)
        assert identity is not None  # messages are deleted with their device
        return Feedback(
            message_id=message.sent.message_id,
            device_id=identity.device_id,
            generation_id=identity.generation_id,
            outcome=outcome,
            at=render(now),
        )


def _token() -> str:
    return str(uuid.uuid4())


def _lock_lost() -> HubError:
    return HubError(DEVICE_MESSAGE_LOCK_LOST, "The message's lock has ended, or it was settled before.")
