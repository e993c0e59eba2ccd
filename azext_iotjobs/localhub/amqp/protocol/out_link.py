"""A link on which the hub sends: credit, drain, settlement. Pure. Source: AMQP 2.6.7, 2.6.12."""

import struct
from typing import Any

from azext_iotjobs.localhub.amqp.protocol.link import SETTLED, Link, LinkSession, LinkState
from azext_iotjobs.localhub.amqp.protocol.serial import minus, plus
from azext_iotjobs.localhub.amqp.wire.performatives import Attach, DeliveryState, Flow


class OutLink(Link):
    """Hub -> client: the client's role is receiver."""

    def __init__(self, session: LinkSession, attach: Attach) -> None:
        super().__init__(session, attach, attach.source.address if attach.source else None)
        filters = (attach.source.filter if attach.source else None) or {}
        self.filters: dict[str, Any] = {str(key): value for key, value in filters.items()}  # values: Described
        self.wants_drain = False
        self._delivery_count = 0
        self._link_credit = 0
        self._next_tag = 0

    @property
    def credit(self) -> int:
        """How many messages may be sent now: what the client has granted, and session and connection can take."""
        if self.state is not LinkState.ATTACHED:
            return 0
        return min(self._link_credit, self._session.free_deliveries)

    @property
    def has_link_credit(self) -> bool:
        """Whether the client has granted credit, which may not be usable now."""
        return self.state is LinkState.ATTACHED and self._link_credit > 0

    @property
    def is_settled_by_sender(self) -> bool:
        """Whether the client wants every delivery settled already."""
        return self._attach.snd_settle_mode == SETTLED

    def accept(self, *, offered_capabilities: tuple[str, ...] = (), sends_settled: bool = False) -> None:
        """Attach it.

        offered_capabilities: what the hub says that it can do.
        sends_settled: every delivery will be sent settled, also when the client has asked for another mode.
        """
        if self.state is not LinkState.REQUESTED:
            return
        self.state = LinkState.ATTACHED
        mode = {"snd_settle_mode": SETTLED} if sends_settled else {}
        self._answer(self.source, self.target, offered_capabilities=offered_capabilities, **mode)

    def send(self, payload: bytes, *, tag: bytes | None = None, is_settled: bool = False) -> None:
        """Send a message; only while there is credit.

        payload: an encoded message.  tag: 1 to 32 bytes, unique among unsettled deliveries; default: a counter.
        is_settled: the client need not tell the outcome, nor will it be reported.
        """
        if not self.is_open:
            return
        assert self.credit > 0, "a message is sent only while there is credit"
        self._delivery_count = plus(self._delivery_count, 1)
        self._link_credit -= 1
        if tag is None:
            tag = struct.pack(">I", self._next_tag)
            self._next_tag = plus(self._next_tag, 1)
        is_settled = is_settled or self.is_settled_by_sender
        self._session.transmit(self, tag, payload, is_settled=is_settled)

    def confirm(self, tag: bytes, outcome: DeliveryState | None) -> None:
        """Settle a delivery, after the client has told its outcome without settling it."""
        if self.is_open:
            self._session.settle_outgoing(self, tag, outcome)

    def end_drain(self) -> None:
        """There is nothing more to send at present: give back what is left of the credit that was to be drained."""
        if not self.wants_drain or self.state is not LinkState.ATTACHED:
            return
        self.wants_drain = False
        self._delivery_count = plus(self._delivery_count, self._link_credit)
        self._link_credit = 0
        self._session.send_flow(self, delivery_count=self._delivery_count, credit=0, drain=True)

    def take_flow(self, flow: Flow) -> None:
        """The client grants credit, or asks for the link's state."""
        if not self.is_open:
            return
        if flow.link_credit is not None:
            # The client may not have seen all deliveries yet: its credit counts from those that it has.
            unseen = minus(self._delivery_count, flow.delivery_count or 0)
            self._link_credit = max(0, flow.link_credit - max(0, unseen))
            self.wants_drain = bool(flow.drain)
        if flow.echo and self.state is LinkState.ATTACHED:
            self._session.send_flow(self, delivery_count=self._delivery_count, credit=self._link_credit)
