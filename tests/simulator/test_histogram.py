import math

from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.simulator.histogram import ABSOLUTE_ERROR_S, MAX_S, RELATIVE_ERROR, Histogram

SECONDS = st.one_of(st.floats(0, 1e-5), st.floats(0, 0.1), st.floats(0, MAX_S), st.sampled_from([0.0, 2**-7, 1.0, 8.0]))
BOUNDS = [2.0**power for power in range(-13, 6)]


def filled(durations: list[float]) -> Histogram:
    histogram = Histogram()
    for each in durations:
        histogram.add(each)
    return histogram


@given(st.lists(SECONDS, min_size=1, max_size=200), st.lists(st.floats(0.001, 1), min_size=1, max_size=5))
def test_a_percentile_is_within_its_error_bounds(durations: list[float], shares: list[float]) -> None:
    shares.sort()
    exact = [sorted(durations)[math.ceil(share * len(durations)) - 1] for share in shares]
    for given_s, exact_s in zip(filled(durations).percentiles(*shares), exact, strict=True):
        assert given_s is not None
        assert abs(given_s - exact_s) <= exact_s * RELATIVE_ERROR + ABSOLUTE_ERROR_S + 1e-15


@given(st.lists(SECONDS, max_size=100))
def test_counts_up_to_powers_of_two_are_exact(durations: list[float]) -> None:
    counts = filled(durations).at_most(BOUNDS)
    assert counts == [sum(each <= bound for each in durations) for bound in BOUNDS]


def test_memory_is_bounded_whatever_is_counted() -> None:
    histogram = filled([1.003**power * 1e-7 for power in range(12_000)])
    assert len(histogram._counts) <= 1728
    assert histogram.max_s == MAX_S


def test_nothing_counted_has_no_percentiles() -> None:
    assert Histogram().percentiles(0.5, 0.99) == (None, None)
    assert Histogram().at_most(BOUNDS) == [0] * len(BOUNDS)
