"""Runs of fleet jobs against a hub that is a function: batches, thresholds, stop and resume, retries, both drivers."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.fleet.leased import LeasedRun
from azext_iotjobs.fleet.store import FleetStore
from azext_iotjobs.model.errors import BadValue, CannotConnect, ConflictingChoice, LeaseHeld, WrongState
from azext_iotjobs.model.fleet import Action, Definition, Driver, Origin, Targets
from azext_iotjobs.model.fleet_events import BatchBegan, BatchEnded, DeviceEnded, HubJobMoved, Said, Waiting
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.rollout import (
    Retry,
    RetryWhen,
    Scope,
    Threshold,
    ThresholdAction,
    parse_batch_sizes,
    parse_share,
)
from azext_iotjobs.model.run import BatchState, Run, RunState, Tally
from azext_iotjobs.model.twin import TwinPatch
from azext_iotjobs.operations import fleet, fleet_jobs
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.fleet_hub_double import StopDouble, World, definition_of, rows_of
from tests.helpers.transport_double import response

METHOD = Action(method=MethodCall(name="reboot"))
BOTH = [Driver.JOBS, Driver.CALLS]
OFFLINE = {"code": "DeviceNotOnline", "description": "away"}
by_both = pytest.mark.parametrize("driver", BOTH)


def ids(count: int) -> tuple[str, ...]:
    return tuple(f"d{number:03}" for number in range(count))


def failing(*devices: str) -> Callable[[str], dict[str, Any] | None]:
    return lambda device: OFFLINE if device in devices else None


def threshold(text: str, **more: Any) -> Threshold:
    return Threshold(share=parse_share(text, "--cth"), **more)


class Place:
    """One process, a hub, and a fleet job."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.world = World(folder / "state")
        self.store = self.world.open()

    def run(self, driver: Driver, devices: tuple[str, ...], action: Action = METHOD, **rollout: Any) -> Run:
        stop = rollout.pop("stop", None)
        sizes = parse_batch_sizes(rollout.pop("sizes", "100%"), "--batch")
        definition = definition_of(action, devices, driver, sizes=sizes, **rollout)
        self.world.new_run(self.store, self.world.save(self.store, definition))
        return self.world.carry_on(self.store, stop)

    def resume(self, stop: Any = None) -> Run:
        return self.world.resume(self.store, stop)

    def seen(self, kind: type) -> list[Any]:
        return [each for each in self.world.events if isinstance(each, kind)]

    @property
    def rows(self) -> dict[str, Any]:
        return rows_of(self.store, self.store.run("job"))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.store.close()


# -- batches -----------------------------------------------------------------------------------------------------------


@by_both
def test_batches_of_ten_percent_run_one_after_the_other(place: Place, driver: Driver) -> None:
    run = place.run(driver, ids(103), sizes="10%")
    assert (run.state, run.tally.completed, run.batch_count) == (RunState.COMPLETED, 103, 10)
    assert [each.tally.completed for each in place.store.batches(run)] == [11] * 9 + [4]
    order = [
        (type(each), each.batch.ordinal) for each in place.world.events if isinstance(each, (BatchBegan, BatchEnded))
    ]
    assert order == [(kind, ordinal) for ordinal in range(1, 11) for kind in (BatchBegan, BatchEnded)]
    going, seen = 0, 0
    for event in place.world.events:
        going = event.batch.ordinal if isinstance(event, BatchBegan) else going
        if isinstance(event, DeviceEnded):
            assert event.batch == going
            seen += 1
    assert seen == 103 and set(place.world.hub.operated.values()) == {1}


@by_both
def test_a_run_of_no_device_is_complete(place: Place, driver: Driver) -> None:
    definition = definition_of(METHOD, ids(1), driver)
    place.world.save(place.store, definition)
    place.store.choose([], seed=0)
    job = place.store.fleet_job("job")
    place.world.hub.refuses = lambda request: response([]) if request.path == "/devices/query" else None
    asked = replace(definition, targets=replace(definition.targets, selection=_condition("tags.x = 1")))
    place.store.edit_fleet_job("job", asked, at=place.world.clock.now(), by="me")
    run = place.world.new_run(place.store, place.store.fleet_job("job"))
    assert (job.version, run.version, run.device_count) == (1, 2, 0)
    assert place.world.carry_on(place.store).state is RunState.COMPLETED


