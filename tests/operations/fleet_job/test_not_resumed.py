"""A resume of which nothing could be done, because the hub refused or was not reached, leaves the run as it was."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from azext_iotjobs.model.errors import CannotConnect, NotResumed
from azext_iotjobs.model.fleet_job import Action, Delivery, Driver
from azext_iotjobs.model.rollout import Retry, ThresholdAction
from azext_iotjobs.model.run_events import BatchBegan, BatchEnded, DeviceEnded, RunEnded
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.twin import TwinPatch
from azext_iotjobs.operations.fleet_job import run_loop
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.fleet_job_hub_double import StopDouble
from tests.helpers.fleet_job_setup import FleetJobSetup, by_both, failing, ids, threshold
from tests.helpers.transport_double import response

Refusal = Callable[[Request], Response | None]
MAY_CHANGE = (
    "epoch",
    "lease_owner",
    "lease_machine",
    "lease_pid",
    "lease_until",
    "lease_beat_at",
)  # of the run: leases


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[FleetJobSetup]:
    setup = FleetJobSetup(tmp_path)
    yield setup
    setup.store.close()


def answers(status: int, code: str) -> Refusal:
    return lambda _: response({"Message": "no"}, status=status, iothub_errorcode=code)


def not_reached(request: Request) -> Response | None:
    raise CannotConnect("h.example is not reached.")


def all_rows(setup: FleetJobSetup) -> dict[str, list[dict[str, object]]]:
    """Everything that is stored of runs, but for who had the lease."""
    rows = {
        table: [
            {name: each[name] for name in each.keys()} for each in setup.store.database.rows(f"SELECT * FROM {table}")
        ]
        for table in ("run", "batch", "part", "device", "tally")
    }
    rows["tally"] = [each for each in rows["tally"] if each["count"]]
    for run in rows["run"]:
        run.update(dict.fromkeys(MAY_CHANGE))
    return rows


EVERY_REFUSAL: dict[str, Refusal] = {
    "401": answers(401, "IotHubUnauthorized"),
    "403": answers(403, "IotHubQuotaExceeded"),
    "429": answers(429, "ThrottlingException"),
}


@by_both
@pytest.mark.parametrize("refusal", EVERY_REFUSAL.values(), ids=EVERY_REFUSAL)
def test_a_stopped_run_that_its_hub_refuses_to_resume_stays_stopped(
    setup: FleetJobSetup, driver: Driver, refusal: Refusal
) -> None:
    before = setup.run(driver, ids(12), sizes="3", stop=StopDouble(after=1))
    assert before.state is RunState.STOPPED
    rows = all_rows(setup)
    setup.world.hub.refuses = refusal
    operated = dict(setup.world.hub.operated)
    with pytest.raises(NotResumed, match="stays stopped: it could not be resumed, and nothing was done") as raised:
        setup.resume()
    assert str(raised.value.__cause__) in str(raised.value)
    assert setup.store.runs.get("job") == before and setup.world.hub.operated == operated
    assert all_rows(setup) == rows
    assert [each.run.state for each in setup.events_of(RunEnded)][-1] is RunState.STOPPED
    setup.world.hub.refuses = lambda _: None
    assert setup.resume().tally.completed == 12


@pytest.mark.parametrize(
    ("driver", "refusal"),
    [(Driver.JOBS, answers(404, "IotHubNotFound")), (Driver.JOBS, answers(400, "ArgumentInvalid"))],
    ids=["404", "400"],
)
def test_the_same_holds_for_every_answer_after_which_no_job_was_made(
    setup: FleetJobSetup, driver: Driver, refusal: Refusal
) -> None:
    before = setup.run(driver, ids(12), sizes="3", stop=StopDouble(after=1))
    rows = all_rows(setup)
    setup.world.hub.refuses = lambda request: refusal(request) if request.method == "PUT" else None
    with pytest.raises(NotResumed):
        setup.resume()
    assert setup.store.runs.get("job") == before and all_rows(setup) == rows


def test_a_stopped_run_whose_hub_is_away_when_it_is_to_be_called_stays_stopped(setup: FleetJobSetup) -> None:
    before = setup.run(Driver.CALLS, ids(12), sizes="3", stop=StopDouble(after=1))
    rows = all_rows(setup)
    setup.world.hub.refuses = not_reached
    with pytest.raises(NotResumed, match="h.example is not reached"):
        setup.resume()
    assert setup.store.runs.get("job") == before and all_rows(setup) == rows


def is_between_batches(setup: FleetJobSetup) -> StopDouble:
    """Ctrl-C once the first batch has ended, and the next waits to begin."""
    return StopDouble(when=lambda: bool(setup.events_of(BatchEnded)))


@by_both
@pytest.mark.parametrize("refusal", EVERY_REFUSAL.values(), ids=EVERY_REFUSAL)
def test_a_batch_that_had_not_begun_has_not_begun_after_a_resume_that_is_refused(
    setup: FleetJobSetup, driver: Driver, refusal: Refusal
) -> None:
    stopped = setup.run(driver, ids(12), sizes="3", pause_s=300, stop=is_between_batches(setup))
    rows, batches = all_rows(setup), setup.store.runs.batches(stopped)
    assert [each.state.value for each in batches] == ["completed", "pending", "pending", "pending"]
    assert stopped.next_batch_at is not None
    setup.world.clock.sleep(3600)
    for _ in range(2):
        setup.world.events.clear()
        setup.world.hub.refuses = refusal
        with pytest.raises(NotResumed):
            setup.resume()
        assert all_rows(setup) == rows and setup.store.runs.get("job") == stopped
        assert setup.store.runs.batches(stopped) == batches
        assert not setup.events_of(BatchBegan), "no batch has begun"
        assert [each.is_as_before for each in setup.events_of(RunEnded)] == [True]
    setup.world.clock.sleep(3600)
    setup.world.hub.refuses = lambda _: None
    resumed_at = setup.world.clock.now()
    assert setup.resume().tally.completed == 12
    began = setup.store.runs.batch(stopped, 2).started_at
    assert began is not None and began >= resumed_at
    assert [each.batch.ordinal for each in setup.events_of(BatchBegan)] == [2, 3, 4]
    kinds = [type(each) for each in setup.world.events]
    assert kinds.index(BatchBegan) < min(kinds.index(each) for each in (DeviceEnded, BatchEnded))


def test_devices_that_wait_to_be_tried_again_keep_when_they_were_tried(setup: FleetJobSetup) -> None:
    """In their batch, by calls that are begun and refused."""
    setup.world.hub.fails = failing("d000", "d001")
    retry = Retry(tries={"offline": 3}, pause_s=60)
    setup.run(Driver.CALLS, ids(3), retry=retry, stop=StopDouble(when=lambda: len(setup.events_of(DeviceEnded)) == 3))
    rows = all_rows(setup)
    assert [each["tries"] for each in rows["device"] if each["state"] == "pending"] == [1, 1]
    setup.world.clock.sleep(3600)
    setup.world.hub.refuses = EVERY_REFUSAL["401"]
    setup.world.events.clear()
    with pytest.raises(NotResumed):
        setup.resume()
    assert all_rows(setup) == rows


@by_both
def test_a_failed_run_keeps_why_it_has_failed(setup: FleetJobSetup, driver: Driver) -> None:
    setup.world.hub.refuses = not_reached
    before = setup.run(driver, ids(4))
    assert (before.state, before.reason) == (RunState.FAILED, "h.example is not reached.")
    rows = all_rows(setup)
    setup.world.hub.refuses = EVERY_REFUSAL["401"]
    with pytest.raises(NotResumed, match="stays failed: .* 401"):
        setup.resume()
    assert setup.store.runs.get("job") == before and all_rows(setup) == rows


def test_what_a_resume_accepts_and_changes_counts_only_once_something_was_done(setup: FleetJobSetup) -> None:
    """Failures over the threshold, and how devices are reached."""
    setup.world.hub.fails = failing("d000", "d001")
    stops = threshold("1", action=ThresholdAction.STOP)
    before = setup.run(Driver.CALLS, ids(6), sizes="3", threshold=stops, concurrency=1)
    assert (before.state, before.forgiven) == (RunState.STOPPED, 0)
    batch = setup.store.runs.batch(before, 1)
    setup.world.hub.refuses = EVERY_REFUSAL["401"]
    context = setup.world.context(setup.store, None)
    with pytest.raises(NotResumed):
        run_loop.resume(before, context, replace(Delivery(), driver=Driver.CALLS, concurrency=5))
    assert setup.store.runs.get("job") == before and setup.store.runs.batch(before, 1) == batch


@by_both
def test_a_resume_that_has_operated_devices_breaks_off(setup: FleetJobSetup, driver: Driver) -> None:
    setup.run(driver, ids(12), sizes="3", stop=StopDouble(after=1))
    done = len(setup.world.hub.operated)

    def refuses_later(request: Request) -> Response | None:
        return EVERY_REFUSAL["401"](request) if len(setup.world.hub.operated) > done + 1 else None

    setup.world.hub.refuses = refuses_later
    run = setup.resume()
    assert run.state is RunState.FAILED and "401" in str(run.reason)


@by_both
def test_devices_that_may_have_been_operated_leave_no_way_back(setup: FleetJobSetup, driver: Driver) -> None:
    before = setup.run(driver, ids(12), sizes="3", stop=StopDouble(after=1))
    setup.world.hub.refuses = answers(500, "ServerError")
    run = setup.resume()
    assert run.tally != before.tally and run.state is not RunState.STOPPED


def test_patches_that_may_have_been_applied_leave_no_way_back_though_they_are_made_again(setup: FleetJobSetup) -> None:
    patch = Action(patch=TwinPatch(document={"tags": {"a": 1}}))
    before = setup.run(Driver.CALLS, ids(12), patch, sizes="3", stop=StopDouble(after=1))
    setup.world.hub.refuses = answers(503, "ServiceUnavailable")
    run = setup.resume()
    assert (run.state, run.tally) == (RunState.FAILED, before.tally)


@by_both
def test_a_run_that_was_never_executed_breaks_off(setup: FleetJobSetup, driver: Driver) -> None:
    setup.world.hub.refuses = EVERY_REFUSAL["401"]
    assert setup.run(driver, ids(3)).state is RunState.FAILED
