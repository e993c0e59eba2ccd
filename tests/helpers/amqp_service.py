"""A service's AMQP connection, by bare frames over TLS: one thing after the other, each waited for."""

import itertools
import socket
import ssl
from dataclasses import dataclass
from typing import Any, TypeVar

from azext_iotjobs.localhub.amqp.wire.frames import (
    AMQP_HEADER,
    SASL_FRAME,
    SASL_HEADER,
    Frame,
    FrameReader,
    encode_frame,
)
from azext_iotjobs.localhub.amqp.wire.message import AmqpValue, Message, Properties, decode_message, encode_message
from azext_iotjobs.localhub.amqp.wire.performatives import (
    RECEIVER,
    Accepted,
    Attach,
    Begin,
    Composite,
    DeliveryState,
    Detach,
    Disposition,
    Flow,
    Open,
    SaslInit,
    SaslMechanisms,
    SaslOutcome,
    Transfer,
)
from tests.helpers.amqp_frames import attach_receiver, attach_sender, begin, flow, transfer
from tests.helpers.any_hub import AnyHub

C = TypeVar("C", bound=Composite)
LIMIT_S = 60.0  # a real hub sends feedback every 15 s
C2D, FEEDBACK = "/messages/devicebound", "/messages/serviceBound/feedback"


class SignInRefused(Exception):
    """The hub does not let the user in."""


@dataclass(frozen=True)
class Received:
    """A message, and what it is settled by."""

    message: Message
    delivery_id: int


class AmqpService:
    """One connection with one session. Raises OSError when the hub has gone."""

    def __init__(self, hub: AnyHub, user: str | None = None, password: str = "") -> None:
        """user: of SASL PLAIN; without one there is no SASL, and the caller puts a token."""
        self._hub = hub
        self._reader = FrameReader(1 << 20)
        self._handles, self._deliveries = itertools.count(), itertools.count()
        self._waiting: list[Frame] = []  # that came while something else was waited for
        self._sender: int | None = None
        sock = socket.create_connection((hub.host, hub.amqp_port), LIMIT_S)
        self._socket = ssl.create_default_context(cafile=hub.ca).wrap_socket(sock, server_hostname=hub.host)
        if user is not None:
            self._sign_in(user, password)
        self._socket.sendall(AMQP_HEADER.encoded())
        self.send(Open("a test's service", hub.host), begin())
        self.until(Begin)

    def __enter__(self) -> "AmqpService":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it without another word."""
        self._socket.close()

    def send(self, *performatives: Composite, payload: bytes = b"", kind: int = 0) -> None:
        """Send frames; the payload is the last one's."""
        encoded = [encode_frame(0, each, kind=kind) for each in performatives[:-1]]
        self._socket.sendall(b"".join([*encoded, encode_frame(0, performatives[-1], payload, kind)]))

    def until(self, *kinds: type[Composite]) -> Any:
        """The next performative of one of these kinds; a transfer's is the frame."""
        for number, frame in enumerate(self._waiting):
            if isinstance(frame.performative, kinds):
                del self._waiting[number]
                return _content(frame)
        while not isinstance((frame := self._next()).performative, kinds):
            self._waiting.append(frame)
        return _content(frame)

    def attach(self, attach: Attach) -> Attach | Detach:
        """Attach a link; gives the hub's Attach, or the Detach when it is refused."""
        self.send(attach)
        answer = self.until(Attach)
        is_refused = answer.target is None if attach.role != RECEIVER else answer.source is None
        return self.until(Detach) if is_refused else answer  # type: ignore[no-any-return]

    def attach_sender(self, address: str) -> Attach | Detach:
        """Attach a link on which this client sends."""
        return self.attach(attach_sender(address, next(self._handles)))

    def attach_receiver(self, address: str, credit: int = 10) -> Attach | Detach:
        """Attach a link on which this client receives."""
        answer = self.attach(attach_receiver(address, handle := next(self._handles)))
        if isinstance(answer, Attach):
            self.send(flow(handle=handle, delivery_count=0, link_credit=credit))
        return answer

    def put_token(self, token: str) -> tuple[int, str]:
        """Put a token on `$cbs`; gives what came back."""
        requests = self.attach_sender("$cbs")
        assert isinstance(requests, Attach) and isinstance(self.attach_receiver("$cbs"), Attach)
        request = Message(
            properties=Properties(message_id="1"),
            application_properties={
                "operation": "put-token",
                "type": "servicebus.windows.net:sastoken",
                "name": self._hub.host,
            },
            value=AmqpValue(value=token),
        )
        self._transfer(requests.handle, request)
        self.until(Disposition)
        reply = self.receive().message.application_properties
        return int(reply["status-code"]), str(reply["status-description"])

    def send_to(self, device: str, body: bytes, ack: str | None = None, **properties: Any) -> DeliveryState:
        """Send a device a message; gives the outcome."""
        if self._sender is None:
            answer = self.attach_sender(C2D)
            assert isinstance(answer, Attach), answer
            self._sender = answer.handle
        message = Message(
            properties=Properties(**{"to": f"/devices/{device}/messages/devicebound", **properties}),
            application_properties={} if ack is None else {"iothub-ack": ack},
            data=(body,),
        )
        self._transfer(self._sender, message)
        outcome = self.until(Disposition).state
        assert outcome is not None
        return outcome  # type: ignore[no-any-return]

    def receive(self) -> Received:
        """The next message."""
        frame = self.until(Transfer)
        return Received(decode_message(frame.payload), frame.performative.delivery_id)

    def settle(self, received: Received, outcome: DeliveryState | None = None) -> None:
        """Settle a message; accepted if nothing else is given."""
        number = received.delivery_id
        self.send(Disposition(RECEIVER, number, number, True, outcome or Accepted()))

    def _transfer(self, handle: int, message: Message) -> None:
        self.send(transfer(next(self._deliveries), handle=handle), payload=encode_message(message))

    def _sign_in(self, user: str, password: str) -> None:
        self._socket.sendall(SASL_HEADER.encoded())
        self.send(SaslInit("PLAIN", f"\0{user}\0{password}".encode(), self._hub.host), kind=SASL_FRAME)
        assert "PLAIN" in self.until(SaslMechanisms).sasl_server_mechanisms
        if self.until(SaslOutcome).code != 0:
            self.close()
            raise SignInRefused(user)

    def _next(self) -> Frame:
        while not isinstance(item := self._reader.next(), Frame) or isinstance(item.performative, Flow | None):
            if item is None:
                data = self._socket.recv(65536)
                if not data:
                    raise ConnectionError("the hub has ended the connection")
                self._reader.feed(data)
        return item


def _content(frame: Frame) -> Any:
    return frame if isinstance(frame.performative, Transfer) else frame.performative
