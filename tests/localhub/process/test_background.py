"""What waits for an instant of the hub's clock: an alarm, and tasks that are repeated; also when that is moved."""

import asyncio
from datetime import timedelta

import pytest

from azext_iotjobs.localhub.clock import NO_TIME
from azext_iotjobs.localhub.process.background import SHORTEST_WAIT_S, Alarm, run_by_clock
from azext_iotjobs.localhub.process.outages import Outages
from tests.helpers.moved_loop import HandClock, MovedLoop, run, turns, within_limit

HOUR_S = 3600.0
HOUR = timedelta(hours=1)


def let_pass(loop: MovedLoop, clock: HandClock, seconds: float) -> None:
    clock.advance(seconds)
    loop.advance(seconds)


@pytest.mark.parametrize("scale", [1.0, 60.0])
def test_an_alarm_rings_once_at_its_instant(scale: float) -> None:
    async def main(loop: MovedLoop) -> None:
        clock, rung = HandClock(scale=scale), asyncio.Event()
        Alarm(clock, clock.now() + 5 * HOUR, rung.set)
        let_pass(loop, clock, 5 * HOUR_S / scale - 1)
        await turns()
        assert not rung.is_set()
        let_pass(loop, clock, 1)
        await within_limit(rung.wait())
        rung.clear()
        clock.move(HOUR)
        await turns()
        assert not rung.is_set()

    run(main)


def test_an_alarm_rings_as_soon_as_the_clock_is_moved_to_its_instant() -> None:
    async def main(_loop: MovedLoop) -> None:
        clock, rung = HandClock(), asyncio.Event()
        Alarm(clock, clock.now() + 2 * HOUR, rung.set)
        clock.move(HOUR)
        await turns()
        assert not rung.is_set()
        clock.move(HOUR)
        await within_limit(rung.wait())

    run(main)


def test_an_alarm_waits_longer_when_the_clock_is_set_back() -> None:
    async def main(loop: MovedLoop) -> None:
        clock, rung = HandClock(), asyncio.Event()
        clock.move(HOUR)
        Alarm(clock, clock.now() + HOUR, rung.set)
        clock.set_to(NO_TIME)
        let_pass(loop, clock, 1.5 * HOUR_S)
        await turns()
        assert not rung.is_set()
        let_pass(loop, clock, 0.5 * HOUR_S)
        await within_limit(rung.wait())

    run(main)


def test_an_alarm_that_was_cancelled_does_not_ring() -> None:
    async def main(loop: MovedLoop) -> None:
        clock, rung = HandClock(), asyncio.Event()
        Alarm(clock, clock.now() + HOUR, rung.set).cancel()
        clock.move(HOUR)
        let_pass(loop, clock, HOUR_S)
        await turns()
        assert not rung.is_set()

    run(main)


@pytest.mark.parametrize(("scale", "waits_s"), [(1.0, 60.0), (10.0, 6.0), (0.5, 120.0), (1000.0, 0.06)])
def test_a_task_is_repeated_after_seconds_of_the_hub_or_once_the_clock_is_moved(scale: float, waits_s: float) -> None:
    async def main(loop: MovedLoop) -> None:
        clock, steps = HandClock(scale=scale), asyncio.Semaphore(0)

        def step() -> float:
            steps.release()
            return 60.0

        task = asyncio.ensure_future(run_by_clock("a test", step, Outages(), clock))
        await within_limit(steps.acquire())
        await turns()
        if waits_s > 1:  # the loop's own time passes too
            loop.advance(waits_s - 1)
            await turns()
            assert steps.locked()
        loop.advance(waits_s)
        await within_limit(steps.acquire())
        await turns()
        clock.move(timedelta(seconds=1))
        await within_limit(steps.acquire())
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        clock.move(HOUR)
        assert steps.locked()

    run(main)


def test_at_a_high_scale_the_hub_has_time_for_other_things() -> None:
    async def main(loop: MovedLoop) -> None:
        clock, steps = HandClock(scale=1000.0), 0

        def step() -> float:
            nonlocal steps
            steps += 1
            return 1.0

        task = asyncio.ensure_future(run_by_clock("a test", step, Outages(), clock))
        await turns()
        for _ in range(10):
            loop.advance(SHORTEST_WAIT_S / 10)
            await turns()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert steps <= 3

    run(main)
