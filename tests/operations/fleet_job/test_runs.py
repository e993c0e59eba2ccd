"""Runs of fleet jobs against a hub that is a function: batches, thresholds, retries, both drivers."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.model.errors import WrongState
from azext_iotjobs.model.fleet_job import Driver
from azext_iotjobs.model.rollout import (
    Retry,
    RetryWhen,
    Scope,
    Threshold,
    ThresholdAction,
)
from azext_iotjobs.model.run import Tally
from azext_iotjobs.model.run_events import BatchBegan, BatchEnded, DeviceEnded, Waiting
from azext_iotjobs.model.run_state import BatchState, RunState
from azext_iotjobs.operations.fleet_job.drivers.hub_jobs import ROWS_AHEAD
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.fleet_job_hub_double import StopDouble, definition_of
from tests.helpers.fleet_job_setup import (
    METHOD,
    OFFLINE,
    CallingList,
    FleetJobSetup,
    by_both,
    failing,
    ids,
    threshold,
)
from tests.helpers.transport_double import response


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[FleetJobSetup]:
    setup = FleetJobSetup(tmp_path)
    yield setup
    setup.store.close()


@by_both
def test_batches_of_ten_percent_run_one_after_the_other(setup: FleetJobSetup, driver: Driver) -> None:
    run = setup.run(driver, ids(103), sizes="10%")
    assert (run.state, run.tally.completed, run.batch_count) == (RunState.COMPLETED, 103, 10)
    assert [each.tally.completed for each in setup.store.runs.batches(run)] == [11] * 9 + [4]
    order = [
        (type(each), each.batch.ordinal) for each in setup.world.events if isinstance(each, (BatchBegan, BatchEnded))
    ]
    assert order == [(kind, ordinal) for ordinal in range(1, 11) for kind in (BatchBegan, BatchEnded)]
    going, seen = 0, 0
    for event in setup.world.events:
        going = event.batch.ordinal if isinstance(event, BatchBegan) else going
        if isinstance(event, DeviceEnded):
            assert event.batch == going
            seen += 1
    assert seen == 103 and set(setup.world.hub.operated.values()) == {1}


@by_both
def test_a_run_of_no_device_is_complete(setup: FleetJobSetup, driver: Driver) -> None:
    definition = definition_of(METHOD, ids(1), driver)
    setup.world.save(setup.store, definition)
    setup.store.candidates.collect([], seed=0)
    job = setup.store.definitions.get("job")
    setup.world.hub.refuses = lambda request: response([]) if request.path == "/devices/query" else None
    asked = replace(definition, targets=replace(definition.targets, selection=_condition("tags.x = 1")))
    setup.store.definitions.edit("job", asked, at=setup.world.clock.now(), by="me")
    run = setup.world.new_run(setup.store, setup.store.definitions.get("job"))
    assert (job.version, run.version, run.device_count) == (1, 2, 0)
    assert setup.world.execute(setup.store).state is RunState.COMPLETED


def _condition(text: str) -> Any:
    from azext_iotjobs.model.selection import Selection

    return Selection(condition=text)


@by_both
def test_the_devices_of_a_run_are_fixed_when_it_is_made(setup: FleetJobSetup, driver: Driver) -> None:
    there = ["d000", "d001"]

    def refuse(request: Request) -> Response | None:
        if request.path != "/devices/query" or "devices.jobs" in request.body["query"]:
            return None
        return response([{"deviceId": each} for each in there])

    setup.world.hub.refuses = refuse
    definition = definition_of(METHOD, ids(1), driver)
    targets = replace(definition.targets, selection=_condition("tags.x = 1"))
    setup.world.new_run(setup.store, setup.world.save(setup.store, replace(definition, targets=targets)))
    there[:] = ["d001", "d002"]  # one has left, one has come
    assert setup.world.execute(setup.store).tally.completed == 2
    assert setup.world.hub.operated == {"d000": 1, "d001": 1}


def test_as_many_calls_are_under_way_as_concurrency_says(setup: FleetJobSetup) -> None:
    hub = setup.world.hub
    answer, together = hub.answer, threading.Barrier(4)
    under_way, most, lock = 0, 0, threading.Lock()

    def counting(request: Request) -> Response:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        together.wait(10)  # four at once, or it is broken
        answered = answer(request)
        with lock:
            under_way -= 1
        return answered

    hub.answer = counting  # type: ignore[method-assign]
    assert setup.run(Driver.CALLS, ids(12), concurrency=4).tally.completed == 12
    assert most == 4


def test_calls_are_no_faster_than_the_rate(setup: FleetJobSetup) -> None:
    assert setup.run(Driver.CALLS, ids(11), rate=2.5).tally.completed == 11
    assert 3.99 < setup.world.clock.passed_s < 4.5


def test_a_pause_between_batches_holds_across_a_restart(setup: FleetJobSetup) -> None:
    run = setup.run(Driver.CALLS, ids(4), sizes="2", pause_s=3600, stop=StopDouble(after=20))
    assert (run.state, run.tally.completed, setup.world.clock.passed_s < 60) == (RunState.STOPPED, 2, True)
    setup.world.clock.passed_s += 1800
    run = setup.resume()
    assert (run.state, run.tally.completed) == (RunState.COMPLETED, 4)
    assert 3600 <= setup.world.clock.passed_s < 3660
    assert setup.events_of(Waiting)[0].why == "a pause before batch 2"


def test_a_threshold_of_five_cancels_at_the_sixth_failure(setup: FleetJobSetup) -> None:
    setup.world.hub.fails = failing(*ids(100)[::10])
    run = setup.run(Driver.CALLS, ids(100), threshold=threshold("5"), concurrency=1)
    assert (run.state, run.tally.failed, run.tally.completed, run.tally.pending) == (RunState.CANCELED, 6, 45, 49)
    assert run.reason == "6 failures in the run of 100 devices exceed the threshold of 5 devices." and not run.ended_by
    assert [each.state for each in setup.store.runs.batches(run)] == [BatchState.CANCELED]
    with pytest.raises(WrongState, match="canceled"):
        setup.resume()


@by_both
def test_as_many_failures_as_the_threshold_are_allowed(setup: FleetJobSetup, driver: Driver) -> None:
    setup.world.hub.fails = failing(*ids(100)[::17])
    run = setup.run(driver, ids(100), threshold=threshold("6"))
    assert (run.state, run.tally.failed, run.tally.completed) == (RunState.COMPLETED, 6, 94)


def test_hub_jobs_are_full_wherever_the_rows_were_read(setup: FleetJobSetup) -> None:
    wanted = tuple(f"d{number:08}" for number in range(2 * ROWS_AHEAD + 100))
    run = setup.run(Driver.JOBS, wanted)
    assert (run.state, run.tally.completed) == (RunState.COMPLETED, len(wanted))
    assert set(setup.world.hub.operated.values()) == {1}
    hub = setup.world.hub
    sizes = [hub.jobs[each]["queryCondition"].count("'d") for each in hub.puts]
    assert sum(sizes) == len(wanted) and len(set(sizes[:-1])) == 1 and sizes[-1] <= sizes[0], sizes


def test_a_threshold_cancels_before_the_next_hub_job(setup: FleetJobSetup) -> None:
    setup.world.hub.fails = failing(*ids(3))
    limit = threshold("20%", scope=Scope.BATCH)
    run = setup.run(Driver.JOBS, ids(40), sizes="10", threshold=limit)
    assert (run.state, run.tally.failed, run.tally.completed, run.tally.pending) == (RunState.CANCELED, 3, 7, 30)
    assert len(setup.world.hub.puts) == 1 and "in batch 1 of 10 devices" in str(run.reason)
    states = [each.state for each in setup.store.runs.batches(run)]
    assert states == [BatchState.CANCELED, *[BatchState.SKIPPED] * 3]


@pytest.mark.parametrize(("limit", "jobs"), [(None, [2, 3, 3]), (threshold("0"), [1, 2, 3])])
def test_the_hub_works_while_rows_are_read_unless_a_threshold_needs_them(
    setup: FleetJobSetup, limit: Threshold | None, jobs: list[int]
) -> None:
    wanted = tuple(f"d{number:08}" for number in range(1_500))  # three jobs' conditions
    there: list[int] = []  # jobs that the hub has when rows are asked for

    def note(request: Request) -> None:
        if request.path == "/devices/query":
            there.append(len(hub.jobs))

    hub = setup.world.hub
    hub.slots, hub.refuses = 1, note
    run = setup.run(Driver.JOBS, wanted, threshold=limit)
    assert (run.state, run.tally.completed) == (RunState.COMPLETED, 1_500)
    assert there == jobs and max(hub.operated.values()) == 1


def test_a_threshold_is_looked_at_between_two_jobs_of_a_batch(setup: FleetJobSetup) -> None:
    wanted = tuple(f"d{number:08}" for number in range(1_500))
    setup.world.hub.slots, setup.world.hub.fails = 1, failing(wanted[0])
    run = setup.run(Driver.JOBS, wanted, threshold=threshold("0"))
    assert (run.state, run.tally.failed) == (RunState.CANCELED, 1)
    assert len(setup.world.hub.jobs) == 1


def test_a_threshold_can_stop_and_who_resumes_accepts_what_has_failed(setup: FleetJobSetup) -> None:
    setup.world.hub.fails = failing(*ids(10)[:6])
    limit = threshold("1", action=ThresholdAction.STOP)
    run = setup.run(Driver.CALLS, ids(10), threshold=limit, concurrency=1)
    assert (run.state, run.tally.failed) == (RunState.STOPPED, 2)
    run = setup.resume()
    assert (run.state, run.tally.failed, run.forgiven) == (RunState.STOPPED, 4, 2)
    run = setup.resume()
    assert (run.state, run.tally.failed) == (RunState.STOPPED, 6)
    assert setup.resume().state is RunState.COMPLETED


def until_third_try(setup: FleetJobSetup, *devices: str) -> Callable[[str], dict[str, Any] | None]:
    tried: dict[str, int] = {}

    def fails(device: str) -> dict[str, Any] | None:
        tried[device] = tried.get(device, 0) + 1
        return OFFLINE if device in devices and tried[device] < 3 else None

    return fails


@by_both
@pytest.mark.parametrize("when", list(RetryWhen))
def test_a_device_that_is_tried_again_counts_once(setup: FleetJobSetup, driver: Driver, when: RetryWhen) -> None:
    setup.world.hub.fails = until_third_try(setup, "d001", "d004")
    retry = Retry(tries={"offline": 2}, pause_s=100, when=when)
    run = setup.run(driver, ids(8), sizes="4", retry=retry, threshold=threshold("2"))
    assert (run.state, run.tally) == (RunState.COMPLETED, Tally(completed=8))
    assert setup.world.hub.operated["d001"] == 1
    assert setup.world.clock.passed_s >= 200
    batches = setup.store.runs.batches(run)
    assert [each.is_retry for each in batches] == [False, False] + [True] * (2 if when is RetryWhen.AT_END else 0)
    assert sum(each.tally.total for each in batches) == 8


def test_a_class_that_is_not_named_is_not_tried_again_and_tries_end(setup: FleetJobSetup) -> None:
    setup.world.hub.fails = lambda device: {"d000": OFFLINE, "d001": {"code": "GatewayTimeout"}}.get(device)
    run = setup.run(Driver.CALLS, ids(2), retry=Retry(tries={"offline": 3}, pause_s=10))
    assert (run.state, run.tally.by_class) == (RunState.COMPLETED, {"offline": 1, "timeout": 1})
    assert [each.tries for each in setup.events_of(DeviceEnded) if each.result.device_id == "d000"] == [1, 2, 3, 4]
    assert setup.world.hub.operated["d001"] == 1


@by_both
def test_devices_that_wait_to_be_tried_again_are_not_looked_for_at_each_turn(
    setup: FleetJobSetup, driver: Driver
) -> None:
    said: list[str] = []
    setup.store.database._connection.set_trace_callback(said.append)
    devices = ids(300)
    setup.world.hub.fails = failing(*devices)
    run = setup.run(driver, devices, rate=10, retry=Retry(tries={"offline": 1}, pause_s=60))
    assert (run.state, run.tally.failed) == (RunState.COMPLETED, 300) and setup.world.clock.passed_s > 60
    looked = sum(1 for each in said if each.startswith("SELECT seq, device_id") and "due_at" in each)
    assert looked < 5 * setup.world.clock.passed_s


DAY_S = 86_400.0
MAX_STEPS = 5000  # some hundred are taken; a pause of a day takes far more


def _set_back(setup: FleetJobSetup, on: type) -> None:
    """Somebody sets the machine's clock back a day when the first such event is told."""

    def then(event: Any) -> None:
        if isinstance(event, on):
            setup.world.clock.set_s = -DAY_S

    setup.world.events = CallingList(then)


