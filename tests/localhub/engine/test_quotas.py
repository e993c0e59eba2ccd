"""The quotas' time is the hub's: moved, what was used is given again; at a scale, it passes as fast."""

from datetime import timedelta

import pytest

from azext_iotjobs.localhub.clock import NO_TIME
from azext_iotjobs.localhub.engine.quotas import Quotas
from azext_iotjobs.localhub.errors import THROTTLING_BACKLOG_TIMEOUT, HubError
from azext_iotjobs.localhub.rules.quota import Quota, Throttle
from tests.helpers.moved_loop import HandClock, run

QUERIES = Throttle.QUERIES


def made(clock: HandClock, queue_s: float = 60) -> Quotas:
    async def main(_loop: object) -> Quotas:
        return Quotas({QUERIES: Quota(rate=1 / 10, burst=1, queue_s=queue_s)}, clock)

    return run(main)


def test_after_a_move_what_was_used_before_is_given_again() -> None:
    clock = HandClock()
    quotas = made(clock, queue_s=5)
    assert quotas.wait_s(QUERIES) == 0
    with pytest.raises(HubError) as refused:
        quotas.wait_s(QUERIES)
    assert refused.value.fault is THROTTLING_BACKLOG_TIMEOUT
    clock.move(timedelta(seconds=10))
    assert quotas.wait_s(QUERIES) == 0


def test_a_clock_that_is_set_back_grants_nothing_and_takes_nothing() -> None:
    clock = HandClock()
    quotas = made(clock)
    clock.move(timedelta(hours=1))
    assert [quotas.wait_s(QUERIES) for _ in range(2)] == [0, 10]
    clock.set_to(NO_TIME)
    assert quotas.wait_s(QUERIES) == 20


@pytest.mark.parametrize(("scale", "wait_s"), [(10.0, 1.0), (0.5, 20.0)])
def test_at_a_scale_delays_are_as_much_shorter_or_longer(scale: float, wait_s: float) -> None:
    clock = HandClock(scale=scale)
    quotas = made(clock)
    assert [quotas.wait_s(QUERIES) for _ in range(2)] == [0, wait_s]
    clock.advance(2 * wait_s)
    assert quotas.wait_s(QUERIES) == 0
