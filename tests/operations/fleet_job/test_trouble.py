"""Runs at a hub that is away, throttles, forgets, lies or says what nobody expected."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.model.errors import CannotConnect, ConflictingChoice
from azext_iotjobs.model.fleet_job import Action, Driver
from azext_iotjobs.model.run_events import BatchEnded, HubJobMoved, Notice
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.twin import TwinPatch
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.fleet_job_hub_double import StopDouble, definition_of
from tests.helpers.fleet_job_setup import CallingList, FleetJobSetup, by_both, ids
from tests.helpers.transport_double import response


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[FleetJobSetup]:
    setup = FleetJobSetup(tmp_path)
    yield setup
    setup.store.close()


@by_both
def test_a_hub_that_is_away_breaks_the_run_off_and_nothing_is_lost(setup: FleetJobSetup, driver: Driver) -> None:
    is_away = False

    def refuse(request: Request) -> Response | None:
        if is_away:
            raise CannotConnect("h.example is not reached.")
        return None

    def goes(event: Any) -> None:
        nonlocal is_away
        is_away = is_away or (isinstance(event, BatchEnded) and event.batch.ordinal == 2)

    setup.world.events = CallingList(goes)
    setup.world.hub.refuses = refuse
    run = setup.run(driver, ids(12), sizes="3")
    assert (run.state, run.tally.completed, run.tally.pending) == (RunState.FAILED, 6, 6)
    assert run.reason == "h.example is not reached." and 110 < setup.world.clock.passed_s < 180
    setup.world.events, is_away = [], False
    run = setup.resume()
    assert (run.state, run.tally.completed) == (RunState.COMPLETED, 12) and max(setup.world.hub.operated.values()) == 1


@by_both
def test_a_hub_that_is_away_for_a_while_is_waited_for(setup: FleetJobSetup, driver: Driver) -> None:
    def refuse(request: Request) -> Response | None:
        if 3 < setup.world.clock.passed_s < 45:
            raise CannotConnect("h.example is not reached.")
        setup.world.clock.passed_s += 1
        return None

    setup.world.hub.refuses = refuse
    run = setup.run(driver, ids(12), sizes="3")
    assert (run.state, run.tally.completed) == (RunState.COMPLETED, 12)


@by_both
def test_who_is_not_let_in_is_told_at_once(setup: FleetJobSetup, driver: Driver) -> None:
    setup.world.hub.refuses = lambda _: response({"Message": "no"}, status=401, iothub_errorcode="IotHubUnauthorized")
    run = setup.run(driver, ids(12))
    assert (run.state, run.tally.pending) == (RunState.FAILED, 12) and "401" in str(run.reason)
    assert setup.world.clock.passed_s < 1
    setup.world.hub.refuses = lambda _: None
    assert setup.resume().tally.completed == 12


def test_throttled_calls_are_made_again_by_all_together(setup: FleetJobSetup) -> None:
    left = 9

    def refuse(request: Request) -> Response | None:
        nonlocal left
        left -= 1
        return (
            response({"Message": "slow"}, status=429, iothub_errorcode="ThrottlingException") if 0 <= left < 5 else None
        )

    setup.world.hub.refuses = refuse
    run = setup.run(Driver.CALLS, ids(12), concurrency=3)
    assert (run.state, run.tally.completed) == (RunState.COMPLETED, 12)
    assert set(setup.world.hub.operated.values()) == {1} and any("429" in each.text for each in setup.events_of(Notice))


def test_a_taken_job_slot_is_waited_for_and_is_no_failure(setup: FleetJobSetup) -> None:
    setup.world.hub.slots = 1
    setup.world.hub.jobs["other"] = {"jobId": "other", "status": "running", "unseen": 0, "rows": []}

    def ends(request: Request) -> Response | None:
        if setup.world.clock.passed_s > 300:
            setup.world.hub.jobs["other"]["status"] = "completed"
        return None

    setup.world.hub.refuses = ends
    run = setup.run(Driver.JOBS, ids(4), sizes="2")
    assert (run.state, run.tally.completed, run.tally.failed) == (RunState.COMPLETED, 4, 0)
    assert [each.text for each in setup.events_of(Notice)] == [
        "The hub runs as many jobs as its tier allows; the next begins when one has ended."
    ]
    assert len(setup.world.hub.puts) < 70  # every five seconds


def test_our_own_job_that_holds_the_slot_is_not_sent_twice(setup: FleetJobSetup) -> None:
    """The hub took the job and then said, to the one after the crash, that its slot is taken: by that very job."""
    hub = setup.world.hub
    has_lied = False

    def refuse(request: Request) -> Response | None:
        nonlocal has_lied
        if request.method != "PUT":
            return None
        if request.path.rpartition("/")[2] not in hub.jobs:
            hub._answer(request)
            raise CannotConnect("the answer was lost")
        has_lied = True
        return response({"Message": "no"}, status=429, iothub_errorcode="ThrottlingMaxActiveJobCountExceeded")

    hub.refuses, hub.lag = refuse, 2
    run = setup.run(Driver.JOBS, ids(3), stop=StopDouble(when=lambda: has_lied))
    assert run.state is RunState.STOPPED
    hub.refuses = lambda _: None
    assert setup.resume().tally.completed == 3
    assert len(hub.jobs) == 1 and set(hub.operated.values()) == {1}


@pytest.mark.parametrize("days", [-3, 3])
def test_a_job_whose_answer_was_lost_is_adopted_by_a_machine_whose_clock_is_days_off(
    setup: FleetJobSetup, days: int
) -> None:
    hub = setup.world.hub
    setup.world.clock.set_s = days * 86_400.0

    def lose_answer(request: Request) -> Response | None:
        if request.method != "PUT" or request.path.rpartition("/")[2] in hub.jobs:
            return None
        hub._answer(request)
        raise CannotConnect("the answer was lost")

    hub.refuses = lose_answer
    run = setup.run(Driver.JOBS, ids(3))
    assert (run.state, run.tally.completed) == (RunState.COMPLETED, 3), run.reason
    assert len(hub.jobs) == 1 and set(hub.operated.values()) == {1}


def test_a_foreign_job_under_our_id_is_never_taken_for_ours(setup: FleetJobSetup) -> None:
    hub = setup.world.hub
    first = True

    def foreign(request: Request) -> Response | None:
        nonlocal first
        if request.method == "PUT" and first:
            first = False
            hub._answer(request._replace(body={**request.body, "queryCondition": "deviceId = 'x'"}))
        return None

    hub.refuses = foreign
    run = setup.run(Driver.JOBS, ids(3))
    assert (run.state, run.tally.pending) == (RunState.FAILED, 3) and "is not this run's" in str(run.reason)
    assert not any(device in hub.operated for device in ids(3))
    run = setup.resume()
    assert (run.state, run.tally.completed) == (RunState.COMPLETED, 3)
    assert [each.job_id for each in setup.events_of(HubJobMoved)][0] == f"job-{run.run_key}-b1-2"


def test_a_job_that_the_hub_forgets_leaves_uncertain_devices(setup: FleetJobSetup) -> None:
    hub = setup.world.hub

    def forget(request: Request) -> Response | None:
        if any(job["status"] == "running" for job in hub.jobs.values()):
            hub.jobs.clear()
        return None

    hub.refuses = forget
    run = setup.run(Driver.JOBS, ids(3))
    assert (run.state, run.tally.uncertain) == (RunState.COMPLETED, 3)
    assert setup.rows["d000"].error_text == "The hub no longer has this job. The device may have been operated."


def test_rows_that_come_late_are_waited_for_and_devices_that_no_job_found_have_failed(setup: FleetJobSetup) -> None:
    hub = setup.world.hub

    def late(request: Request) -> Response | None:
        rows: list[dict[str, Any]] = next(iter(hub.jobs.values()), {"rows": []})["rows"]
        if request.path == "/devices/query" and setup.world.clock.passed_s < 20:
            return response(rows[:1])
        if request.path == "/devices/query":
            rows[:] = [each for each in rows if each["deviceId"] != "d002"]
        for job in hub.jobs.values():
            if "deviceJobStatistics" in job:
                job["deviceJobStatistics"]["deviceCount"] = 2
        return None

    hub.refuses = late
    run = setup.run(Driver.JOBS, ids(3))
    assert (run.state, run.tally.completed, run.tally.by_class) == (RunState.COMPLETED, 2, {"not-found": 1})
    assert setup.rows["d002"].error_code == "DeviceNotFound" and setup.world.clock.passed_s >= 20


def test_a_job_that_fails_as_a_whole_says_why_of_each_device(setup: FleetJobSetup) -> None:
    def fail(request: Request) -> Response | None:
        for job in setup.world.hub.jobs.values():
            job.update(status="failed", failureReason="SqlQueryParser: no")
        return None

    setup.world.hub.refuses = fail
    run = setup.run(Driver.JOBS, ids(3))
    assert (run.tally.failed, setup.rows["d001"].error_text) == (3, "SqlQueryParser: no")


NASTY: list[Any] = [
    {"status": 2**70, "payload": 1},
    {"status": 200, "payload": "\ud800"},
    {"status": -1, "payload": {"a": "\x1b[2J"}},
    {"status": 200},
    {"status": True, "payload": None},
]


@by_both
@pytest.mark.parametrize("nasty", NASTY, ids=range(len(NASTY)))
def test_whatever_a_device_answers_can_be_kept(setup: FleetJobSetup, driver: Driver, nasty: Any) -> None:
    def answer(request: Request) -> Response | None:
        if request.path.endswith("/d001/methods"):
            return response(nasty)
        for job in setup.world.hub.jobs.values():
            for row in job["rows"]:
                if row["deviceId"] == "d001":
                    row["outcome"] = {"deviceMethodResponse": nasty}
        return None

    setup.world.hub.refuses = answer
    run = setup.run(driver, ids(3))
    assert (run.state, run.tally.ended) == (RunState.COMPLETED, 3) and setup.rows["d000"].status == "completed"


def test_whatever_the_hub_says_of_a_device_can_be_kept(setup: FleetJobSetup) -> None:
    setup.world.hub.fails = lambda _: {"code": "\ud800" * 9, "description": "\udfff\x00" * 9000}
    run = setup.run(Driver.JOBS, ids(2))
    assert run.tally.failed == 2 and len(str(setup.rows["d000"].error_text)) <= 4000


def test_edge_devices_get_configuration_content_by_calls(setup: FleetJobSetup) -> None:
    content: dict[str, Any] = {"modulesContent": {"$edgeAgent": {"properties.desired": {"modules": {}}}}}
    sent: list[tuple[str, Any]] = []

    def applied(request: Request) -> Response:
        sent.append((request.path, request.body))
        return Response(status=204, headers={}, body=b"")

    setup.world.hub.refuses = applied
    run = setup.run(Driver.AUTO, ids(2), Action(content=content))
    assert (run.state, run.driver, run.tally.completed) == (RunState.COMPLETED, Driver.CALLS, 2)
    assert sorted(sent) == [(f"/devices/d00{n}/applyConfigurationContent", content) for n in (0, 1)]
    with pytest.raises(ConflictingChoice, match="no job of a hub applies configuration content"):
        definition_of(Action(content=content), ids(2), Driver.JOBS)


def test_a_twin_that_was_written_before_the_link_broke_is_not_written_again(setup: FleetJobSetup) -> None:
    patch = TwinPatch(document={"tags": {"ring": 1}, "properties": {"desired": {"a": {"b": 1}}}})
    hub = setup.world.hub
    broken: set[str] = set()

    def breaks(request: Request) -> Response | None:
        if request.method == "PATCH" and request.path not in broken:
            broken.add(request.path)
            if request.path.endswith("d000"):
                hub._answer(request)
            return response({"Message": "oops"}, status=500)
        return None

    hub.refuses = breaks
    run = setup.run(Driver.CALLS, ids(2), Action(patch=patch), concurrency=1)
    assert (run.tally.completed, hub.operated) == (2, {"d000": 1, "d001": 1})
