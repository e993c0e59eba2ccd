"""How long something takes, fixed or by chance. Pure."""

import math
from dataclasses import dataclass
from typing import Protocol

from azext_iotjobs.simulator.rng import Dice

LONGEST_S = 7 * 86_400.0  # of anything a device waits for
P99_DEVIATIONS = 2.326347874  # of a normal distribution: 99 of 100 lie below


class Duration(Protocol):
    """Something that takes time."""

    def draw(self, dice: Dice) -> float:
        """How long it takes this time, in seconds, 0 to LONGEST_S."""


@dataclass(frozen=True)
class Fixed:
    """Always the same."""

    seconds: float

    def draw(self, dice: Dice) -> float:
        return self.seconds


@dataclass(frozen=True)
class Uniform:
    """Anything between two bounds, each as likely."""

    least: float
    most: float

    def draw(self, dice: Dice) -> float:
        return dice.between(self.least, self.most)


@dataclass(frozen=True)
class Normal:
    """Around a mean; what would be less than 0 is 0."""

    mean: float
    deviation: float

    def draw(self, dice: Dice) -> float:
        return min(max(0.0, self.mean + self.deviation * dice.normal()), LONGEST_S)


@dataclass(frozen=True)
class LongTail:
    """Half of all take less than `median`, one of a hundred longer than `p99`, some far longer: log-normal."""

    median: float  # more than 0
    p99: float  # more than `median`
    most: float = LONGEST_S

    def draw(self, dice: Dice) -> float:
        spread = math.log(self.p99 / self.median) / P99_DEVIATIONS
        return min(self.median * math.exp(spread * dice.normal()), self.most)


AT_ONCE = Fixed(0.0)
