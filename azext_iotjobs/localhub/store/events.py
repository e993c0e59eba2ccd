"""What devices sent: the newest events, in memory. A hub passes events on and does not archive them."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice

from azext_iotjobs.localhub.rules.address import Address

KEPT_EVENTS = 1000
KEPT_BYTES = 32 * 1024 * 1024  # of bodies and properties; one message may have 256 KB
RESPONSE_BYTES = 4 * 1024 * 1024  # of events that are read at once; at least one is returned
EVENT_BYTES = 1024  # the overhead of one


@dataclass(frozen=True, kw_only=True)
class DeviceMessage:
    """One message from a device, as it sent it."""

    body: bytes = field(repr=False)
    properties: Mapping[str, str | None]  # the application's; None: a name without a value
    system: Mapping[str, str]  # by the service's names: contentType, messageId...


@dataclass(frozen=True, kw_only=True)
class DeviceEvent:
    """A message, as the hub took it."""

    number: int  # counts from 1, since the start of the hub
    address: Address
    message: DeviceMessage
    received_at: str

    @property
    def size_bytes(self) -> int:
        """Approximately how much memory it takes."""
        texts = (*self.message.properties.items(), *self.message.system.items())
        return EVENT_BYTES + len(self.message.body) + sum(len(text or "") for pair in texts for text in pair)


class Events:
    """The newest events."""

    def __init__(self) -> None:
        self._kept: deque[DeviceEvent] = deque()
        self._kept_bytes = 0
        self._count = 0
        self._added = asyncio.Event()

    def add(self, address: Address, message: DeviceMessage, now_text: str) -> None:
        """Add a message."""
        self._count += 1
        event = DeviceEvent(number=self._count, address=address, message=message, received_at=now_text)
        self._kept.append(event)
        self._kept_bytes += event.size_bytes
        while len(self._kept) > KEPT_EVENTS or (self._kept_bytes > KEPT_BYTES and len(self._kept) > 1):
            self._kept_bytes -= self._kept.popleft().size_bytes
        self._added.set()

    def clear(self) -> None:
        """Forget them."""
        self._kept.clear()
        self._kept_bytes = 0

    def after(self, number: int, count: int) -> list[DeviceEvent]:
        """At most `count` events after event `number`, oldest first, and no more than RESPONSE_BYTES."""
        if number >= self._count:
            return []
        first = self._count - len(self._kept) + 1
        start = max(0, number + 1 - first)
        found: list[DeviceEvent] = []
        left_bytes = RESPONSE_BYTES
        for event in islice(self._kept, start, start + count):
            left_bytes -= event.size_bytes
            if found and left_bytes < 0:
                break
            found.append(event)
        return found

    async def next(self, limit_s: float) -> None:
        """Wait until another event comes, or for `limit_s`."""
        self._added.clear()
        timer = asyncio.get_running_loop().call_later(limit_s, self._added.set)
        try:
            await self._added.wait()
        finally:
            timer.cancel()
