"""When the next of many calls may begin: one rate and one back-off for all of them. Pure: `now` is an argument.

Strategy: a hub that refuses one call (429) refuses them all, so all pause together. They go on somewhat slower than the
hub was seen to answer, grow quickly up to half of the rate at which it refused, and slowly from there. `now` is in
monotonic seconds everywhere.
"""

from collections import deque
from collections.abc import Sequence

CONCURRENCY = (1, 200)  # calls at once; each is a connection
WINDOW_S = 10.0  # over which answers are counted
LEAST_RATE = 1.0  # calls a second that are tried whatever the hub did
SLOWER, MUCH_SLOWER = 0.8, 0.5  # after a refusal; after one that came soon after the last
FAST_GROWTH, SLOW_GROWTH = 0.1, 0.01  # of the rate, a second
LATE_S = 0.1  # a call that begins so late brings the next one no later
TROUBLE_PAUSES_S = (1.0, 2.0, 4.0)  # as transport/retry.py has them for a request alone


class Pacing:
    """The one who is asked before each call, and told what came of it."""

    def __init__(self, rate: float | None, trouble_pauses_s: Sequence[float] = TROUBLE_PAUSES_S) -> None:
        """rate: calls a second at most, more than 0; None: as fast as they are answered.

        trouble_pauses_s: how long all wait, time after time, while the hub is not reached; then they give up.
        """
        self._trouble_pauses_s = trouble_pauses_s
        self._most = rate
        self._allowed: float | None = None  # since the hub has refused; None: it has not
        self._refused_rate: float | None = None  # at which it did
        self._grown_at = 0.0
        self._next_at = 0.0
        self._paused_until = 0.0
        self._first_at: float | None = None
        self._answered: deque[float] = deque()  # when, within WINDOW_S
        self._blocked_since: float | None = None
        self._troubles = 0

    @property
    def rate(self) -> float | None:
        """Calls a second that may begin now; None: any number."""
        return min((each for each in (self._most, self._allowed) if each is not None), default=None)

    def wait_s(self, now: float) -> float:
        """Seconds until the next call may begin; 0: now."""
        return max(0.0, self._paused_until - now, self._next_at - now)

    def began(self, now: float) -> None:
        """A call begins."""
        if self._first_at is None:
            self._first_at = now
        rate = self.rate
        if rate is not None:
            is_late = 0 < now - self._next_at <= LATE_S
            self._next_at = (self._next_at if is_late else now) + 1 / rate

    def answered(self, now: float) -> None:
        """The hub has dealt with a call, whatever its device said to it."""
        self._blocked_since = None
        self._troubles = 0
        self._answered.append(now)
        self._forget(now)
        if self._allowed is not None and now > self._grown_at:
            is_far = self._refused_rate is None or self._allowed < self._refused_rate / 2
            passed_s = min(1.0, now - self._grown_at)  # an hour of silence is no reason to begin at full speed
            self._allowed *= 1 + passed_s * (FAST_GROWTH if is_far else SLOW_GROWTH)
            self._grown_at = now

    def refused(self, now: float, pause_s: float) -> bool:
        """The hub has refused a call for there being too many; says whether a pause begins with that.

        pause_s: how long all calls wait; those that began before the last pause are no reason for another.
        """
        if self._blocked_since is None:
            self._blocked_since = now
        if now < self._paused_until:
            return False
        is_soon = self._allowed is not None and now - self._paused_until < WINDOW_S
        seen = [each for each in (self.rate, self._answer_rate(now)) if each is not None]
        self._refused_rate = min(seen, default=None)
        slower = (self._refused_rate or LEAST_RATE) * (MUCH_SLOWER if is_soon else SLOWER)
        self._allowed = max(LEAST_RATE, slower)
        self._pause(now, pause_s)
        return True

    def blocked_s(self, now: float) -> float:
        """For how long the hub has refused every call; 0 when it has not."""
        return 0.0 if self._blocked_since is None else now - self._blocked_since

    def troubled(self, now: float) -> bool:
        """The hub was not reached, or is in trouble: all wait, longer each time. False: it has lasted too long."""
        if now < self._paused_until:
            return True
        if self._troubles == len(self._trouble_pauses_s):
            return False
        self._pause(now, self._trouble_pauses_s[self._troubles])
        self._troubles += 1
        return True

    def _pause(self, now: float, seconds: float) -> None:
        self._paused_until = self._grown_at = now + seconds
        self._next_at = self._paused_until

    def _answer_rate(self, now: float) -> float | None:
        """Answers a second, of late; None when there were none."""
        self._forget(now)
        if not self._answered or self._first_at is None:
            return None
        return len(self._answered) / min(WINDOW_S, max(1.0, now - self._first_at))

    def _forget(self, now: float) -> None:
        while self._answered and self._answered[0] < now - WINDOW_S:
            self._answered.popleft()
