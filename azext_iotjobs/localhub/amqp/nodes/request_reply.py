"""Requests and replies: a client sends on one link and receives on another one at the same address, a pair.

A reply has the request's message id as its correlation id, of whatever type that is. It goes to the receiver whose own
address the request names as `reply-to`, else to the one that was attached last, as soon as that one has credit.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import replace

from azext_iotjobs.localhub.amqp.nodes.base import Delivery, InAmqpLink, OutAmqpLink
from azext_iotjobs.localhub.amqp.refusals import LinkError
from azext_iotjobs.localhub.amqp.wire.conditions import RESOURCE_LIMIT_EXCEEDED
from azext_iotjobs.localhub.amqp.wire.message import Message, decode_message, encode_message
from azext_iotjobs.localhub.amqp.wire.performatives import Accepted, AmqpError, DeliveryState

MAX_WAITING = 100  # replies of one connection that its client has given no credit for
MAX_BYTES = 64 * 1024  # of a request: one has a token, or a few words
MAX_WAITING_BYTES = 512 * 1024  # of those replies: each has its request's id, which may be long


class Exchange:
    """The links of one connection at one address. answer: gives the reply to a request, without a correlation id."""

    def __init__(self, answer: Callable[[Message], Message]) -> None:
        self._answer = answer
        self._receivers: list[ReplyNode] = []
        self._waiting: deque[tuple[str | None, bytes]] = deque()  # reply-to, encoded reply
        self._waiting_bytes = 0

    def request(self, message: Message) -> None:
        """Answer a request. Raises LinkError when too many replies wait."""
        if len(self._waiting) >= MAX_WAITING or self._waiting_bytes >= MAX_WAITING_BYTES:
            text = f"{len(self._waiting)} replies wait for credit of a receiver at this address."
            raise LinkError(AmqpError(RESOURCE_LIMIT_EXCEEDED, text))
        reply = self._answer(message)
        given = message.properties
        correlation = given.message_id if given.message_id is not None else given.correlation_id
        reply = replace(reply, properties=replace(reply.properties, correlation_id=correlation))
        payload = encode_message(reply)
        self._waiting.append((given.reply_to, payload))
        self._waiting_bytes += len(payload)
        self.send()

    def send(self) -> None:
        """Send what waits and can be sent."""
        still: deque[tuple[str | None, bytes]] = deque()
        while self._waiting:
            reply_to, payload = self._waiting.popleft()
            receiver = self._receiver(reply_to)
            if receiver is None or receiver.link.credit <= 0:
                still.append((reply_to, payload))
            else:
                self._waiting_bytes -= len(payload)
                receiver.link.send(payload, is_settled=True)
        self._waiting = still

    def add(self, receiver: "ReplyNode") -> None:
        """A receiver has come."""
        self._receivers.append(receiver)

    def remove(self, receiver: "ReplyNode") -> None:
        """A receiver has gone."""
        self._receivers.remove(receiver)

    def _receiver(self, reply_to: str | None) -> "ReplyNode | None":
        named = [each for each in self._receivers if reply_to is not None and each.own_address == reply_to]
        return next(reversed(named or self._receivers), None)


class RequestNode:
    """A link on which requests come."""

    def __init__(self, exchange: Exchange, link: InAmqpLink) -> None:
        self._exchange = exchange
        self._link = link
        link.accept(max_message_bytes=MAX_BYTES)

    def receive(self, delivery: Delivery) -> None:
        """Answer a request."""
        message = decode_message(delivery.payload)
        self._link.settle(delivery, Accepted())
        self._exchange.request(message)

    def ended(self) -> None:
        """The link has ended."""


class ReplyNode:
    """A link on which replies go out."""

    def __init__(self, exchange: Exchange, link: OutAmqpLink) -> None:
        self._exchange = exchange
        self.link = link
        target = link.target.address if link.target is not None else None
        self.own_address = target if isinstance(target, str) else None
        link.accept()
        exchange.add(self)

    def pull(self) -> None:
        """Send the replies that wait."""
        self._exchange.send()
        self.link.end_drain()

    def settled(self, tag: bytes, outcome: DeliveryState | None) -> None:
        """Replies are sent settled."""

    def ended(self) -> None:
        """The link has ended."""
        self._exchange.remove(self)
