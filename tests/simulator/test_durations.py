import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.simulator.durations import LONGEST_S, Duration, Fixed, LongTail, Normal, Uniform
from azext_iotjobs.simulator.rng import Rng

TIMES = st.floats(0, 1000, allow_nan=False)


def drawn(duration: Duration, count: int = 4000) -> list[float]:
    rng = Rng("durations")
    return [duration.draw(rng) for _ in range(count)]


@given(TIMES, TIMES, st.text(max_size=5))
def test_every_time_is_within_its_range(first: float, second: float, seed: str) -> None:
    rng, least, most = Rng(seed), min(first, second), max(first, second)
    assert Fixed(first).draw(rng) == first
    assert least <= Uniform(least, most).draw(rng) <= most
    assert 0 <= Normal(first, second).draw(rng) <= LONGEST_S
    assert 0 < LongTail(least + 0.001, most + 0.002, most + 1).draw(rng) <= most + 1


def test_the_distributions_have_the_shapes_of_their_names() -> None:
    assert statistics.mean(drawn(Uniform(1, 3))) == pytest.approx(2, abs=0.05)
    normal = drawn(Normal(10, 2))
    assert statistics.mean(normal) == pytest.approx(10, abs=0.15)
    assert statistics.stdev(normal) == pytest.approx(2, abs=0.15)
    tail = sorted(drawn(LongTail(0.2, 5)))
    assert statistics.median(tail) == pytest.approx(0.2, rel=0.1)
    assert tail[int(len(tail) * 0.99)] == pytest.approx(5, rel=0.3)
    assert max(drawn(LongTail(0.2, 5, most=6))) == 6
