"""Jobs on a hub whose tier paces them, second by second."""

import asyncio
import math
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest

from azext_iotjobs.localhub.engine.method_calls import CALLS_AT_ONCE
from azext_iotjobs.localhub.engine.quotas import Quotas
from azext_iotjobs.localhub.rules.job import DeviceStatus, JobStatus, JobType, MethodSpec
from azext_iotjobs.localhub.rules.quota import Quota, Throttle
from azext_iotjobs.localhub.store.database import Database
from tests.helpers.moved_loop import MovedLoop
from tests.helpers.moved_loop import run as run_moved
from tests.localhub.engine.test_job_runner import Device, HandClock, Hub

IDS = ("a", "b", "c", "d", "e")
KINDS: dict[JobType, dict[str, Any]] = {
    JobType.METHOD: {},
    JobType.TWIN: {"type": JobType.TWIN, "method": None, "desired": {"fw": 1}},
}


class Paced:
    """A house that does one jobs device operation a second, after two at once; its time is moved by hand."""

    def __init__(self, loop: MovedLoop, database: Database) -> None:
        self.loop = loop
        self.clock = HandClock()
        quotas = Quotas({Throttle.JOB_DEVICES: Quota(rate=1, burst=2, queue_s=math.inf)}, self.clock)
        self.meter = quotas.meters[Throttle.JOB_DEVICES]
        self.house = Hub(database, self.clock, quotas)

    async def advance(self, seconds: float) -> None:
        self.clock.at += timedelta(seconds=seconds)
        self.loop.advance(seconds)
        for _ in range(200):
            await asyncio.sleep(0)

    def done(self, job_id: str = "job") -> int:
        return len(self.house.rows(DeviceStatus.COMPLETED, job_id))


def run(story: Callable[[Paced], Coroutine[Any, Any, None]]) -> None:
    async def main(loop: MovedLoop) -> None:
        database = Database(None)
        try:
            paced = Paced(loop, database)
            async with paced.house:
                paced.house.add(*IDS)
                for each in IDS:
                    Device(paced.house, each)
                await story(paced)
        finally:
            database.close()

    run_moved(main)


@pytest.mark.parametrize("kind", KINDS)
def test_a_job_goes_from_device_to_device_at_the_tiers_pace(kind: JobType) -> None:
    async def story(paced: Paced) -> None:
        paced.house.start(**KINDS[kind])
        await paced.advance(0)
        seen = [paced.done()]
        for _ in range(3):
            await paced.advance(1)
            seen.append(paced.done())
        assert seen == [2, 3, 4, 5]
        assert paced.house.status() is JobStatus.COMPLETED

    run(story)


@pytest.mark.parametrize("kind", KINDS)
def test_devices_whose_time_is_over_before_their_permit_fail_and_are_not_called(kind: JobType) -> None:
    async def story(paced: Paced) -> None:
        paced.house.start(**KINDS[kind], max_execution_s=2)
        await paced.advance(0)
        for _ in range(4):
            await paced.advance(1)
        failed = paced.house.rows(DeviceStatus.FAILED)
        assert (paced.done(), len(failed)) == (3, 2)
        assert {row.error["code"] for row in failed} == {"JobRunPreconditionFailed"}
        assert paced.house.status() is JobStatus.COMPLETED

    run(story)


def test_permits_that_no_call_could_use_are_not_requested() -> None:
    async def story(paced: Paced) -> None:
        many = [f"silent-{number}" for number in range(CALLS_AT_ONCE + 50)]
        paced.house.add(*many)
        silent = [Device(paced.house, each, status=None) for each in many]
        method = MethodSpec(name="m", payload=None, response_timeout_s=300, connect_timeout_s=0)
        paced.house.start(method=method, max_execution_s=600, condition="STARTSWITH(deviceId, 'silent')")
        for _ in range(CALLS_AT_ONCE + 20):
            await paced.advance(1)
        assert sum(len(device.calls) for device in silent) == CALLS_AT_ONCE
        assert paced.meter.passed == CALLS_AT_ONCE

    run(story)


def test_jobs_share_the_pace_and_none_waits_for_anothers_end() -> None:
    async def story(paced: Paced) -> None:
        for job in ("first", "second"):
            paced.house.start(job, **KINDS[JobType.TWIN])
        await paced.advance(0)
        for _ in range(4):
            await paced.advance(1)
        assert (paced.done("first"), paced.done("second")) == (3, 3)

    run(story)


def test_a_job_that_is_forgotten_leaves_its_permits_to_the_next() -> None:
    async def story(paced: Paced) -> None:
        paced.house.start("first")
        await paced.advance(0)
        paced.house.runner.forget(["first"])
        paced.house.jobs.set_status("first", JobStatus.FAILED)
        paced.house.start("second", **KINDS[JobType.TWIN])
        await paced.advance(2)
        assert paced.done("second") >= 1

    run(story)
