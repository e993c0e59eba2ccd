"""A method job over many devices: each is called once, its row says so before, and writes come together."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from azext_iotjobs.localhub.engine.links import Links, MethodResult
from azext_iotjobs.localhub.engine.method_calls import CALLS_AT_ONCE, ROWS_AT_ONCE, MethodCalls
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.job import DeviceStatus, JobSpec, JobType, MethodSpec
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.jobs import Jobs
from tests.helpers.job_devices import devices_in
from tests.helpers.moved_loop import HandClock, MovedLoop, run, turns, within_limit

REBOOT = MethodSpec(name="reboot", payload=None, response_timeout_s=300, connect_timeout_s=0)
MAX_EXECUTION_S = 600
PENDING, RUNNING, COMPLETED, FAILED = (
    DeviceStatus.PENDING,
    DeviceStatus.RUNNING,
    DeviceStatus.COMPLETED,
    DeviceStatus.FAILED,
)


class CountingDatabase(Database):
    """Counts what is committed to the disk."""

    commits = 0

    def change_many(self, sql: str, values: Any) -> None:
        self.commits += 1
        super().change_many(sql, values)


class Fleet:
    """A job's devices, and what each of them is asked."""

    def __init__(self, database: Database, count: int) -> None:
        self.clock = HandClock()
        self.links = Links()
        self.jobs = Jobs(database)
        self.ids = [f"pump-{number}" for number in range(count)]
        self.calls: Counter[str] = Counter()
        self.in_flight: dict[str, str] = {}  # device -> request id
        self.most_in_flight = 0
        self.states_at_call: Counter[str] = Counter()
        self.database = database
        spec = JobSpec(
            job_id="job",
            type=JobType.METHOD,
            condition="*",
            method=REBOOT,
            tags=None,
            desired=None,
            start_at=None,
            max_execution_s=MAX_EXECUTION_S,
        )
        self.jobs.create(spec, self.clock.now())
        self.jobs.freeze("job", [Address(each) for each in self.ids], self.clock.now())

    def begin(self) -> "asyncio.Task[None]":
        job = self.jobs.get("job")
        assert job is not None
        return asyncio.get_running_loop().create_task(MethodCalls(job, REBOOT, self.jobs, self.links, self.clock).run())

    def come(self, *device_ids: str, answers: bool = True) -> None:
        for each in device_ids:
            self.links.attach(Device(self, each, answers=answers))

    def go(self, device_id: str) -> None:
        self.links.drop(Address(device_id))

    def answer(self, device_id: str) -> None:
        rid = self.in_flight.pop(device_id)
        self.links.respond(Address(device_id), rid, MethodResult(200, {"from": device_id}))

    def called(self, device_id: str, rid: str) -> None:
        row = self.database.row("SELECT status FROM device_jobs WHERE device_id = ?", (device_id,))
        assert row is not None
        self.states_at_call[row["status"]] += 1
        self.calls[device_id] += 1
        self.in_flight[device_id] = rid
        self.most_in_flight = max(self.most_in_flight, len(self.in_flight))

    def count(self, status: DeviceStatus) -> int:
        return len(devices_in(self.database, "job", status))


class Device:
    """A link whose device answers in the next turn of the loop, or when it is told to."""

    accepts_methods = True
    accepts_messages = False

    def __init__(self, fleet: Fleet, device_id: str, *, answers: bool) -> None:
        self.address = Address(device_id)
        self._fleet = fleet
        self._answers = answers

    def call_method(self, rid: str, name: str, payload: str) -> bool:
        self._fleet.called(self.address.device_id, rid)
        if self._answers:
            asyncio.get_running_loop().call_soon(self._fleet.answer, self.address.device_id)
        return True

    def notify_desired(self, patch: Any, version: int) -> None:
        raise AssertionError("nobody changes twins here")

    def deliver(self, message: Any) -> None:
        raise AssertionError("nobody sends messages here")

    def close(self, mistake: str | None = None) -> None:
        self._fleet.links.detach(self)


@pytest.fixture
def database() -> Iterator[CountingDatabase]:
    opened = CountingDatabase(None)
    yield opened
    opened.close()


async def until(condition: Callable[[], object]) -> None:
    async def look() -> None:
        while not condition():
            await asyncio.sleep(0)

    await within_limit(look())


