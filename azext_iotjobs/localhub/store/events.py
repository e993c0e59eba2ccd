"""What devices sent: the newest events, in memory. A hub hands events on; it is no archive."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from azext_iotjobs.localhub.address import Address

KEPT_EVENTS = 1000


@dataclass(frozen=True, kw_only=True)
class DeviceEvent:
    """One message from a device."""

    number: int  # counts from 1 since the hub's start
    address: Address
    properties: Mapping[str, str | None]
    body: bytes
    received_at: str


class Events:
    """The newest events."""

    def __init__(self) -> None:
        self._kept: deque[DeviceEvent] = deque(maxlen=KEPT_EVENTS)
        self._count = 0

    def add(self, address: Address, properties: Mapping[str, str | None], body: bytes, now_text: str) -> None:
        """Take a message."""
        self._count += 1
        self._kept.append(
            DeviceEvent(number=self._count, address=address, properties=properties, body=body, received_at=now_text)
        )

    def clear(self) -> None:
        """Forget them."""
        self._kept.clear()

    def after(self, number: int, count: int) -> list[DeviceEvent]:
        """At most `count` kept events behind event `number`, oldest first."""
        return [event for event in self._kept if event.number > number][:count]
