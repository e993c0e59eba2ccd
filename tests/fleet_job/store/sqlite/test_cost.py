"""What a step of a run costs: the same with many devices as with few, and never the patience of other runs."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

from azext_iotjobs.fleet_job.hub_job import HubJob, HubJobState
from azext_iotjobs.fleet_job.plan import PlannedHubJob
from azext_iotjobs.fleet_job.store.contract import NewRun
from azext_iotjobs.fleet_job.store.holder import Holder
from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun
from azext_iotjobs.fleet_job.store.sql.verifying_rows import IS_DECIDED, IS_NO_MORE
from azext_iotjobs.fleet_job.store.sql.waiting_rows import CONNECTS, DOES_NOT_CONNECT
from azext_iotjobs.fleet_job.store.sqlite.database import _for_one_row
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.fleet_job import Action, Definition, Delivery, Driver, Targets
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.rollout import parse_batch_sizes
from azext_iotjobs.model.run_state import RunEvent
from azext_iotjobs.model.selection import Selection

NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)
HOLDER = Holder("ann@here, process 7", "another machine", 7)
DEFINITION = Definition(
    action=Action(method=MethodCall(name="reboot")), targets=Targets(selection=Selection(device_ids=("d",)))
)
NEW = NewRun(
    fleet_job_id="job",
    version=1,
    run_key="abcdefgh",
    driver=Driver.CALLS,
    driver_reason="so",
    at=NOW,
    by="ann",
    delivery=Delivery(),
    sizes=parse_batch_sizes("100%", "--batch"),
)


def began(store: SqliteStore, devices: int) -> LeasedRun:
    store.definitions.add("job", "h", DEFINITION, at=NOW, by="ann", origin=None)
    store.candidates.collect(((f"d{number}", None) for number in range(devices)), seed=0)
    leased = store.take_lease(store.runs.add(NEW), HOLDER, NOW)
    leased.begin(RunEvent.START, NOW, forgiven_of_run=0, forgiven_of_batch=0)
    leased.begin_batch(1, NOW)
    return leased


def cost(store: SqliteStore, call: Callable[[], object]) -> int:
    """Instructions of SQLite's machine, in hundreds."""
    count = 0

    def passed() -> int:
        nonlocal count
        count += 1
        return 0

    store.database._connection.set_progress_handler(passed, 100)
    call()
    store.database._connection.set_progress_handler(None, 0)
    return count


def costs(folder: Path, devices: int) -> dict[str, int]:
    store = SqliteStore.open(folder)
    leased = began(store, devices)
    part = HubJob(batch=1, number=1, job_id="x", condition="c", state=HubJobState.PLANNED)
    some = leased.devices.due(1, NOW, 20)
    found = {
        "look": cost(store, lambda: leased.snapshot(None)),
        "beat": cost(store, lambda: leased.beat(NOW + timedelta(seconds=9))),
        "due": cost(store, lambda: leased.devices.due(1, NOW, 20)),
        "whom to look for": cost(store, lambda: leased.waiting.page(0, 20, NOW)),
        "when to look": cost(store, leased.waiting.next_look_at),
        "next part": cost(store, lambda: leased.hub_jobs.next_number(1)),
        "add part": cost(store, lambda: leased.hub_jobs.add(part, PlannedHubJob("c", tuple(some[:10])), NOW)),
        "devices of part": cost(store, lambda: leased.hub_jobs.devices_of(part)),
        "close part": cost(store, lambda: leased.hub_jobs.close(part, NOW, ended=[])),
        "intent": cost(store, lambda: leased.devices.write(NOW, ended=[], begun=some[10:])),
        "settle": cost(store, lambda: leased.settle_own(NOW, is_repeatable=True)),
        "settle as uncertain": cost(store, lambda: leased.settle(NOW, is_repeatable=False)),
    }
    store.close()
    return found


def test_a_step_costs_the_same_with_many_devices(tmp_path: Path) -> None:
    few, many = costs(tmp_path / "few", 100), costs(tmp_path / "many", 10_000)
    assert {name: (few[name], count) for name, count in many.items() if count > few[name] + 10} == {}


def test_many_devices_are_found_by_their_key(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path)
    for change in (IS_DECIDED, IS_NO_MORE, CONNECTS, DOES_NOT_CONNECT):
        values = [None] * len(change.values)
        (step,) = store.database.rows(f"EXPLAIN QUERY PLAN {_for_one_row(change)}", values)
        assert step["detail"] == "SEARCH device USING PRIMARY KEY (run=? AND seq=?)"
    store.close()


def test_old_runs_are_removed_one_by_one_so_that_others_are_not_locked_out(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "state")
    leased = began(store, 3)
    leased.end(RunEvent.CANCEL, NOW, reason=None, by=None)
    store.candidates.collect([("d", None)], seed=0)
    again = store.take_lease(store.runs.add(replace(NEW, run_key="12345678")), HOLDER, NOW)
    again.begin(RunEvent.START, NOW, forgiven_of_run=0, forgiven_of_batch=0)
    again.end(RunEvent.STOP, NOW, reason=None, by=None)
    said: list[str] = []
    store.database._connection.set_trace_callback(said.append)  # each run is a change, and so are past occurrences
    assert store.history.prune(NOW + timedelta(days=31)) == 2
    assert said.count("COMMIT") == 3 and store.runs.list_all("job") == []
    store.close()