def _condition(text: str) -> Any:
    from azext_iotjobs.model.selection import Selection

    return Selection(condition=text)


def test_a_pause_between_batches_holds_across_a_restart(place: Place) -> None:
    run = place.run(Driver.CALLS, ids(4), sizes="2", pause_s=3600, stop=StopDouble(after=20))
    assert (run.state, run.tally.completed, place.world.clock.passed_s < 60) == (RunState.STOPPED, 2, True)
    place.world.clock.passed_s += 1800
    run = place.resume()
    assert (run.state, run.tally.completed) == (RunState.COMPLETED, 4)
    assert 3600 <= place.world.clock.passed_s < 3660
    assert place.seen(Waiting)[0].why == "batch 2 begins"


# -- thresholds --------------------------------------------------------------------------------------------------------


def test_a_threshold_of_five_cancels_at_the_sixth_failure(place: Place) -> None:
    place.world.hub.fails = failing(*ids(100)[::10])
    run = place.run(Driver.CALLS, ids(100), threshold=threshold("5"), concurrency=1)
    assert (run.state, run.tally.failed, run.tally.completed, run.tally.pending) == (RunState.CANCELED, 6, 45, 49)
    assert run.reason == "6 failures in the run of 100 devices exceed the threshold of 5 devices." and not run.ended_by
    assert [each.state for each in place.store.batches(run)] == [BatchState.CANCELED]
    with pytest.raises(WrongState, match="canceled"):
        place.resume()


@by_both
def test_as_many_failures_as_the_threshold_are_allowed(place: Place, driver: Driver) -> None:
    place.world.hub.fails = failing(*ids(100)[::17])
    run = place.run(driver, ids(100), threshold=threshold("6"))
    assert (run.state, run.tally.failed, run.tally.completed) == (RunState.COMPLETED, 6, 94)


def test_a_threshold_cancels_before_the_next_hub_job(place: Place) -> None:
    place.world.hub.fails = failing(*ids(3))
    limit = threshold("20%", scope=Scope.BATCH)
    run = place.run(Driver.JOBS, ids(40), sizes="10", threshold=limit)
    assert (run.state, run.tally.failed, run.tally.completed, run.tally.pending) == (RunState.CANCELED, 3, 7, 30)
    assert len(place.world.hub.puts) == 1 and "in batch 1 of 10 devices" in str(run.reason)
    states = [each.state for each in place.store.batches(run)]
    assert states == [BatchState.CANCELED, *[BatchState.SKIPPED] * 3]


def test_a_threshold_can_stop_and_who_resumes_accepts_what_has_failed(place: Place) -> None:
    place.world.hub.fails = failing(*ids(10)[:6])
    limit = threshold("1", action=ThresholdAction.STOP)
    run = place.run(Driver.CALLS, ids(10), threshold=limit, concurrency=1)
    assert (run.state, run.tally.failed) == (RunState.STOPPED, 2)
    run = place.resume()
    assert (run.state, run.tally.failed, run.forgiven) == (RunState.STOPPED, 4, 2)
    run = place.resume()
    assert (run.state, run.tally.failed) == (RunState.STOPPED, 6)
    assert place.resume().state is RunState.COMPLETED


# -- stop, resume, cancel ----------------------------------------------------------------------------------------------


@by_both
def test_stopped_at_forty_percent_and_resumed_it_has_the_same_totals(place: Place, driver: Driver) -> None:
    place.world.hub.fails = failing("d003", "d007")
    other = FleetStore(place.folder / "state")

    def at_forty(event: Any) -> None:
        run = other.run("job")
        if run.tally.ended >= 40 and run.asked is None and run.state is RunState.RUNNING:
            fleet.stop(other, run, place.world.holder, by="ann", reason="lunch", clock=place.world.clock)

    place.world.holder = fleet.this_process()  # alive
    place.world.events = _Calling(at_forty)
    run = place.run(driver, ids(100), sizes="10", concurrency=1)
    assert (run.state, run.ended_by, run.reason) == (RunState.STOPPED, "ann", "lunch")
    assert 40 <= run.tally.ended <= 50 and run.tally.total == 100
    place.world.events = []
    run = place.resume()
    assert (run.state, run.tally.completed, run.tally.failed) == (RunState.COMPLETED, 98, 2)
    assert (run.reason, run.ended_by) == (None, None) and max(place.world.hub.operated.values()) == 1
    other.close()


