"""Runs at a hub whose answers are late, lost, doubled, incomplete or no answers at all."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.model.fleet_job import Action, Driver, Targets
from azext_iotjobs.model.run_events import DeviceEnded
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.twin import TwinPatch
from azext_iotjobs.operations.fleet_job import run_loop
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.fleet_job_hub_double import StopDouble, definition_of
from tests.helpers.fleet_job_setup import METHOD, FleetJobSetup, ids
from tests.helpers.transport_double import response


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[FleetJobSetup]:
    setup = FleetJobSetup(tmp_path)
    yield setup
    setup.store.close()


@pytest.mark.parametrize("status", [200, 302, 408])
def test_a_job_that_was_taken_under_an_answer_that_says_nothing_is_seen_to(setup: FleetJobSetup, status: int) -> None:
    hub = setup.world.hub
    has_taken = False

    def garbled(request: Request) -> Response | None:
        nonlocal has_taken
        if request.method != "PUT" or has_taken:
            return None
        has_taken = True
        hub._answer(request)
        return Response(status=status, headers={}, body=b"<html>")

    hub.refuses = garbled
    run = setup.run(Driver.JOBS, ids(3), stop=StopDouble(when=lambda: has_taken))
    hub.refuses = lambda _: None
    run = run_loop.cancel(run, setup.world.context(setup.store), by="ann", reason=None)
    assert (run.state, run.tally.completed, len(hub.jobs)) == (RunState.CANCELED, 3, 1)


def completed_job_with(setup: FleetJobSetup, rows_until: float, shown: Any) -> None:
    """Until then the rows of an ended job are what `shown` makes of them."""

    def answer(request: Request) -> Response | None:
        if request.path == "/devices/query" and setup.world.clock.passed_s < rows_until:
            return response(shown(next(iter(setup.world.hub.jobs.values()))["rows"]))
        return None

    setup.world.hub.refuses = answer


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(lambda rows: [rows[0], {**rows[1], "status": "running", "outcome": {}}], id="behind their job"),
        pytest.param(lambda rows: [rows[0], rows[0]], id="twice"),
        pytest.param(lambda rows: [rows[0], {**rows[1], "deviceId": "stranger"}], id="of others"),
    ],
)
def test_a_device_whose_row_is_late_is_not_taken_for_one_that_was_not_found(setup: FleetJobSetup, shown: Any) -> None:
    completed_job_with(setup, 20, shown)
    run = setup.run(Driver.JOBS, ids(2))
    assert (run.tally.completed, run.tally.failed, run.tally.uncertain) == (2, 0, 0)
    assert setup.world.clock.passed_s >= 20


def test_rows_that_are_late_are_waited_for_also_when_the_hub_counts_nothing(setup: FleetJobSetup) -> None:
    def no_counts(request: Request) -> Response | None:
        for job in setup.world.hub.jobs.values():
            job.pop("deviceJobStatistics", None)
        if request.path == "/devices/query" and setup.world.clock.passed_s < 20:
            return response([])
        return None

    setup.world.hub.refuses = no_counts
    run = setup.run(Driver.JOBS, ids(2))
    assert (run.tally.completed, run.tally.failed) == (2, 0)


def test_a_look_now_and_then_that_does_not_find_a_running_job_means_nothing(setup: FleetJobSetup) -> None:
    hub = setup.world.hub
    looks = 0

    def flickers(request: Request) -> Response | None:
        nonlocal looks
        if request.method != "GET":
            return None
        looks += 1
        if looks in (3, 20):  # far more than a minute apart
            return response({"jobId": "x", "type": "unknown", "status": "unknown"})
        if setup.world.clock.passed_s < 300:
            job = next(iter(hub.jobs.values()))
            return response({**{k: v for k, v in job.items() if k not in ("rows", "unseen")}, "status": "running"})
        return None

    hub.refuses = flickers
    run = setup.run(Driver.JOBS, ids(2))
    assert looks > 20 and (run.tally.completed, run.tally.uncertain) == (2, 0)


def test_a_hub_that_says_404_of_a_job_that_it_does_not_know_is_understood(setup: FleetJobSetup) -> None:
    hub = setup.world.hub
    has_lost = False

    def unknown(request: Request) -> Response | None:
        nonlocal has_lost
        if request.method == "PUT" and not has_lost:
            has_lost = True
            return response({"Message": "oops"}, status=503)
        if request.method == "GET" and request.path.rpartition("/")[2] not in hub.jobs:
            return response({"Message": "no"}, status=404, iothub_errorcode="JobNotFound")
        return None

    hub.refuses = unknown
    run = setup.run(Driver.JOBS, ids(2))
    assert (run.state, run.tally.completed, len(hub.jobs)) == (RunState.COMPLETED, 2, 1)


def test_rows_of_a_job_on_modules_that_do_not_name_the_module_are_those_of_the_job(setup: FleetJobSetup) -> None:
    definition = definition_of(METHOD, ("x",), Driver.JOBS)
    selection = Selection(condition="FROM devices.modules WHERE moduleId = 'm'")
    definition = replace(definition, targets=Targets(selection=selection))
    rows = [{"deviceId": each, "moduleId": "m"} for each in ids(2)]
    setup.world.hub.refuses = lambda request: (
        response(rows) if request.path == "/devices/query" and "devices.jobs" not in request.body["query"] else None
    )
    setup.world.new_run(setup.store, setup.world.save(setup.store, definition))
    run = setup.world.execute(setup.store)
    assert (run.device_count, run.tally.completed, run.tally.failed) == (2, 2, 0)


JOBS = [
    None,
    7,
    [1],
    {},
    {"status": "completed"},
    {"status": "completed", "deviceJobStatistics": {"deviceCount": "many"}},
    {"status": "completed", "deviceJobStatistics": {"deviceCount": [1]}},
]
ROWS = [
    7,
    [1],
    [None],
    {},
    [{"deviceId": "d000", "status": "completed", "outcome": "x"}],
    [{"deviceId": "d000", "status": "failed", "error": "x"}],
    [{"deviceId": {"a": 1}, "moduleId": {"a": 1}, "status": "completed"}],
    [{"deviceId": "d000", "status": "completed", "outcome": {"deviceMethodResponse": [1]}}],
]
METHOD_ANSWERS: list[Any] = [None, 7, {}, {"status": "x"}]
TWINS: list[Any] = [None, [], {"tags": [1], "properties": "x"}, {"properties": {"desired": 7}}]
NONSENSE = [
    *(("PUT", each) for each in JOBS),
    *(("GET", each) for each in JOBS),
    *(("/query", each) for each in ROWS),
    *(("/methods", each) for each in METHOD_ANSWERS),
    *(("/twins/", each) for each in TWINS),
]


@pytest.mark.parametrize(("where", "said"), NONSENSE, ids=[f"{each[0]} {n}" for n, each in enumerate(NONSENSE)])
def test_answers_that_make_no_sense_are_waited_out_and_nothing_is_lost(
    setup: FleetJobSetup, where: str, said: Any
) -> None:
    is_of_twins = where == "/twins/"
    left = 3

    def answer(request: Request) -> Response | None:
        nonlocal left
        if is_of_twins and request.method == "PATCH" and left:
            return response({"Message": "oops"}, status=500)  # so that the twin is looked at
        if left and where in (request.method if where.isupper() else request.path):
            left -= 1
            return response(said)
        return None

    setup.world.hub.refuses = answer
    driver = Driver.CALLS if where in ("/methods", "/twins/") else Driver.JOBS
    patch = Action(patch=TwinPatch(document={"tags": {"a": 1}, "properties": {"desired": {"b": 1}}}))
    run = setup.run(driver, ids(2), patch if is_of_twins else METHOD)
    assert (run.state, run.tally.ended) == (RunState.COMPLETED, 2) and left < 3


def test_a_device_that_the_hub_fails_at_time_after_time_does_not_keep_a_run_from_its_end(
    setup: FleetJobSetup,
) -> None:
    hub = setup.world.hub
    hub.refuses = lambda request: (
        response({"Message": "oops"}, status=500)
        if (request.method, request.path) == ("PATCH", "/twins/d001")
        else None
    )
    run = setup.run(Driver.CALLS, ids(8), Action(patch=TwinPatch(document={"tags": {"a": 1}})), sizes="4")
    assert (run.state, run.tally.completed, run.tally.uncertain) == (RunState.FAILED, 3, 1)
    assert setup.world.clock.passed_s > 100 and "may have been called" in str(setup.rows["d001"].error_text)
    run = setup.resume()
    assert (run.state, run.tally.completed, run.tally.uncertain) == (RunState.COMPLETED, 7, 1)


def test_a_hub_that_fails_at_everything_leaves_nobody_uncertain_whose_twin_can_be_looked_at(
    setup: FleetJobSetup,
) -> None:
    setup.world.hub.refuses = lambda request: response({"Message": "oops"}, status=503)
    run = setup.run(Driver.CALLS, ids(8), Action(patch=TwinPatch(document={"tags": {"a": 1}})))
    assert (run.state, run.tally.pending) == (RunState.FAILED, 8)


def test_an_answer_that_is_nested_too_deep_to_be_shown_is_left_out(setup: FleetJobSetup, tmp_path: Path) -> None:
    deep = "[" * 900 + "]" * 900
    body = f'{{"status": 200, "payload": {deep}}}'.encode()
    setup.world.hub.refuses = lambda request: (
        Response(status=200, headers={}, body=body) if request.path == "/twins/d001/methods" else None
    )
    run = setup.run(Driver.CALLS, ids(2))
    assert (run.tally.completed, setup.rows["d001"].method_status, setup.rows["d001"].payload) == (2, 200, None)
    assert {each.result.payload is None for each in setup.events_of(DeviceEnded)} == {True, False}


def test_a_call_that_a_gateway_gave_up_may_have_reached_its_device(setup: FleetJobSetup) -> None:
    setup.world.hub.refuses = lambda request: (
        response({"Message": "timeout"}, status=408) if request.path == "/twins/d001/methods" else None
    )
    run = setup.run(Driver.CALLS, ids(3))
    assert (run.tally.completed, run.tally.uncertain, run.tally.failed) == (2, 1, 0)
