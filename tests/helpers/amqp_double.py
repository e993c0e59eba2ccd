"""A double of AmqpConnection, at the seam: what clients ask of it, and what it answers."""

from collections.abc import Iterator, Mapping
from typing import Any

from azext_iotjobs.model.amqp import AmqpEndpoint, AmqpLogin, AmqpMessage
from azext_iotjobs.transport.amqp import Delivery


class ReceiverDouble:
    """A link whose messages are those that were put into it."""

    def __init__(self, address: str, selector: str | None) -> None:
        self.address = address
        self.selector = selector
        self.waiting: list[Delivery] = []
        self.accepted: list[int] = []

    def put(self, message: AmqpMessage) -> None:
        self.waiting.append(Delivery(message, len(self.waiting), b""))

    def take(self) -> Iterator[Delivery]:
        while self.waiting:
            yield self.waiting.pop(0)

    def accept(self, delivery: Delivery) -> None:
        self.accepted.append(delivery.delivery_id)


class AmqpDouble:
    """One connection; `raises` is raised by the next call of `wait`."""

    def __init__(self, described: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self.described = described or {}
        self.receivers: list[ReceiverDouble] = []
        self.sent: list[tuple[str, AmqpMessage]] = []
        self.raises: Exception | None = None
        self.is_closed = False
        self.opened_with: tuple[AmqpEndpoint, AmqpLogin] | None = None

    def __call__(self, endpoint: AmqpEndpoint, login: AmqpLogin) -> "AmqpDouble":
        self.opened_with = (endpoint, login)
        return self

    def receiver(
        self, address: str, *, selector: str | None = None, credit: int = 100, settled: bool
    ) -> ReceiverDouble:
        self.receivers.append(ReceiverDouble(address, selector))
        return self.receivers[-1]

    def send(self, address: str, message: AmqpMessage) -> None:
        self.sent.append((address, message))

    def read(self, kind: str, **names: str) -> Mapping[str, Any]:
        return self.described[names.get("partition", kind)]

    def wait(self) -> None:
        if self.raises is not None:
            raise self.raises

    def close(self) -> None:
        self.is_closed = True
