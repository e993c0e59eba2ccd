"""Runs whose devices are offline, and are operated as they connect; both drivers, with a hub that is a function."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.model.errors import ConflictingChoice
from azext_iotjobs.model.fleet_job import Action, Driver
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.result import ErrorClass
from azext_iotjobs.model.rollout import Retry
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.run_events import (
    BatchEnded,
    DeviceConnected,
    DeviceEnded,
    DeviceWaits,
    Notice,
    Progressed,
    RunEnded,
)
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.twin import TwinPatch
from azext_iotjobs.model.verification import Verification
from azext_iotjobs.operations.fleet_job import run_loop
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.fleet_job_hub_double import LEFT, StopDouble, definition_of, rows_of
from tests.helpers.fleet_job_setup import FleetJobSetup, by_both, ids, threshold
from tests.helpers.transport_double import response

METHOD = Action(method=MethodCall(name="reboot"))
TWIN = Action(patch=TwinPatch(document={"properties": {"desired": {"light": 7}}}))
VERIFICATION = Verification(condition="properties.reported.version = 2", within_s=60)
DAY_S = 86_400.0


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[FleetJobSetup]:
    setup = FleetJobSetup(tmp_path)
    yield setup
    setup.store.close()


def away(setup: FleetJobSetup, **until_s: float) -> None:
    """These devices are offline until then, in seconds from the beginning."""
    clock = setup.world.clock
    setup.world.hub.is_away = lambda device: clock.passed_s < until_s.get(device, 0.0)


def after(setup: FleetJobSetup, seconds: float) -> StopDouble:
    return StopDouble(when=lambda: setup.world.clock.passed_s > seconds)


def refusing(status: int, until: Callable[[], bool]) -> Callable[[Request], Response | None]:
    """Refuses queries on connections until then."""

    def refuses(request: Request) -> Response | None:
        if request.path != "/devices/query" or "connectionState" not in request.body["query"] or until():
            return None
        return response({"Message": "no"}, status=status)

    return refuses


@by_both
def test_a_device_that_is_offline_holds_up_no_batch_and_is_operated_when_it_connects(
    setup: FleetJobSetup, driver: Driver
) -> None:
    away(setup, d001=300)
    run = setup.run(driver, ids(6), sizes="2", when_online_s=3600, threshold=threshold("0"))
    assert (run.state, run.tally.completed, run.tally.waiting) == (RunState.COMPLETED, 6, 0)
    assert set(setup.world.hub.operated.values()) == {1}
    ended = [(each.batch.ordinal, each.batch.tally.waiting) for each in setup.events_of(BatchEnded)]
    assert ended == [(1, 1), (2, 0), (3, 0), (4, 0)]
    row = setup.rows["d001"]
    assert (row.batch, row.tries, row.status) == (4, 1, "completed")
    assert row.offline_since is not None and row.started_at is not None and row.started_at > row.offline_since
    (waits,) = setup.events_of(DeviceWaits)
    assert (waits.result.device_id, waits.batch, waits.result.offline_since) == ("d001", 1, row.offline_since)
    assert waits.result.waits_until is not None and waits.result.status == "waiting"
    (connected,) = setup.events_of(DeviceConnected)
    assert (connected.device_id, connected.batch) == ("d001", 4)
    late = setup.store.runs.batch(run, 4)
    assert late.is_of_offline and (late.size, late.tally.total) == (1, 1)


@by_both
def test_one_that_connects_while_the_rollout_goes_on_is_moved_into_the_batch_that_runs(
    setup: FleetJobSetup, driver: Driver
) -> None:
    away(setup, d000=50)
    run = setup.run(driver, ids(6), sizes="2", pause_s=40, when_online_s=3600)
    assert (run.state, run.tally.completed, run.batch_count) == (RunState.COMPLETED, 6, 3)
    assert setup.rows["d000"].batch == 3 and setup.store.runs.batch(run, 3).tally.total == 3
    assert set(setup.world.hub.operated.values()) == {1}


@by_both
def test_one_that_does_not_connect_in_time_has_failed_and_its_row_says_how_long_was_waited(
    setup: FleetJobSetup, driver: Driver
) -> None:
    away(setup, d001=DAY_S)
    run = setup.run(driver, ids(3), when_online_s=600)
    assert (run.state, run.tally.completed, run.tally.by_class) == (RunState.COMPLETED, 2, {"offline": 1})
    row = setup.rows["d001"]
    assert (row.error_class, row.error_code, row.tries) == (ErrorClass.OFFLINE, "DidNotConnect", 0)
    assert row.error_text is not None and "did not connect within 10m, until 2026-" in row.error_text
    assert 600 <= setup.world.clock.passed_s < 750 and "d001" not in setup.world.hub.operated
    assert setup.events_of(DeviceEnded)[-1].result.error_text == row.error_text


def test_a_device_that_only_seems_to_be_connected_is_called_ever_more_rarely(setup: FleetJobSetup) -> None:
    away(setup, d000=DAY_S)
    calls: Counter[str] = Counter()

    def count(request: Request) -> Response | None:
        calls["methods"] += request.path.endswith("/methods")
        return None

    setup.world.hub.seems_away = lambda device: False
    setup.world.hub.refuses = count
    run = setup.run(Driver.CALLS, ids(1), when_online_s=900)
    assert run.tally.by_class == {"offline": 1} and calls["methods"] < 12
    assert f"It was found offline {calls['methods'] - 1} times" in str(setup.rows["d000"].error_text)


def test_devices_are_looked_for_with_a_third_of_the_queries_that_the_tier_allows(setup: FleetJobSetup) -> None:
    away(setup, **dict.fromkeys(ids(40), 900.0))
    setup.run(Driver.CALLS, ids(40), when_online_s=1800, concurrency=40)
    queries = setup.world.hub.connection_queries
    assert 15 <= len(queries) <= 6 * 15 + 12


@by_both
def test_those_that_connect_together_are_operated_as_many_at_a_time_as_a_batch_has(
    setup: FleetJobSetup, driver: Driver
) -> None:
    away(setup, **dict.fromkeys(ids(6), 100.0))
    run = setup.run(driver, ids(6), sizes="2", when_online_s=3600, concurrency=6)
    assert (run.state, run.tally.completed, run.batch_count) == (RunState.COMPLETED, 6, 4)
    late = [each.batch.tally.open for each in setup.events_of(Progressed) if each.batch and each.batch.is_of_offline]
    assert max(late) == 2 and set(setup.world.hub.operated.values()) == {1}


def test_a_batch_takes_no_more_of_them_than_it_has_itself(setup: FleetJobSetup) -> None:
    away(setup, **dict.fromkeys(ids(4), 5.0))
    setup.world.clock.passed_s = 0.0
    run = setup.run(Driver.CALLS, ids(6), sizes="4,1", pause_s=20, when_online_s=3600, concurrency=1)
    assert run.tally.completed == 6
    batches = setup.store.runs.batches(run)
    assert batches[1].tally.total == 2 and all(each.tally.total <= 2 * each.size for each in batches)


@by_both
def test_a_run_that_is_stopped_says_who_waits_and_a_resume_looks_for_them(setup: FleetJobSetup, driver: Driver) -> None:
    away(setup, d000=400, d002=400)
    run = setup.run(driver, ids(3), when_online_s=600, stop=after(setup, 250))
    assert (run.state, run.tally.waiting, run.tally.completed) == (RunState.STOPPED, 2, 1)
    waiting = setup.store.runs.waiting_to_connect(run, 1)
    assert waiting is not None and (waiting.count, waiting.devices[0].device_id) == (2, "d000")
    assert (waiting.until - waiting.since).total_seconds() == pytest.approx(600, abs=60)
    assert setup.events_of(RunEnded)[-1].waiting.count == 2
    rows = rows_of(setup.store, run, states=frozenset({"waiting"}))
    assert set(rows) == {"d000", "d002"} and {each.error_class for each in rows.values()} == {None}
    ended = setup.resume()
    assert (ended.state, ended.tally.completed) == (RunState.COMPLETED, 3)
    assert set(setup.world.hub.operated.values()) == {1}


@by_both
def test_whoever_waits_when_the_run_is_canceled_has_failed_and_its_row_says_so(
    setup: FleetJobSetup, driver: Driver
) -> None:
    away(setup, d000=DAY_S)
    run = setup.run(driver, ids(2), when_online_s=600, stop=after(setup, 300))
    canceled = run_loop.cancel(run, setup.world.context(setup.store), by="ann", reason="enough")
    assert (canceled.state, canceled.tally.by_class, canceled.tally.waiting) == (RunState.CANCELED, {"offline": 1}, 0)
    assert "canceled while it waited to connect" in str(setup.rows["d000"].error_text)


def reports_once_connected(setup: FleetJobSetup, **until_s: float) -> None:
    clock = setup.world.clock
    setup.world.hub.reports = lambda device, times: [
        (max(0.0, until_s.get(device, 0.0) - clock.passed_s) + 5, {"version": 2})
    ]


@by_both
def test_a_device_that_disconnects_while_it_is_called_may_have_been_operated_and_is_not_called_again(
    setup: FleetJobSetup, driver: Driver
) -> None:
    setup.world.hub.fails = lambda device: LEFT if device == "d001" else None
    run = setup.run(driver, ids(3), when_online_s=600)
    assert (run.state, run.tally.by_class, run.tally.completed) == (RunState.COMPLETED, {"timeout": 1}, 2)
    assert (setup.rows["d001"].error_code, setup.rows["d001"].tries) == ("DeviceNotOnline", 1)
    assert set(setup.world.hub.operated.values()) == {1}


@by_both
def test_the_hub_keeps_a_twin_for_a_device_that_is_verified_once_it_connects(
    setup: FleetJobSetup, driver: Driver
) -> None:
    away(setup, d001=300)
    reports_once_connected(setup, d001=300)
    run = setup.run(driver, ids(4), TWIN, sizes="2", verification=VERIFICATION, when_online_s=3600)
    assert (run.state, run.tally.completed) == (RunState.COMPLETED, 4)
    row = setup.rows["d001"]
    assert (row.batch, row.tries, row.status) == (3, 1, "completed") and set(setup.world.hub.operated.values()) == {1}
    assert row.verified_at is not None and row.offline_since is not None and row.verified_at > row.offline_since
    ended = [(each.batch.ordinal, each.batch.tally.waiting) for each in setup.events_of(BatchEnded)]
    assert ended == [(1, 1), (2, 0), (3, 0)], "it does not hold its batch up"


def test_one_that_reported_while_nobody_looked_is_verified_although_it_is_offline_again(setup: FleetJobSetup) -> None:
    away(setup, d000=DAY_S)
    reports_once_connected(setup, d000=200)
    run = setup.run(Driver.CALLS, ids(2), TWIN, verification=VERIFICATION, when_online_s=600)
    assert (run.state, run.tally.completed) == (RunState.COMPLETED, 2) and setup.world.clock.passed_s < 300


def test_one_that_connects_and_does_not_report_is_not_verified_and_one_that_stays_away_neither(
    setup: FleetJobSetup,
) -> None:
    away(setup, d000=300, d001=DAY_S)
    run = setup.run(Driver.CALLS, ids(2), TWIN, verification=VERIFICATION, when_online_s=600)
    assert (run.state, run.tally.by_class) == (RunState.COMPLETED, {"not-verified": 2})
    assert {each.error_code for each in setup.rows.values()} == {"NotInTime"}
    assert 600 <= setup.world.clock.passed_s < 900


def test_an_outage_of_minutes_fails_nobody_and_is_told_a_few_times(setup: FleetJobSetup) -> None:
    away(setup, d000=60)
    setup.world.hub.refuses = refusing(503, until=lambda: setup.world.clock.passed_s > 500)
    run = setup.run(Driver.CALLS, ids(2), when_online_s=600)
    assert (run.state, run.tally.completed) == (RunState.COMPLETED, 2)
    assert 0 < len([each for each in setup.events_of(Notice) if "wait to connect" in each.text]) < 9


def test_a_hub_that_refuses_the_queries_breaks_the_run_off_and_a_resume_goes_on(setup: FleetJobSetup) -> None:
    away(setup, d000=60)
    setup.world.hub.refuses = refusing(403, until=lambda: False)
    run = setup.run(Driver.CALLS, ids(2), when_online_s=600)
    assert (run.state, run.tally.waiting, run.tally.failed) == (RunState.FAILED, 1, 0)
    setup.world.hub.refuses = lambda request: None
    assert setup.resume().tally.completed == 2


def test_a_device_that_waits_is_not_tried_again_before_so_both_are_refused(setup: FleetJobSetup) -> None:
    with pytest.raises(ConflictingChoice, match="waits to connect"):
        definition_of(METHOD, ids(1), Driver.CALLS, when_online_s=60, retry=Retry(tries={"offline": 1}))


def test_a_failure_after_it_has_connected_is_tried_again_as_any_other(setup: FleetJobSetup) -> None:
    away(setup, d000=100)
    times: Counter[str] = Counter()

    def fails(device: str) -> dict[str, Any] | None:
        times[device] += 1
        return {"code": "GatewayTimeout", "description": "silent"} if times[device] == 2 else None

    setup.world.hub.fails = fails
    run: Run = setup.run(Driver.CALLS, ids(1), when_online_s=600, retry=Retry(tries={"timeout": 1}))
    assert (run.tally.completed, setup.rows["d000"].tries) == (1, 2)
