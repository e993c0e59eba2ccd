"""Pending direct methods: who waits for which answer. Pure bookkeeping.

A request id pairs a call with its answer. An answer that is late, doubled, or another device's changes nothing.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Key = TypeVar("Key")
Waiter = TypeVar("Waiter")

MAX_IN_FLIGHT = 10  # calls on one device at once; the service's own number is not published


@dataclass
class PendingCalls(Generic[Key, Waiter]):
    """The calls in flight, by device and request id."""

    _by_device: dict[Key, dict[str, Waiter]] = field(default_factory=lambda: defaultdict(dict))
    _last_rid: dict[Key, int] = field(default_factory=dict)

    def is_full(self, device: Key) -> bool:
        """Whether the device has as many calls in flight as it may."""
        return len(self._by_device.get(device, ())) >= MAX_IN_FLIGHT

    def add(self, device: Key, waiter: Waiter) -> str:
        """Enter a call; gives its request id: 1 for the first since the device came, then 2."""
        rid = str(self._last_rid.get(device, 0) + 1)
        self._last_rid[device] = int(rid)
        self._by_device[device][rid] = waiter
        return rid

    def has(self, device: Key, rid: str) -> bool:
        """Whether somebody waits for the answer to this call."""
        return rid in self._by_device.get(device, ())

    def take(self, device: Key, rid: str) -> Waiter | None:
        """The waiter whose answer this is, once; None for an answer that nobody waits for."""
        calls = self._by_device.get(device, {})
        waiter = calls.pop(rid, None)
        if not calls:
            self._by_device.pop(device, None)
        return waiter

    def take_all(self, device: Key) -> list[Waiter]:
        """Every waiter of a device that is gone; when it comes again, its request ids begin anew."""
        self._last_rid.pop(device, None)
        return list(self._by_device.pop(device, {}).values())