class _Calling(list):  # type: ignore[type-arg]
    """Hears events and does something."""

    def __init__(self, then: Callable[[Any], None]) -> None:
        super().__init__()
        self.then = then

    def append(self, event: Any) -> None:
        super().append(event)
        self.then(event)


def test_whoever_runs_it_is_named_to_a_second_one(place: Place) -> None:
    refused: list[str] = []

    def second(event: Any) -> None:
        if isinstance(event, BatchBegan):
            with pytest.raises(LeaseHeld) as raised:
                place.world.carry_on(place.store)
            refused.append(str(raised.value))

    place.world.events = _Calling(second)
    place.world.holder = fleet.this_process()  # alive
    assert place.run(Driver.CALLS, ids(3)).state is RunState.COMPLETED
    assert len(refused) == 1 and place.world.holder.owner in refused[0] and "until 03:04:" in refused[0]


def test_a_run_that_nobody_carries_on_is_stopped_by_who_asks(place: Place) -> None:
    definition = definition_of(METHOD, ids(3), Driver.CALLS)
    run = place.world.new_run(place.store, place.world.save(place.store, definition))
    hands = place.world.hands(place.store, Driver.CALLS)
    leased = LeasedRun.take(place.store, run, hands.holder, place.world.clock.now())
    leased.begin(fleet.RunEvent.START, place.world.clock.now(), forgiven_of_run=0, forgiven_of_batch=0)
    leased.begin_batch(1, place.world.clock.now())
    leased.write(place.world.clock.now(), ended=[], begun=leased.due(1, place.world.clock.now(), 1))
    crashed = place.store.run("job")
    stopped = fleet.stop(place.store, crashed, hands.holder, by="ann", reason=None, clock=place.world.clock)
    assert (stopped.state, stopped.tally.uncertain, stopped.tally.pending) == (RunState.STOPPED, 1, 2)
    with pytest.raises(WrongState, match="stopped"):
        fleet.stop(place.store, stopped, hands.holder, by="ann", reason=None, clock=place.world.clock)
    canceled = fleet.cancel(stopped, hands, by="ann", reason="enough")
    assert (canceled.state, canceled.ended_by, canceled.reason) == (RunState.CANCELED, "ann", "enough")
    with pytest.raises(WrongState):
        fleet.cancel(canceled, hands, by="ann", reason=None)
    assert not place.world.hub.operated


def when_running(place: Place) -> StopDouble:
    """Ctrl-C once a hub job runs."""
    return StopDouble(when=lambda: any(job["status"] == "running" for job in place.world.hub.jobs.values()))


def test_a_stop_leaves_a_hub_job_that_runs_and_a_resume_reads_what_it_did(place: Place) -> None:
    run = place.run(Driver.JOBS, ids(6), sizes="3", stop=when_running(place))
    assert (run.state, run.tally.pending) == (RunState.STOPPED, 6)
    (job,) = place.world.hub.jobs.values()
    assert job["status"] == "running"
    run = place.resume()
    assert (run.state, run.tally.completed, len(place.world.hub.puts)) == (RunState.COMPLETED, 6, 2)
    assert set(place.world.hub.operated.values()) == {1}


def test_a_stop_cancels_a_hub_job_that_has_not_begun_and_a_resume_makes_another(place: Place) -> None:
    run = place.run(Driver.JOBS, ids(3), stop=StopDouble(after=3))
    (job,) = place.world.hub.jobs.values()
    assert (run.state, job["status"], run.tally.pending) == (RunState.STOPPED, "cancelled", 3)
    assert place.resume().tally.completed == 3
    assert len(place.world.hub.jobs) == 2 and set(place.world.hub.operated.values()) == {1}


