"""A batch that bakes has to stay as it was verified: which queries that takes, and what becomes of who did not."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.clients.paging import Page
from azext_iotjobs.model.errors import CannotConnect
from azext_iotjobs.model.fleet_job import Driver
from azext_iotjobs.model.gates import GateDecision, GateKind, Gates
from azext_iotjobs.model.rollout import Retry, parse_batch_sizes
from azext_iotjobs.model.run_events import BatchEnded, DeviceEnded
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.share import parse_share
from azext_iotjobs.model.verification import Verification, VerifyingDevice
from azext_iotjobs.operations.fleet_job import run_loop
from azext_iotjobs.operations.verification.rounds import PageQuery
from azext_iotjobs.operations.verification.staying import who_did_not_stay
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.clock_double import START
from tests.helpers.fleet_job_hub_double import Crash, Points, World, definition_of, rows_of
from tests.helpers.fleet_job_setup import METHOD, FleetJobSetup, by_both, ids
from tests.helpers.short_form import points_of, some
from tests.helpers.transport_double import response

VERIFICATION = Verification(condition="properties.reported.version = 2")
BAKE_S = 60
GATES = Gates(bake_s=BAKE_S)
RELAPSES = ("d001", "d002", "d004")


def reports(device: str, times: int) -> list[tuple[float, dict[str, Any]]]:
    """Everybody reports the version soon; some take it back while their batch bakes."""
    soon: list[tuple[float, dict[str, Any]]] = [(1, {"version": 2})]
    return [*soon, (30, {"version": 1})] if device in RELAPSES and times == 1 else soon


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[FleetJobSetup]:
    setup = FleetJobSetup(tmp_path)
    setup.world.hub.reports = reports
    yield setup
    setup.store.close()


def verdict(setup: FleetJobSetup, kind: GateKind) -> tuple[str, str]:
    gates = setup.store.runs.batch(setup.store.runs.get("job"), 1).gates
    assert gates is not None
    found = gates.verdict_of(kind)
    assert found is not None
    return found.decision.value, found.reason


@by_both
def test_devices_that_did_not_stay_have_failed_and_their_rows_say_what_they_report(
    setup: FleetJobSetup, driver: Driver
) -> None:
    run = setup.run(driver, ids(8), sizes="4", verification=VERIFICATION, gates=GATES)
    assert (run.state, run.tally.completed, run.tally.by_class) == (RunState.COMPLETED, 6, {"not-verified": 2})
    assert setup.rows["d004"].status == "completed", "behind the last batch there is no gate"
    row = setup.rows["d001"]
    assert (row.status, row.error_code, row.reported) == ("failed", "DidNotStay", {"properties.reported.version": 1})
    assert row.error_text == "It was verified, and did not stay so. It reports properties.reported.version = 1."
    assert row.verified_at is not None and row.method_status == 200, "what was before stays"
    reason = "60 s have passed, and 2 of 4 devices are as they were verified."
    assert verdict(setup, GateKind.BAKE) == ("go", reason)
    (first, _) = setup.events_of(BatchEnded)
    late = [each for each in setup.events_of(DeviceEnded) if each.result.error_code == "DidNotStay"]
    assert [each.batch for each in late] == [1, 1] and all(each.at > first.at for each in late)
    assert max(setup.world.hub.operated.values()) == 1


def test_what_follows_from_failures_is_said_by_the_other_gates_and_the_threshold(setup: FleetJobSetup) -> None:
    gates = Gates(bake_s=BAKE_S, success=parse_share("75%", "success"))
    run = setup.run(Driver.CALLS, ids(8), sizes="4", verification=VERIFICATION, gates=gates)
    assert run.reason == "Gate success after batch 1: stop; 2 of 4 devices completed: 50%, at least 75% were needed."
    assert set(setup.world.hub.operated) == set(ids(4))


def test_a_device_that_did_not_stay_is_tried_again_at_the_end_and_not_in_its_batch(setup: FleetJobSetup) -> None:
    again = Retry(tries={"not-verified": 1}, pause_s=5)
    run = setup.run(Driver.CALLS, ids(8), sizes="4", verification=VERIFICATION, gates=GATES, retry=again)
    assert (run.state, run.tally.completed, run.batch_count) == (RunState.COMPLETED, 8, 3)
    assert {each: setup.world.hub.operated[each] for each in ids(8)} == {
        each: 2 if each in RELAPSES[:2] else 1 for each in ids(8)
    }


def test_one_count_is_enough_where_all_have_stayed(setup: FleetJobSetup) -> None:
    setup.world.hub.reports = lambda device, times: [(1, {"version": 2})]
    setup.run(Driver.CALLS, ids(8), sizes="4", verification=VERIFICATION, gates=GATES)
    counted = [
        each for each in setup.world.hub.reported.queries if each.startswith("SELECT COUNT()") and "IN [" in each
    ]
    assert counted == [
        "SELECT COUNT() AS total FROM devices WHERE deviceId IN ['d000', 'd001', 'd002', 'd003'] AND "
        "(properties.reported.version = 2)"
    ]
    assert verdict(setup, GateKind.BAKE)[1].endswith("and 4 of 4 devices are as they were verified.")


def test_many_devices_take_a_count_for_as_many_as_a_query_holds_and_constant_memory() -> None:
    devices = [
        VerifyingDevice(key=number, device_id=f"device-{number:06}", module_id=None, began_at=START, verify_by=START)
        for number in range(1, 2001)
    ]
    read: list[int] = []

    def page(after: int) -> list[VerifyingDevice]:
        found = devices[after : after + 500]
        read.append(len(found))
        return found

    steps = who_did_not_stay(page, VERIFICATION, lambda: START)
    queries: list[str] = []
    answer: Any = None
    try:
        while True:
            step = steps.send(answer)
            assert isinstance(step, PageQuery), "nobody is decided on"
            queries.append(step.text)
            answer = Page([{"total": step.text.count("'device-")}], "")
    except StopIteration:
        pass
    assert read == [500] * 4 + [0] and len(queries) == 4 * 2
    assert all(each.startswith("SELECT COUNT()") and len(each) <= 8192 for each in queries)
    assert sum(each.count("'device-") for each in queries) == 2000


@pytest.mark.parametrize("code", [503, 403])
def test_a_hub_that_cannot_be_queried_is_inconclusive_and_fails_no_device(setup: FleetJobSetup, code: int) -> None:
    def refuse(request: Request) -> Response | None:
        if request.path != "/devices/query" or setup.world.clock.passed_s < BAKE_S:
            return None
        if code == 503:
            raise CannotConnect("h.example is not reached.")
        return response({"Message": "no"}, status=403, iothub_errorcode="IotHubForbidden")

    setup.world.hub.refuses = refuse
    run = setup.run(Driver.CALLS, ids(8), sizes="4", verification=VERIFICATION, gates=GATES)
    assert run.state is RunState.STOPPED and run.tally.failed == 0 and run.tally.completed == 4
    assert run.reason is not None
    assert run.reason.startswith("Gate bake after batch 1: inconclusive; the hub could not be queried. ")
    setup.world.hub.refuses = lambda _: None
    run = setup.resume()
    assert (run.state, run.tally.by_class) == (RunState.COMPLETED, {"not-verified": 2})


def test_rows_that_are_none_are_inconclusive_and_no_traceback(setup: FleetJobSetup) -> None:
    def refuse(request: Request) -> Response | None:
        is_late = request.path == "/devices/query" and setup.world.clock.passed_s >= BAKE_S
        return response([7]) if is_late else None

    setup.world.hub.refuses = refuse
    run = setup.run(Driver.CALLS, ids(8), sizes="4", verification=VERIFICATION, gates=GATES)
    assert run.state is RunState.STOPPED and run.tally.failed == 0
    assert str(run.reason).startswith("Gate bake after batch 1: inconclusive; the hub could not be queried. ")


@pytest.mark.parametrize("driver", [Driver.CALLS, Driver.JOBS])
def test_a_crash_at_every_point_fails_who_did_not_stay_and_nobody_else(tmp_path: Path, driver: Driver) -> None:
    template = World(tmp_path / "begun")
    store = template.open()
    rollout: dict[str, Any] = {"sizes": parse_batch_sizes("3", "--batch"), "gates": GATES, "verification": VERIFICATION}
    template.new_run(store, template.save(store, definition_of(METHOD, ids(4), driver, concurrency=1, **rollout)))
    store.close()
    whole = story(tmp_path / "begun", tmp_path / "whole", [])
    for first in some(points_of(whole.kinds, 1), 10, 1):
        story(tmp_path / "begun", tmp_path / str(first), [first])


def story(template: Path, folder: Path, ends: list[int]) -> Points:
    """A run whose processes are killed; gives the points that the last one passed."""
    shutil.copytree(template, folder)
    world = World(folder, reports=reports)
    for end in (*ends, None):
        points = Points(end)
        store = world.open(points)
        try:
            run_loop.execute(store.runs.get("job"), world.context(store))
        except Crash:
            pass
        finally:
            store.database._connection.close()
    store = world.open()
    run = store.runs.get("job")
    rows = rows_of(store, run)
    gates = store.runs.batch(run, 1).gates
    store.close()
    shutil.rmtree(folder)
    assert run.state is RunState.COMPLETED and gates is not None
    assert [(each.kind, each.decision) for each in gates.verdicts] == [(GateKind.BAKE, GateDecision.GO)]
    for device, row in rows.items():
        times = world.hub.operated[device]
        if row.status == "uncertain":
            assert times <= 1
        else:
            assert times == 1 and row.error_code == ("DidNotStay" if device in RELAPSES[:2] else None), (device, ends)
    return points
