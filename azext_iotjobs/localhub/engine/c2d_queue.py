"""Cloud-to-device messages: into a device's queue, out to it over MQTT or HTTPS, and what became of each.

A message is in the store before its sender hears that it was taken, and leaves it when the device has settled it; what
a connection held when it ended, or when the hub did, waits again.
"""

import uuid
from datetime import datetime, timedelta

from azext_iotjobs.localhub.clock import HubClock, render
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.errors import (
    DEVICE_MAXIMUM_QUEUE_DEPTH_EXCEEDED,
    DEVICE_MESSAGE_LOCK_LOST,
    DEVICE_NOT_FOUND,
    HubError,
    StoreDamaged,
    StoreTrouble,
)
from azext_iotjobs.localhub.process.background import take_turns
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.message import MAX_DELIVERIES, MAX_QUEUED, Fate, NewMessage, is_reported
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.identities import Identities
from azext_iotjobs.localhub.store.messages import Feedback, FeedbackBatch, Message, Messages
from azext_iotjobs.localhub.store.row_reader import say_once

FEEDBACK_AT_ONCE = 64
FEEDBACK_LOCK = timedelta(seconds=60)
LOOK_INTERVAL_S = 1.0  # how late an expiry or the end of a lock may be noticed


class Mailbox:
    """Every device's queue."""

    def __init__(
        self, database: Database, messages: Messages, identities: Identities, links: Links, clock: HubClock
    ) -> None:  # fmt: skip
        self._database = database
        self._messages = messages
        self._identities = identities
        self._links = links
        self._clock = clock
        self._holders: set[Address] = set()  # whose connections were given messages
        # What could not be stored when it was due, and is done once the store can be used again.
        self._to_release: set[Address] = set()
        self._to_deliver: set[Address] = set()

    def recover(self) -> None:
        """Put back what connections held when a hub before this one ended."""
        for message in self._messages.held():
            self._back(message)

    async def run(self) -> None:
        """Notice what time does to messages, until cancelled."""
        await take_turns("the look at messages to devices", self._turn, self._database.troubles)

    def _turn(self) -> float:
        self._catch_up()
        self.look()
        return LOOK_INTERVAL_S

    def look(self) -> None:
        """Take out what has expired, and put back what was locked for too long."""
        now = self._clock.now()
        for message in self._messages.expired(now):
            self._end(message, Fate.EXPIRED)
        for message in self._messages.overdue_locks(now):
            self._back(message)
            self.deliver(message.address)

    def send(self, address: Address, sent: NewMessage) -> int:
        """Take a message for a device; gives its sequence number. Raises HubError 404001, 403004."""
        if self._identities.get(address) is None:
            raise HubError(DEVICE_NOT_FOUND, f"{address.shown} is not registered.")
        self.look()
        if self._messages.count(address) >= MAX_QUEUED:
            raise HubError(DEVICE_MAXIMUM_QUEUE_DEPTH_EXCEEDED, f"The device has {MAX_QUEUED} messages waiting.")
        number = self._messages.add(address, sent, self._clock.now())
        self.deliver(address)
        return number

    def deliver(self, address: Address) -> None:
        """Give a device that listens what waits for it; later, when the store cannot be used."""
        try:
            self._deliver(address)
        except StoreTrouble:
            self._to_deliver.add(address)
        except StoreDamaged as err:  # it is locked, and out of the way of the next
            say_once(err)

    def _deliver(self, address: Address) -> None:
        while self._links.accepts_messages(address):
            message = self._messages.take(address, _token(), None)
            if message is None:
                return
            self._holders.add(address)
            self._links.deliver(message)

    def released(self, address: Address) -> None:
        """A device's connection has ended: what it held and did not settle waits again."""
        if address in self._holders:  # of a fleet that goes, most have never been sent anything
            self._holders.remove(address)
            try:
                self._release(address)
            except StoreTrouble:
                self._to_release.add(address)

    def _release(self, address: Address) -> None:
        with self._database.transaction():
            for message in self._messages.held(address):
                self._back(message)

    def _catch_up(self) -> None:
        """Do what could not be stored when it was due. Raises StoreTrouble when it still cannot."""
        for address in list(self._to_release):
            # On line again, it may hold others by now; what it held before comes again when this connection ends.
            if address in self._holders or self._links.is_connected(address):
                self._holders.add(address)
            else:
                self._release(address)
            self._to_release.discard(address)
        for address in list(self._to_deliver):
            self._deliver(address)
            self._to_deliver.discard(address)

    def taken(self, address: Address, token: str) -> None:
        """A device has acknowledged a message over MQTT; one that has expired meanwhile is no longer there."""
        if message := self._messages.locked(address, token):
            self._end(message, Fate.SUCCESS)

    def receive(self, address: Address, lock_s: int) -> Message | None:
        """Lock the oldest message for a device that asks over HTTPS; None when there is none."""
        self.look()
        until = self._clock.now() + timedelta(seconds=lock_s)
        return self._messages.take(address, _token(), until)

    def settle(self, address: Address, token: str, fate: Fate) -> None:
        """Complete or reject a message. Raises HubError 412002 when the lock is lost."""
        self._end(self._locked(address, token), fate)

    def abandon(self, address: Address, token: str) -> None:
        """Put a message back. Raises HubError 412002 when the lock is lost."""
        self._back(self._locked(address, token))
        self.deliver(address)

    def purge(self, address: Address) -> int:
        """Empty a device's queue; gives how many messages there were. Raises HubError 404001."""
        if self._identities.get(address) is None:
            raise HubError(DEVICE_NOT_FOUND, f"{address.shown} is not registered.")
        queue = self._messages.queue(address)
        for message in queue:
            self._end(message, Fate.PURGED)
        return len(queue)

    def feedback(self) -> FeedbackBatch | None:
        """What became of messages whose senders want to know; None when there is nothing new."""
        self.look()
        return self._messages.take_feedback(FEEDBACK_AT_ONCE, _token(), self._clock.now(), FEEDBACK_LOCK)

    def complete_feedback(self, token: str) -> None:
        """Feedback has been read. Raises HubError 412002 when the lock is lost."""
        if not self._messages.remove_feedback(token, self._clock.now()):
            raise _lock_lost()

    def abandon_feedback(self, token: str) -> None:
        """Feedback is to be handed out again. Raises HubError 412002 when the lock is lost."""
        if not self._messages.unlock_feedback(token, self._clock.now()):
            raise _lock_lost()

    def _locked(self, address: Address, token: str) -> Message:
        self.look()
        message = self._messages.locked(address, token)
        if message is None:
            raise _lock_lost()
        return message

    def _back(self, message: Message) -> None:
        if message.delivery_count >= MAX_DELIVERIES:
            self._end(message, Fate.DELIVERY_COUNT_EXCEEDED)
        else:
            self._messages.unlock(message)

    def _end(self, message: Message, fate: Fate) -> None:
        with self._database.transaction():
            self._messages.remove(message)
            if is_reported(message.sent.ack, fate):
                try:
                    self._messages.add_feedback(self._feedback(message, fate, self._clock.now()))
                except StoreDamaged as err:  # the device's own row: nobody would ever be rid of the message
                    say_once(err)

    def _feedback(self, message: Message, fate: Fate, now: datetime) -> Feedback:
        identity = self._identities.get(message.address)
        assert identity is not None  # messages go with their device
        return Feedback(
            message_id=message.sent.message_id,
            device_id=identity.device_id,
            generation_id=identity.generation_id,
            fate=fate,
            at=render(now),
        )


def _token() -> str:
    return str(uuid.uuid4())


def _lock_lost() -> HubError:
    return HubError(DEVICE_MESSAGE_LOCK_LOST, "The message's lock has ended, or it was settled before.")
