"""One session: its links, its windows, and the frames of both directions. Pure.

The hub has the client's numbers for channel and handles: it begins no session and attaches no link of its own.
Source: AMQP 2.5.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from azext_iotjobs.localhub.amqp.protocol.events import (
    CreditChanged,
    DeliverySettled,
    Event,
    LinkDetached,
    LinkRequested,
    MessageReceived,
)
from azext_iotjobs.localhub.amqp.protocol.faults import ConnectionFault, LinkFault, SessionFault
from azext_iotjobs.localhub.amqp.protocol.in_link import InLink
from azext_iotjobs.localhub.amqp.protocol.limits import HANDLE_MAX, INCOMING_WINDOW, OUTGOING_WINDOW
from azext_iotjobs.localhub.amqp.protocol.link import Link
from azext_iotjobs.localhub.amqp.protocol.out_link import OutLink
from azext_iotjobs.localhub.amqp.protocol.outgoing import Outgoing
from azext_iotjobs.localhub.amqp.protocol.serial import minus, plus
from azext_iotjobs.localhub.amqp.protocol.settlements import Settlements
from azext_iotjobs.localhub.amqp.wire.conditions import (
    FRAMING_ERROR,
    HANDLE_IN_USE,
    NOT_ALLOWED,
    UNATTACHED_HANDLE,
)
from azext_iotjobs.localhub.amqp.wire.performatives import (
    RECEIVER,
    SENDER,
    Accepted,
    AmqpError,
    Attach,
    Begin,
    Composite,
    DeliveryState,
    Detach,
    Disposition,
    End,
    Flow,
    Modified,
    Rejected,
    Released,
    Transfer,
)


class SessionConnection(Protocol):
    """What a session needs of its connection."""

    @property
    def max_frame_bytes(self) -> int:
        """Of a frame that the client accepts."""

    @property
    def can_send(self) -> bool:
        """Whether little enough of what was sent is still on its way."""

    def send_frame(self, channel: int, performative: Composite, payload: bytes = b"") -> None:
        """Send a frame."""

    def settlements_wait(self, session: "Session") -> None:
        """The session has outcomes to send, by `flush`."""

    def report(self, event: Event) -> None:
        """Report an event."""

    def count_links(self, change: int) -> None:
        """So many more links are attached; negative: fewer. Raises ConnectionFault."""

    def hold_bytes(self, count: int) -> None:
        """So many more bytes of unfinished messages are held; negative: fewer. Raises ConnectionFault."""


class Session:
    """One session, from the client's Begin to its End."""

    def __init__(self, channel: int, begin: Begin, connection: SessionConnection) -> None:
        self._channel = channel
        self._connection = connection
        self._next_incoming_id = begin.next_outgoing_id
        self._incoming_window = INCOMING_WINDOW
        self._max_handle = min(HANDLE_MAX, HANDLE_MAX if begin.handle_max is None else begin.handle_max)
        self._links: dict[int, Link] = {}
        self._outgoing: Outgoing[Link] = Outgoing(begin, connection.max_frame_bytes, self.send)
        self._settlements = Settlements(self._send_now)
        self.is_ending = False  # the hub has ended it, and what still comes of it is ignored
        self.send(
            Begin(
                remote_channel=channel,
                next_outgoing_id=self._outgoing.next_id,
                incoming_window=INCOMING_WINDOW,
                outgoing_window=OUTGOING_WINDOW,
                handle_max=HANDLE_MAX,
            )
        )

    # --- for the connection

    def take(self, performative: Composite, payload: bytes) -> None:
        """A frame of the client, other than Begin and End. Raises ConnectionFault."""
        step = _STEPS.get(type(performative))
        if step is None:
            raise ConnectionFault(NOT_ALLOWED, f"{type(performative).__name__} came where it has no place.")
        if self.is_ending:
            return
        try:
            step(self, performative, payload)
        except SessionFault as err:
            self.end(err.error)

    def take_end(self, end: End) -> None:
        """The client has ended it, or answers that the hub has."""
        if not self.is_ending:
            self._end_links(end.error)
            self.send(End())

    def end(self, error: AmqpError | None) -> None:
        """End it."""
        self._end_links(error)
        self.send(End(error))
        self.is_ending = True

    def abandon(self, error: AmqpError | None) -> None:
        """The connection has ended."""
        self._end_links(error)
        self.is_ending = True

    def credit_changed(self) -> None:
        """The connection can send again."""
        if self.free_deliveries:
            for link in self._links.values():
                if isinstance(link, OutLink) and link.has_link_credit:
                    self._connection.report(CreditChanged(link))

    def flush(self) -> None:
        """Send the outcomes that wait."""
        self._settlements.flush()

    # --- LinkSession

    @property
    def free_deliveries(self) -> int:
        """How many more deliveries may be sent to the client now; 0 while the session or the connection is full."""
        return self._outgoing.free_deliveries if self._connection.can_send else 0

    def send(self, performative: Composite, payload: bytes = b"") -> None:
        """Send a frame, after the outcomes that wait."""
        self._settlements.flush()
        self._connection.send_frame(self._channel, performative, payload)

    def send_flow(self, link: Link | None, *, delivery_count: int = 0, credit: int = 0, drain: bool = False) -> None:
        """Send the session's state, and that of a link."""
        self._incoming_window = INCOMING_WINDOW
        flow = Flow(self._next_incoming_id, INCOMING_WINDOW, self._outgoing.next_id, OUTGOING_WINDOW)
        if link is not None:
            flow.handle, flow.delivery_count, flow.link_credit, flow.drain = link.handle, delivery_count, credit, drain
        self.send(flow)

    def transmit(self, link: Link, tag: bytes, payload: bytes, *, is_settled: bool) -> None:
        """Send a delivery, in as many frames as it needs."""
        first = Transfer(link.handle, delivery_tag=tag, message_format=0, settled=is_settled)
        self._outgoing.transmit(link, first, payload)

    def settle_incoming(self, delivery_id: int, outcome: DeliveryState) -> None:
        """Tell the client the outcome of a delivery that it has sent, and settle it."""
        self._settlements.add(RECEIVER, delivery_id, outcome)
        self._connection.settlements_wait(self)

    def settle_outgoing(self, link: Link, tag: bytes, outcome: DeliveryState | None) -> None:
        """Settle a delivery whose outcome the client has told."""
        was_full = self._outgoing.free_deliveries == 0
        delivery_id = self._outgoing.confirm(link, tag)
        if delivery_id is not None:
            self._settlements.add(SENDER, delivery_id, outcome)
            self._connection.settlements_wait(self)
            self._note_credit(was_full)

    def hold_bytes(self, count: int) -> None:
        """So many more bytes of unfinished messages are held; negative: fewer. Raises ConnectionFault."""
        self._connection.hold_bytes(count)

    def link_ended(self, link: Link, error: AmqpError | None) -> None:
        """The link has ended, for whatever reason."""
        assert isinstance(link, InLink | OutLink)
        self._outgoing.forget(link)
        self._connection.report(LinkDetached(link, error))

    # --- frames

    def _take_attach(self, attach: Attach, _payload: bytes) -> None:
        if attach.handle > self._max_handle:
            raise ConnectionFault(FRAMING_ERROR, f"Handle {attach.handle} is more than {self._max_handle}.")
        if attach.handle in self._links:
            raise SessionFault(HANDLE_IN_USE, f"Handle {attach.handle} is in use.")
        self._connection.count_links(1)
        link = OutLink(self, attach) if attach.role == RECEIVER else InLink(self, attach)
        self._links[attach.handle] = link
        self._connection.report(LinkRequested(link))

    def _take_detach(self, detach: Detach, _payload: bytes) -> None:
        self._link(detach.handle).take_detach(detach)
        del self._links[detach.handle]
        self._connection.count_links(-1)

    def _take_flow(self, flow: Flow, _payload: bytes) -> None:
        was_full = self._outgoing.free_deliveries == 0
        self._outgoing.take_flow(flow)
        if flow.handle is not None:
            link = self._link(flow.handle)
            link.take_flow(flow)
            if isinstance(link, OutLink) and link.is_open:
                self._connection.report(CreditChanged(link))
        elif flow.echo:
            self.send_flow(None)
        self._note_credit(was_full)

    def _take_transfer(self, transfer: Transfer, payload: bytes) -> None:
        self._incoming_window -= 1
        self._next_incoming_id = plus(self._next_incoming_id, 1)
        link = self._link(transfer.handle)
        if isinstance(link, OutLink):
            raise SessionFault(NOT_ALLOWED, "A message came on a link on which the client receives.")
        if isinstance(link, InLink) and link.is_open:
            self._deliver(link, transfer, payload)
        if self._incoming_window <= INCOMING_WINDOW // 2:
            self.send_flow(None)

    def _deliver(self, link: InLink, transfer: Transfer, payload: bytes) -> None:
        try:
            delivery = link.take_transfer(transfer, payload)
        except LinkFault as err:
            link.detach(err.error)
        else:
            if delivery is not None:
                self._connection.report(MessageReceived(link, delivery))

    def _take_disposition(self, disposition: Disposition, _payload: bytes) -> None:
        first, last = disposition.first, disposition.first if disposition.last is None else disposition.last
        if disposition.role == RECEIVER:
            self._take_outcomes(first, last, disposition)
        elif disposition.settled:
            for link in self._links.values():
                if isinstance(link, InLink):
                    link.take_settlements(first, minus(last, first))

    def _take_outcomes(self, first: int, last: int, disposition: Disposition) -> None:
        """The client tells outcomes of deliveries to it, or settles them."""
        outcome = disposition.state if isinstance(disposition.state, OUTCOMES) else None
        was_full = self._outgoing.free_deliveries == 0
        if disposition.settled:
            settled = self._outgoing.settle(first, last)
        elif outcome is not None:
            settled = self._outgoing.tell(first, last)
        else:
            return
        for sent in settled:
            assert isinstance(sent.link, OutLink)
            self._connection.report(DeliverySettled(sent.link, sent.tag, outcome, bool(disposition.settled)))
        self._note_credit(was_full)

    # --- helpers

    def _link(self, handle: int) -> Link:
        link = self._links.get(handle)
        if link is None:
            raise SessionFault(UNATTACHED_HANDLE, f"No link is attached at handle {handle}.")
        return link

    def _note_credit(self, was_full: bool) -> None:
        if was_full:
            self.credit_changed()

    def _end_links(self, error: AmqpError | None) -> None:
        for link in self._links.values():
            link.take_end(error)
        self._connection.count_links(-len(self._links))
        self._links.clear()

    def _send_now(self, performative: Composite) -> None:
        self._connection.send_frame(self._channel, performative)


OUTCOMES = (Accepted, Rejected, Released, Modified)
_STEPS: Mapping[type, Callable[[Session, Any, bytes], None]] = {
    Attach: Session._take_attach,
    Flow: Session._take_flow,
    Transfer: Session._take_transfer,
    Disposition: Session._take_disposition,
    Detach: Session._take_detach,
}
