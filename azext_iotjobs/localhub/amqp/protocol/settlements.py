"""Outcomes on their way to the client: those of deliveries one after another, with one outcome, are one frame. Pure."""

from collections.abc import Callable

from azext_iotjobs.localhub.amqp.protocol.serial import plus
from azext_iotjobs.localhub.amqp.wire.performatives import Composite, DeliveryState, Disposition


class Settlements:
    """The outcomes of a session that are not sent yet.

    send: sends a frame.
    """

    def __init__(self, send: Callable[[Composite], None]) -> None:
        self._send = send
        self._pending: Disposition | None = None

    def add(self, role: bool, delivery_id: int, outcome: DeliveryState | None) -> None:
        """Settle a delivery. role: RECEIVER for those of the client, SENDER for those of the hub."""
        pending = self._pending
        if pending is not None and pending.last is not None and pending.role == role and pending.state == outcome:
            if delivery_id == plus(pending.last, 1):
                pending.last = delivery_id
                return
        self.flush()
        self._pending = Disposition(role, delivery_id, delivery_id, settled=True, state=outcome)

    def flush(self) -> None:
        """Send what is not sent yet."""
        if self._pending is not None:
            pending, self._pending = self._pending, None
            self._send(pending)
