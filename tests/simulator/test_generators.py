import itertools
from typing import Any

import pytest

from azext_iotjobs.simulator.generators import (
    Choice,
    Constant,
    Counter,
    Generator,
    NormalNumber,
    Ramp,
    RandomWalk,
    Sample,
    Sine,
    UniformNumber,
)
from azext_iotjobs.simulator.rng import Rng


def series(generator: Generator, count: int = 1000, every_s: float = 1.0) -> list[Any]:
    rng, before, values = Rng("series"), None, []
    for number in range(1, count + 1):
        before = generator.value(Sample((number - 1) * every_s, number, rng, before))
        values.append(before)
    return values


def test_a_sine_goes_around_its_mean() -> None:
    values = series(Sine(mean=20, amplitude=5, period_s=40, digits=1), 41)
    assert (values[0], values[10], values[20], values[30], values[40]) == (20, 25, 20, 15, 20)
    assert series(Sine(mean=20, amplitude=5, period_s=40, shift_s=10), 1) == [25]
    noisy = series(Sine(mean=0, amplitude=0, period_s=1, noise=2))
    assert len(set(noisy)) > 900
    assert abs(sum(noisy) / len(noisy)) < 0.3


def test_a_ramp_begins_anew() -> None:
    assert series(Ramp(start=10, end=0, over_s=4, digits=0), 6) == [10, 8, 5, 2, 10, 8]


def test_a_walk_takes_steps_within_its_bounds() -> None:
    values = series(RandomWalk(start=5, step=1, least=4, most=6, digits=6))
    assert values[0] == 5
    assert {min(values), max(values)} == {4, 6}
    assert all(abs(one - other) <= 1.000001 for one, other in itertools.pairwise(values))


def test_each_other_generator_gives_the_values_it_describes() -> None:
    assert series(Counter(10, -2), 3) == [10, 8, 6]
    assert series(Constant({"a": 1}), 2) == [{"a": 1}, {"a": 1}]
    uniform = series(UniformNumber(least=1, most=2, digits=2))
    assert 1 <= min(uniform) < 1.05 < 1.95 < max(uniform) <= 2
    assert sum(series(NormalNumber(mean=7, deviation=1))) / 1000 == pytest.approx(7, abs=0.2)
    chosen = series(Choice.of(["a", "b", "never"], [9, 1, 0]))
    assert 850 < chosen.count("a") < 950
    assert chosen.count("never") == 0


def test_without_digits_a_number_is_whole() -> None:
    assert all(isinstance(value, int) for value in series(UniformNumber(least=0, most=9, digits=0), 10))
