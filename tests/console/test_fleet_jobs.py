"""Fleet jobs as the console's API has them: what is shown, and what each button does."""

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.console.context import Ran
from azext_iotjobs.model.fleet_job import Driver
from azext_iotjobs.model.gates import Gates
from azext_iotjobs.model.rollout import Scope
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.run_state import RunState
from tests.helpers.console import ServedConsole, served
from tests.helpers.fleet_job_hub_double import StopDouble, definition_of
from tests.helpers.fleet_job_setup import METHOD, FleetJobSetup, failing, ids, threshold
from tests.helpers.waiting import wait_until

ACTIONS, JOB = "/api/fleet-jobs/job/actions", "fleet-job:job"


@pytest.fixture
def setup(tmp_path: Path) -> FleetJobSetup:
    return FleetJobSetup(tmp_path)


@pytest.fixture
def console(tmp_path: Path, setup: FleetJobSetup) -> Iterator[ServedConsole]:
    with served(tmp_path, clock=setup.world.clock) as running:
        running.sign_in()
        yield running


def stopped(setup: FleetJobSetup, **rollout: Any) -> Run:
    """A run of ten devices that was stopped after its first batch."""
    run = setup.run(Driver.CALLS, ids(10), sizes="2,4", stop=StopDouble(after=4), **rollout)
    assert run.state is RunState.STOPPED
    return run


def when_gated(setup: FleetJobSetup) -> Callable[[], bool]:
    """Whether the first batch of the run waits at its gate."""

    def waits() -> bool:
        run = setup.store.runs.last("job")
        batch = None if run is None else setup.store.runs.current_batch(run)
        return batch is not None and batch.gates is not None

    return waits


def offered(console: ServedConsole) -> list[str]:
    return [each["name"] for each in console.document(JOB)["actions"]]


# -- what is shown --------------------------------------------------------------------------------------------------


def test_the_list_has_each_fleet_job_with_its_status_and_counts(setup: FleetJobSetup, console: ServedConsole) -> None:
    setup.world.hub.fails = failing("d001")
    setup.run(Driver.CALLS, ids(3))
    (job,) = console.document("fleet-jobs")["jobs"]
    assert (job["id"], job["status"], job["isSaved"]) == ("job", "completed", False)
    progress = job["run"]["progress"]
    assert (progress["total"], progress["completed"], progress["failed"]) == (3, 2, 1)


@pytest.mark.parametrize(("scope", "allowed"), [(Scope.BATCH, [1.0, 2.0, 2.0]), (Scope.RUN, [None, None, None])])
def test_a_batch_says_how_many_failures_it_may_have(
    setup: FleetJobSetup, console: ServedConsole, scope: Scope, allowed: list[float | None]
) -> None:
    setup.world.hub.fails = failing("d000")
    setup.run(Driver.CALLS, ids(10), sizes="2,4", threshold=threshold("50%", scope=scope))
    run = console.document(JOB)["run"]
    assert [each["threshold"] and each["threshold"]["allowed"] for each in run["batchList"]] == allowed
    of_run = {"allowed": 5.0, "failures": 1, "share": "50%", "action": "cancel"}
    assert run["threshold"] == (of_run if scope is Scope.RUN else None)


def test_a_fleet_job_of_another_hub_is_not_shown_and_not_touched(tmp_path: Path, setup: FleetJobSetup) -> None:
    stopped(setup)
    with served(tmp_path, hosts=["other.example"]) as console:
        console.sign_in()
        assert console.document("fleet-jobs")["jobs"] == []
        assert console.document(JOB)["error"]["code"] == "hub-not-found"
        for name in ("cancel", "resume", "stop"):
            assert console.post(f"{ACTIONS}/{name}", {}).status == 404
        assert console.get("/api/fleet-jobs/job/results.csv").status == 404
        assert console.commands == [] and setup.store.runs.get("job").state is RunState.STOPPED


def test_devices_come_page_by_page_and_are_filtered(setup: FleetJobSetup, console: ServedConsole) -> None:
    setup.world.hub.fails = failing("d001", "d600")
    setup.run(Driver.CALLS, ids(700))
    first = console.get("/api/fleet-jobs/job/devices").json
    rest = console.get(f"/api/fleet-jobs/job/devices?after={first['next']}").json
    assert [each["deviceId"] for each in first["devices"] + rest["devices"]] == list(ids(700)) and rest["next"] == ""
    failed = console.get("/api/fleet-jobs/job/devices?status=failed").json["devices"]
    assert [(each["deviceId"], each["errorClass"]) for each in failed] == [("d001", "offline"), ("d600", "offline")]
    (one,) = console.get("/api/fleet-jobs/job/devices?device=d002").json["devices"]
    assert (one["deviceId"], one["status"]) == ("d002", "completed")


@pytest.mark.parametrize(
    "query",
    [
        "status=done",
        "error=bad",
        "run=x",
        "run=%C2%B2",
        "after=-1",
        "after=1;",
        "after=9999999999999999999",
        "run=99999999999",
    ],
)
def test_a_filter_that_there_is_not_is_refused(setup: FleetJobSetup, console: ServedConsole, query: str) -> None:
    setup.run(Driver.CALLS, ids(1))
    assert console.get(f"/api/fleet-jobs/job/devices?{query}").status == 400


