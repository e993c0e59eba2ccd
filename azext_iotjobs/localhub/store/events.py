"""What devices sent: the newest events, in memory. A hub hands events on; it is no archive."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from azext_iotjobs.localhub.address import Address

KEPT_EVENTS = 1000


@dataclass(frozen=True, kw_only=True)
class DeviceMessage:
    """One message from a device, as it sent it."""

    body: bytes = field(repr=False)
    properties: Mapping[str, str | None]  # the application's; None: a name without a value
    system: Mapping[str, str]  # by the service's names: contentType, messageId...


@dataclass(frozen=True, kw_only=True)
class DeviceEvent:
    """A message, as the hub took it."""

    number: int  # counts from 1 since the hub's start
    address: Address
    message: DeviceMessage
    received_at: str


class Events:
    """The newest events."""

    def __init__(self) -> None:
        self._kept: deque[DeviceEvent] = deque(maxlen=KEPT_EVENTS)
        self._count = 0
        self._added = asyncio.Event()

    def add(self, address: Address, message: DeviceMessage, now_text: str) -> None:
        """Take a message."""
        self._count += 1
        self._kept.append(DeviceEvent(number=self._count, address=address, message=message, received_at=now_text))
        self._added.set()

    def clear(self) -> None:
        """Forget them."""
        self._kept.clear()

    def after(self, number: int, count: int) -> list[DeviceEvent]:
        """At most `count` kept events behind event `number`, oldest first."""
        if number >= self._count:
            return []
        first = self._count - len(self._kept) + 1
        start = max(0, number + 1 - first)
        return [self._kept[index] for index in range(start, min(start + count, len(self._kept)))]

    async def next(self, limit_s: float) -> None:
        """Wait until another event comes, or for `limit_s`."""
        self._added.clear()
        timer = asyncio.get_running_loop().call_later(limit_s, self._added.set)
        try:
            await self._added.wait()
        finally:
            timer.cancel()
