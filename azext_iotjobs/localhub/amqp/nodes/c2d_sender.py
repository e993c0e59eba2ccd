"""/messages/devicebound: services send messages to devices. A message is accepted once it is stored."""

from functools import partial

from azext_iotjobs.localhub.amqp.nodes.base import Delivery, HubParts, InAmqpLink
from azext_iotjobs.localhub.amqp.nodes.c2d_message import read_c2d_message
from azext_iotjobs.localhub.amqp.nodes.throttled import ThrottledWork, Work
from azext_iotjobs.localhub.amqp.refusals import Refusal, amqp_error
from azext_iotjobs.localhub.amqp.wire.message import decode_message
from azext_iotjobs.localhub.amqp.wire.performatives import Accepted, Rejected
from azext_iotjobs.localhub.errors import HubError, StoreDamaged, StoreUnavailable
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.c2d_message import NewMessage
from azext_iotjobs.localhub.rules.quota import Throttle

CREDIT = 100  # messages that wait for the hub's quotas are that many at most
MAX_BYTES = 256 * 1024  # encoded; one that is larger ends the link, one beyond the service's limit is rejected


class C2dSender:
    """Service -> hub."""

    def __init__(self, link: InAmqpLink, hub: HubParts) -> None:
        self._link = link
        self._queue = hub.c2d_queue
        self._clock = hub.clock
        self._work = ThrottledWork(hub.loop, hub.quotas)
        link.accept(credit=CREDIT, max_message_bytes=MAX_BYTES)

    def receive(self, delivery: Delivery) -> None:
        """Queue a message for its device, now or when the hub's quotas allow it. Raises HubError, DecodeError."""
        address, message = read_c2d_message(decode_message(delivery.payload), self._clock.now())
        send, refuse = partial(self._send, delivery, address, message), partial(self._refuse, delivery)
        self._work.add(Work(Throttle.MESSAGE_SENDS, send, refuse))

    def ended(self) -> None:
        """The service sends nothing more on this link."""
        self._work.end(is_dropped=False)

    def _send(self, delivery: Delivery, address: Address, message: NewMessage) -> None:
        try:
            self._queue.send(address, message)
        except (HubError, StoreUnavailable, StoreDamaged) as err:
            self._refuse(delivery, err)
        else:
            self._link.settle(delivery, Accepted())

    def _refuse(self, delivery: Delivery, err: Refusal) -> None:
        self._link.settle(delivery, Rejected(amqp_error(err)))
