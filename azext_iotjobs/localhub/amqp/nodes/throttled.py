"""What devices sent over one link and what waits for the hub's quotas: done in order, without blocking other links."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from azext_iotjobs.localhub.engine.quotas import Quotas
from azext_iotjobs.localhub.errors import THROTTLING_BACKLOG_TIMEOUT, HubError
from azext_iotjobs.localhub.rules.quota import Throttle

MAX_WAITING = 100  # of one link: 25 MB


@dataclass(frozen=True)
class Work:
    """Something that a device requested."""

    throttle: Throttle | None  # None: it only keeps its place in the order
    do: Callable[[], None]
    refuse: Callable[[HubError], None]
    cost: int = 1
    delay_s: float = 0.0  # that was requested for it, beside what the quotas want


class ThrottledWork:
    """The work of one link. Without quotas and delays everything is done at once."""

    __slots__ = ("_loop", "_quotas", "_timer", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop, quotas: Quotas | None) -> None:
        self._loop = loop
        self._quotas = quotas
        self._waiting: deque[Work] | None = None  # most links never wait
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether something waits, so that what comes has to wait too."""
        return bool(self._waiting)

    def add(self, work: Work) -> None:
        """Do it now, or when the quotas allow it and everything before it is done; or refuse it."""
        if self._waiting and len(self._waiting) >= MAX_WAITING:  # sent settled: credit does not limit it
            work.refuse(HubError(THROTTLING_BACKLOG_TIMEOUT, f"{MAX_WAITING} messages of this link wait already."))
        elif self._waiting:
            self._waiting.append(work)
        elif (wait_s := self._wait_s(work)) == 0:
            work.do()
        elif wait_s is not None:
            self._waiting = deque([work])
            self._timer = self._loop.call_later(wait_s, self._go_on)

    def _wait_s(self, work: Work) -> float | None:
        """How long the quotas have it wait; None: it was refused."""
        if self._quotas is None or work.throttle is None:
            return work.delay_s
        try:
            return self._quotas.wait_s(work.throttle, work.cost) + work.delay_s
        except HubError as err:
            work.refuse(err)
            return None

    def _go_on(self) -> None:
        """The first has waited long enough."""
        self._timer = None
        while self._waiting:
            self._waiting.popleft().do()
            while self._waiting and (wait_s := self._wait_s(self._waiting[0])) != 0:
                if wait_s is not None:
                    self._timer = self._loop.call_later(wait_s, self._go_on)
                    return
                self._waiting.popleft()  # it was refused

    def end(self, *, is_dropped: bool) -> None:
        """The link has ended: what came before need not wait.

        is_dropped: the hub has ended it, and nothing that waits is done.
        """
        waiting, self._waiting = self._waiting or (), None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not is_dropped:
            for work in waiting:
                work.do()