@by_both
@pytest.mark.parametrize("on", [Waiting, BatchEnded])
def test_a_pause_of_a_minute_stays_one_when_the_clock_is_set_back_a_day(
    setup: FleetJobSetup, driver: Driver, on: type
) -> None:
    _set_back(setup, on)
    run = setup.run(driver, ids(4), sizes="2", pause_s=60, stop=StopDouble(after=MAX_STEPS))
    assert (run.state, run.tally.completed) == (RunState.COMPLETED, 4)
    assert 60 <= setup.world.clock.passed_s < 600
    told = [event.at for event in setup.world.events]
    assert told == sorted(told), "the times of events never go back"


@by_both
@pytest.mark.parametrize("when", [RetryWhen.AT_ONCE, RetryWhen.AT_END])
def test_a_device_is_tried_again_after_its_minute_when_the_clock_is_set_back_a_day(
    setup: FleetJobSetup, driver: Driver, when: RetryWhen
) -> None:
    _set_back(setup, DeviceEnded)
    setup.world.hub.fails = failing("d000")
    retry = Retry(tries={"offline": 2}, pause_s=60, when=when)
    run = setup.run(driver, ids(2), retry=retry, stop=StopDouble(after=MAX_STEPS))
    assert run.state is RunState.COMPLETED
    assert [each.tries for each in setup.events_of(DeviceEnded) if each.result.device_id == "d000"] == [1, 2, 3]
    assert 120 <= setup.world.clock.passed_s < 1200
