"""A client of bare AMQP frames, and the parts of a hub that it talks to without a socket: real ones, in memory."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from azext_iotjobs.localhub.amqp import dispatch
from azext_iotjobs.localhub.amqp.nodes.base import ConnectionContext, Direction
from azext_iotjobs.localhub.amqp.peer import SAS_TYPES
from azext_iotjobs.localhub.amqp.protocol.events import (
    CreditChanged,
    DeliverySettled,
    LinkDetached,
    LinkRequested,
    MessageReceived,
)
from azext_iotjobs.localhub.amqp.protocol.in_link import InLink
from azext_iotjobs.localhub.amqp.wire.frames import Frame
from azext_iotjobs.localhub.amqp.wire.message import Message, decode_message, encode_message
from azext_iotjobs.localhub.amqp.wire.performatives import (
    RECEIVER,
    Attach,
    Detach,
    Disposition,
    Performative,
    Transfer,
)
from azext_iotjobs.localhub.amqp.wire.types import Symbol
from azext_iotjobs.localhub.auth.policies import OWNER
from azext_iotjobs.localhub.engine.log_reading import Wanted
from azext_iotjobs.localhub.engine.quotas import Quotas
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.event import DeviceMessage
from tests.helpers.amqp_frames import Talk, attach_receiver, attach_sender, flow, transfer
from tests.helpers.hub_in_memory import HubInMemory
from tests.helpers.moved_loop import MovedLoop


class DeviceHub(HubInMemory):
    """A hub in memory on a test's loop, with devices: "pump-1", or "pump-1/module"."""

    def __init__(self, loop: MovedLoop, *devices: str, quotas: Quotas | None = None) -> None:
        super().__init__(*(Address(*each.split("/")) for each in devices), loop=loop)
        self.quotas = quotas

    def connect(self) -> "AmqpClient":
        """A connection that may use every device."""
        context = self.context(quotas=self.quotas)
        context.peer.put_token(SAS_TYPES[0], self.token("localhost", policy=OWNER))
        return AmqpClient(context=context)

    def sent(self) -> list[DeviceMessage]:
        """What devices have sent."""
        return [each.message for _, each in self.event_log.shown.read(0, 1000, Wanted()).entries]

    def connection_state(self, address: Address) -> str:
        """Whether a device is connected, as its identity says."""
        identity = self.identities.get(address)
        assert identity is not None
        return identity.connection_state


@dataclass
class AmqpClient:
    """One connection, with one session: what it sends is processed at once."""

    context: ConnectionContext
    talk: Talk = field(default_factory=Talk)
    frames: list[Frame] = field(default_factory=list)  # what has come and was not looked at
    _next_delivery: int = 0

    def __post_init__(self) -> None:
        self.talk.begin()

    def send(self, *performatives: Performative, payload: bytes = b"") -> None:
        """Send frames; the payload is the last one's."""
        self.talk.send(*performatives, payload=payload)
        self.talk.hub.receive(b"")
        self.process(self.talk.events)

    def process(self, events: Iterable[Any] = ()) -> None:
        """What a connection does about events, until there are no more."""
        pending = [*events]
        self.talk.events.clear()
        while pending := [*pending, *self.talk.hub.take_events()]:
            self._process(pending.pop(0))
        self.frames += [each for each in self.talk.frames() if isinstance(each, Frame)]

    def _process(self, event: Any) -> None:
        match event:
            case LinkRequested(link):
                direction = Direction.IN if isinstance(link, InLink) else Direction.OUT
                dispatch.open_link(self.context, link, direction)
            case MessageReceived(link, delivery):
                dispatch.receive(link, delivery)
            case CreditChanged(link):
                if link.node is not None:
                    dispatch.pull(link)
            case DeliverySettled(link, tag, outcome):
                dispatch.settled(link, tag, outcome)
            case LinkDetached(link):
                dispatch.close_link(self.context, link)

    # --- links

    def sender(self, address: str, handle: int = 0, *, properties: Mapping[str, str] | None = None) -> int:
        """Attach a link on which the client sends; gives its handle."""
        self.send(attach_sender(address, handle, properties=_symbols(properties)))
        return handle

    def receiver(
        self,
        address: str,
        handle: int = 1,
        *,
        credit: int = 100,
        properties: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> int:
        """Attach a link on which the client receives, with credit; gives its handle."""
        self.send(attach_receiver(address, handle, properties=_symbols(properties), **fields))
        if credit:
            self.grant(handle, credit)
        return handle

    def grant(self, handle: int, credit: int, *, count: int = 0, drain: bool = False) -> None:
        """Give credit. count: deliveries that have come on the link."""
        self.send(flow(handle=handle, delivery_count=count, link_credit=credit, drain=drain))

    def detach(self, handle: int) -> None:
        """Detach a link."""
        self.send(Detach(handle=handle, closed=True))

    def lose(self) -> None:
        """The connection is lost."""
        self.talk.hub.lost()
        self.process()

    # --- messages

    def message(self, handle: int, message: Message | bytes, **fields: Any) -> Any:
        """Send a message; gives its outcome, None when there is none yet."""
        payload = message if isinstance(message, bytes) else encode_message(message)
        number = self._next_delivery
        self._next_delivery += 1
        self.send(transfer(number, handle=handle, **fields), payload=payload)
        return self.outcome(number)

    def outcome(self, number: int) -> Any:
        """The outcome of a delivery of the client's, by its number, which counts from 0."""
        self.process()
        for each in self.seen(Disposition):
            if each.role is RECEIVER and each.first <= number <= (each.first if each.last is None else each.last):
                return each.state
        return None

    def arrived(self, handle: int) -> list[tuple[Transfer, Message]]:
        """The messages that have come on a link since the last time, each in one frame."""
        self.process()
        found = [each for each in self.frames if isinstance(each.performative, Transfer)]
        own = [each for each in found if each.performative.handle == handle]  # type: ignore[union-attr]
        self.frames = [each for each in self.frames if each not in own]
        return [(each.performative, decode_message(each.payload)) for each in own]  # type: ignore[misc]

    def settle(self, sent: Transfer, outcome: Any, *, settled: bool = True) -> None:
        """Tell the outcome of a delivery of the hub's."""
        assert sent.delivery_id is not None
        self.settle_number(sent.delivery_id, outcome, settled=settled)

    def settle_number(self, number: int, outcome: Any, *, settled: bool = True) -> None:
        """The same by the delivery's number."""
        self.send(Disposition(RECEIVER, number, settled=settled, state=outcome))

    # --- what the hub has said

    def seen(self, kind: type[Any]) -> list[Any]:
        """All performatives of a kind that have come and were not taken."""
        return [each.performative for each in self.frames if isinstance(each.performative, kind)]

    def is_attached(self, handle: int) -> bool:
        """Whether the hub has accepted a link, and not detached it."""
        self.process()
        accepted = any(each.handle == handle and (each.source or each.target) for each in self.seen(Attach))
        return accepted and self.ended(handle) is None

    def ended(self, handle: int) -> str | None:
        """The condition with which the hub has ended a link; None when it has not."""
        self.process()
        found = [each for each in self.seen(Detach) if each.handle == handle]
        return found[0].error.condition if found and found[0].error else None


def _symbols(properties: Mapping[str, str] | None) -> dict[Symbol, str] | None:
    return None if properties is None else {Symbol(name): value for name, value in properties.items()}
