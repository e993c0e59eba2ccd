"""Real processes that carry a run on are killed at random moments, at a real local hub; devices count what they get."""

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.store.contract import ResultFilter
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import LeaseHeld
from azext_iotjobs.model.fleet_job import Action, Definition, Delivery, Driver, Targets
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.rollout import Retry, Rollout, parse_batch_sizes
from azext_iotjobs.model.run_events import DeviceEnded, Event, HubJobMoved, RunObserver
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.tier import UNLIMITED, TierFacts
from azext_iotjobs.model.verification import Verification
from azext_iotjobs.operations.fleet_job import definitions, planning, run_loop
from azext_iotjobs.operations.fleet_job.drivers.factory import driver_factory
from azext_iotjobs.operations.fleet_job.gate_checks import gate_checker_factory
from azext_iotjobs.simulator.behaviour import METHOD_NAMES, Behaviour, MethodRule, ReportStep, WaitStep
from azext_iotjobs.simulator.durations import Uniform
from azext_iotjobs.simulator.template import compiled
from tests.helpers.devices_on_thread import DevicesOnThread, client_of, devices_of
from tests.helpers.fleet_job_process import ENDED, resume_run
from tests.helpers.hub_process import HubProcess
from tests.helpers.killable_process import KillableProcess, needs_fork
from tests.helpers.short_form import IN_FULL

DEVICES = tuple(f"dev-{number:02}" for number in range(24))
STORIES = 50 if IN_FULL else 2  # by each driver
CLOCK = SystemClock()
REBOOT = MethodCall(name="reboot")
# It is accepted at once, and done a little later.
UPDATE = MethodRule(
    status=202, then=(WaitStep(Uniform(0.1, 1.0)), ReportStep(patch=compiled({"done": "${request}"}, METHOD_NAMES)))
)

pytestmark = needs_fork


@pytest.fixture(scope="module")
def devices(process: HubProcess) -> Iterator[DevicesOnThread]:
    with devices_of(process, DEVICES, Behaviour(methods={"update": UPDATE})) as devices:
        yield devices


def begin(
    folder: Path,
    process: HubProcess,
    driver: Driver,
    retry: Retry | None = None,
    method: MethodCall = REBOOT,
    verification: Verification | None = None,
    rate: float = 30,
) -> None:
    store = SqliteStore.open(folder)
    definition = Definition(
        action=Action(method=method),
        targets=Targets(selection=Selection(device_ids=DEVICES)),
        rollout=Rollout(sizes=parse_batch_sizes("6", "--batch"), retry=retry),
        delivery=Delivery(driver=driver, concurrency=3, rate=rate, job_limit_s=60),
        verification=verification,
    )
    with client_of(process) as client:
        job = definitions.create(store, "job", planning.host_of(client), definition, by="me", at=CLOCK.now())
        planning.new_run(store, client, job, by="me", at=CLOCK.now(), tier=TierFacts(UNLIMITED))
    store.close()


def context_of(store: SqliteStore, client: HubClient, observer: RunObserver) -> run_loop.RunContext:
    return run_loop.RunContext(
        store=store,
        make_driver=driver_factory(lambda: client),
        make_gate_checker=gate_checker_factory(lambda: client),
        clock=CLOCK,
        observer=observer,
        stop=threading.Event(),
    )


@pytest.mark.parametrize("seed", range(STORIES))
@pytest.mark.parametrize("driver", [Driver.JOBS, Driver.CALLS])
def test_killed_again_and_again(
    tmp_path: Path, process: HubProcess, devices: DevicesOnThread, driver: Driver, seed: int
) -> None:
    devices.calls.clear()
    folder = tmp_path / "state"
    begin(folder, process, driver)
    kills = killed(folder, process, random.Random(f"{driver} {seed}"))
    store = SqliteStore.open(folder)
    run = store.runs.get("job")
    rows = {row.device_id: row.status for page in store.results.pages(run, ResultFilter()) for row in page.rows}
    store.close()
    assert run.state is RunState.COMPLETED and set(rows) == set(DEVICES)
    for device, status in rows.items():
        times = devices.calls[device]
        allowed = (0, 1) if status == "uncertain" and driver is Driver.CALLS else (1,)
        assert status in ("completed", "uncertain") and times in allowed, (device, status, times)
    assert list(rows.values()).count("uncertain") <= 3 * kills


