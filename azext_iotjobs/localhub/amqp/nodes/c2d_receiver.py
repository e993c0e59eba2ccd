"""/devices/{id}/messages/devicebound: cloud-to-device messages, as a device receives them.

The delivery tag is the lock token. A message that is not settled when its link ends is delivered again.
"""

from uuid import UUID

from azext_iotjobs.localhub.amqp.nodes.base import OutAmqpLink
from azext_iotjobs.localhub.amqp.nodes.device_link import DeviceLink
from azext_iotjobs.localhub.amqp.nodes.values import timestamp
from azext_iotjobs.localhub.amqp.wire.conditions import MESSAGE_LOCK_LOST
from azext_iotjobs.localhub.amqp.wire.message import Message as AmqpMessage
from azext_iotjobs.localhub.amqp.wire.message import Properties, encode_message
from azext_iotjobs.localhub.amqp.wire.performatives import Accepted, AmqpError, DeliveryState, Rejected
from azext_iotjobs.localhub.amqp.wire.types import Byte, ULong
from azext_iotjobs.localhub.engine.c2d_queue import C2dQueue
from azext_iotjobs.localhub.errors import HubError
from azext_iotjobs.localhub.rules.c2d_message import Ack, MessageOutcome
from azext_iotjobs.localhub.store.messages import Message


class C2dReceiver:
    """Hub -> device."""

    def __init__(self, link: OutAmqpLink, device: DeviceLink, queue: C2dQueue) -> None:
        self.link = link
        self._device = device
        self._queue = queue
        self._is_ended = False

    @property
    def has_credit(self) -> bool:
        """Whether another message may be sent now."""
        return self.link.credit > 0

    def start(self) -> None:
        """Accept the link; messages go to the newest one."""
        self.link.accept()
        self._device.end_others(self)
        self._device.receive_messages(self)

    def pull(self) -> None:
        """Send the messages that wait."""
        self._queue.deliver(self._device.address)
        self.link.end_drain()

    def deliver(self, message: Message) -> None:
        """Send a message, which is locked; one that is sent settled is done."""
        assert message.lock_token is not None  # it was locked for this link
        self.link.send(encode_c2d_message(message), tag=UUID(message.lock_token).bytes)
        if self.link.is_settled_by_sender:
            self._queue.acknowledge(message.address, message.lock_token)

    def settled(self, tag: bytes, outcome: DeliveryState | None) -> None:
        """The device says what became of a message; without an outcome, it is delivered again."""
        answer = outcome
        try:
            self._settle(str(UUID(bytes=tag)), outcome)
        except HubError as err:  # it has expired, or was purged
            answer = Rejected(AmqpError(MESSAGE_LOCK_LOST, err.text))
        self.link.confirm(tag, answer)

    def _settle(self, token: str, outcome: DeliveryState | None) -> None:
        address = self._device.address
        match outcome:
            case Accepted():
                self._queue.settle(address, token, MessageOutcome.SUCCESS)
            case Rejected():
                self._queue.settle(address, token, MessageOutcome.REJECTED)
            case _:
                self._queue.abandon(address, token)

    def ended(self) -> None:
        """The device receives no more messages on this link; those that it has not settled wait again."""
        if self._is_ended:
            return
        self._is_ended = True
        self._device.stop_messages(self)
        if not self._device.is_ended:
            self._queue.release(self._device.address)
        self._device.remove(self)


def encode_c2d_message(message: Message) -> bytes:
    """A cloud-to-device message as a delivery's payload."""
    sent = message.sent
    assert message.lock_token is not None
    properties = Properties(
        message_id=sent.message_id,
        user_id=None if sent.user_id is None else sent.user_id.encode(),
        to=_to(message),
        correlation_id=sent.correlation_id,
        content_type=sent.content_type,
        content_encoding=sent.content_encoding,
        absolute_expiry_time=timestamp(sent.expires_at) if sent.has_expiry else None,
    )
    annotations = {
        "x-opt-sequence-number": ULong(message.sequence_number),
        "iothub-enqueuedtime": timestamp(message.enqueued_at),
        "iothub-deliverycount": Byte(message.delivery_count - 1),  # those before this one
        "x-opt-lock-token": UUID(message.lock_token),
    }
    ack = {} if sent.ack is Ack.NONE else {"iothub-ack": sent.ack.value}
    return encode_message(
        AmqpMessage(
            annotations=annotations,
            properties=properties,
            application_properties={**ack, **sent.properties},
            data=(sent.body,),
        )
    )


def _to(message: Message) -> str:
    return "/" + "/".join((*message.address.path, "messages", "devicebound"))
