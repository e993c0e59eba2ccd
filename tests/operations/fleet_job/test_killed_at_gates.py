"""Real processes that execute a run are killed at its gates, at a real local hub: while a command runs, while somebody
has to approve. The next process goes on from there."""

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from azext_iotjobs.fleet_job.store.contract import ResultFilter
from azext_iotjobs.fleet_job.store.holder import this_process
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.fleet_job import Action, Definition, Delivery, Driver, Targets
from azext_iotjobs.model.gates import CommandGate, GateAnswer, GateDecision, Gates
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.rollout import Rollout, parse_batch_sizes
from azext_iotjobs.model.run import Batch
from azext_iotjobs.model.run_state import BatchState, RunState
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.operations.fleet_job import approval, definitions, planning
from tests.helpers.devices_on_thread import DevicesOnThread, client_of, devices_of
from tests.helpers.fleet_job_process import ENDED, PAUSED, resume_run
from tests.helpers.hub_process import HubProcess
from tests.helpers.killable_process import KillableProcess, needs_fork
from tests.helpers.waiting import wait_until

DEVICES = tuple(f"dev-{number:02}" for number in range(6))
CLOCK = SystemClock()
# Says that it runs, and waits until it may end.
COMMAND = """
import os, sys, time
open(sys.argv[1], "a").write(os.environ["IOTJOBS_BATCH"] + chr(10))
while not os.path.exists(sys.argv[2]):
    time.sleep(0.05)
"""

pytestmark = needs_fork


@pytest.fixture(scope="module")
def all_devices(process: HubProcess) -> Iterator[DevicesOnThread]:
    with devices_of(process, DEVICES) as devices:
        yield devices


@pytest.fixture
def devices(all_devices: DevicesOnThread) -> DevicesOnThread:
    all_devices.calls.clear()
    return all_devices


def begin(folder: Path, process: HubProcess, gates: Gates) -> SqliteStore:
    """A store with a run of two batches."""
    store = SqliteStore.open(folder)
    definition = Definition(
        action=Action(method=MethodCall(name="reboot")),
        targets=Targets(selection=Selection(device_ids=DEVICES)),
        rollout=Rollout(sizes=parse_batch_sizes("3", "--batch"), gates=gates),
        delivery=Delivery(driver=Driver.CALLS, concurrency=3),
    )
    with client_of(process) as client:
        job = definitions.create(store, "job", planning.host_of(client), definition, by="me", at=CLOCK.now())
        planning.new_run(store, client, job, by="me", at=CLOCK.now())
    return store


def gated(store: SqliteStore) -> Batch | None:
    batch = store.runs.current_batch(store.runs.get("job"))
    return batch if batch is not None and batch.state is BatchState.GATED else None


def has_run(said: Path, times: int) -> bool:
    return said.exists() and said.read_text() == "1\n" * times


def check_completed(store: SqliteStore, devices: DevicesOnThread) -> None:
    run = store.runs.get("job")
    rows = {row.device_id: row.status for page in store.results.pages(run, ResultFilter()) for row in page.rows}
    assert run.state is RunState.COMPLETED and rows == dict.fromkeys(DEVICES, "completed")
    assert {each: devices.calls[each] for each in DEVICES} == dict.fromkeys(DEVICES, 1), "each once"
    gates = store.runs.batch(run, 1).gates
    assert gates is not None and [each.decision for each in gates.verdicts] == [GateDecision.GO]


def test_killed_while_a_command_runs_it_is_run_again(
    tmp_path: Path, process: HubProcess, devices: DevicesOnThread
) -> None:
    tool, said, may_end = tmp_path / "tool.py", tmp_path / "said", tmp_path / "may-end"
    tool.write_text(COMMAND)
    line = f"'{sys.executable}' '{tool}' '{said}' '{may_end}'"
    store = begin(tmp_path / "state", process, Gates(command=CommandGate(line=line)))
    for times in (1, 2):
        running = KillableProcess(resume_run, process, tmp_path / "state")
        wait_until("the command runs", partial(has_run, said, times))
        assert sum(devices.calls.values()) == 3, "the second batch has not begun"
        assert running.kill()
    may_end.touch()
    assert KillableProcess(resume_run, process, tmp_path / "state").end() == ENDED
    assert said.read_text() == "1\n" * 3
    check_completed(store, devices)
    store.close()


def test_killed_while_somebody_has_to_approve_it_waits_on_and_the_answer_counts(
    tmp_path: Path, process: HubProcess, devices: DevicesOnThread
) -> None:
    store = begin(tmp_path / "state", process, Gates(is_manual=True))
    for _ in range(2):
        running = KillableProcess(resume_run, process, tmp_path / "state")
        assert running.has_begun()
        wait_until("it waits for approval", lambda: gated(store) is not None)
        assert running.kill()
    assert sum(devices.calls.values()) == 3
    given = GateAnswer(is_approved=True, by="ann", reason=None, at=CLOCK.now())
    run = store.runs.get("job")
    batch = approval.answer(store, run, this_process(), given, CLOCK)
    assert not approval.await_seen(store, run, batch, CLOCK), "no process executes it"
    assert KillableProcess(resume_run, process, tmp_path / "state").end() == ENDED
    check_completed(store, devices)
    store.close()


def test_an_answer_is_seen_by_the_process_that_executes_the_run(
    tmp_path: Path, process: HubProcess, devices: DevicesOnThread
) -> None:
    store = begin(tmp_path / "state", process, Gates(is_manual=True))
    running = KillableProcess(resume_run, process, tmp_path / "state")
    wait_until("it waits for approval", lambda: gated(store) is not None)
    run = store.runs.get("job")
    given = GateAnswer(is_approved=False, by="ann", reason="alarms", at=CLOCK.now())
    batch = approval.answer(store, run, this_process(), given, CLOCK)
    assert approval.await_seen(store, run, batch, CLOCK)
    stopped = store.runs.get("job")
    assert (stopped.state, stopped.ended_by) == (RunState.STOPPED, "ann")
    assert stopped.reason == "Gate manual after batch 1: stop; rejected by ann: alarms"
    assert running.end() == PAUSED
    assert sum(devices.calls.values()) == 3
    store.close()
