"""How often something may query a hub: a third of what its tier allows, so that others find their share. Pure.

Source: IoT Hub quotas and throttling: 20 queries a minute per unit, 1,000 on the third size; each page is a query.
"""

from collections import deque

from azext_iotjobs.model.tier import TierFacts

SHARE = 3  # one of so many
SMALLEST = TierFacts("S1")  # what an unknown tier is taken for
PERIOD_S = 60.0
WANTED_S = 2.0  # whoever wants a query asks again within this time
TURN_S = 0.1  # that one waits whose turn it is not


class _Minute:
    """The queries of the last minute, of all who share them."""

    def __init__(self, a_minute: int | None) -> None:
        self.a_minute = a_minute
        self.made_at: deque[float] = deque(maxlen=a_minute)  # the last of them, as many as a minute may have
        self.made_by: QueryPace | None = None  # the last of them
        self.wanted_at: dict[QueryPace, float] = {}  # when each of those who share them last wanted one

    def wait_s(self, now: float) -> float:
        """Seconds until the next query may be made; 0: now."""
        if self.a_minute is None or len(self.made_at) < self.a_minute:
            return 0.0
        return max(0.0, self.made_at[0] + PERIOD_S - now)


class QueryPace:
    """So many queries in any minute. `now` is in monotonic seconds."""

    def __init__(self, a_minute: int | None) -> None:
        """a_minute: 1 or more; None: as many as one likes."""
        self.used_count = 0
        self._minute = _Minute(a_minute)

    def shared(self) -> "QueryPace":
        """Another one's pace: the two have so many queries together, in turns where both want one."""
        pace = QueryPace(None)
        pace._minute = self._minute
        return pace

    @property
    def gap_s(self) -> float:
        """Seconds between two queries that are spread evenly."""
        return 0.0 if self._minute.a_minute is None else PERIOD_S / self._minute.a_minute

    def wait_s(self, now: float) -> float:
        """Seconds until the next query may be made; 0: now. Whoever calls it wants one."""
        minute = self._minute
        minute.wanted_at[self] = now
        wait_s = minute.wait_s(now)
        if wait_s > 0 or minute.a_minute is None or minute.made_by is not self:
            return wait_s
        is_wanted = any(each is not self and now - at < WANTED_S for each, at in minute.wanted_at.items())
        return TURN_S if is_wanted else 0.0

    def made(self, now: float) -> None:
        """A query is made: one page."""
        self.used_count += 1
        minute = self._minute
        minute.made_by = self
        minute.wanted_at.pop(self, None)
        if minute.a_minute is not None:
            minute.made_at.append(now)


def query_pace(tier: TierFacts | None) -> QueryPace:
    """The pace for a hub. tier: None: not known; the smallest is assumed."""
    known = tier or SMALLEST
    return QueryPace(None if known.is_unlimited else max(1, known.queries_a_minute // SHARE))
