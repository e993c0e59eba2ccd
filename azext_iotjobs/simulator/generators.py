"""The values in telemetry: each depends on the time, on a counter, on random numbers, or on its last value. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass  # noqa: TID251 (slots: a fleet has many)
from itertools import accumulate
from typing import Any, Protocol

from azext_iotjobs.simulator.rng import Rng


@dataclass(frozen=True, slots=True)
class Sample:
    """What a value may depend on."""

    elapsed_s: float  # since the device was first ready
    count: int  # the number of the message, from 1
    rng: Rng
    last: Any = None  # the value in the last message; None in the first


class Generator(Protocol):
    """Makes one value for each message."""

    def value(self, sample: Sample) -> Any:
        """The value for `sample`, JSON."""


@dataclass(frozen=True, kw_only=True)
class Sine:
    """A sine wave around `mean`, with normally distributed noise."""

    mean: float
    amplitude: float
    period_s: float  # more than 0
    shift_s: float = 0.0
    noise: float = 0.0  # standard deviation
    digits: int = 3

    def value(self, sample: Sample) -> float:
        turn = 2.0 * math.pi * (sample.elapsed_s + self.shift_s) / self.period_s
        noise = self.noise * sample.rng.normal() if self.noise else 0.0
        return _rounded(self.mean + self.amplitude * math.sin(turn) + noise, self.digits)


@dataclass(frozen=True, kw_only=True)
class Ramp:
    """From one number to another in `over_s` seconds, again and again."""

    start: float
    end: float
    over_s: float  # more than 0
    digits: int = 3

    def value(self, sample: Sample) -> float:
        share = (sample.elapsed_s % self.over_s) / self.over_s
        return _rounded(self.start + (self.end - self.start) * share, self.digits)


@dataclass(frozen=True, kw_only=True)
class RandomWalk:
    """A random walk: the last value and a step up or down, within bounds."""

    start: float
    step: float  # the longest one
    least: float = -math.inf
    most: float = math.inf
    digits: int = 3

    def value(self, sample: Sample) -> float:
        if sample.last is None:
            return _rounded(self.start, self.digits)
        moved = sample.last + sample.rng.uniform(-self.step, self.step)
        return _rounded(min(max(moved, self.least), self.most), self.digits)


@dataclass(frozen=True, kw_only=True)
class UniformNumber:
    """A number between two bounds, evenly distributed."""

    least: float
    most: float
    digits: int = 3

    def value(self, sample: Sample) -> float:
        return _rounded(sample.rng.uniform(self.least, self.most), self.digits)


@dataclass(frozen=True, kw_only=True)
class NormalNumber:
    """A normally distributed number."""

    mean: float
    deviation: float
    digits: int = 3

    def value(self, sample: Sample) -> float:
        return _rounded(self.mean + self.deviation * sample.rng.normal(), self.digits)


@dataclass(frozen=True)
class Choice:
    """One of several values; `bounds` are the running sums of their weights."""

    values: Sequence[Any]
    bounds: Sequence[float]

    @classmethod
    def of(cls, values: Sequence[Any], weights: Sequence[float] | None = None) -> "Choice":
        """values: 1 or more.  weights: one for each value, 0 or more, not all 0; None: equal ones."""
        return cls(tuple(values), tuple(accumulate(weights or [1.0] * len(values))))

    def value(self, sample: Sample) -> Any:
        drawn = sample.rng.random() * self.bounds[-1]
        pairs = zip(self.values, self.bounds, strict=True)
        return next((value for value, bound in pairs if drawn < bound), self.values[-1])


@dataclass(frozen=True)
class Counter:
    """`start`, and with each message `step` more."""

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
    """With 0 digits a whole number, so that the JSON has no fraction."""
    return round(value, digits) if digits else round(value)
