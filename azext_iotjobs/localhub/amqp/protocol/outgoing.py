"""What a session sends: deliveries in frames, as the client's window allows, and those not settled. Pure.

A delivery that the window does not hold is sent in part; no other begins before its last frame is sent. So no more than
one waits.
Source: AMQP 2.5.6, 2.6.14.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from azext_iotjobs.localhub.amqp.protocol.faults import SessionFault
from azext_iotjobs.localhub.amqp.protocol.limits import MAX_UNSETTLED
from azext_iotjobs.localhub.amqp.protocol.serial import minus, plus
from azext_iotjobs.localhub.amqp.wire.conditions import INVALID_FIELD
from azext_iotjobs.localhub.amqp.wire.performatives import Begin, Flow, Transfer

TRANSFER_BYTES = 72  # of a frame, at most, beside its payload

Sender = TypeVar("Sender")  # the link


@dataclass
class Sent(Generic[Sender]):
    """A delivery that the client has not settled."""

    link: Sender
    tag: bytes
    is_told: bool = False  # the client has told its outcome, and waits until the hub settles it


class Outgoing(Generic[Sender]):
    """The sending half of a session.

    max_frame_bytes: that the client accepts.  send: sends a frame.
    """

    def __init__(self, begin: Begin, max_frame_bytes: int, send: Callable[[Transfer, bytes], None]) -> None:
        self._piece_bytes = max_frame_bytes - TRANSFER_BYTES
        self._send = send
        self._window = begin.incoming_window  # frames that the client can take
        self.next_id = 0  # of the next frame
        self._next_delivery_id = 0
        self._waiting: deque[tuple[Sender, Transfer, bytes]] = deque()
        self._unsettled: dict[int, Sent[Sender]] = {}

    @property
    def free_deliveries(self) -> int:
        """How many more deliveries may begin now."""
        return 0 if self._waiting else max(0, min(self._window, MAX_UNSETTLED - len(self._unsettled)))

    def transmit(self, link: Sender, first: Transfer, payload: bytes) -> None:
        """Send a delivery. first: a transfer with handle, tag, format and whether it is settled."""
        delivery_id, self._next_delivery_id = self._next_delivery_id, plus(self._next_delivery_id, 1)
        tag = first.delivery_tag
        assert tag is not None
        if not first.settled:
            self._unsettled[delivery_id] = Sent(link, tag)
        for start in range(0, len(payload) or 1, self._piece_bytes):
            end = start + self._piece_bytes
            transfer = Transfer(
                first.handle, delivery_id, tag, first.message_format, first.settled, more=end < len(payload)
            )
            self._waiting.append((link, transfer, payload[start:end]))
        self._flush()

    def take_flow(self, flow: Flow) -> None:
        """The client tells its window, and which frames it has seen."""
        unseen = minus(self.next_id, flow.next_incoming_id or 0)
        self._window = max(0, flow.incoming_window - max(0, unseen))
        self._flush()

    def settle(self, first: int, last: int) -> list[Sent[Sender]]:
        """Forget the deliveries `first` to `last`; gives those of them whose outcome the client had not told.

        Raises SessionFault for a range that ends before it begins.
        """
        found = [self._unsettled.pop(each) for each in self._ids(first, last)]
        return [sent for sent in found if not sent.is_told]

    def tell(self, first: int, last: int) -> list[Sent[Sender]]:
        """The client tells the outcome of deliveries, and does not settle them; gives those that are new."""
        found = [self._unsettled[each] for each in self._ids(first, last)]
        told = [sent for sent in found if not sent.is_told]
        for sent in told:
            sent.is_told = True
        return told

    def confirm(self, link: Sender, tag: bytes) -> int | None:
        """Forget a delivery whose outcome was told; gives its id, None when there is none."""
        for delivery_id, sent in self._unsettled.items():
            if sent.is_told and sent.link is link and sent.tag == tag:
                del self._unsettled[delivery_id]
                return delivery_id
        return None

    def forget(self, link: Sender) -> None:
        """A link has ended: send nothing more of it."""
        self._waiting = deque(each for each in self._waiting if each[0] is not link)
        self._unsettled = {key: sent for key, sent in self._unsettled.items() if sent.link is not link}

    def _flush(self) -> None:
        while self._waiting and self._window > 0:
            _, transfer, payload = self._waiting.popleft()
            self._window -= 1
            self.next_id = plus(self.next_id, 1)
            self._send(transfer, payload)

    def _ids(self, first: int, last: int) -> list[int]:
        """The ids of unsettled deliveries in a range, which a client may make as wide as it likes."""
        span = minus(last, first)
        if span < 0:
            raise SessionFault(INVALID_FIELD, "A range of deliveries ends before it begins.")
        if span < len(self._unsettled):
            return [each for each in (plus(first, step) for step in range(span + 1)) if each in self._unsettled]
        return [each for each in self._unsettled if 0 <= minus(each, first) <= span]
