"""Runs whose devices keep them waiting: what is said of whom, how long it can last, and what a stop leaves."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.fleet_job.awaited import MAX_AWAITED, awaited
from azext_iotjobs.fleet_job.store.holder import this_process
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.errors import ConflictingChoice
from azext_iotjobs.model.fleet_job import Delivery, Driver
from azext_iotjobs.model.job_limit import job_limit_s
from azext_iotjobs.model.run import Narrowed, Run
from azext_iotjobs.model.run_events import HubJobMoved, Progressed
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.tier import TierFacts
from azext_iotjobs.operations.fleet_job import planning, run_loop
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.fleet_job_hub_double import StopDouble, definition_of
from tests.helpers.fleet_job_setup import METHOD, FleetJobSetup, failing, ids
from tests.helpers.transport_double import response


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[FleetJobSetup]:
    setup = FleetJobSetup(tmp_path)
    yield setup
    setup.store.close()


def after(setup: FleetJobSetup, seconds: float) -> StopDouble:
    return StopDouble(when=lambda: setup.world.clock.passed_s > seconds)


def last_progress(setup: FleetJobSetup) -> Progressed:
    found: Progressed = setup.events_of(Progressed)[-1]
    return found


def test_while_a_device_is_away_the_hubs_counts_are_told_and_who_is_awaited_until_when(
    setup: FleetJobSetup,
) -> None:
    setup.world.hub.holds = lambda device: device == "d007"
    setup.world.hub.fails = failing("d003")
    run = setup.run(Driver.JOBS, ids(30), sizes="10", stop=after(setup, 40))
    assert run.state is RunState.STOPPED
    (job,) = setup.store.runs.hub_jobs_in_progress(run)
    limit_s = job_limit_s(10, 10, METHOD, None)
    assert job.submitted_at is not None and job.until == job.submitted_at + timedelta(seconds=limit_s)
    assert job.tally is not None
    assert (job.tally.device_count, job.tally.succeeded_count, job.tally.failed_count) == (10, 8, 1)
    assert (job.open_count, job.ended_count, job.awaited) == (10, 9, ("d007",))
    (one,) = awaited(setup.store.runs, run, setup.store.definitions.of_run(run))
    assert (one.batch, one.device_ids, one.count, one.until, one.job_id) == (1, ("d007",), 1, job.until, job.job_id)
    told = last_progress(setup)
    assert (told.hub_ended_count, told.awaited, told.hub) == (9, (one,), job.tally)
    assert (run.tally.not_begun, run.tally.in_progress, run.tally.completed) == (20, 10, 0)
    setup.world.hub.holds = lambda device: False
    ended = setup.resume()
    assert (ended.tally.completed, ended.tally.failed, ended.tally.in_progress) == (29, 1, 0)
    assert max(setup.world.hub.operated.values()) == 1 and setup.store.runs.hub_jobs_in_progress(ended) == []


def test_a_device_that_stays_away_holds_a_batch_for_what_the_batch_can_need_and_not_for_an_hour(
    setup: FleetJobSetup,
) -> None:
    setup.world.hub.holds = lambda device: device == "d000"
    run = setup.run(Driver.JOBS, ids(4), sizes="2")
    assert (run.state, run.tally.completed, run.tally.failed) == (RunState.COMPLETED, 3, 1)
    limit_s = job_limit_s(2, 2, METHOD, None)
    assert {job["maxExecutionTimeInSeconds"] for job in setup.world.hub.jobs.values()} == {limit_s}
    assert limit_s < setup.world.clock.passed_s < limit_s + 30 < 3600


def test_a_time_limit_that_was_typed_is_kept_to_and_the_tier_counts_where_it_is_known(setup: FleetJobSetup) -> None:
    definition = definition_of(METHOD, ids(400), Driver.JOBS)
    job = setup.world.save(setup.store, definition)

    def limits(delivery: Delivery = definition.delivery, tier: TierFacts | None = None) -> set[int]:
        setup.world.hub.jobs.clear()
        at = setup.world.clock.now_of_hub()
        once = replace(job, definition=replace(definition, delivery=delivery))
        run = planning.new_run(setup.store, setup.world.client, once, by="me", at=at, tier=tier)
        assert run_loop.execute(run, setup.world.context(setup.store)).state is RunState.COMPLETED
        return {each["maxExecutionTimeInSeconds"] for each in setup.world.hub.jobs.values()}

    assert limits(delivery=Delivery(driver=Driver.JOBS, job_limit_s=7)) == {7}
    assert limits(tier=TierFacts("S1")) == {job_limit_s(400, 400, METHOD, TierFacts("S1"))}
    assert limits() == {job_limit_s(400, 400, METHOD, None)}
    slower = Delivery(driver=Driver.JOBS, connect_timeout_s=100, response_timeout_s=120)
    assert limits(delivery=slower, tier=TierFacts("S1")) == {
        job_limit_s(400, 400, METHOD.within(slower), TierFacts("S1"))
    }
    (sent,) = setup.world.hub.jobs.values()
    method = sent["cloudToDeviceMethod"]
    assert (method["connectTimeoutInSeconds"], method["responseTimeoutInSeconds"]) == (100, 120)


def test_a_hub_that_does_not_say_who_is_awaited_leaves_the_run_as_it_is(setup: FleetJobSetup) -> None:
    def refuse(request: Request) -> Response | None:
        if request.path == "/devices/query" and "status <>" in request.body["query"]:
            return response({"Message": "no"}, status=400, iothub_errorcode="ArgumentInvalid")
        return None

    setup.world.hub.refuses = refuse
    setup.world.hub.holds = lambda device: device == "d000"
    run = setup.run(Driver.JOBS, ids(3))
    assert (run.state, run.tally.completed, run.tally.failed) == (RunState.COMPLETED, 2, 1)
    told = [each for each in setup.events_of(Progressed) if each.awaited]
    assert told and all(each.awaited[0].device_ids == () for each in told)


def test_who_is_awaited_is_asked_seldom_and_what_is_no_device_of_the_job_is_not_named(setup: FleetJobSetup) -> None:
    asked: list[str] = []

    def answer(request: Request) -> Response | None:
        if request.path != "/devices/query" or "status <>" not in request.body["query"]:
            return None
        asked.append(request.body["query"])
        return response([{"deviceId": "of-somebody", "jobId": "x", "status": "pending"}] * 3)

    setup.world.hub.refuses = answer
    setup.world.hub.holds = lambda device: True
    run = setup.run(Driver.JOBS, ids(40), stop=after(setup, 100))
    (job,) = setup.store.runs.hub_jobs_in_progress(run)
    assert job.awaited == () and len(asked) == 2


def test_no_more_devices_are_named_than_a_person_reads(setup: FleetJobSetup) -> None:
    setup.world.hub.holds = lambda device: True
    run = setup.run(Driver.JOBS, ids(40), stop=after(setup, 30))
    (one,) = awaited(setup.store.runs, run, setup.store.definitions.of_run(run))
    assert (len(one.device_ids), one.count) == (MAX_AWAITED, 40)


def test_each_look_that_brings_news_is_told_with_all_of_the_hubs_counts(setup: FleetJobSetup) -> None:
    setup.world.hub.holds = lambda device: device == "d001" and setup.world.clock.passed_s < 20
    setup.run(Driver.JOBS, ids(3))
    tallies = [each.tally for each in setup.events_of(HubJobMoved) if each.tally is not None]
    assert [(each.succeeded_count, each.pending_count) for each in tallies] == [(2, 1), (3, 0)]


def by_calls(setup: FleetJobSetup) -> Run:
    setup.world.new_run(setup.store, setup.world.save(setup.store, definition_of(METHOD, ids(4), Driver.CALLS)))
    return setup.store.runs.get("job")


def test_calls_under_way_are_named_with_their_limit(setup: FleetJobSetup) -> None:
    seen: list[Any] = []

    def look(request: Request) -> Response | None:
        if not seen and "methods" in request.path:
            own = SqliteStore.open(setup.folder / "state")
            run = own.runs.get("job")
            seen.extend(awaited(own.runs, run, own.definitions.of_run(run)))
            own.close()
        return None

    setup.world.holder = this_process()
    setup.world.hub.refuses = look
    run = by_calls(setup)
    began_at = setup.world.clock.now()
    slower = Delivery(driver=Driver.CALLS, concurrency=3, response_timeout_s=90)
    assert run_loop.resume(run, setup.world.context(setup.store), slower).state is RunState.COMPLETED
    (one,) = seen
    assert (one.batch, one.count, one.device_ids, one.job_id) == (1, 3, ("d000", "d001", "d002"), None)
    assert began_at <= one.since <= one.until - timedelta(seconds=90) <= setup.world.clock.now()


def test_a_resume_takes_other_timeouts_and_they_are_recorded(setup: FleetJobSetup) -> None:
    sent: list[dict[str, Any]] = []

    def keep(request: Request) -> Response | None:
        if request.path.endswith("/methods"):
            sent.append(request.body)
        return None

    setup.world.hub.refuses = keep
    run = by_calls(setup)
    other = Delivery(driver=Driver.CALLS, connect_timeout_s=7, response_timeout_s=11)
    ended = run_loop.resume(run, setup.world.context(setup.store), other)
    assert {(each["connectTimeoutInSeconds"], each["responseTimeoutInSeconds"]) for each in sent} == {(7, 11)}
    assert ended.delivery == other == setup.store.runs.get("job").delivery
    assert setup.store.definitions.get("job").definition.action == METHOD, "the definition has its own"


def test_timeouts_are_refused_where_no_method_is_called(setup: FleetJobSetup) -> None:
    from azext_iotjobs.model.fleet_job import Action
    from azext_iotjobs.model.twin import TwinPatch

    patch = Action(patch=TwinPatch(document={"tags": {"a": 1}}))
    job = setup.world.save(setup.store, definition_of(patch, ids(2), Driver.CALLS))
    at = setup.world.clock.now_of_hub()
    once = replace(job, definition=replace(job.definition, delivery=Delivery(response_timeout_s=30)))
    with pytest.raises(ConflictingChoice, match="apply to a method"):
        planning.new_run(setup.store, setup.world.client, once, by="me", at=at)
    assert setup.store.runs.last("job") is None


def test_fewer_devices_of_one_run_are_recorded_and_a_resume_and_the_next_run_know_them(
    setup: FleetJobSetup,
) -> None:
    job = setup.world.save(setup.store, definition_of(METHOD, ids(20), Driver.CALLS))
    at = setup.world.clock.now_of_hub()

    def made(narrowed: Narrowed | None) -> Run:
        return planning.new_run(setup.store, setup.world.client, job, by="me", at=at, narrowed=narrowed)

    first = made(Narrowed(limit=3))
    assert (first.device_count, first.narrowed, setup.store.runs.get("job").narrowed) == (
        3,
        Narrowed(limit=3),
        Narrowed(limit=3),
    )
    stopped = run_loop.execute(first, setup.world.context(setup.store, StopDouble(after=0)))
    ended = setup.resume() if stopped.state is RunState.STOPPED else stopped
    assert (ended.tally.completed, ended.device_count) == (3, 3)
    whole = made(None)
    assert (whole.device_count, whole.narrowed) == (20, None), "it was for that run alone"
    setup.world.execute(setup.store)
    assert setup.store.definitions.get("job").version == 1


def test_events_never_go_back_when_the_clock_does(setup: FleetJobSetup) -> None:
    clock = setup.world.clock
    off = timedelta(0)
    now = type(clock).now

    class Moved(type(clock)):  # type: ignore[misc]
        def now(self) -> Any:
            return now(self) + off

    setup.world.clock.__class__ = Moved

    def set_back(request: Request) -> Response | None:
        nonlocal off
        off -= timedelta(minutes=10)
        return None

    setup.world.hub.refuses = set_back
    run = setup.run(Driver.CALLS, ids(12), sizes="4", pause_s=5, concurrency=2)
    instants = [each.at for each in setup.world.events]
    assert run.state is RunState.COMPLETED and instants == sorted(instants) and off < timedelta(hours=-1)
    batches = setup.store.runs.batches(run)
    stored = [each for batch in batches for each in (batch.started_at, batch.ended_at)]
    assert stored == sorted(stored, key=lambda each: each or clock.now())


def test_event_times_are_in_order_on_a_clock_that_only_goes_on(tmp_path: Path) -> None:
    setup = FleetJobSetup(tmp_path)
    tick = setup.world.clock
    before = type(tick).now

    class Ticking(type(tick)):  # type: ignore[misc]
        def now(self) -> Any:
            self.passed_s += 0.001  # reading it takes time, as everywhere
            return before(self)

    setup.world.clock.__class__ = Ticking
    setup.run(Driver.JOBS, ids(9), sizes="3")
    instants = [each.at for each in setup.world.events]
    setup.store.close()
    assert instants == sorted(instants) and len(set(instants)) > 5


def test_asking_a_run_that_is_being_stopped_again_is_no_error(setup: FleetJobSetup) -> None:
    run = by_calls(setup)
    context = setup.world.context(setup.store)
    first = run_loop.stop(setup.store, run, context.holder, by="ann", reason="lunch", clock=setup.world.clock)
    again = run_loop.stop(setup.store, first, context.holder, by="bob", reason=None, clock=setup.world.clock)
    assert (again.state, again.ended_by, again.reason) == (RunState.STOPPED, "ann", "lunch")
    assert replace(again, lease=None) == replace(first, lease=None)