def test_a_stop_does_not_wait_for_a_hub_that_is_away(place: Place) -> None:
    is_away = when_running(place).is_set

    def refuse(request: Request) -> Response | None:
        if is_away():
            raise CannotConnect("h.example is not reached.")
        return None

    place.world.hub.refuses = refuse
    run = place.run(Driver.JOBS, ids(3), stop=StopDouble(when=lambda: is_away() and place.world.clock.passed_s > 5))
    assert (run.state, run.reason, place.world.clock.passed_s < 10) == (RunState.STOPPED, "Stopped by Ctrl-C.", True)
    place.world.hub.refuses = lambda _: None
    assert place.resume().tally.completed == 3 and len(place.world.hub.puts) == 1


def test_what_a_stop_has_cancelled_is_no_failure_when_it_is_seen_later(place: Place) -> None:
    has_cancelled = False

    def refuse(request: Request) -> Response | None:
        nonlocal has_cancelled
        if has_cancelled:
            raise CannotConnect("h.example is not reached.")
        has_cancelled = request.path.endswith("/cancel")
        return None

    place.world.hub.refuses = refuse
    assert place.run(Driver.JOBS, ids(3), stop=StopDouble(after=3)).state is RunState.STOPPED and has_cancelled
    place.world.hub.refuses = lambda _: None
    run = place.resume()
    assert (run.state, run.tally.completed, len(place.world.hub.jobs)) == (RunState.COMPLETED, 3, 2)


def test_a_job_that_somebody_else_cancels_has_failed(place: Place) -> None:
    def cancel(request: Request) -> Response | None:
        for job in place.world.hub.jobs.values():
            job["status"] = "cancelled"
        return None

    place.world.hub.refuses = cancel
    run = place.run(Driver.JOBS, ids(3))
    assert (run.state, run.tally.failed, place.rows["d000"].error_code) == (RunState.COMPLETED, 3, "JobCancelled")


def test_a_cancel_awaits_the_hub_job_that_runs(place: Place) -> None:
    run = place.run(Driver.JOBS, ids(6), sizes="3", stop=when_running(place))
    run = fleet.cancel(run, place.world.hands(place.store, Driver.JOBS), by="ann", reason="wrong firmware")
    assert (run.state, run.tally.completed, run.tally.pending) == (RunState.CANCELED, 3, 3)
    assert (run.reason, len(place.world.hub.puts)) == ("wrong firmware", 1)


def test_who_leaves_at_once_leaves_uncertain_devices(place: Place) -> None:
    def leave(event: Any) -> None:
        if isinstance(event, DeviceEnded):
            raise KeyboardInterrupt

    place.world.events = _Calling(leave)
    with pytest.raises(KeyboardInterrupt):
        place.run(Driver.CALLS, ids(9), concurrency=3)
    run = place.store.run("job")
    assert (run.state, run.lease, run.reason) == (RunState.STOPPED, None, "Left at once, by a second Ctrl-C.")
    assert run.tally.completed >= 1 and run.tally.calling == 0 and run.tally.total == 9
    place.world.events = []
    run = place.resume()
    assert run.state is RunState.COMPLETED and run.tally.completed + run.tally.uncertain == 9
    assert max(place.world.hub.operated.values()) == 1


# -- retries -----------------------------------------------------------------------------------------------------------


def until_third_try(place: Place, *devices: str) -> Callable[[str], dict[str, Any] | None]:
    tried: dict[str, int] = {}

    def fails(device: str) -> dict[str, Any] | None:
        tried[device] = tried.get(device, 0) + 1
        return OFFLINE if device in devices and tried[device] < 3 else None

    return fails


@by_both
@pytest.mark.parametrize("when", list(RetryWhen))
def test_a_device_that_is_tried_again_counts_once(place: Place, driver: Driver, when: RetryWhen) -> None:
    place.world.hub.fails = until_third_try(place, "d001", "d004")
    retry = Retry(tries={"offline": 2}, pause_s=100, when=when)
    run = place.run(driver, ids(8), sizes="4", retry=retry, threshold=threshold("2"))
    assert (run.state, run.tally) == (RunState.COMPLETED, Tally(completed=8))
    assert place.world.hub.operated["d001"] == 1
    assert place.world.clock.passed_s >= 200
    batches = place.store.batches(run)
    assert [each.is_retry for each in batches] == [False, False] + [True] * (2 if when is RetryWhen.AT_END else 0)
    assert sum(each.tally.total for each in batches) == 8


