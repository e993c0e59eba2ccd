"""A client of bare AMQP frames, and the protocol that it talks to without a socket."""

from dataclasses import dataclass, field
from typing import Any, TypeVar

from azext_iotjobs.localhub.amqp.protocol.connection import AmqpConnection
from azext_iotjobs.localhub.amqp.protocol.events import Event, LinkRequested, MessageReceived
from azext_iotjobs.localhub.amqp.protocol.in_link import InLink
from azext_iotjobs.localhub.amqp.protocol.out_link import OutLink
from azext_iotjobs.localhub.amqp.wire.frames import (
    AMQP_FRAME,
    AMQP_HEADER,
    Frame,
    FrameReader,
    ProtocolHeader,
    encode_frame,
)
from azext_iotjobs.localhub.amqp.wire.message import AmqpValue, Message, Properties
from azext_iotjobs.localhub.amqp.wire.performatives import (
    RECEIVER,
    SENDER,
    Attach,
    Begin,
    Composite,
    Flow,
    Open,
    Source,
    Target,
    Transfer,
)

MANY = 5000
SAS = "servicebus.windows.net:sastoken"  # the type of a token
C = TypeVar("C", bound=Composite)
E = TypeVar("E")


def begin(**fields: Any) -> Begin:
    """A session with wide windows; fields stand in place of its own."""
    return Begin(**{"next_outgoing_id": 0, "incoming_window": MANY, "outgoing_window": MANY, **fields})


def attach_receiver(address: Any = "events", handle: int = 0, **fields: Any) -> Attach:
    """A link on which the client receives."""
    return Attach(**{"name": f"in {handle}", "handle": handle, "role": RECEIVER, "source": Source(address), **fields})


def attach_sender(address: Any = "events", handle: int = 0, **fields: Any) -> Attach:
    """A link on which the client sends."""
    named = {"name": f"out {handle}", "handle": handle, "role": SENDER, "initial_delivery_count": 0}
    return Attach(**{**named, "target": Target(address), **fields})


def flow(**fields: Any) -> Flow:
    """A session's state with wide windows, and a link's if it has a handle."""
    named = {"next_incoming_id": 0, "incoming_window": MANY, "next_outgoing_id": 0, "outgoing_window": MANY}
    return Flow(**{**named, **fields})


def transfer(delivery_id: int | None = 0, *, handle: int = 0, tag: bytes | None = None, **fields: Any) -> Transfer:
    """A message, or its first part."""
    own = b"tag %d" % delivery_id if delivery_id is not None and tag is None else tag
    return Transfer(**{"handle": handle, "delivery_id": delivery_id, "delivery_tag": own, **fields})


def put_token(token: str, *, name: str = "localhost", message_id: str = "1") -> Message:
    """The request to `$cbs` that puts a SAS token. name: what the token is for, as clients write it."""
    return Message(
        properties=Properties(message_id=message_id),
        application_properties={"operation": "put-token", "type": SAS, "name": name},
        value=AmqpValue(value=token),
    )


@dataclass
class Talk:
    """A connection's protocol, and what it has said."""

    wakes: int = 0
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hub = AmqpConnection("hub", self._wake)
        self._reader = FrameReader(1 << 20)

    def _wake(self) -> None:
        self.wakes += 1

    def feed(self, data: bytes) -> list[Event]:
        """Bytes of the client; gives what they have caused."""
        events = self.hub.receive(data)
        self.events += events
        return events

    def send(
        self, *performatives: Composite, channel: int = 0, payload: bytes = b"", kind: int = AMQP_FRAME
    ) -> list[Event]:
        """Frames of the client; the payload is the last one's."""
        encoded = [encode_frame(channel, each, kind=kind) for each in performatives[:-1]]
        return self.feed(b"".join([*encoded, encode_frame(channel, performatives[-1], payload, kind)]))

    def said(self) -> list[Any]:
        """What the hub has sent since the last time: headers, performatives, None for an empty frame."""
        return [each if isinstance(each, ProtocolHeader) else each.performative for each in self.frames()]

    def frames(self) -> list[ProtocolHeader | Frame]:
        """The same as frames."""
        self._reader.feed(self.hub.take_output())
        found = []
        while (item := self._reader.next()) is not None:
            found.append(item)
        return found

    def answer(self, kind: type[C]) -> C:
        """The only performative of this kind that the hub has sent."""
        (found,) = [each for each in self.said() if isinstance(each, kind)]
        return found

    def open(self, **fields: Any) -> "Talk":
        """Open the connection."""
        self.feed(AMQP_HEADER.encoded())
        self.send(Open(**{"container_id": "client", "hostname": "localhost", **fields}))
        self.said()
        return self

    def begin(self, channel: int = 0, **fields: Any) -> "Talk":
        """Open the connection, with one session."""
        if self.hub.state.name == "HEADER":
            self.open()
        self.send(begin(**fields), channel=channel)
        self.said()
        return self

    def out_link(self, *, credit: int = 0, **fields: Any) -> OutLink:
        """A link on which the hub sends, accepted, with credit."""
        link = self.requested(attach_receiver(**fields))
        assert isinstance(link, OutLink)
        link.accept()
        if credit:
            self.send(flow(handle=link.handle, delivery_count=0, link_credit=credit))
        self.said()
        return link

    def in_link(self, *, credit: int = 10, max_message_bytes: int = 1000, **fields: Any) -> InLink:
        """A link on which the client sends, accepted."""
        link = self.requested(attach_sender(**fields))
        assert isinstance(link, InLink)
        link.accept(credit=credit, max_message_bytes=max_message_bytes)
        self.said()
        return link

    def requested(self, attach: Attach) -> OutLink | InLink:
        """The link that an Attach asks for."""
        event = self.send(attach)[-1]
        assert isinstance(event, LinkRequested)
        return event.link

    def received(self) -> list[bytes]:
        """The payloads of all messages so far."""
        return [each.delivery.payload for each in self.events if isinstance(each, MessageReceived)]


def of(events: list[Any], kind: type[E]) -> list[E]:
    """Those of one kind."""
    return [each for each in events if isinstance(each, kind)]
