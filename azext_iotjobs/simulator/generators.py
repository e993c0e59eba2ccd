"""The values that telemetry is made of: each a function of time, of a counter, of chance, or of what it was. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Protocol

from azext_iotjobs.simulator.rng import Dice


@dataclass(frozen=True, slots=True)
class Sample:
    """What a value is made from."""

    elapsed_s: float  # since the device was first ready
    count: int  # which message it is, from 1
    dice: Dice
    before: Any = None  # the value in the message before; None in the first


class Generator(Protocol):
    """Makes one value for each message."""

    def value(self, sample: Sample) -> Any:
        """The value for `sample`, JSON."""


@dataclass(frozen=True, kw_only=True)
class Sine:
    """A wave around `mean`, with noise if wanted."""

    mean: float
    amplitude: float
    period_s: float  # more than 0
    shift_s: float = 0.0
    noise: float = 0.0  # standard deviation
    digits: int = 3

    def value(self, sample: Sample) -> float:
        turn = 2.0 * math.pi * (sample.elapsed_s + self.shift_s) / self.period_s
        noise = self.noise * sample.dice.normal() if self.noise else 0.0
        return _rounded(self.mean + self.amplitude * math.sin(turn) + noise, self.digits)


@dataclass(frozen=True, kw_only=True)
class Ramp:
    """From one number to another in so many seconds, again and again."""

    start: float
    end: float
    over_s: float  # more than 0
    digits: int = 3

    def value(self, sample: Sample) -> float:
        share = (sample.elapsed_s % self.over_s) / self.over_s
        return _rounded(self.start + (self.end - self.start) * share, self.digits)


@dataclass(frozen=True, kw_only=True)
class Walk:
    """The value before, and a step up or down; never beyond its bounds."""

    start: float
    step: float  # the longest one
    least: float = -math.inf
    most: float = math.inf
    digits: int = 3

    def value(self, sample: Sample) -> float:
        if sample.before is None:
            return _rounded(self.start, self.digits)
        moved = sample.before + sample.dice.between(-self.step, self.step)
        return _rounded(min(max(moved, self.least), self.most), self.digits)


@dataclass(frozen=True, kw_only=True)
class UniformNumber:
    """Anything between two bounds."""

    least: float
    most: float
    digits: int = 3

    def value(self, sample: Sample) -> float:
        return _rounded(sample.dice.between(self.least, self.most), self.digits)


@dataclass(frozen=True, kw_only=True)
class NormalNumber:
    """Around a mean."""

    mean: float
    deviation: float
    digits: int = 3

    def value(self, sample: Sample) -> float:
        return _rounded(self.mean + self.deviation * sample.dice.normal(), self.digits)


@dataclass(frozen=True)
class Choice:
    """One of several values; `bounds`: the sums of their weights, from the first on."""

    values: Sequence[Any]
    bounds: Sequence[float]

    @classmethod
    def of(cls, values: Sequence[Any], weights: Sequence[float] | None = None) -> "Choice":
        """values: 1 or more.  weights: one for each, 0 or more, not all 0; None: all alike."""
        return cls(tuple(values), tuple(accumulate(weights or [1.0] * len(values))))

    def value(self, sample: Sample) -> Any:
        thrown = sample.dice.throw() * self.bounds[-1]
        pairs = zip(self.values, self.bounds, strict=True)
        return next((value for value, bound in pairs if thrown < bound), self.values[-1])


@dataclass(frozen=True)
class Counter:
    """`start`, and `step` more with each message."""

    start: int = 1
    step: int = 1

    def value(self, sample: Sample) -> int:
        return self.start + (sample.count - 1) * self.step


@dataclass(frozen=True)
class Constant:
    """Always the same."""

    same: Any

    def value(self, sample: Sample) -> Any:
        return self.same


def _rounded(value: float, digits: int) -> float:
    """`digits` 0 gives a whole number, so that JSON has no fraction."""
    return round(value, digits) if digits else round(value)
