"""Durations counted in buckets: percentiles with a known error, in bounded memory. Pure.

Strategy: log-linear buckets, as HdrHistogram has them: each power of two is cut into 64 equal parts, so a bucket is at
most 1/64 of its values wide. The unit is 2^-20 s, so that powers of two of a second are bounds of buckets too.
"""

import math
from collections.abc import Mapping, Sequence

UNITS_PER_S = 1 << 20
PARTS_BITS = 6  # 64 parts a power of two
MAX_S = 4096.0  # what is longer counts as that; a hub waits at most 600 s for an answer
RELATIVE_ERROR = 1 / (2 << PARTS_BITS)  # of a percentile, beside half a unit: the middle of its bucket is given
ABSOLUTE_ERROR_S = 0.5 / UNITS_PER_S


class Histogram:
    """Durations in seconds. There are 1,728 buckets at most, of which those in use are stored."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.count = 0
        self.sum_s = 0.0
        self.max_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration; a negative one is 0."""
        seconds = min(max(seconds, 0.0), MAX_S)
        bucket = _bucket(max(0, math.ceil(seconds * UNITS_PER_S) - 1))
        self._counts[bucket] = self._counts.get(bucket, 0) + 1
        self.count += 1
        self.sum_s += seconds
        self.max_s = max(self.max_s, seconds)

    @property
    def buckets(self) -> Mapping[int, int]:
        """How many durations are in each bucket that has any, by its number, ascending."""
        return dict(sorted(self._counts.items()))

    def add_buckets(self, buckets: Mapping[int, int], sum_s: float, max_s: float) -> None:
        """Count what another histogram has counted, as if each duration had been added here.

        buckets: as its `buckets` are, with numbers from 0 to LAST_BUCKET and counts of 1 or more.
        """
        for bucket, count in buckets.items():
            self._counts[bucket] = self._counts.get(bucket, 0) + count
            self.count += count
        self.sum_s += sum_s
        self.max_s = max(self.max_s, max_s)

    def percentiles(self, *shares: float) -> tuple[float | None, ...]:
        """For each of the ascending `shares` (more than 0, at most 1) the duration that this share does not exceed.

        Wrong by at most RELATIVE_ERROR of it and ABSOLUTE_ERROR_S. None when nothing was counted.
        """
        if not self.count:
            return (None,) * len(shares)
        found: list[float | None] = []
        ranks = [max(1, math.ceil(share * self.count)) for share in shares]
        passed = 0
        for bucket in sorted(self._counts):
            passed += self._counts[bucket]
            while len(found) < len(ranks) and ranks[len(found)] <= passed:
                low, high = _bounds(bucket)
                found.append(min((low + high) / 2 / UNITS_PER_S, self.max_s))
        return tuple(found)

    def at_most(self, bounds_s: Sequence[float]) -> list[int]:
        """How many durations are at most each of `bounds_s`: ascending, each a power of two of a second; exact."""
        counts = []
        passed, buckets = 0, sorted(self._counts, reverse=True)
        for bound in bounds_s:
            while buckets and _bounds(buckets[-1])[1] <= bound * UNITS_PER_S:
                passed += self._counts[buckets.pop()]
            counts.append(passed)
        return counts


def _bucket(value: int) -> int:
    """Of a whole number of units, 0 or more: the first 128 have buckets of their own."""
    power = max(0, value.bit_length() - PARTS_BITS - 1)
    return (power << PARTS_BITS) + (value >> power)


def _bounds(bucket: int) -> tuple[int, int]:
    """In units: what is in the bucket is more than the first and at most the second."""
    power = max(0, (bucket >> PARTS_BITS) - 1)
    low = (bucket - (power << PARTS_BITS)) << power
    return low, low + (1 << power)


LAST_BUCKET = _bucket(round(MAX_S * UNITS_PER_S) - 1)
