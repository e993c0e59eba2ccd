"""What tiers grant, and meters that keep to it: never more, never less, and in the order of asking."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from azext_iotjobs.localhub.rules.quota import Meter, Quota, Sku, Throttle, job_slots, method_blocks, quotas

SLACK = 1e-6


@pytest.mark.parametrize(
    ("throttle", "sku", "units", "a_second"),
    [
        (Throttle.REGISTRY, Sku.F1, 1, 100 / 60),
        (Throttle.REGISTRY, Sku.S1, 3, 300 / 60),
        (Throttle.REGISTRY, Sku.S3, 1, 5000 / 60),
        (Throttle.CONNECTIONS, Sku.S1, 1, 100),
        (Throttle.CONNECTIONS, Sku.S1, 8, 100),
        (Throttle.CONNECTIONS, Sku.S1, 9, 108),
        (Throttle.CONNECTIONS, Sku.S2, 2, 240),
        (Throttle.SENDS, Sku.S3, 1, 6000),
        (Throttle.MESSAGE_RECEIVES, Sku.S1, 1, 1000 / 60),
        (Throttle.QUERIES, Sku.S1, 2, 40 / 60),
        (Throttle.QUERIES, Sku.S3, 10, 10_000 / 60),
        (Throttle.METHODS, Sku.S1, 1, 160 / 4),
        (Throttle.METHODS, Sku.S2, 1, 480 / 4),
        (Throttle.FILE_UPLOADS, Sku.S1, 2, 200 / 60),
        (Throttle.TWIN_READS, Sku.S1, 200, 100),
        (Throttle.TWIN_READS, Sku.S2, 20, 200),
        (Throttle.TWIN_UPDATES, Sku.S2, 10, 50),
        (Throttle.TWIN_UPDATES, Sku.S2, 11, 55),
        (Throttle.JOB_DEVICES, Sku.S1, 200, 10),
        (Throttle.JOB_DEVICES, Sku.S2, 20, 20),
        (Throttle.JOB_DEVICES, Sku.S3, 2, 100),
        (Throttle.CONFIGURATIONS, Sku.S3, 1, 20 / 60),
    ],
)
def test_a_tier_grants_the_documented_rate(throttle: Throttle, sku: Sku, units: int, a_second: float) -> None:
    assert quotas(sku, units)[throttle].rate == pytest.approx(a_second)


def test_every_tier_has_every_throttle_and_the_unlimited_hub_has_none() -> None:
    for sku in (Sku.F1, Sku.S1, Sku.S2, Sku.S3):
        assert set(quotas(sku, 1)) == set(Throttle)
    assert quotas(Sku.UNLIMITED, 1) == {}


def test_job_slots_are_the_tiers() -> None:
    assert [job_slots(sku) for sku in Sku] == [1, 1, 5, 10, None]


def test_what_is_published_by_the_minute_may_pass_within_a_second_and_the_rest_by_the_second() -> None:
    granted = quotas(Sku.S1, 2)
    assert (granted[Throttle.QUERIES].burst, granted[Throttle.TWIN_UPDATES].burst) == (40, 50)
    assert granted[Throttle.JOB_DEVICES].queue_s == math.inf  # jobs are paced, and not refused a device


@pytest.mark.parametrize(("payload_bytes", "blocks"), [(0, 1), (4, 1), (4096, 1), (4097, 2), (131_072, 32)])
def test_a_method_is_metered_in_blocks(payload_bytes: int, blocks: int) -> None:
    assert method_blocks(payload_bytes) == blocks


def test_first_it_passes_then_it_waits_then_it_is_refused() -> None:
    meter = Meter(Quota(rate=2, burst=3, queue_s=1))
    assert [meter.request(100.0) for _ in range(7)] == [0, 0, 0, 0.5, 1.0, None, None]
    assert meter.request(100.5) == 1.0
    assert meter.request(200.0) == 0
    assert (meter.passed, meter.delayed, meter.refused, meter.counted) == (7, 3, 2, 7)


def test_a_large_one_passes_as_a_small_one_does_and_those_behind_it_wait() -> None:
    meter = Meter(Quota(rate=10, burst=10, queue_s=10))
    assert meter.request(0.0, 100) == 0
    assert meter.request(0.0) == pytest.approx(9.1)
    assert meter.counted == 101


def test_a_clock_that_is_set_back_delays_nobody_longer() -> None:
    meter = Meter(Quota(rate=1, burst=1, queue_s=5))
    assert [meter.request(1000.0), meter.request(1000.0)] == [0, 1]
    assert meter.request(10.0) == 2
    assert meter.request(14.0) == 0


QUOTAS = st.builds(
    Quota,
    rate=st.floats(0.1, 100),
    burst=st.integers(1, 50).map(float),
    queue_s=st.floats(0, 20),
)
ASKED = st.lists(st.tuples(st.floats(0, 5), st.integers(1, 20)), min_size=1, max_size=60)  # after so long; at this cost


@given(QUOTAS, ASKED)
def test_no_stretch_of_time_sees_more_than_its_rate_and_one_burst(quota: Quota, asked: list[tuple[float, int]]) -> None:
    meter, now, passes = Meter(quota), 0.0, list[tuple[float, int]]()
    for gap_s, cost in asked:
        now += gap_s
        if (wait_s := meter.request(now, cost)) is not None:
            assert 0 <= wait_s <= quota.queue_s
            passes.append((now + wait_s, cost))
    assert [at for at, _ in passes] == sorted(at for at, _ in passes), "one overtook another"
    for first, (begin, _) in enumerate(passes):
        so_far = 0
        for end, cost in passes[first:]:
            # The last one's own cost is paid by those behind it.
            assert so_far + 1 <= quota.rate * (end - begin) + quota.burst + SLACK
            so_far += cost


@given(QUOTAS, st.floats(0.05, 1))
def test_who_asks_often_enough_gets_all_of_the_rate(quota: Quota, eagerness: float) -> None:
    meter, interval_s, rounds = Meter(quota), eagerness / quota.rate, 300
    # Who is refused comes back before all is worked off; without that much room the rate is for who comes just in time.
    assume((quota.burst - 1) / quota.rate + quota.queue_s >= interval_s)
    passed = sum(meter.request(number * interval_s) is not None for number in range(rounds))
    granted = quota.rate * (rounds - 1) * interval_s
    assert passed >= min(rounds, granted) - 1


@given(QUOTAS, ASKED)
def test_nobody_starves_who_was_refused_and_comes_back_when_the_queue_has_room(
    quota: Quota, asked: list[tuple[float, int]]
) -> None:
    meter, now, owed = Meter(quota), 0.0, 0
    for gap_s, cost in asked:
        now += gap_s
        if meter.request(now, cost) is not None:
            owed += cost
    assert meter.request(now + owed / quota.rate) == 0