def test_a_class_that_is_not_named_is_not_tried_again_and_tries_end(place: Place) -> None:
    place.world.hub.fails = lambda device: {"d000": OFFLINE, "d001": {"code": "GatewayTimeout"}}.get(device)
    run = place.run(Driver.CALLS, ids(2), retry=Retry(tries={"offline": 3}, pause_s=10))
    assert (run.state, run.tally.by_class) == (RunState.COMPLETED, {"offline": 1, "timeout": 1})
    assert [each.tries for each in place.seen(DeviceEnded) if each.result.device_id == "d000"] == [1, 2, 3, 4]
    assert place.world.hub.operated["d001"] == 1


# -- trouble -----------------------------------------------------------------------------------------------------------


@by_both
def test_a_hub_that_is_away_breaks_the_run_off_and_nothing_is_lost(place: Place, driver: Driver) -> None:
    is_away = False

    def refuse(request: Request) -> Response | None:
        if is_away:
            raise CannotConnect("h.example is not reached.")
        return None

    def goes(event: Any) -> None:
        nonlocal is_away
        is_away = is_away or (isinstance(event, BatchEnded) and event.batch.ordinal == 2)

    place.world.events = _Calling(goes)
    place.world.hub.refuses = refuse
    run = place.run(driver, ids(12), sizes="3")
    assert (run.state, run.tally.completed, run.tally.pending) == (RunState.FAILED, 6, 6)
    assert run.reason == "h.example is not reached." and 110 < place.world.clock.passed_s < 180
    place.world.events, is_away = [], False
    run = place.resume()
    assert (run.state, run.tally.completed) == (RunState.COMPLETED, 12) and max(place.world.hub.operated.values()) == 1


@by_both
def test_a_hub_that_is_away_for_a_while_is_waited_for(place: Place, driver: Driver) -> None:
    def refuse(request: Request) -> Response | None:
        if 3 < place.world.clock.passed_s < 45:
            raise CannotConnect("h.example is not reached.")
        place.world.clock.passed_s += 1
        return None

    place.world.hub.refuses = refuse
    run = place.run(driver, ids(12), sizes="3")
    assert (run.state, run.tally.completed) == (RunState.COMPLETED, 12)


@by_both
def test_who_is_not_let_in_is_told_at_once(place: Place, driver: Driver) -> None:
    place.world.hub.refuses = lambda _: response({"Message": "no"}, status=401, iothub_errorcode="IotHubUnauthorized")
    run = place.run(driver, ids(12))
    assert (run.state, run.tally.pending) == (RunState.FAILED, 12) and "401" in str(run.reason)
    assert place.world.clock.passed_s < 1
    place.world.hub.refuses = lambda _: None
    assert place.resume().tally.completed == 12


def test_throttled_calls_are_made_again_by_all_together(place: Place) -> None:
    left = 9

    def refuse(request: Request) -> Response | None:
        nonlocal left
        left -= 1
        return (
            response({"Message": "slow"}, status=429, iothub_errorcode="ThrottlingException") if 0 <= left < 5 else None
        )

    place.world.hub.refuses = refuse
    run = place.run(Driver.CALLS, ids(12), concurrency=3)
    assert (run.state, run.tally.completed) == (RunState.COMPLETED, 12)
    assert set(place.world.hub.operated.values()) == {1} and any("429" in each.text for each in place.seen(Said))


def test_a_taken_job_slot_is_waited_for_and_is_no_failure(place: Place) -> None:
    place.world.hub.slots = 1
    place.world.hub.jobs["other"] = {"jobId": "other", "status": "running", "unseen": 0, "rows": []}

    def ends(request: Request) -> Response | None:
        if place.world.clock.passed_s > 300:
            place.world.hub.jobs["other"]["status"] = "completed"
        return None

    place.world.hub.refuses = ends
    run = place.run(Driver.JOBS, ids(4), sizes="2")
    assert (run.state, run.tally.completed, run.tally.failed) == (RunState.COMPLETED, 4, 0)
    assert [each.text for each in place.seen(Said)] == [
        "The hub runs as many jobs as its tier allows; the next begins when one has ended."
    ]
    assert len(place.world.hub.puts) < 50


