"""Devices that wait to connect, as the store has them: found offline, looked for, moved, failed, canceled."""

from datetime import datetime, timedelta, timezone

import pytest

from azext_iotjobs.fleet_job.outcomes import attempt_result
from azext_iotjobs.fleet_job.store.contract import NewRun
from azext_iotjobs.fleet_job.store.holder import this_process
from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun
from azext_iotjobs.fleet_job.store.sql.store import SqlStore
from azext_iotjobs.model.attempt import Attempt
from azext_iotjobs.model.fleet_job import Action, Definition, Delivery, Driver, Targets
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.result import DeviceResult, ErrorClass
from azext_iotjobs.model.rollout import parse_batch_sizes
from azext_iotjobs.model.run_state import DeviceState, RunEvent
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.text import shown_duration
from azext_iotjobs.model.when_online import Connected, next_wait, over_text
from tests.helpers.stores import Stores

NOW = datetime(2026, 5, 1, 12, 30, tzinfo=timezone.utc)
DEFINITION = Definition(
    action=Action(method=MethodCall(name="reboot")), targets=Targets(selection=Selection(condition="tags.a = 1"))
)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.fixture
def store(stores: Stores) -> SqlStore:
    store = stores.open()
    store.definitions.add("job", "h", DEFINITION, at=NOW, by="ann", origin=None)
    return store


@pytest.fixture
def leased(store: SqlStore) -> LeasedRun:
    """Four devices in two batches; the first has begun."""
    store.candidates.collect(((f"d{number}", None) for number in range(4)), seed=0)
    new = NewRun(
        fleet_job_id="job",
        version=1,
        run_key="abcdefgh",
        driver=Driver.CALLS,
        driver_reason="so",
        delivery=Delivery(when_online_s=600),
        sizes=parse_batch_sizes("2", "--batch"),
        at=NOW,
        by="ann",
    )
    leased = store.take_lease(store.runs.add(new), this_process(), NOW)
    leased.begin(RunEvent.START, NOW, forgiven_of_run=0, forgiven_of_batch=0)
    leased.begin_batch(1, NOW)
    return leased


def found_offline(leased: LeasedRun, attempt: Attempt, at: datetime) -> DeviceState:
    result = DeviceResult(
        device_id=attempt.device_id,
        module_id=None,
        status="failed",
        error_class=ErrorClass.OFFLINE,
        error_code="DeviceNotOnline",
        error_text="away",
        method_status=None,
        payload=None,
        started_at=at,
        finished_at=at,
    )
    end = attempt_result(attempt, result, at, when_online_s=600)
    leased.devices.write(at, ended=[end])
    return end.state


def test_a_device_waits_from_when_it_was_first_found_offline_and_is_looked_for_ever_more_rarely(
    store: SqlStore, leased: LeasedRun
) -> None:
    (attempt, _) = leased.devices.due(1, NOW, 2)
    assert found_offline(leased, attempt, NOW) is DeviceState.WAITING
    assert leased.waiting.next_look_at() == later(5) and leased.waiting.page(0, 10, later(4)) == []
    (device,) = leased.waiting.page(0, 10, later(5))
    assert (device.device_id, device.batch, device.tries, device.was_operated) == ("d0", 1, 0, False)
    assert (device.wait.since, device.wait.until, device.wait.times) == (NOW, later(600), 1)
    leased.waiting.write(later(5), 1, connected=[Connected(device, None)], over=[])
    assert leased.waiting.next_look_at() is None and store.runs.get("job").tally.waiting == 0
    (again, _) = leased.devices.due(1, later(5), 2)
    assert again.wait is not None and found_offline(leased, again, later(6)) is DeviceState.WAITING
    assert leased.waiting.next_look_at() == later(16)
    (device,) = leased.waiting.page(0, 10, later(20))
    assert (device.wait.since, device.wait.until, device.wait.times) == (NOW, later(600), 2)


def test_one_that_connects_is_moved_into_the_batch_that_runs(store: SqlStore, leased: LeasedRun) -> None:
    for each in leased.devices.due(1, NOW, 2):
        found_offline(leased, each, NOW)
    run = store.runs.get("job")
    assert (run.tally.waiting, run.tally.open, run.tally.total) == (2, 2, 4)
    leased.end_batch(1, NOW, NOW)
    leased.begin_batch(2, NOW)
    (device, other) = leased.waiting.page(0, 10, later(5))
    leased.waiting.write(later(5), 2, connected=[Connected(device, None)], over=[])
    first, second = store.runs.batches(run)
    assert (first.tally.waiting, first.tally.total, second.tally.pending, second.joined) == (1, 1, 3, 1)
    leased.waiting.write(later(700), 2, connected=[], over=[other])
    assert store.runs.batch(run, 1).tally.by_class == {"offline": 1}
    leased.waiting.write(later(800), 2, connected=[Connected(other, None)], over=[device])
    assert store.runs.batch(run, 1).tally.by_class == {"offline": 1}, "who does not wait any more stays as it is"


def test_those_that_are_left_get_a_batch_of_their_own_and_end_with_the_run(store: SqlStore, leased: LeasedRun) -> None:
    for each in leased.devices.due(1, NOW, 2):
        found_offline(leased, each, NOW)
    leased.begin_offline(later(1))
    batch = leased.snapshot(None).batch
    assert batch is not None and (batch.ordinal, batch.is_of_offline, batch.size) == (3, True, 2)
    assert (batch.tally.waiting, batch.tally.open, store.runs.get("job").batch_count) == (2, 0, 3)
    leased.end(RunEvent.CANCEL, later(2), reason=None, by=None)
    run = store.runs.get("job")
    assert (run.tally.waiting, run.tally.by_class) == (0, {"offline": 2})
    assert store.runs.waiting_to_connect(run, 5) is None


def test_the_time_ends_where_it_ends_however_often_a_device_is_found_offline() -> None:
    wait = next_wait(None, NOW, 600)
    assert wait is not None
    for _ in range(20):
        wait = next_wait(wait, later(599), 600)
        assert wait is not None and wait.look_at <= wait.until == later(600)
    assert next_wait(wait, later(600), 600) is None
    assert over_text(wait).startswith("It was offline at 2026-05-01T12:30:00Z, and did not connect within 10m, until ")
    assert [shown_duration(each) for each in (604_800, 5_400, 45, 0.5, 0)] == ["7d", "90m", "45s", "0.5s", "0s"]
