"""A link on which the client sends: credit, messages put together from their parts, settlement. Pure.

Credit is renewed when half of it is used, and only for deliveries that are settled: what a node has not processed is
bounded. The hub settles a delivery at once when its outcome is known (rcv-settle-mode `first`), also where the client
has asked for `second`, as a receiver may.
Source: AMQP 2.6.7, 2.6.12, 2.6.14.
"""

from azext_iotjobs.localhub.amqp.protocol.delivery import Delivery
from azext_iotjobs.localhub.amqp.protocol.faults import LinkFault
from azext_iotjobs.localhub.amqp.protocol.limits import CREDIT, MAX_MESSAGE_BYTES, MAX_TAG_BYTES
from azext_iotjobs.localhub.amqp.protocol.link import FIRST, SETTLED, Link, LinkSession, LinkState
from azext_iotjobs.localhub.amqp.protocol.serial import minus, plus
from azext_iotjobs.localhub.amqp.wire.conditions import (
    INVALID_FIELD,
    MESSAGE_SIZE_EXCEEDED,
    TRANSFER_LIMIT_EXCEEDED,
)
from azext_iotjobs.localhub.amqp.wire.performatives import Attach, DeliveryState, Flow, Transfer


class _Unfinished:
    """A delivery whose last part has not arrived."""

    def __init__(self, first: Transfer) -> None:
        assert first.delivery_id is not None and first.delivery_tag is not None
        self.delivery_id, self.tag = first.delivery_id, first.delivery_tag
        self.message_format = first.message_format or 0
        self.is_settled = False
        self.parts: list[bytes] = []
        self.size_bytes = 0


class InLink(Link):
    """Client -> hub: the client's role is sender."""

    def __init__(self, session: LinkSession, attach: Attach) -> None:
        super().__init__(session, attach, getattr(attach.target, "address", None))
        self._delivery_count = attach.initial_delivery_count or 0
        self._max_credit = self._credit = 0
        self._max_message_bytes = 0
        self._unfinished: _Unfinished | None = None
        self._unsettled: set[int] = set()  # ids of whole deliveries

    def accept(self, *, credit: int = CREDIT, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        """Attach it, and let the client send.

        credit: deliveries that it may send before one is settled, 1 or more.  max_message_bytes: of one encoded
        message.
        """
        if self.state is not LinkState.REQUESTED:
            return
        self.state = LinkState.ATTACHED
        self._max_credit, self._max_message_bytes = credit, max_message_bytes
        self._answer(self.source, self.target, rcv_settle_mode=FIRST, max_message_size=max_message_bytes)
        self._renew_credit()

    def settle(self, delivery: Delivery, outcome: DeliveryState) -> None:
        """Tell the client a delivery's outcome; nothing happens for one that is settled already."""
        if delivery.delivery_id not in self._unsettled or not self.is_open:
            return
        self._unsettled.discard(delivery.delivery_id)
        self._session.settle_incoming(delivery.delivery_id, outcome)
        self._renew_credit()

    def take_flow(self, flow: Flow) -> None:
        """The client tells the link's state: it may have given credit back."""
        if self.state is not LinkState.ATTACHED:
            return
        if flow.delivery_count is not None and 0 < (skipped := minus(flow.delivery_count, self._delivery_count)):
            self._delivery_count = flow.delivery_count
            self._credit = max(0, self._credit - skipped)
            self._renew_credit()
        if flow.echo:
            self._session.send_flow(self, delivery_count=self._delivery_count, credit=self._credit)

    def take_transfer(self, transfer: Transfer, payload: bytes) -> Delivery | None:
        """The delivery, once its last part has come. Raises LinkFault, ConnectionFault."""
        if self._unfinished is None:
            self._begin(transfer)
        unfinished = self._unfinished
        assert unfinished is not None
        if transfer.delivery_id not in (None, unfinished.delivery_id):
            raise LinkFault(INVALID_FIELD, "A delivery began before the last one had its last part.")
        if transfer.aborted:
            self._release()
            self._renew_credit()
            return None
        unfinished.is_settled = unfinished.is_settled or bool(transfer.settled)
        self._session.hold_bytes(len(payload))
        unfinished.size_bytes += len(payload)
        if unfinished.size_bytes > self._max_message_bytes:
            raise LinkFault(MESSAGE_SIZE_EXCEEDED, f"A message is larger than {self._max_message_bytes} bytes.")
        unfinished.parts.append(payload)
        return None if transfer.more else self._finish(unfinished)

    def take_settlements(self, first: int, span: int) -> None:
        """The client has settled deliveries, the first and `span` after it, without waiting for their outcome."""
        self._unsettled = {each for each in self._unsettled if not 0 <= minus(each, first) <= span}
        self._renew_credit()

    def _begin(self, transfer: Transfer) -> None:
        if self._credit <= 0:
            raise LinkFault(TRANSFER_LIMIT_EXCEEDED, "A message came without credit.")
        if transfer.delivery_id is None or transfer.delivery_tag is None:
            raise LinkFault(INVALID_FIELD, "The first part of a delivery has no delivery-id or no delivery-tag.")
        if len(transfer.delivery_tag) > MAX_TAG_BYTES or transfer.delivery_id in self._unsettled:
            raise LinkFault(INVALID_FIELD, "A delivery-tag is too long, or a delivery-id is in use.")
        self._credit -= 1
        self._delivery_count = plus(self._delivery_count, 1)
        self._unfinished = _Unfinished(transfer)

    def _finish(self, unfinished: _Unfinished) -> Delivery:
        self._release()
        is_settled = unfinished.is_settled or self._attach.snd_settle_mode == SETTLED
        if not is_settled:
            self._unsettled.add(unfinished.delivery_id)
        payload = unfinished.parts[0] if len(unfinished.parts) == 1 else b"".join(unfinished.parts)
        self._renew_credit()
        return Delivery(unfinished.delivery_id, unfinished.tag, is_settled, unfinished.message_format, payload)

    def _release(self) -> None:
        if self._unfinished is not None:
            self._session.hold_bytes(-self._unfinished.size_bytes)
            self._unfinished = None

    def _renew_credit(self) -> None:
        """Grant more, if half is used and few enough deliveries are unsettled."""
        if self.state is not LinkState.ATTACHED or self._credit > self._max_credit // 2:
            return
        credit = self._max_credit - len(self._unsettled) - (self._unfinished is not None)
        if credit > self._credit:
            self._credit = credit
            self._session.send_flow(self, delivery_count=self._delivery_count, credit=credit)