def test_the_results_log_has_every_device_with_the_details_of_the_run(
    setup: FleetJobSetup, console: ServedConsole
) -> None:
    setup.world.hub.fails = failing("d003")
    setup.run(Driver.CALLS, ids(600))
    answer = console.get("/api/fleet-jobs/job/results.csv?run=1")
    assert answer.headers["content-disposition"] == 'attachment; filename="job-1.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert [each["deviceId"] for each in rows] == list(ids(600))
    assert (rows[3]["status"], rows[3]["errorClass"], rows[3]["fleetJobId"]) == ("failed", "offline", "job")


def test_a_fleet_job_that_has_not_run_has_no_results(setup: FleetJobSetup, console: ServedConsole) -> None:
    assert console.get("/api/fleet-jobs/none/results.csv").status == 404
    assert console.get("/api/fleet-jobs/none/devices").status == 404


def test_a_definition_that_names_many_devices_is_shown_with_the_first_of_them(
    setup: FleetJobSetup, console: ServedConsole
) -> None:
    setup.run(Driver.CALLS, ids(150))
    targets = console.document(JOB)["job"]["targets"]
    assert (targets["deviceIds"], targets["deviceCount"]) == (list(ids(100)), 150)


# -- what is done ---------------------------------------------------------------------------------------------------


def test_what_is_offered_fits_the_state_of_the_run(setup: FleetJobSetup, console: ServedConsole) -> None:
    stopped(setup)
    assert offered(console) == ["resume", "cancel"]
    setup.resume()
    wait_until("it can be run", lambda: offered(console) == ["run"])
    setup.world.hub.fails = failing("d000")
    setup.world.new_run(setup.store, setup.store.definitions.get("job"))
    setup.world.execute(setup.store)
    wait_until("what failed can be run again", lambda: offered(console) == ["run", "rerun"])


def test_each_action_shows_its_command(setup: FleetJobSetup, console: ServedConsole) -> None:
    stopped(setup)
    assert {each["name"]: each["line"] for each in console.document(JOB)["actions"]} == {
        "resume": "az iot hub fleet-job resume --detach -j job",
        "cancel": "az iot hub fleet-job cancel -j job",
    }


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("run", ("--detach", "--yes")),
        ("resume", ("--detach", "--yes")),
        ("rerun", ("--on", "failed", "--detach", "--yes")),
        ("cancel", ("--poll-duration", "1")),
    ],
)
def test_what_may_execute_a_run_is_done_by_a_command(
    setup: FleetJobSetup, console: ServedConsole, name: str, options: tuple[str, ...]
) -> None:
    stopped(setup)
    console.command_result = Ran(0, b'{"id": "job-r1"}', b"")
    answer = console.post(f"{ACTIONS}/{name}", {})
    assert (answer.status, answer.json) == (200, {"id": "job-r1"})
    assert console.commands == [("iot", "hub", "fleet-job", name, "-j", "job", *options)]


def test_what_is_typed_before_a_command_is_one_word_of_it(setup: FleetJobSetup, console: ServedConsole) -> None:
    stopped(setup)
    typed = {"new-fleet-job-id": "again", "display-name": " --yes ", "description": ""}
    assert console.post(f"{ACTIONS}/rerun", typed).status == 200
    (words,) = console.commands
    assert words[-3:] == ("--new-fleet-job-id=again", "--display-name=--yes", "--yes")


def test_what_a_command_says_when_it_fails_is_the_answer(setup: FleetJobSetup, console: ServedConsole) -> None:
    stopped(setup)
    console.command_result = Ran(1, b"", b"WARNING: x\nERROR: The hub does not answer.\nTry again.\n")
    answer = console.post(f"{ACTIONS}/resume", {})
    assert answer.status == 409 and answer.json["error"]["message"] == "The hub does not answer.\nTry again."


def test_a_stop_is_recorded_with_who_asks_and_why(setup: FleetJobSetup, console: ServedConsole) -> None:
    setup.world.new_run(setup.store, setup.world.save(setup.store, definition_of(METHOD, ids(2), Driver.CALLS)))
    assert console.post(f"{ACTIONS}/stop", {"reason": "<b>too hot</b>"}).status == 200
    run = setup.store.runs.get("job")
    assert (run.state, run.reason) == (RunState.STOPPED, "<b>too hot</b>")
    again = console.post(f"{ACTIONS}/approve", {})
    assert again.status == 409 and "no batch of it waits" in again.json["error"]["message"]


@pytest.mark.parametrize(("name", "is_approved"), [("approve", True), ("reject", False)])
def test_a_batch_that_waits_is_answered(
    setup: FleetJobSetup, console: ServedConsole, name: str, is_approved: bool
) -> None:
    setup.run(Driver.CALLS, ids(4), sizes="2", gates=Gates(is_manual=True), stop=StopDouble(when=when_gated(setup)))
    assert name in offered(console)
    assert console.post(f"{ACTIONS}/{name}", {"reason": "seen"}).status == 200
    gates = setup.store.runs.batch(setup.store.runs.get("job"), 1).gates
    assert gates is not None and gates.answer is not None
    assert (gates.answer.is_approved, gates.answer.reason) == (is_approved, "seen")


def test_an_action_that_there_is_not_is_refused(setup: FleetJobSetup, console: ServedConsole) -> None:
    stopped(setup)
    assert console.post(f"{ACTIONS}/delete", {}).status == 404
    assert console.commands == []
