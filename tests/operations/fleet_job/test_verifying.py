"""Runs whose devices count as done when their twins say so; by both drivers, with a hub that is a function."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.model.errors import BadValue, CannotConnect
from azext_iotjobs.model.fleet_job import Action, Driver
from azext_iotjobs.model.rollout import Retry, RetryWhen, ThresholdAction
from azext_iotjobs.model.run_events import BatchBegan, DeviceEnded, DeviceOperated, Notice, Progressed
from azext_iotjobs.model.run_state import BatchState, RunState
from azext_iotjobs.model.twin import TwinPatch
from azext_iotjobs.model.verification import Verification
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.fleet_job_hub_double import StopDouble, definition_of, rows_of
from tests.helpers.fleet_job_setup import METHOD, FleetJobSetup, by_both, failing, ids, threshold
from tests.helpers.transport_double import response

TWIN = Action(patch=TwinPatch(document={"properties": {"desired": {"light": 7}}}))
WITHIN_S = 60
VERIFICATION = Verification(
    condition="properties.reported.version = 2",
    failed_condition="properties.reported.state = 'failed'",
    within_s=WITHIN_S,
)
LATE, FAILS = "d001", "d002"


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[FleetJobSetup]:
    setup = FleetJobSetup(tmp_path)
    setup.world.hub.reports = reports
    yield setup
    setup.store.close()


def reports(device: str, times: int) -> list[tuple[float, dict[str, Any]]]:
    """Most report the version after five seconds; one never does, one fails, if it is operated for the first time."""
    if device == LATE:
        return []
    if device == FAILS and times == 1:
        return [(3.0, {"state": "failed"})]
    return [(1.0, {"version": 1, "state": "busy"}), (5.0, {"version": 2, "state": "idle"})]


def everybody_reports(device: str, times: int) -> list[tuple[float, dict[str, Any]]]:
    return [(5.0, {"version": 2})]


def is_twin_query(request: Request) -> bool:
    return request.path == "/devices/query" and "devices.jobs" not in request.body["query"]


@by_both
@pytest.mark.parametrize("action", [METHOD, TWIN], ids=["method", "twin"])
def test_devices_have_completed_when_they_report_so(setup: FleetJobSetup, driver: Driver, action: Action) -> None:
    run = setup.run(driver, ids(5), action, verification=VERIFICATION)
    assert (run.state, run.tally.completed, run.tally.failed, run.tally.verifying) == (RunState.COMPLETED, 3, 2, 0)
    assert run.tally.by_class == {"not-verified": 2} and max(setup.world.hub.operated.values()) == 1
    rows = setup.rows
    assert (rows[FAILS].error_code, rows[LATE].error_code) == ("ReportedFailure", "NotInTime")
    good = rows["d000"]
    assert good.reported == {"properties.reported.state": "idle", "properties.reported.version": 2}
    assert good.verified_at is not None and good.finished_at is not None and good.verified_at > good.finished_at
    if action is METHOD:
        assert good.method_status == 200 and good.payload == {"n": 1} and rows[LATE].method_status == 200
    operated, ended = setup.events_of(DeviceOperated), setup.events_of(DeviceEnded)
    assert len(operated) == len(ended) == 5 and {each.result.status for each in operated} == {"verifying"}
    assert max(each.run.verifying for each in setup.events_of(Progressed)) == 5


@by_both
def test_the_time_is_not_over_before_it_is_over(setup: FleetJobSetup, driver: Driver) -> None:
    setup.run(driver, ids(5), verification=VERIFICATION)
    row = setup.rows[LATE]
    ended = next(each for each in setup.events_of(DeviceEnded) if each.result.device_id == LATE)
    assert WITHIN_S < (ended.at - row.finished_at).total_seconds() < WITHIN_S + 60


@by_both
def test_a_batch_ends_when_it_is_verified_and_then_the_next_begins(setup: FleetJobSetup, driver: Driver) -> None:
    setup.world.hub.reports = everybody_reports
    setup.run(driver, ids(6), sizes="2", verification=VERIFICATION)
    kinds = [type(each) for each in setup.world.events if isinstance(each, BatchBegan | DeviceEnded)]
    assert kinds == 3 * [BatchBegan, DeviceEnded, DeviceEnded]


@by_both
def test_what_fails_before_it_is_operated_is_not_verified(setup: FleetJobSetup, driver: Driver) -> None:
    setup.world.hub.fails = failing("d000")
    run = setup.run(driver, ids(5), verification=VERIFICATION)
    assert run.tally.by_class == {"offline": 1, "not-verified": 2} and setup.rows["d000"].reported is None


@by_both
@pytest.mark.parametrize("when", list(RetryWhen))
def test_what_is_not_verified_is_tried_again(setup: FleetJobSetup, driver: Driver, when: RetryWhen) -> None:
    retry = Retry(tries={"not-verified": 2}, when=when)
    run = setup.run(driver, ids(5), verification=VERIFICATION, retry=retry)
    assert (run.tally.completed, run.tally.by_class) == (4, {"not-verified": 1})
    assert (setup.world.hub.operated[FAILS], setup.world.hub.operated[LATE], setup.rows[LATE].tries) == (2, 3, 3)
    assert setup.rows[FAILS].error_code is None and setup.rows[FAILS].verified_at is not None


@by_both
def test_a_threshold_counts_what_is_not_verified_and_nothing_else_begins(setup: FleetJobSetup, driver: Driver) -> None:
    setup.world.hub.reports = lambda device, times: [(3.0, {"state": "failed"})]
    run = setup.run(
        driver,
        ids(6),
        sizes="2",
        verification=VERIFICATION,
        concurrency=1,
        threshold=threshold("1", action=ThresholdAction.STOP),
    )
    assert run.state is RunState.STOPPED and "2 failures in the run" in str(run.reason)
    assert set(setup.world.hub.operated) == {"d000", "d001"}


@by_both
def test_a_stop_leaves_devices_verifying_and_a_resume_keeps_their_time(setup: FleetJobSetup, driver: Driver) -> None:
    store, world = setup.store, setup.world
    is_operated = StopDouble(when=lambda: len(setup.events_of(DeviceOperated)) == 5)
    run = setup.run(driver, ids(5), verification=VERIFICATION, stop=is_operated)
    assert (run.state, run.tally.verifying) == (RunState.STOPPED, 5)
    assert {row.status for row in rows_of(store, run, states=frozenset({"verifying"})).values()} == {"verifying"}
    world.clock.passed_s += 24 * 3600  # a night: they are looked at before they fail
    run = setup.resume()
    assert (run.state, run.tally.completed, run.tally.failed) == (RunState.COMPLETED, 3, 2)
    assert max(world.hub.operated.values()) == 1


@by_both
def test_a_cancel_says_of_devices_that_are_verifying_that_they_were_operated(
    setup: FleetJobSetup, driver: Driver
) -> None:
    from azext_iotjobs.operations.fleet_job import run_loop

    is_operated = StopDouble(when=lambda: len(setup.events_of(DeviceOperated)) == 5)
    run = setup.run(driver, ids(5), verification=VERIFICATION, stop=is_operated)
    run = run_loop.cancel(run, setup.world.context(setup.store), by="ann", reason="enough")
    assert (run.state, run.tally.by_class) == (RunState.CANCELED, {"not-verified": 5})
    row = setup.rows["d000"]
    assert row.error_code == "NotVerified" and "was operated; the run was canceled" in row.error_text
    assert setup.store.runs.batch(run, 1).state is BatchState.CANCELED


@by_both
def test_a_hub_that_is_busy_or_away_fails_no_device(setup: FleetJobSetup, driver: Driver) -> None:
    left: list[Response | CannotConnect] = [
        response({"Message": "no"}, status=429),
        CannotConnect("gone"),
        response({"Message": "no"}, status=503),
    ]

    def refuse(request: Request) -> Response | None:
        if not is_twin_query(request) or not left or not setup.events_of(DeviceOperated):
            return None
        trouble = left.pop()
        if isinstance(trouble, CannotConnect):
            raise trouble
        return trouble

    setup.world.hub.refuses = refuse
    setup.world.hub.reports = everybody_reports
    run = setup.run(driver, ids(5), verification=VERIFICATION)
    assert run.tally.completed == 5 and left == []
    assert sum("Verification: " in each.text for each in setup.events_of(Notice)) == 3


@by_both
@pytest.mark.parametrize("status", [400, 401, 403, 503])
def test_what_does_not_pass_breaks_the_run_off_with_the_words_of_the_hub(
    setup: FleetJobSetup, driver: Driver, status: int
) -> None:
    refused = response({"Message": "ErrorCode:Odd;the moon is full"}, status=status)
    hub = setup.world.hub
    hub.refuses = lambda request: refused if is_twin_query(request) and setup.events_of(DeviceOperated) else None
    run = setup.run(driver, ids(5), verification=VERIFICATION)
    assert run.state is RunState.FAILED and "the moon is full" in str(run.reason) and run.tally.verifying == 5
    hub.refuses = lambda request: None
    assert setup.resume().tally.completed == 3 and max(hub.operated.values()) == 1


def test_a_condition_that_the_hub_cannot_read_costs_nothing(setup: FleetJobSetup) -> None:
    refused = response({"Message": "ErrorCode:ArgumentInvalid;BadRequest"}, status=400)
    setup.world.hub.refuses = lambda request: refused if "version" in request.body["query"] else None
    job = setup.world.save(setup.store, definition_of(METHOD, ids(2), Driver.CALLS, verification=VERIFICATION))
    with pytest.raises(BadValue, match="verify: the hub cannot read this condition") as raised:
        setup.world.new_run(setup.store, job)
    assert raised.value.field == "verify"
    assert setup.store.runs.last("job") is None and not setup.world.hub.operated


@by_both
def test_a_run_without_verification_makes_no_query_on_twins(setup: FleetJobSetup, driver: Driver) -> None:
    assert setup.run(driver, ids(3)).tally.completed == 3 and setup.world.hub.reported.queries == []