def test_our_own_job_that_holds_the_slot_is_not_sent_twice(place: Place) -> None:
    """The hub took the job and then said, to the one after the crash, that its slot is taken: by that very job."""
    hub = place.world.hub
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
    run = place.run(Driver.JOBS, ids(3), stop=StopDouble(when=lambda: has_lied))
    assert run.state is RunState.STOPPED
    hub.refuses = lambda _: None
    assert place.resume().tally.completed == 3
    assert len(hub.jobs) == 1 and set(hub.operated.values()) == {1}


def test_a_foreign_job_under_our_id_is_never_taken_for_ours(place: Place) -> None:
    hub = place.world.hub
    first = True

    def foreign(request: Request) -> Response | None:
        nonlocal first
        if request.method == "PUT" and first:
            first = False
            hub._answer(replace(request, body={**request.body, "queryCondition": "deviceId = 'x'"}))
        return None

    hub.refuses = foreign
    run = place.run(Driver.JOBS, ids(3))
    assert (run.state, run.tally.pending) == (RunState.FAILED, 3) and "is not this run's" in str(run.reason)
    assert not any(device in hub.operated for device in ids(3))
    run = place.resume()
    assert (run.state, run.tally.completed) == (RunState.COMPLETED, 3)
    assert [each.job_id for each in place.seen(HubJobMoved)][0] == f"job-{run.run_key}-b1-2"


def test_a_job_that_the_hub_forgets_leaves_uncertain_devices(place: Place) -> None:
    hub = place.world.hub

    def forget(request: Request) -> Response | None:
        if any(job["status"] == "running" for job in hub.jobs.values()):
            hub.jobs.clear()
        return None

    hub.refuses = forget
    run = place.run(Driver.JOBS, ids(3))
    assert (run.state, run.tally.uncertain) == (RunState.COMPLETED, 3)
    assert place.rows["d000"].error_text == "The hub does not know its job any more. The device may have been operated."


def test_rows_that_come_late_are_waited_for_and_devices_that_no_job_found_have_failed(place: Place) -> None:
    hub = place.world.hub

    def late(request: Request) -> Response | None:
        rows = next(iter(hub.jobs.values()), {"rows": []})["rows"]
        if request.path == "/devices/query" and place.world.clock.passed_s < 20:
            return response(rows[:1])
        if request.path == "/devices/query":
            rows[:] = [each for each in rows if each["deviceId"] != "d002"]
        for job in hub.jobs.values():
            if "deviceJobStatistics" in job:
                job["deviceJobStatistics"]["deviceCount"] = 2
        return None

    hub.refuses = late
    run = place.run(Driver.JOBS, ids(3))
    assert (run.state, run.tally.completed, run.tally.by_class) == (RunState.COMPLETED, 2, {"not-found": 1})
    assert place.rows["d002"].error_code == "DeviceNotFound" and place.world.clock.passed_s >= 20


def test_a_job_that_fails_as_a_whole_says_why_of_each_device(place: Place) -> None:
    def fail(request: Request) -> Response | None:
        for job in place.world.hub.jobs.values():
            job.update(status="failed", failureReason="SqlQueryParser: no")
        return None

    place.world.hub.refuses = fail
    run = place.run(Driver.JOBS, ids(3))
    assert (run.tally.failed, place.rows["d001"].error_text) == (3, "SqlQueryParser: no")


NASTY: list[Any] = [
    {"status": 2**70, "payload": 1},
    {"status": 200, "payload": "\ud800"},
    {"status": -1, "payload": {"a": "\x1b[2J"}},
    {"status": 200},
    {"status": True, "payload": None},
]


