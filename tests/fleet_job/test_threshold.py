"""When failures end a run."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.fleet_job.threshold import failure_count, verdict
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.rollout import Scope, Threshold
from azext_iotjobs.model.run import Batch, Tally
from azext_iotjobs.model.run_state import BatchState
from azext_iotjobs.model.share import Share, Unit, parse_share
from tests.fleet_job.test_engine import RUN


def threshold(text: str, **more: Any) -> Threshold:
    return Threshold(share=parse_share(text, "--cth"), **more)


def is_exceeded(limit: Threshold, run_total: int = 100, forgiven: int = 0, **counts: Any) -> bool:
    tally = Tally(**counts)
    run = replace(RUN, device_count=run_total, tally=tally, forgiven=forgiven)
    return verdict(limit, run, Batch(ordinal=1, state=BatchState.RUNNING, size=10, tally=tally)) is not None


@pytest.mark.parametrize(
    ("limit", "counts", "expected"),
    [
        (threshold("5"), {"failed": 5}, False),
        (threshold("5"), {"failed": 6}, True),
        (threshold("0"), {"completed": 99}, False),
        (threshold("0"), {"failed": 1}, True),
        (threshold("5"), {"failed": 4, "uncertain": 2}, True),
        (threshold("5%"), {"failed": 5, "run_total": 100}, False),
        (threshold("5%"), {"failed": 5, "run_total": 103}, False),
        (threshold("5%"), {"failed": 6, "run_total": 103}, True),
        (threshold("2.5%"), {"failed": 3, "run_total": 100}, True),
        (threshold("5", min_sample=20), {"failed": 10, "completed": 9}, False),
        (threshold("5", min_sample=20), {"failed": 10, "completed": 10}, True),
        (threshold("1", classes=frozenset({"offline"})), {"failed": 9, "by_class": {"offline": 1, "other": 8}}, False),
        (threshold("1", classes=frozenset({"offline"})), {"failed": 9, "by_class": {"offline": 2, "other": 7}}, True),
        (threshold("1", classes=frozenset({"offline"})), {"uncertain": 9}, False),
        (threshold("1", classes=frozenset({"uncertain"})), {"uncertain": 2}, True),
        (threshold("2"), {"failed": 5, "forgiven": 3}, False),
        (threshold("2"), {"failed": 6, "forgiven": 3}, True),
        (threshold("20%", scope=Scope.BATCH), {"failed": 2, "pending": 8, "run_total": 1000}, False),
        (threshold("20%", scope=Scope.BATCH), {"failed": 3, "pending": 7, "run_total": 1000}, True),
    ],
)
def test_a_threshold_is_exceeded_by_more_failures_than_it_names(
    limit: Threshold, counts: dict[str, Any], expected: bool
) -> None:
    assert is_exceeded(limit, **counts) is expected


@given(
    failed=st.integers(0, 200),
    total=st.integers(1, 1000),
    percent=st.fractions(0, 100, max_denominator=1000),
)
def test_percent_are_exact(failed: int, total: int, percent: Fraction) -> None:
    limit = Threshold(share=Share(percent, Unit.PERCENT))
    assert is_exceeded(limit, run_total=total, failed=failed) is (failed > 0 and 100 * failed > percent * total)


@given(st.integers(0, 50), st.integers(0, 50))
def test_more_failures_never_make_it_go_on(failed: int, more: int) -> None:
    if is_exceeded(threshold("10"), failed=failed):
        assert is_exceeded(threshold("10"), failed=failed + more)


def test_of_no_batch_nothing_is_exceeded_and_the_reason_says_what_was_counted() -> None:
    failing = replace(RUN, tally=Tally(failed=9))
    assert verdict(threshold("1", scope=Scope.BATCH), failing, None) is None
    assert verdict(None, failing, None) is None
    found = verdict(threshold("50%"), failing, None)
    assert found is not None
    assert found.reason == "9 failures in the run of 10 devices exceed the threshold of 50%."
    assert failure_count(Tally(failed=3, uncertain=1), threshold("1")) == 4
    one = verdict(threshold("0"), replace(RUN, tally=Tally(failed=1)), None)
    assert one is not None
    assert one.reason == "1 failure in the run of 10 devices exceeds the threshold of 0 devices."
    offline = threshold("1", scope=Scope.BATCH, classes=frozenset({"offline", "timeout"}))
    tally = Tally(completed=2, failed=5, by_class={"offline": 4, "timeout": 1, "other": 0})
    resumed = Batch(ordinal=3, state=BatchState.RUNNING, size=7, tally=tally, forgiven=2)
    found = verdict(offline, failing, resumed)
    assert found is not None
    assert found.reason == (
        "3 failures (offline, timeout) since 2 before it was resumed in batch 3 of 7 devices exceed the threshold of "
        "1 device."
    )


def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(BadValue):
        threshold("1", classes=frozenset({"asleep"}))
    with pytest.raises(BadValue):
        threshold("1", min_sample=0)
