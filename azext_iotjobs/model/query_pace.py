"""How often something may query a hub: a third of what its tier allows, so that others find their share. Pure.

Source: IoT Hub quotas and throttling: 20 queries a minute per unit, 1,000 on the third size; each page is a query.
"""

from collections import deque

from azext_iotjobs.model.tier import TierFacts

SHARE = 3  # one of so many
SMALLEST = TierFacts("S1")  # what an unknown tier is taken for
PERIOD_S = 60.0


class QueryPace:
    """So many queries in any minute. `now` is in monotonic seconds."""

    def __init__(self, a_minute: int | None) -> None:
        """a_minute: 1 or more; None: as many as one likes."""
        self.used_count = 0
        self._a_minute = a_minute
        self._made_at: deque[float] = deque(maxlen=a_minute)  # the last of them, as many as a minute may have

    @property
    def gap_s(self) -> float:
        """Seconds between two queries that are spread evenly."""
        return 0.0 if self._a_minute is None else PERIOD_S / self._a_minute

    def wait_s(self, now: float) -> float:
        """Seconds until the next query may be made; 0: now."""
        if self._a_minute is None or len(self._made_at) < self._a_minute:
            return 0.0
        return max(0.0, self._made_at[0] + PERIOD_S - now)

    def made(self, now: float) -> None:
        """A query is made: one page."""
        self.used_count += 1
        if self._a_minute is not None:
            self._made_at.append(now)


def query_pace(tier: TierFacts | None) -> QueryPace:
    """The pace for a hub. tier: None: not known; the smallest is assumed."""
    known = tier or SMALLEST
    return QueryPace(None if known.is_unlimited else max(1, known.queries_a_minute // SHARE))
