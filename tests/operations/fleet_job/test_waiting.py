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
def place(tmp_path: Path) -> Iterator[FleetJobSetup]:
    place = FleetJobSetup(tmp_path)
    yield place
    place.store.close()


def after(place: FleetJobSetup, seconds: float) -> StopDouble:
    return StopDouble(when=lambda: place.world.clock.passed_s > seconds)


def last_progress(place: FleetJobSetup) -> Progressed:
    found: Progressed = place.seen(Progressed)[-1]
    return found


def test_while_a_device_is_away_the_hubs_counts_are_told_and_who_is_awaited_until_when(place: FleetJobSetup) -> None:
    place.world.hub.holds = lambda device: device == "d007"
    place.world.hub.fails = failing("d003")
    run = place.run(Driver.JOBS, ids(30), sizes="10", stop=after(place, 40))
    assert run.state is RunState.STOPPED
    (job,) = place.store.runs.hub_jobs_in_progress(run)
    limit_s = job_limit_s(10, 10, METHOD, None)
    assert job.submitted_at is not None and job.until == job.submitted_at + timedelta(seconds=limit_s)
    assert job.tally is not None
    assert (job.tally.device_count, job.tally.succeeded_count, job.tally.failed_count) == (10, 8, 1)
    assert (job.open_count, job.ended_count, job.awaited) == (10, 9, ("d007",))
    (one,) = awaited(place.store.runs, run, place.store.definitions.of_run(run))
    assert (one.batch, one.device_ids, one.count, one.until, one.job_id) == (1, ("d007",), 1, job.until, job.job_id)
    told = last_progress(place)
    assert (told.hub_ended_count, told.awaited, told.hub) == (9, (one,), job.tally)
    assert (run.tally.not_begun, run.tally.in_progress, run.tally.completed) == (20, 10, 0)
    place.world.hub.holds = lambda device: False
    ended = place.resume()
    assert (ended.tally.completed, ended.tally.failed, ended.tally.in_progress) == (29, 1, 0)
    assert max(place.world.hub.operated.values()) == 1 and place.store.runs.hub_jobs_in_progress(ended) == []


def test_a_device_that_stays_away_holds_a_batch_for_what_the_batch_can_need_and_not_for_an_hour(
    place: FleetJobSetup,
) -> None:
    place.world.hub.holds = lambda device: device == "d000"
    run = place.run(Driver.JOBS, ids(4), sizes="2")
    assert (run.state, run.tally.completed, run.tally.failed) == (RunState.COMPLETED, 3, 1)
    limit_s = job_limit_s(2, 2, METHOD, None)
    assert {job["maxExecutionTimeInSeconds"] for job in place.world.hub.jobs.values()} == {limit_s}
    assert limit_s < place.world.clock.passed_s < limit_s + 30 < 3600


def test_a_time_limit_that_was_typed_is_kept_to_and_the_tier_counts_where_it_is_known(place: FleetJobSetup) -> None:
    definition = definition_of(METHOD, ids(400), Driver.JOBS)
    job = place.world.save(place.store, definition)

    def limits(delivery: Delivery = definition.delivery, tier: TierFacts | None = None) -> set[int]:
        place.world.hub.jobs.clear()
        at = place.world.clock.now_of_hub()
        once = replace(job, definition=replace(definition, delivery=delivery))
        run = planning.new_run(place.store, place.world.client, once, by="me", at=at, tier=tier)
        assert run_loop.execute(run, place.world.context(place.store)).state is RunState.COMPLETED
        return {each["maxExecutionTimeInSeconds"] for each in place.world.hub.jobs.values()}

    assert limits(delivery=Delivery(driver=Driver.JOBS, job_limit_s=7)) == {7}
    assert limits(tier=TierFacts("S1")) == {job_limit_s(400, 400, METHOD, TierFacts("S1"))}
    assert limits() == {job_limit_s(400, 400, METHOD, None)}
    slower = Delivery(driver=Driver.JOBS, connect_timeout_s=100, response_timeout_s=120)
    assert limits(delivery=slower, tier=TierFacts("S1")) == {
        job_limit_s(400, 400, METHOD.within(slower), TierFacts("S1"))
    }
    (sent,) = place.world.hub.jobs.values()
    method = sent["cloudToDeviceMethod"]
    assert (method["connectTimeoutInSeconds"], method["responseTimeoutInSeconds"]) == (100, 120)


