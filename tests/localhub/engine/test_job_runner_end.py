"""The runner's own life; what it does with jobs is seen from outside, in the contract tests."""

import asyncio

import pytest

from azext_iotjobs.localhub.engine.job_runner import JobRunner
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.engine.selector import Selector
from azext_iotjobs.localhub.engine.twin_service import TwinService
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.jobs import Jobs
from azext_iotjobs.localhub.store.twins import Twins
from tests.helpers.moved_loop import HandClock, MovedLoop, run, turns


def test_a_runner_that_is_cancelled_just_as_it_is_woken_ends() -> None:
    async def main(loop: MovedLoop) -> None:
        database, links, clock = Database(None), Links(), HandClock()
        twins = TwinService(Twins(database), links, clock)
        runner = JobRunner(database, Jobs(database), Selector(database), twins, links, clock)
        running = loop.create_task(runner.run())
        await turns()
        runner.wake()
        await asyncio.sleep(0)
        running.cancel()
        await turns()
        assert running.done()
        with pytest.raises(asyncio.CancelledError):
            await running
        database.close()

    run(main)