@by_both
@pytest.mark.parametrize("nasty", NASTY, ids=range(len(NASTY)))
def test_whatever_a_device_answers_can_be_kept(place: Place, driver: Driver, nasty: Any) -> None:
    def answer(request: Request) -> Response | None:
        if request.path.endswith("/d001/methods"):
            return response(nasty)
        for job in place.world.hub.jobs.values():
            for row in job["rows"]:
                if row["deviceId"] == "d001":
                    row["outcome"] = {"deviceMethodResponse": nasty}
        return None

    place.world.hub.refuses = answer
    run = place.run(driver, ids(3))
    assert (run.state, run.tally.ended) == (RunState.COMPLETED, 3) and place.rows["d000"].status == "completed"


def test_whatever_the_hub_says_of_a_device_can_be_kept(place: Place) -> None:
    place.world.hub.fails = lambda _: {"code": "\ud800" * 9, "description": "\udfff\x00" * 9000}
    run = place.run(Driver.JOBS, ids(2))
    assert run.tally.failed == 2 and len(str(place.rows["d000"].error_text)) <= 4000


def test_edge_devices_get_configuration_content_by_calls(place: Place) -> None:
    content = {"modulesContent": {"$edgeAgent": {"properties.desired": {"modules": {}}}}}
    sent: list[tuple[str, Any]] = []

    def applied(request: Request) -> Response:
        sent.append((request.path, request.body))
        return Response(status=204, headers={}, body=b"")

    place.world.hub.refuses = applied
    run = place.run(Driver.AUTO, ids(2), Action(content=content))
    assert (run.state, run.driver, run.tally.completed) == (RunState.COMPLETED, Driver.CALLS, 2)
    assert sorted(sent) == [(f"/devices/d00{n}/applyConfigurationContent", content) for n in (0, 1)]
    with pytest.raises(ConflictingChoice, match="no job for configuration content"):
        definition_of(Action(content=content), ids(2), Driver.JOBS)


# -- what is kept ------------------------------------------------------------------------------------------------------


@by_both
def test_a_rerun_touches_exactly_the_failed_ones(place: Place, driver: Driver) -> None:
    place.world.hub.fails = failing("d003", "d007")
    run = place.run(driver, ids(20), sizes="5")
    place.world.hub.fails, before = failing(), place.world.hub.operated.copy()
    at = place.world.clock.now()
    again = fleet_jobs.rerun(place.store, run, frozenset({"failed"}), None, by="ann", at=at)
    assert (again.fleet_job_id, again.origin) == ("job-r1", Origin(fleet_job_id="job", run_number=1, how="rerun"))
    second = fleet.new_run(place.store, place.world.client, again, by="ann", at=at)
    done = fleet.carry_on(second, place.world.hands(place.store, driver))
    assert (done.state, done.tally.completed, done.device_count) == (RunState.COMPLETED, 2, 2)
    assert place.world.hub.operated - before == {"d003": 1, "d007": 1}
    assert place.store.run("job").tally.failed == 2
    assert fleet_jobs.rerun(place.store, run, frozenset({"offline"}), None, by="a", at=at).fleet_job_id == "job-r2"


def test_another_run_begins_when_the_one_before_has_ended(place: Place) -> None:
    run = place.run(Driver.CALLS, ids(3), stop=StopDouble(after=1))
    job = place.store.fleet_job("job")
    with pytest.raises(WrongState, match="stopped; another begins when it has ended"):
        place.world.new_run(place.store, job)
    with pytest.raises(ConflictingChoice, match=r"belongs to h\.example"):
        fleet.check_host(replace(job, host="h.example"), _other_client(place))
    fleet.cancel(run, place.world.hands(place.store, Driver.CALLS), by="a", reason=None)
    assert place.world.new_run(place.store, job).number == 2


def _other_client(place: Place) -> Any:
    from azext_iotjobs.clients.hub import HubClient
    from azext_iotjobs.model.target import HubTarget

    return HubClient(HubTarget(host="other.example"), place.world)