def test_every_device_is_called_once_after_its_row_says_so_and_writes_come_together(database: CountingDatabase) -> None:
    fleet = Fleet(database, 3 * ROWS_AT_ONCE + 7)
    database.commits = 0

    async def main(_loop: MovedLoop) -> None:
        fleet.come(*fleet.ids)
        await within_limit(fleet.begin())

    run(main)
    assert fleet.calls == Counter(fleet.ids)
    assert fleet.states_at_call == {RUNNING.value: len(fleet.ids)}
    assert fleet.most_in_flight == CALLS_AT_ONCE
    rows = devices_in(fleet.database, "job", COMPLETED)
    assert [row.outcome["deviceMethodResponse"]["payload"]["from"] for row in rows] == fleet.ids
    assert database.commits < len(fleet.ids) / 10


def test_a_device_that_disconnects_before_its_call_is_awaited(database: CountingDatabase) -> None:
    fleet = Fleet(database, CALLS_AT_ONCE + 1)
    *first, last = fleet.ids

    async def main(_loop: MovedLoop) -> None:
        fleet.come(*first, answers=False)
        fleet.come(last)
        running = fleet.begin()
        await until(lambda: len(fleet.in_flight) == CALLS_AT_ONCE)
        fleet.go(last)
        for each in first:
            fleet.answer(each)
        await until(lambda: fleet.count(COMPLETED) == CALLS_AT_ONCE)
        assert (fleet.calls[last], fleet.count(PENDING)) == (0, 1)
        fleet.come(last)
        await within_limit(_of(running))

    run(main)
    assert (fleet.calls[last], fleet.count(COMPLETED)) == (1, CALLS_AT_ONCE + 1)


def test_a_device_that_disconnects_before_its_call_and_after_the_end_fails(database: CountingDatabase) -> None:
    fleet = Fleet(database, CALLS_AT_ONCE + 1)
    *first, last = fleet.ids

    async def main(_loop: MovedLoop) -> None:
        running = fleet.begin()
        await turns()
        fleet.clock.move(timedelta(seconds=MAX_EXECUTION_S - 100))
        fleet.come(*first, answers=False)
        await until(lambda: len(fleet.in_flight) == CALLS_AT_ONCE)
        fleet.come(last)  # it has to wait for its turn
        await turns()
        fleet.clock.move(timedelta(seconds=101))
        await turns()
        fleet.go(last)
        for each in first:
            fleet.answer(each)
        await within_limit(_of(running))

    run(main)
    (failed,) = devices_in(fleet.database, "job", FAILED)
    assert (failed.address.device_id, fleet.calls[last], fleet.count(COMPLETED)) == (last, 0, CALLS_AT_ONCE)


def test_when_time_is_up_those_away_fail_and_those_being_called_are_waited_for(database: CountingDatabase) -> None:
    fleet = Fleet(database, 2 * ROWS_AT_ONCE)
    there = fleet.ids[0]

    async def main(_loop: MovedLoop) -> None:
        running = fleet.begin()
        await turns()
        fleet.clock.move(timedelta(seconds=MAX_EXECUTION_S - 100))
        fleet.come(there, answers=False)
        await until(lambda: there in fleet.in_flight)
        assert fleet.count(FAILED) == 0
        fleet.clock.move(timedelta(seconds=101))
        await until(lambda: fleet.count(FAILED) == len(fleet.ids) - 1)
        await turns()
        assert not running.done()
        fleet.answer(there)
        await within_limit(_of(running))

    run(main)
    failed = devices_in(fleet.database, "job", FAILED)
    assert {row.error["code"] for row in failed} == {"JobRunPreconditionFailed"}
    assert (len(failed), fleet.count(COMPLETED)) == (len(fleet.ids) - 1, 1)


def test_what_was_answered_is_stored_when_the_hub_ends(database: CountingDatabase) -> None:
    fleet = Fleet(database, 3)
    answered, silent, _away = fleet.ids

    async def main(_loop: MovedLoop) -> None:
        fleet.come(answered, silent, answers=False)
        running = fleet.begin()
        await until(lambda: len(fleet.in_flight) == 2)
        fleet.answer(answered)
        await turns(2)  # the call has ended, and its row does not say so yet
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    run(main)
    assert [fleet.count(each) for each in (COMPLETED, RUNNING, PENDING)] == [1, 1, 1]
    assert fleet.links.is_connected(Address(silent))


def test_nobody_waits_for_a_device_that_was_forgotten(database: CountingDatabase) -> None:
    fleet = Fleet(database, 2)

    async def main(_loop: MovedLoop) -> None:
        running = fleet.begin()
        await turns()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await turns()
        fleet.come(*fleet.ids)
        await turns()

    run(main)
    assert fleet.calls == {}


async def _of(task: "asyncio.Task[None]") -> None:
    await task
