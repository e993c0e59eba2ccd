"""How long something takes: a fixed time or a random one. Pure."""

import math
from typing import Protocol

from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.simulator.rng import Rng

LONGEST_S = 7 * 86_400.0  # the longest wait of a device
P99_DEVIATIONS = 2.326347874  # of a normal distribution: 99 of 100 values lie below


class Duration(Protocol):
    """A length of time, drawn each time it is needed."""

    def draw(self, rng: Rng) -> float:
        """A length in seconds, 0 to LONGEST_S."""


@dataclass(frozen=True)
class Fixed:
    """Always the same."""

    seconds: float

    def draw(self, rng: Rng) -> float:
        return self.seconds


@dataclass(frozen=True)
class Uniform:
    """Evenly distributed between two bounds."""

    least: float
    most: float

    def draw(self, rng: Rng) -> float:
        return rng.uniform(self.least, self.most)


@dataclass(frozen=True)
class Normal:
    """Normally distributed around a mean; a negative value becomes 0."""

    mean: float
    deviation: float

    def draw(self, rng: Rng) -> float:
        return min(max(0.0, self.mean + self.deviation * rng.normal()), LONGEST_S)


@dataclass(frozen=True)
class LongTail:
    """Log-normally distributed: half take less than `median`, one in a hundred longer than `p99`, some far longer."""

    median: float  # more than 0
    p99: float  # more than `median`
    most: float = LONGEST_S

    def draw(self, rng: Rng) -> float:
        spread = math.log(self.p99 / self.median) / P99_DEVIATIONS
        return min(self.median * math.exp(spread * rng.normal()), self.most)


AT_ONCE = Fixed(0.0)