def test_copies_have_free_ids_names_and_what_was_changed(place: Place) -> None:
    at = place.world.clock.now()
    definition = replace(definition_of(METHOD, ids(3), Driver.CALLS), display_name="Night")
    place.world.save(place.store, definition)
    first = fleet_jobs.copy(place.store, "job", None, "h.example", by="ann", at=at)
    second = fleet_jobs.copy(place.store, "job", None, "h.example", by="ann", at=at, description="other")
    assert [first.fleet_job_id, second.fleet_job_id] == ["job-copy", "job-copy2"]
    assert (first.display_name, second.definition.description) == ("Night Copy", "other")
    assert first.definition.action == definition.action and first.origin is not None and first.origin.how == "copy"
    long = fleet_jobs.create(place.store, "j" * 40, "h.example", definition, by="ann", at=at)
    assert fleet_jobs.copy(place.store, long.fleet_job_id, None, "h", by="a", at=at).fleet_job_id == "j" * 35 + "-copy"


def test_lists_by_state_time_and_saved(place: Place) -> None:
    start = place.world.clock.now()
    place.run(Driver.CALLS, ids(2))
    place.world.clock.passed_s += 3600
    later = place.world.clock.now()
    place.world.save(place.store, definition_of(METHOD, ids(1), Driver.CALLS), "saved")

    def listed(**wanted: Any) -> list[str]:
        return [each.job.fleet_job_id for each in fleet_jobs.list_kept(place.store, fleet_jobs.ListFilter(**wanted))]

    assert listed() == ["saved", "job"] and listed(state=RunState.COMPLETED) == ["job"]
    assert listed(state=RunState.PENDING) == ["saved"] and listed(only_saved=True) == ["saved"]
    assert listed(since=later) == ["saved"] and listed(since=start) == ["saved", "job"] and listed(host="x") == []
    with pytest.raises(BadValue, match="at least 30"):
        fleet_jobs.prune(place.store, 29, later)


def test_a_preview_sends_and_stores_nothing(place: Place) -> None:
    definition = definition_of(METHOD, ids(103), Driver.AUTO, sizes=parse_batch_sizes("10%", "--batch"), pause_s=60)
    job = place.world.save(place.store, definition)
    found = fleet.preview(place.store, place.world.client, job, None)
    assert (found.device_count, found.batch_count, found.batch_sizes[-2:]) == (103, 10, [11, 4])
    assert (found.driver, found.pauses_s, place.store.last_run("job")) == ("calls", 540, None)
    assert not place.world.hub.operated


def test_targets_are_limited_sampled_or_a_saved_group(place: Place) -> None:
    rows = [{"deviceId": each} for each in reversed(ids(40))]
    total = [{"total": 40}]
    place.world.hub.refuses = lambda request: response(total if "COUNT" in request.body["query"] else rows)
    place.store.save_group("h.example", "north", "tags.site = 'n'")
    base = Definition(action=METHOD, targets=Targets(group="north"))

    def chosen(name: str, **more: Any) -> list[str]:
        targets = Targets(group="north", **more)
        job = place.world.save(place.store, replace(base, targets=targets), name)
        run = place.world.new_run(place.store, job)
        return list(rows_of(place.store, run))

    assert chosen("a") == list(ids(40))  # in the order of their ids, whatever the hub's
    assert chosen("b", limit=3) == list(ids(3))
    sample = chosen("c", sample_percent=Fraction(10), seed=1)
    assert len(sample) == 4 and sample == sorted(sample) and sample == chosen("d", sample_percent=Fraction(10), seed=1)
    assert chosen("e", limit=10, max_devices=20) == list(ids(10))
    for more in ({"limit": 30}, {}):
        with pytest.raises(BadValue, match="--max-devices"):
            chosen(f"f{len(more)}", max_devices=20, **more)


def test_a_twin_that_was_written_before_the_link_broke_is_not_written_again(place: Place) -> None:
    patch = TwinPatch(document={"tags": {"ring": 1}, "properties": {"desired": {"a": {"b": 1}}}})
    hub = place.world.hub
    broken: set[str] = set()

    def breaks(request: Request) -> Response | None:
        if request.method == "PATCH" and request.path not in broken:
            broken.add(request.path)
            if request.path.endswith("d000"):
                hub._answer(request)
            return response({"Message": "oops"}, status=500)
        return None

    hub.refuses = breaks
    run = place.run(Driver.CALLS, ids(2), Action(patch=patch), concurrency=1)
    assert (run.tally.completed, hub.operated) == (2, {"d000": 1, "d001": 1})
