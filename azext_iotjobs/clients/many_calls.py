"""Many concurrent calls to one hub: the threads that make them, and how the pace reacts to each answer."""

import queue
import random
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.call_pacing import Pacing
from azext_iotjobs.model.calling import Answer, Next, what_next
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import IotJobsError, Throttled
from azext_iotjobs.transport.http import HttpTransport, Request, Response, Transport
from azext_iotjobs.transport.retry import RIDE_OUT_LIMIT_S, THROTTLE_PAUSE_S

if TYPE_CHECKING:
    from azext_iotjobs.transport.exchanges import Exchanges

Item = TypeVar("Item")
Result = TypeVar("Result")
Taken = TypeVar("Taken", contravariant=True)
Given = TypeVar("Given", covariant=True)


class OneRequestCalls(Protocol[Taken, Given]):
    """How calls that are one request each, never repeated, are made without a thread each."""

    def request(self, item: Taken) -> Request | None:
        """The request; None: a thread makes the call, as it is more than that, or not sent at all."""

    def result(self, item: Taken, began_at: datetime, outcome: Response | IotJobsError) -> Given:
        """What the call came to, from its response or from an error on the way. It returns errors as results."""


class Workers(Generic[Item, Result]):
    """Makes calls at once: on connections that are open from one thread, otherwise on threads that are started as they
    are needed; daemons, so that the process can end at any time.
    """

    def __init__(
        self,
        call: Callable[[Item], Result],
        one_request: OneRequestCalls[Item, Result] | None = None,
        client: HubClient | None = None,
        clock: Clock | None = None,
    ) -> None:
        """call: runs on the threads. It returns errors as results; whatever it raises is a bug of ours.

        one_request, client, clock: for calls that may be made without a thread; None: each has one.
        """
        self._call = call
        self._items: queue.SimpleQueue[Callable[[], Result] | None] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[tuple[Result] | None] = queue.SimpleQueue()
        self._count = 0
        self._busy_count = 0  # threads
        self._ready: deque[Result] = deque()
        self._one_request = one_request
        self._now = None if clock is None else clock.now
        self._exchanges = None if client is None or clock is None else exchanges_of(client.transport)

    def begin(self, item: Item) -> None:
        """Start a call, if need be on a free thread, or on a new one."""
        if not self._begin_as_request(item):
            self._on_thread(lambda: self._call(item))

    def next_ended(self, timeout_s: float) -> Result | None:
        """The result of a call that has ended; None if none ends in time. timeout_s: 0 does not wait."""
        if self._exchanges is None:
            return self._of_threads(timeout_s)
        if not self._ready and (found := self._of_threads(0)) is not None:
            return found
        if not self._ready:
            for key, outcome in self._exchanges.ended(timeout_s):
                self._take(key, outcome)
        return self._ready.popleft() if self._ready else self._of_threads(0)

    def end(self) -> None:
        """End the threads, each after its present call."""
        for _ in range(self._count):
            self._items.put(None)
        self._count = 0
        if self._exchanges is not None:
            self._exchanges.close()

    def _begin_as_request(self, item: Item) -> bool:
        if self._exchanges is None or self._one_request is None or self._now is None:
            return False
        request = self._one_request.request(item)
        return request is not None and self._exchanges.begin((item, self._now()), request)

    def _take(self, key: Any, outcome: "Response | IotJobsError | Callable[[], Response | IotJobsError]") -> None:
        assert self._one_request is not None
        result, (item, began_at) = self._one_request.result, key
        if callable(outcome):
            rest = outcome
            self._on_thread(lambda: result(item, began_at, rest()))
        else:
            self._ready.append(result(item, began_at, outcome))

    def _on_thread(self, call: Callable[[], Result]) -> None:
        self._busy_count += 1
        if self._busy_count > self._count:
            self._count += 1
            threading.Thread(target=self._work, daemon=True).start()
        self._items.put(call)

    def _of_threads(self, timeout_s: float) -> Result | None:
        try:
            ended = self._ended.get(timeout=timeout_s) if timeout_s > 0 else self._ended.get_nowait()
        except queue.Empty:
            return None
        self._busy_count -= 1
        if ended is None:
            raise RuntimeError("a call raised an error; its thread has printed it")
        return ended[0]

    def _work(self) -> None:
        while (call := self._items.get()) is not None:
            ended = None
            try:
                ended = (call(),)
            finally:
                self._ended.put(ended)
                if self._exchanges is not None:
                    self._exchanges.wake()


def exchanges_of(transport: Transport) -> "Exchanges | None":
    """Requests without a thread each, where the transport has connections."""
    if not isinstance(transport, HttpTransport):
        return None
    from azext_iotjobs.transport.exchanges import Exchanges

    return Exchanges(transport)


class Reactions:
    """How answers affect later calls: the pace, pauses, and when to stop."""

    def __init__(self, pacing: Pacing, say: Callable[[str], None]) -> None:
        """say: called with the reason whenever all calls pause."""
        self.ended_by: IotJobsError | None = None  # an error that every other call would meet, too
        self._pacing = pacing
        self._say = say

    def is_kept(self, answer: Answer, now: float) -> bool:
        """Whether a call's answer is final; if not, its device was not called, and may be called again.

        now: monotonic seconds.
        """
        follows = what_next(answer)
        if follows is Next.KEEP:
            self._pacing.answered(now)
            return True
        assert isinstance(answer, IotJobsError)  # anything but an error is kept
        if follows is Next.END:
            self.ended_by = self.ended_by or answer
            return False
        if follows is Next.SLOW_DOWN:
            self._slow_down(answer, now)
        else:
            self._pause(answer, now)
        return follows is Next.KEEP_AND_PAUSE

    def _pause(self, trouble: IotJobsError, now: float) -> None:
        before_s = self._pacing.wait_s(now)
        if not self._pacing.troubled(now):
            self.ended_by = self.ended_by or trouble
        elif (pause_s := self._pacing.wait_s(now)) > before_s:
            self._say(f"{trouble} All calls wait {pause_s:.0f} s and then continue.")

    def _slow_down(self, refusal: IotJobsError, now: float) -> None:
        pause_s = refusal.retry_after_s if isinstance(refusal, Throttled) else None
        if pause_s is None:
            pause_s = THROTTLE_PAUSE_S * (1 + 0.5 * random.random())
        if self._pacing.blocked_s(now) > RIDE_OUT_LIMIT_S:
            self.ended_by = self.ended_by or refusal
        elif self._pacing.refused(now, pause_s):
            self._say(
                f"The hub has too much to do (429): all calls wait {pause_s:.0f} s and continue with "
                f"{self._pacing.rate:.1f} a second."
            )
