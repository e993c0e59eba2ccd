"""The pace of queries: at most a third of what a tier allows in any minute."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.model.query_pace import QueryPace, query_pace
from azext_iotjobs.model.tier import TierFacts


@given(a_minute=st.integers(1, 30), gaps=st.lists(st.floats(0, 40), max_size=200))
def test_in_no_minute_are_there_more_queries_than_allowed(a_minute: int, gaps: list[float]) -> None:
    pace = QueryPace(a_minute)
    made = []
    for now in accumulate(gaps):
        at = now + pace.wait_s(now)
        if at == now:
            pace.made(at)
            made.append(at)
    assert pace.used_count == len(made)
    for number, at in enumerate(made):
        assert sum(1 for each in made[number:] if each < at + 60) <= a_minute


def test_who_waits_as_long_as_is_said_may_query() -> None:
    pace = QueryPace(2)
    pace.made(0.0)
    pace.made(10.0)
    assert pace.wait_s(20.0) == 40.0 and pace.wait_s(60.0) == 0.0


@pytest.mark.parametrize(
    ("tier", "gap_s"),
    [
        (None, 10.0),
        (TierFacts("F1"), 10.0),
        (TierFacts("S1"), 10.0),
        (TierFacts("S2", 3), 3.0),
        (TierFacts("S3"), 60 / 333),
        (TierFacts("unlimited"), 0.0),
    ],
)
def test_a_third_of_the_queries_of_a_tier_is_used_and_an_unknown_one_is_the_smallest(
    tier: TierFacts | None, gap_s: float
) -> None:
    assert query_pace(tier).gap_s == pytest.approx(gap_s)


def test_a_hub_without_a_tier_is_not_paced() -> None:
    pace = query_pace(TierFacts("unlimited"))
    for _ in range(10_000):
        pace.made(0.0)
    assert pace.wait_s(0.0) == 0.0
