"""What stands behind an address: the contracts of nodes and of links, and the row of the table of routes.

A node is made for one link, and accepts it. It is called by `dispatch`, on the hub's event loop, and returns at once.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from azext_iotjobs.localhub.amqp.peer import DeviceNeed, Need, Peer, ServiceNeed
from azext_iotjobs.localhub.amqp.wire.performatives import AmqpError, DeliveryState, Source, Target
from azext_iotjobs.localhub.clock import HubClock
from azext_iotjobs.localhub.engine.c2d_queue import C2dQueue
from azext_iotjobs.localhub.engine.device_service import DeviceService
from azext_iotjobs.localhub.engine.event_log import EventLog
from azext_iotjobs.localhub.engine.event_readers import EventReaders
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.engine.locked_queue import LockedQueue
from azext_iotjobs.localhub.engine.quotas import Quotas
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.host_names import EVENT_HUB_NAME, HostNames
from azext_iotjobs.localhub.rules.identity import check_device_id, check_module_id


class Side(Enum):
    """Who uses an address; the value is for people."""

    DEVICE = "device"  # itself, or a policy that may connect devices
    SERVICE = "service"
    EVENT_HUB = "Event Hubs client"
    ANYONE = "anyone"


class Direction(Enum):
    """Where the messages of a link go; the value is what the client is, for people."""

    IN = "sender"  # client -> hub
    OUT = "receiver"  # hub -> client


class AmqpLink(Protocol):
    """One end of a link; both kinds have this."""

    name: str
    address: str
    properties: dict[str, Any]
    source: Source | None
    target: Target | None
    node: Any

    def refuse(self, error: AmqpError) -> None:
        """Do not attach it; one that is attached already is detached."""

    def detach(self, error: AmqpError | None = None) -> None:
        """End it."""


class Delivery(Protocol):
    """A message that a client has sent, whole."""

    @property
    def delivery_id(self) -> int:
        """Its number in its session."""

    @property
    def tag(self) -> bytes:
        """What the client knows it by."""

    @property
    def is_settled(self) -> bool:
        """Whether the client expects no outcome."""

    @property
    def message_format(self) -> int:
        """0 for a plain AMQP message."""

    @property
    def payload(self) -> bytes:
        """The encoded message."""


class InAmqpLink(AmqpLink, Protocol):
    """A link on which the client sends."""

    def accept(self, *, credit: int = ..., max_message_bytes: int = ...) -> None:
        """Attach it. credit: how many deliveries may be unsettled."""

    def settle(self, delivery: Any, outcome: DeliveryState) -> None:
        """Tell the client the outcome of a delivery."""


class OutAmqpLink(AmqpLink, Protocol):
    """A link on which the client receives."""

    wants_drain: bool
    filters: dict[str, Any]  # of its source
    desired_capabilities: tuple[str, ...]

    @property
    def credit(self) -> int:
        """How many messages may be sent now."""

    @property
    def is_settled_by_sender(self) -> bool:
        """Whether the client wants every delivery settled already."""

    def accept(self, *, offered_capabilities: tuple[str, ...] = ..., sends_settled: bool = ...) -> None:
        """Attach it. sends_settled: every delivery will be sent settled."""

    def send(self, payload: bytes, *, tag: bytes | None = None, is_settled: bool = False) -> None:
        """Send a message; only while there is credit."""

    def confirm(self, tag: bytes, outcome: DeliveryState | None) -> None:
        """Settle a delivery whose outcome the client has told without settling it."""

    def end_drain(self) -> None:
        """There is nothing more to send at present."""


class InNode(Protocol):
    """What receives the messages of a link."""

    def receive(self, delivery: Delivery) -> None:
        """Process a message, and settle it, now or later.

        Raises LinkError, which ends the link; what `refusals` knows, for which the message is rejected.
        """

    def ended(self) -> None:
        """The link has ended."""


class OutNode(Protocol):
    """What sends the messages of a link."""

    def pull(self) -> None:
        """Send what there is, while the link has credit; called when it has got some."""

    def settled(self, tag: bytes, outcome: DeliveryState | None) -> None:
        """The client has settled a delivery; None: without an outcome."""

    def ended(self) -> None:
        """The link has ended; what was not settled is as if it had not been sent."""


@dataclass(frozen=True, kw_only=True)
class EventHubEndpoint:
    """Where Event Hubs clients find the events of this hub, at a host name that they know."""

    port: int
    name: str  # of the event hub


@dataclass(frozen=True, kw_only=True)
class HubParts:
    """What nodes use of the hub."""

    devices: DeviceService
    links: Links
    c2d_queue: C2dQueue
    feedback: LockedQueue
    file_notifications: LockedQueue
    event_hub: EventHubEndpoint
    event_log: EventLog
    event_readers: EventReaders
    host_names: HostNames
    quotas: Quotas | None  # None: nothing is limited
    clock: HubClock
    loop: asyncio.AbstractEventLoop


@dataclass(frozen=True, kw_only=True)
class ConnectionContext:
    """What the nodes of one connection share."""

    hub: HubParts
    peer: Peer
    drop: Callable[[], None] = lambda: None  # ends the connection without a word
    shared: dict[str, Any] = field(default_factory=dict)  # what several links have together, by names of their nodes


@dataclass(frozen=True)
class Match:
    """An address that a route has matched."""

    ids: Mapping[str, str]  # the variable parts, decoded
    segments: tuple[str, ...]

    @property
    def address(self) -> Address:
        """The device or module that it names. Raises HubError 400 for what can be none."""
        check_device_id(self.ids["device"])
        module = self.ids.get("module")
        if module is not None:
            check_module_id(module)
        return Address(self.ids["device"], module)


@dataclass(frozen=True, kw_only=True)
class Route:
    """One row of the table of links."""

    side: Side
    address: str  # {name} is a part; the other parts match in any case
    direction: Direction
    opens: Callable[
        [ConnectionContext, Any, Match], InNode | OutNode
    ]  # of a link: accepts it; raises LinkError, HubError
    purpose: str  # for people

    def need(self, match: Match) -> Need | None:
        """What a client must have proved. Raises HubError 400 for ids that are none."""
        match self.side:
            case Side.DEVICE:
                return DeviceNeed(match.address)
            case Side.SERVICE:
                return ServiceNeed(match.segments)
            case Side.EVENT_HUB:
                # `$management` alone is the event hub's too, for which clients have tokens.
                path = match.segments if len(match.segments) > 1 else (EVENT_HUB_NAME, *match.segments)
                return ServiceNeed(path, kind=None)
            case Side.ANYONE:
                return None
