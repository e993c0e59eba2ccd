"""What services receive and settle: the contract of such a queue, and those who wait for something new in it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class LockedBatch:
    """What was taken from a queue together, and is settled together."""

    lock_token: str  # a UUID
    body: bytes
    content_type: str
    enqueued_at: datetime  # aware UTC; of its newest record


class News:
    """Those who wait for something new in a queue. They are only told that they may look: others may look too."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[], None]] = []

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener`, which must not look at once, when there may be something new; gives what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def tell(self) -> None:
        """There may be something new."""
        for listener in list(self._listeners):
            listener()


class LockedQueue(Protocol):
    """A queue that services read: what is taken is locked until it is completed or abandoned, or the lock ends."""

    @property
    def news(self) -> News:
        """Those who wait for something new."""

    def take(self) -> LockedBatch | None:
        """Lock what comes next; None when nothing waits."""

    def complete(self, lock_token: str) -> None:
        """Remove what a token locks. Raises HubError 412002 when the lock is lost."""

    def abandon(self, lock_token: str) -> None:
        """Unlock what a token locks. Raises HubError 412002 when the lock is lost."""
