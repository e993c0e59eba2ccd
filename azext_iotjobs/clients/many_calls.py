"""Many concurrent calls to one hub: the threads that make them, and how the pace reacts to each answer."""

import queue
import random
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from azext_iotjobs.model.call_pacing import Pacing
from azext_iotjobs.model.calling import Answer, Next, what_next
from azext_iotjobs.model.errors import IotJobsError, Throttled
from azext_iotjobs.transport.retry import RIDE_OUT_LIMIT_S, THROTTLE_PAUSE_S

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers(Generic[Item, Result]):
    """Threads that make calls, started as they are needed; daemons, so that the process can end at any time."""

    def __init__(self, call: Callable[[Item], Result]) -> None:
        """call: runs on the threads. It returns errors as results; whatever it raises is a bug of ours."""
        self._call = call
        self._items: queue.SimpleQueue[tuple[Item] | None] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[tuple[Result] | None] = queue.SimpleQueue()
        self._count = 0
        self._busy_count = 0

    def begin(self, item: Item) -> None:
        """Start a call on a free thread, or on a new one."""
        self._busy_count += 1
        if self._busy_count > self._count:
            self._count += 1
            threading.Thread(target=self._work, daemon=True).start()
        self._items.put((item,))

    def next_ended(self, timeout_s: float) -> Result | None:
        """The result of a call that has ended; None if none ends in time. timeout_s: 0 does not wait."""
        try:
            ended = self._ended.get(timeout=timeout_s) if timeout_s > 0 else self._ended.get_nowait()
        except queue.Empty:
            return None
        self._busy_count -= 1
        if ended is None:
            raise RuntimeError("a call raised an error; its thread has printed it")
        return ended[0]

    def end(self) -> None:
        """End the threads, each after its present call."""
        for _ in range(self._count):
            self._items.put(None)
        self._count = 0

    def _work(self) -> None:
        while (item := self._items.get()) is not None:
            ended = None
            try:
                ended = (self._call(item[0]),)
            finally:
                self._ended.put(ended)


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