def test_a_hub_that_does_not_say_who_is_awaited_leaves_the_run_as_it_is(place: FleetJobSetup) -> None:
    def refuse(request: Request) -> Response | None:
        if request.path == "/devices/query" and "status <>" in request.body["query"]:
            return response({"Message": "no"}, status=400, iothub_errorcode="ArgumentInvalid")
        return None

    place.world.hub.refuses = refuse
    place.world.hub.holds = lambda device: device == "d000"
    run = place.run(Driver.JOBS, ids(3))
    assert (run.state, run.tally.completed, run.tally.failed) == (RunState.COMPLETED, 2, 1)
    told = [each for each in place.seen(Progressed) if each.awaited]
    assert told and all(each.awaited[0].device_ids == () for each in told)


def test_who_is_awaited_is_asked_seldom_and_what_is_no_device_of_the_job_is_not_named(place: FleetJobSetup) -> None:
    asked: list[str] = []

    def answer(request: Request) -> Response | None:
        if request.path != "/devices/query" or "status <>" not in request.body["query"]:
            return None
        asked.append(request.body["query"])
        return response([{"deviceId": "of-somebody", "jobId": "x", "status": "pending"}] * 3)

    place.world.hub.refuses = answer
    place.world.hub.holds = lambda device: True
    run = place.run(Driver.JOBS, ids(40), stop=after(place, 100))
    (job,) = place.store.runs.hub_jobs_in_progress(run)
    assert job.awaited == () and len(asked) == 2


def test_no_more_devices_are_named_than_a_person_reads(place: FleetJobSetup) -> None:
    place.world.hub.holds = lambda device: True
    run = place.run(Driver.JOBS, ids(40), stop=after(place, 30))
    (one,) = awaited(place.store.runs, run, place.store.definitions.of_run(run))
    assert (len(one.device_ids), one.count) == (MAX_AWAITED, 40)


def test_each_look_that_brings_news_is_told_with_all_of_the_hubs_counts(place: FleetJobSetup) -> None:
    place.world.hub.holds = lambda device: device == "d001" and place.world.clock.passed_s < 20
    place.run(Driver.JOBS, ids(3))
    tallies = [each.tally for each in place.seen(HubJobMoved) if each.tally is not None]
    assert [(each.succeeded_count, each.pending_count) for each in tallies] == [(2, 1), (3, 0)]


def by_calls(place: FleetJobSetup) -> Run:
    place.world.new_run(place.store, place.world.save(place.store, definition_of(METHOD, ids(4), Driver.CALLS)))
    return place.store.runs.get("job")


def test_calls_under_way_are_named_with_their_limit(place: FleetJobSetup) -> None:
    seen: list[Any] = []

    def look(request: Request) -> Response | None:
        if not seen and "methods" in request.path:
            own = SqliteStore.open(place.folder / "state")
            run = own.runs.get("job")
            seen.extend(awaited(own.runs, run, own.definitions.of_run(run)))
            own.close()
        return None

    place.world.holder = this_process()
    place.world.hub.refuses = look
    run = by_calls(place)
    began_at = place.world.clock.now()
    slower = Delivery(driver=Driver.CALLS, concurrency=3, response_timeout_s=90)
    assert run_loop.resume(run, place.world.context(place.store), slower).state is RunState.COMPLETED
    (one,) = seen
    assert (one.batch, one.count, one.device_ids, one.job_id) == (1, 3, ("d000", "d001", "d002"), None)
    assert began_at <= one.since <= one.until - timedelta(seconds=90) <= place.world.clock.now()


def test_a_resume_takes_other_timeouts_and_they_are_recorded(place: FleetJobSetup) -> None:
    sent: list[dict[str, Any]] = []

    def keep(request: Request) -> Response | None:
        if request.path.endswith("/methods"):
            sent.append(request.body)
        return None

    place.world.hub.refuses = keep
    run = by_calls(place)
    other = Delivery(driver=Driver.CALLS, connect_timeout_s=7, response_timeout_s=11)
    ended = run_loop.resume(run, place.world.context(place.store), other)
    assert {(each["connectTimeoutInSeconds"], each["responseTimeoutInSeconds"]) for each in sent} == {(7, 11)}
    assert ended.delivery == other == place.store.runs.get("job").delivery
    assert place.store.definitions.get("job").definition.action == METHOD, "the definition has its own"


