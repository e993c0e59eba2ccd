"""What both kinds of links have in common: attach, refuse, detach. Pure.

    REQUESTED --accept--> ATTACHED --detach--> DETACHING --the client's Detach--> ENDED
        |                     |                    ^                                ^
        +------- refuse ------|--------------------+                                |
        +---------------------+--------- the client's Detach, end of its session ---+

Nothing that is asked of a link does anything once it is DETACHING or ENDED: its node may be late.
Source: AMQP 2.6.
"""

from enum import Enum
from typing import Any, Protocol

from azext_iotjobs.localhub.amqp.wire.performatives import (
    RECEIVER,
    AmqpError,
    Attach,
    Composite,
    DeliveryState,
    Detach,
    Flow,
    Source,
    Target,
)

SETTLED = 1  # snd-settle-mode: all deliveries are sent settled
FIRST = 0  # rcv-settle-mode: the receiver settles at once, and not after the sender


class LinkState(Enum):
    """Where a link is between its Attach and the end."""

    REQUESTED = "requested"
    ATTACHED = "attached"
    DETACHING = "detaching"
    ENDED = "ended"


class LinkSession(Protocol):
    """What a link needs of its session."""

    @property
    def free_deliveries(self) -> int:
        """How many more deliveries may be sent to the client now; 0 while the session or the connection is full."""

    def send(self, performative: Composite) -> None:
        """Send a frame."""

    def send_flow(self, link: "Link", *, delivery_count: int, credit: int, drain: bool = False) -> None:
        """Send the state of a link, and the session's."""

    def transmit(self, link: "Link", tag: bytes, payload: bytes, *, is_settled: bool) -> None:
        """Send a delivery, in as many frames as it needs."""

    def settle_incoming(self, delivery_id: int, outcome: DeliveryState) -> None:
        """Tell the client the outcome of a delivery that it has sent, and settle it."""

    def hold_bytes(self, count: int) -> None:
        """So many more bytes of unfinished messages are held; negative: fewer. Raises ConnectionFault."""

    def settle_outgoing(self, link: "Link", tag: bytes, outcome: DeliveryState | None) -> None:
        """Settle a delivery whose outcome the client has told."""

    def link_ended(self, link: "Link", error: AmqpError | None) -> None:
        """The link has ended, for whatever reason; called once."""


class Link:
    """One end of a link, as the client has asked for it.

    node: what stands behind the address; for whoever has accepted the link.
    """

    def __init__(self, session: LinkSession, attach: Attach, address: Any) -> None:
        self._session = session
        self._attach = attach
        self.name = attach.name
        self.handle = attach.handle  # the hub uses the client's number for both directions
        self.address = str(address) if isinstance(address, str) else ""  # as the client wrote it; "": it gave none
        self.properties: dict[str, Any] = {str(key): value for key, value in (attach.properties or {}).items()}
        self.source: Source | None = attach.source
        self.target: Target | None = attach.target if isinstance(attach.target, Target) else None
        self.desired_capabilities = attach.desired_capabilities
        self.state = LinkState.REQUESTED
        self.node: Any = None

    @property
    def is_open(self) -> bool:
        """Whether it is requested or attached."""
        return self.state in (LinkState.REQUESTED, LinkState.ATTACHED)

    def refuse(self, error: AmqpError) -> None:
        """Do not attach it: the client learns why. Source: AMQP 2.6.3."""
        self.detach(error)

    def detach(self, error: AmqpError | None = None) -> None:
        """End it, for good."""
        if self.is_open:
            self._attach_if_requested()
            self._session.send(Detach(handle=self.handle, closed=True, error=error))
            self._end(LinkState.DETACHING, error)

    def take_detach(self, detach: Detach) -> None:
        """The client has detached it, or answers that the hub has."""
        if self.is_open:
            self._attach_if_requested()
            self._session.send(Detach(handle=self.handle, closed=detach.closed))
            self._end(LinkState.ENDED, detach.error)
        self.state = LinkState.ENDED

    def take_flow(self, flow: Flow) -> None:
        """The client tells the link's state."""
        raise NotImplementedError

    def take_end(self, error: AmqpError | None) -> None:
        """Its session has ended."""
        if self.is_open:
            self._end(LinkState.ENDED, error)
        self.state = LinkState.ENDED

    def _release(self) -> None:
        """Free what the link holds."""

    def _end(self, state: LinkState, error: AmqpError | None) -> None:
        self.state = state
        self._release()
        self._session.link_ended(self, error)

    def _attach_if_requested(self) -> None:
        """A link that is refused is attached first, to no node."""
        if self.state is LinkState.REQUESTED:
            self._answer(None, None)

    def _answer(self, source: Source | None, target: Target | None, **fields: Any) -> None:
        """Send our Attach. fields: those that only one kind of link has, or only an accepted one."""
        common = {
            "snd_settle_mode": self._attach.snd_settle_mode,
            "rcv_settle_mode": self._attach.rcv_settle_mode,
            "initial_delivery_count": 0 if self._attach.role == RECEIVER else None,
        }
        role = not self._attach.role
        self._session.send(Attach(self.name, self.handle, role, source=source, target=target, **{**common, **fields}))
