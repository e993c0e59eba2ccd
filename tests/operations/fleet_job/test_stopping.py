"""Runs that are stopped, resumed, canceled, left at once; and who may carry one on."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from azext_iotjobs.fleet_job.store.holder import this_process
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.errors import CannotConnect, LeaseHeld, WrongState
from azext_iotjobs.model.fleet_job import Delivery, Driver
from azext_iotjobs.model.run_events import BatchBegan, DeviceEnded, RunEnded, Waiting
from azext_iotjobs.model.run_state import BatchState, RunEvent, RunState
from azext_iotjobs.operations.fleet_job import run_loop
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.fleet_job_hub_double import StopDouble, definition_of
from tests.helpers.fleet_job_setup import METHOD, CallingList, FleetJobSetup, by_both, failing, ids, when_running


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[FleetJobSetup]:
    setup = FleetJobSetup(tmp_path)
    yield setup
    setup.store.close()


@by_both
def test_stopped_at_forty_percent_and_resumed_it_has_the_same_totals(setup: FleetJobSetup, driver: Driver) -> None:
    setup.world.hub.fails = failing("d003", "d007")
    other = SqliteStore.open(setup.folder / "state")

    def at_forty(event: Any) -> None:
        run = other.runs.get("job")
        if run.tally.ended >= 40 and run.stop_request is None and run.state is RunState.RUNNING:
            run_loop.stop(other, run, setup.world.holder, by="ann", reason="lunch", clock=setup.world.clock)

    setup.world.holder = this_process()  # alive
    setup.world.events = CallingList(at_forty)
    run = setup.run(driver, ids(100), sizes="10", concurrency=1)
    assert (run.state, run.ended_by, run.reason) == (RunState.STOPPED, "ann", "lunch")
    assert 40 <= run.tally.ended <= 50 and run.tally.total == 100
    setup.world.events = []
    run = setup.resume()
    assert (run.state, run.tally.completed, run.tally.failed) == (RunState.COMPLETED, 98, 2)
    assert (run.reason, run.ended_by) == (None, None) and max(setup.world.hub.operated.values()) == 1
    other.close()


def test_a_resume_may_go_on_at_another_pace(setup: FleetJobSetup) -> None:
    run = setup.run(Driver.CALLS, ids(30), concurrency=3, stop=StopDouble(after=1))
    assert run.state is RunState.STOPPED
    began_at, left = setup.world.clock.monotonic(), run.tally.open
    slower = Delivery(driver=Driver.CALLS, concurrency=3, rate=0.5)
    run = run_loop.resume(run, setup.world.context(setup.store), slower)
    assert run.state is RunState.COMPLETED and setup.store.runs.get("job").delivery == slower
    assert setup.world.clock.monotonic() - began_at >= (left - 1) / 0.5 > 20
    assert setup.store.definitions.get("job").definition.delivery.rate is None  # the definition has its own


def test_whoever_runs_it_is_named_to_a_second_one(setup: FleetJobSetup) -> None:
    refused: list[str] = []

    def second(event: Any) -> None:
        if isinstance(event, BatchBegan):
            with pytest.raises(LeaseHeld) as raised:
                setup.world.execute(setup.store)
            refused.append(str(raised.value))

    setup.world.events = CallingList(second)
    setup.world.holder = this_process()  # alive
    assert setup.run(Driver.CALLS, ids(3)).state is RunState.COMPLETED
    assert len(refused) == 1 and setup.world.holder.owner in refused[0] and "until 03:04:" in refused[0]


def test_a_run_that_no_process_executes_is_stopped_by_the_request_itself(setup: FleetJobSetup) -> None:
    definition = definition_of(METHOD, ids(3), Driver.CALLS)
    run = setup.world.new_run(setup.store, setup.world.save(setup.store, definition))
    context = setup.world.context(setup.store)
    leased = setup.store.take_lease(run, context.holder, setup.world.clock.now())
    leased.begin(RunEvent.START, setup.world.clock.now(), forgiven_of_run=0, forgiven_of_batch=0)
    leased.begin_batch(1, setup.world.clock.now())
    leased.devices.write(setup.world.clock.now(), ended=[], begun=leased.devices.due(1, setup.world.clock.now(), 1))
    crashed = setup.store.runs.get("job")
    stopped = run_loop.stop(setup.store, crashed, context.holder, by="ann", reason=None, clock=setup.world.clock)
    assert (stopped.state, stopped.tally.uncertain, stopped.tally.pending) == (RunState.STOPPED, 1, 2)
    again = run_loop.stop(setup.store, stopped, context.holder, by="bob", reason="me too", clock=setup.world.clock)
    assert again == stopped == setup.store.runs.get("job"), "asking again is no error, and changes nothing"

    def no_hub(*_: object) -> NoReturn:
        raise AssertionError("by calls nothing goes on without a process: the hub is not needed")

    canceled = run_loop.cancel(stopped, replace(context, make_driver=no_hub), by="ann", reason="enough")
    assert (canceled.state, canceled.ended_by, canceled.reason) == (RunState.CANCELED, "ann", "enough")
    assert run_loop.cancel(canceled, context, by="bob", reason=None) == canceled == setup.store.runs.get("job")
    with pytest.raises(WrongState, match="canceled"):
        run_loop.stop(setup.store, canceled, context.holder, by="ann", reason=None, clock=setup.world.clock)
    assert not setup.world.hub.operated


def test_a_stop_leaves_a_hub_job_that_runs_and_a_resume_reads_what_it_did(setup: FleetJobSetup) -> None:
    run = setup.run(Driver.JOBS, ids(6), sizes="3", stop=when_running(setup))
    assert (run.state, run.tally.pending) == (RunState.STOPPED, 6)
    (job,) = setup.world.hub.jobs.values()
    assert job["status"] == "running"
    run = setup.resume()
    assert (run.state, run.tally.completed, len(setup.world.hub.puts)) == (RunState.COMPLETED, 6, 2)
    assert set(setup.world.hub.operated.values()) == {1}


def test_a_stop_cancels_a_hub_job_that_has_not_begun_and_a_resume_makes_another(setup: FleetJobSetup) -> None:
    run = setup.run(Driver.JOBS, ids(3), stop=StopDouble(after=3))
    (job,) = setup.world.hub.jobs.values()
    assert (run.state, job["status"], run.tally.pending) == (RunState.STOPPED, "cancelled", 3)
    assert setup.resume().tally.completed == 3
    assert len(setup.world.hub.jobs) == 2 and set(setup.world.hub.operated.values()) == {1}


def test_a_stop_does_not_wait_for_a_hub_that_is_away(setup: FleetJobSetup) -> None:
    is_away = when_running(setup).is_set

    def refuse(request: Request) -> Response | None:
        if is_away():
            raise CannotConnect("h.example is not reached.")
        return None

    setup.world.hub.refuses = refuse
    run = setup.run(Driver.JOBS, ids(3), stop=StopDouble(when=lambda: is_away() and setup.world.clock.passed_s > 5))
    assert (run.state, run.reason, setup.world.clock.passed_s < 10) == (
        RunState.STOPPED,
        "Stopped by Ctrl-C or a signal.",
        True,
    )
    setup.world.hub.refuses = lambda _: None
    assert setup.resume().tally.completed == 3 and len(setup.world.hub.puts) == 1


def test_what_a_stop_has_cancelled_is_no_failure_when_it_is_seen_later(setup: FleetJobSetup) -> None:
    has_cancelled = False

    def refuse(request: Request) -> Response | None:
        nonlocal has_cancelled
        if has_cancelled:
            raise CannotConnect("h.example is not reached.")
        has_cancelled = request.path.endswith("/cancel")
        return None

    setup.world.hub.refuses = refuse
    assert setup.run(Driver.JOBS, ids(3), stop=StopDouble(after=3)).state is RunState.STOPPED and has_cancelled
    setup.world.hub.refuses = lambda _: None
    run = setup.resume()
    assert (run.state, run.tally.completed, len(setup.world.hub.jobs)) == (RunState.COMPLETED, 3, 2)


def test_a_job_that_somebody_else_cancels_has_failed(setup: FleetJobSetup) -> None:
    def cancel(request: Request) -> Response | None:
        for job in setup.world.hub.jobs.values():
            job["status"] = "cancelled"
        return None

    setup.world.hub.refuses = cancel
    run = setup.run(Driver.JOBS, ids(3))
    assert (run.state, run.tally.failed, setup.rows["d000"].error_code) == (RunState.COMPLETED, 3, "JobCancelled")


def test_a_cancel_awaits_the_hub_job_that_runs(setup: FleetJobSetup) -> None:
    run = setup.run(Driver.JOBS, ids(6), sizes="3", stop=when_running(setup))
    run = run_loop.cancel(run, setup.world.context(setup.store), by="ann", reason="wrong firmware")
    assert (run.state, run.tally.completed, run.tally.pending) == (RunState.CANCELED, 3, 3)
    assert (run.reason, len(setup.world.hub.puts)) == ("wrong firmware", 1)


def test_who_leaves_at_once_leaves_uncertain_devices(setup: FleetJobSetup) -> None:
    def leave(event: Any) -> None:
        if isinstance(event, DeviceEnded):
            raise KeyboardInterrupt

    setup.world.events = CallingList(leave)
    with pytest.raises(KeyboardInterrupt):
        setup.run(Driver.CALLS, ids(9), concurrency=3)
    run = setup.store.runs.get("job")
    assert (run.state, run.lease, run.reason) == (RunState.STOPPED, None, "Left at once, by a second Ctrl-C.")
    assert run.tally.completed >= 1 and run.tally.calling == 0 and run.tally.total == 9
    setup.world.events = []
    run = setup.resume()
    assert run.state is RunState.COMPLETED and run.tally.completed + run.tally.uncertain == 9
    assert max(setup.world.hub.operated.values()) == 1


@by_both
def test_a_run_without_anything_under_way_is_canceled_without_a_hub(setup: FleetJobSetup, driver: Driver) -> None:
    run = setup.run(driver, ids(6), sizes="3", pause_s=60, stop=StopDouble(when=lambda: bool(setup.events_of(Waiting))))
    setup.world.events = []

    def no_hub(*_: Any) -> Any:
        raise CannotConnect("the hub is gone")

    context = replace(setup.world.context(setup.store), make_driver=no_hub)
    run = run_loop.cancel(run, context, by="ann", reason="enough")
    assert (run.state, run.ended_by, run.reason, run.tally.pending) == (RunState.CANCELED, "ann", "enough", 3)
    assert [each.state for each in setup.store.runs.batches(run)] == [BatchState.COMPLETED, BatchState.SKIPPED]
    assert run.lease is None and [type(each) for each in setup.world.events] == [RunEnded]