@pytest.mark.parametrize("seed", range(STORIES))
@pytest.mark.parametrize("driver", [Driver.JOBS, Driver.CALLS])
def test_killed_again_and_again_while_devices_are_verified(
    tmp_path: Path, process: HubProcess, devices: DevicesOnThread, driver: Driver, seed: int
) -> None:
    devices.calls.clear()
    folder, done = tmp_path / "state", f"{driver.value}-{seed}"
    verification = Verification(condition=f"properties.reported.done = '{done}'", within_s=600)
    begin(folder, process, driver, method=MethodCall(name="update", payload=done), verification=verification)
    kills = killed(folder, process, random.Random(f"verified {driver} {seed}"))
    store = SqliteStore.open(folder)
    run = store.runs.get("job")
    rows = {row.device_id: row for page in store.results.pages(run, ResultFilter()) for row in page.rows}
    store.close()
    assert run.state is RunState.COMPLETED and set(rows) == set(DEVICES)
    for device, row in rows.items():
        times = devices.calls[device]
        allowed = (0, 1) if row.status == "uncertain" and driver is Driver.CALLS else (1,)
        assert row.status in ("completed", "uncertain") and times in allowed, (device, row, times)
        if row.status == "completed":
            assert row.reported == {"properties.reported.done": done} and row.method_status == 202, row
    assert [each.status for each in rows.values()].count("uncertain") <= 3 * kills


def killed(folder: Path, process: HubProcess, chance: random.Random) -> int:
    """Processes that execute a run until it has ended, the first four killed; gives how many were."""
    kills = 0
    while kills < 4:
        running = KillableProcess(resume_run, process, folder)
        running.has_begun()
        time.sleep(chance.random() * 0.6)
        if not running.kill():
            break
        kills += 1
    else:
        assert KillableProcess(resume_run, process, folder).end() == ENDED
    return kills


def test_a_second_process_is_refused_while_the_first_lives(tmp_path: Path, process: HubProcess) -> None:
    folder = tmp_path / "state"
    begin(folder, process, Driver.CALLS, rate=1)  # it lasts longer than a loaded machine takes to come to the refusal
    running = KillableProcess(resume_run, process, folder)
    assert running.has_begun()
    store = SqliteStore.open(folder)
    observer = KillsHub(process)  # it is notified of nothing
    with client_of(process) as client:
        context = context_of(store, client, observer)
        with pytest.raises(LeaseHeld, match=f"process {running.pid}, which holds it until"):
            run_loop.resume(store.runs.get("job"), context)
    stopping = run_loop.stop(store, store.runs.get("job"), context.holder, by="ann", reason="lunch", clock=CLOCK)
    asked_at = time.monotonic()
    assert stopping.stop_request is not None
    running.end()
    assert time.monotonic() - asked_at < 3  # a second, and what a loaded machine takes on top
    run = store.runs.get("job")
    assert (run.state, run.ended_by, run.reason, run.lease) == (RunState.STOPPED, "ann", "lunch", None)
    store.close()


class KillsHub:
    """Kills the hub when some devices have been operated, and starts it again a second later."""

    def __init__(self, process: HubProcess) -> None:
        self.process = process
        self.calls_seen = 0
        self.restarting: threading.Thread | None = None

    def on_event(self, event: Event) -> None:
        self.calls_seen += isinstance(event, (DeviceEnded, HubJobMoved))
        if self.calls_seen >= 3 and self.restarting is None:
            self.restarting = threading.Thread(target=self._restart)
            self.restarting.start()

    def _restart(self) -> None:
        ports = self.process.ports
        self.process.kill()
        time.sleep(1)
        self.process = HubProcess(self.process.data_dir, ports=ports)


@pytest.mark.parametrize("driver", [Driver.JOBS, Driver.CALLS])
def test_the_hub_dies_and_comes_back_in_the_middle(tmp_path: Path, driver: Driver) -> None:
    folder = tmp_path / "state"
    with HubProcess(tmp_path / "hub") as process, client_of(process) as client:
        devices = DevicesOnThread(client, DEVICES)
        begin(folder, process, driver, retry=Retry(tries={"offline": 5}, pause_s=2))
        store = SqliteStore.open(folder)
        observer = KillsHub(process)
        context = context_of(store, client, observer)
        run = run_loop.execute(store.runs.get("job"), context)
        assert observer.restarting is not None
        observer.restarting.join()
        rows = {row.device_id: row for page in store.results.pages(run, ResultFilter()) for row in page.rows}
        store.close()
        devices.close()
        observer.process.stop()
    assert run.state is RunState.COMPLETED and set(rows) == set(DEVICES), run.reason
    for device, row in rows.items():
        times = devices.calls[device]
        assert times == 1 if row.status == "completed" else times <= 1, (device, row.status, times)
    assert [row.status for row in rows.values()].count("completed") >= len(DEVICES) - 9