def test_timeouts_are_refused_where_no_method_is_called(place: FleetJobSetup) -> None:
    from azext_iotjobs.model.fleet_job import Action
    from azext_iotjobs.model.twin import TwinPatch

    patch = Action(patch=TwinPatch(document={"tags": {"a": 1}}))
    job = place.world.save(place.store, definition_of(patch, ids(2), Driver.CALLS))
    at = place.world.clock.now_of_hub()
    once = replace(job, definition=replace(job.definition, delivery=Delivery(response_timeout_s=30)))
    with pytest.raises(ConflictingChoice, match="go with a method"):
        planning.new_run(place.store, place.world.client, once, by="me", at=at)
    assert place.store.runs.last("job") is None


def test_fewer_devices_of_one_run_are_recorded_and_a_resume_and_the_next_run_know_them(place: FleetJobSetup) -> None:
    job = place.world.save(place.store, definition_of(METHOD, ids(20), Driver.CALLS))
    at = place.world.clock.now_of_hub()

    def made(narrowed: Narrowed | None) -> Run:
        return planning.new_run(place.store, place.world.client, job, by="me", at=at, narrowed=narrowed)

    first = made(Narrowed(limit=3))
    assert (first.device_count, first.narrowed, place.store.runs.get("job").narrowed) == (
        3,
        Narrowed(limit=3),
        Narrowed(limit=3),
    )
    stopped = run_loop.execute(first, place.world.context(place.store, StopDouble(after=0)))
    ended = place.resume() if stopped.state is RunState.STOPPED else stopped
    assert (ended.tally.completed, ended.device_count) == (3, 3)
    whole = made(None)
    assert (whole.device_count, whole.narrowed) == (20, None), "it was for that run alone"
    place.world.execute(place.store)
    assert place.store.definitions.get("job").version == 1


def test_events_never_go_back_when_the_clock_does(place: FleetJobSetup) -> None:
    clock = place.world.clock
    off = timedelta(0)
    now = type(clock).now

    class Moved(type(clock)):  # type: ignore[misc]
        def now(self) -> Any:
            return now(self) + off

    place.world.clock.__class__ = Moved

    def set_back(request: Request) -> Response | None:
        nonlocal off
        off -= timedelta(minutes=10)
        return None

    place.world.hub.refuses = set_back
    run = place.run(Driver.CALLS, ids(12), sizes="4", pause_s=5, concurrency=2)
    instants = [each.at for each in place.world.events]
    assert run.state is RunState.COMPLETED and instants == sorted(instants) and off < timedelta(hours=-1)
    batches = place.store.runs.batches(run)
    stored = [each for batch in batches for each in (batch.started_at, batch.ended_at)]
    assert stored == sorted(stored, key=lambda each: each or clock.now())


def test_event_times_are_in_order_on_a_clock_that_only_goes_on(tmp_path: Path) -> None:
    place = FleetJobSetup(tmp_path)
    tick = place.world.clock
    before = type(tick).now

    class Ticking(type(tick)):  # type: ignore[misc]
        def now(self) -> Any:
            self.passed_s += 0.001  # reading it takes time, as everywhere
            return before(self)

    place.world.clock.__class__ = Ticking
    place.run(Driver.JOBS, ids(9), sizes="3")
    instants = [each.at for each in place.world.events]
    place.store.close()
    assert instants == sorted(instants) and len(set(instants)) > 5


def test_asking_a_run_that_is_being_stopped_again_is_no_error(place: FleetJobSetup) -> None:
    run = by_calls(place)
    context = place.world.context(place.store)
    first = run_loop.stop(place.store, run, context.holder, by="ann", reason="lunch", clock=place.world.clock)
    again = run_loop.stop(place.store, first, context.holder, by="bob", reason=None, clock=place.world.clock)
    assert (again.state, again.ended_by, again.reason) == (RunState.STOPPED, "ann", "lunch")
    assert replace(again, lease=None) == replace(first, lease=None)
