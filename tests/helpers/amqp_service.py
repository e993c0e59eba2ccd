"""A service's AMQP connection, by bare frames over TLS: one thing after the other, each waited for."""

import itertools
from dataclasses import dataclass
from typing import Any

from azext_iotjobs.localhub.amqp.wire.message import Message, Properties
from azext_iotjobs.localhub.amqp.wire.performatives import AmqpError, DeliveryState, Transfer
from tests.helpers.amqp_socket import AmqpSocket, Detached
from tests.helpers.any_hub import AnyHub

C2D, FEEDBACK = "/messages/devicebound", "/messages/serviceBound/feedback"


@dataclass(frozen=True)
class Received:
    """A message, and what it is settled by."""

    message: Message
    transfer: Transfer


class AmqpService:
    """One connection with one session. Raises OSError when the hub has gone."""

    def __init__(self, hub: AnyHub, user: str | None = None, password: str = "") -> None:
        """user: of SASL PLAIN; without one there is no SASL, and the caller puts a token. Raises SignInRefused."""
        self._host = hub.host
        self._handles = itertools.count()
        self._sender: int | None = None
        self._receiver = 0  # the newest link on which it receives
        self._socket = AmqpSocket(hub, user, password)

    def __enter__(self) -> "AmqpService":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it without another word."""
        self._socket.close()

    def attach_sender(self, address: str) -> AmqpError | None:
        """Attach a link on which this client sends; gives why the hub refuses it."""
        try:
            self._socket.sender(address, handle := next(self._handles))
        except Detached as refused:
            return refused.error
        self._sender = handle
        return None

    def attach_receiver(self, address: str, credit: int = 10) -> AmqpError | None:
        """Attach a link on which this client receives; gives why the hub refuses it."""
        try:
            self._socket.receiver(address, handle := next(self._handles), credit=credit)
        except Detached as refused:
            return refused.error
        self._receiver = handle
        return None

    def put_token(self, token: str) -> tuple[int, str]:
        """Put a token on `$cbs`; gives what came back."""
        return self._socket.put(token, self._host)

    def send_to(self, device: str, body: bytes, ack: str | None = None, **properties: Any) -> DeliveryState:
        """Send a device a message; gives the outcome."""
        if self._sender is None:
            assert self.attach_sender(C2D) is None
        assert self._sender is not None
        message = Message(
            properties=Properties(**{"to": f"/devices/{device}/messages/devicebound", **properties}),
            application_properties={} if ack is None else {"iothub-ack": ack},
            data=(body,),
        )
        outcome: DeliveryState = self._socket.message(self._sender, message)
        return outcome

    def receive(self) -> Received:
        """The next message."""
        transfer, message = self._socket.next(self._receiver)
        return Received(message, transfer)

    def settle(self, received: Received, outcome: DeliveryState | None = None) -> None:
        """Settle a message; accepted if nothing else is given."""
        self._socket.settle(received.transfer, outcome)
