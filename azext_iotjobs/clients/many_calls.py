"""Many calls at once to one hub: the threads that make them, and what each answer means for the calls after it."""

import queue
import random
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from azext_iotjobs.model.call_pacing import Pacing
from azext_iotjobs.model.calling import Answer, Next, what_next
from azext_iotjobs.model.errors import IotJobsError, Throttled
from azext_iotjobs.transport.retry import RIDE_OUT_LIMIT_S, THROTTLE_PAUSE_S

Asked = TypeVar("Asked")
Given = TypeVar("Given")


class Workers(Generic[Asked, Given]):
    """Threads that call, made as they are needed. They are daemons: whoever leaves at once is not held up by them."""

    def __init__(self, call: Callable[[Asked], Given]) -> None:
        """call: runs on the threads; it raises nothing that it is not to blame for."""
        self._call = call
        self._asked: queue.SimpleQueue[tuple[Asked] | None] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[tuple[Given] | None] = queue.SimpleQueue()
        self._count = 0
        self._busy_count = 0

    def begin(self, asked: Asked) -> None:
        """Have a thread make this call, at once."""
        self._busy_count += 1
        if self._busy_count > self._count:
            self._count += 1
            threading.Thread(target=self._work, daemon=True).start()
        self._asked.put((asked,))

    def next_ended(self, timeout_s: float) -> Given | None:
        """What a call gave that has ended; None when none does in that time, 0 for one that has already."""
        try:
            ended = self._ended.get(timeout=timeout_s) if timeout_s > 0 else self._ended.get_nowait()
        except queue.Empty:
            return None
        self._busy_count -= 1
        if ended is None:
            raise RuntimeError("a call broke off; its thread has said why")
        return ended[0]

    def end(self) -> None:
        """Let the threads end, each after its call."""
        for _ in range(self._count):
            self._asked.put(None)
        self._count = 0

    def _work(self) -> None:
        while (asked := self._asked.get()) is not None:
            ended = None
            try:
                ended = (self._call(asked[0]),)
            finally:
                self._ended.put(ended)


class Reactions:
    """What answers mean for the calls after them: a pace, pauses, an end."""

    def __init__(self, pacing: Pacing, say: Callable[[str], None]) -> None:
        """say: told when all calls pause, and why."""
        self.ended_by: IotJobsError | None = None  # why no other call would fare better
        self._pacing = pacing
        self._say = say

    def is_kept(self, answer: Answer, now: float) -> bool:
        """Whether a call's answer stands; if not, its device was not called and may be again.

        now: monotonic seconds.
        """
        follows = what_next(answer)
        if follows is Next.KEEP:
            self._pacing.answered(now)
            return True
        assert isinstance(answer, IotJobsError)  # an answer is kept
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
            self._say(f"{trouble} All calls wait {pause_s:.0f} s, and then go on.")

    def _slow_down(self, refusal: IotJobsError, now: float) -> None:
        pause_s = refusal.retry_after_s if isinstance(refusal, Throttled) else None
        if pause_s is None:
            pause_s = THROTTLE_PAUSE_S * (1 + 0.5 * random.random())
        if self._pacing.blocked_s(now) > RIDE_OUT_LIMIT_S:
            self.ended_by = self.ended_by or refusal
        elif self._pacing.refused(now, pause_s):
            self._say(
                f"The hub has too much to do (429): all calls wait {pause_s:.0f} s, and go on with "
                f"{self._pacing.rate:.1f} a second."
            )
