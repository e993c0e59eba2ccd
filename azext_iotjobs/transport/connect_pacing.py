"""How fast connections are begun. Pure: `now` is an argument."""

import math

RAMP_PER_S = 200.0
MOST_UNDER_WAY = 512  # at once; more than a ramp to a hub a second away needs, and a hub that is slower is not flooded
CATCH_UP_S = 0.1  # a turn of the loop that was late is made up for, no more


class Pacer:
    """Says when the next connection may begin."""

    __slots__ = ("_free_at", "_gap_s", "under_way")

    def __init__(self, per_s: float) -> None:
        """per_s: connections to begin in a second, more than 0."""
        self._gap_s = 1 / per_s
        self._free_at = -math.inf
        self.under_way = 0  # begun and not ended

    def next_at(self, now: float) -> float:
        """When one may begin; inf: not before another has ended."""
        return math.inf if self.under_way >= MOST_UNDER_WAY else max(now, self._free_at)

    def begin(self, now: float) -> None:
        """One begins."""
        self.under_way += 1
        self._free_at = max(self._free_at, now - CATCH_UP_S) + self._gap_s

    def end(self) -> None:
        """One is there, or has failed."""
        self.under_way -= 1
