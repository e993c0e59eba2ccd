"""Fleet jobs over real transports, against the local hub as a process, with simulated devices."""

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.store.contract import ResultFilter
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.fleet_job import Action, Definition, Delivery, Driver, Targets
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.rollout import Rollout, parse_batch_sizes
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.run_events import Event
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.twin import TwinPatch
from azext_iotjobs.operations.fleet_job import definitions, planning, run_loop
from azext_iotjobs.operations.fleet_job.drivers.factory import driver_factory
from azext_iotjobs.operations.fleet_job.gate_checks import gate_checker_factory
from tests.helpers.devices_on_thread import DevicesOnThread, client_of
from tests.helpers.hub_process import HubProcess

CLOCK = SystemClock()
DEVICES = tuple(f"dev-{number:02}" for number in range(12))
METHOD = Action(method=MethodCall(name="reboot", payload={"n": 1}))
BOTH = [Driver.JOBS, Driver.CALLS]


@pytest.fixture(scope="module")
def hub(process: HubProcess) -> Iterator[HubClient]:
    with client_of(process) as client:
        yield client


@pytest.fixture(scope="module")
def devices(hub: HubClient) -> Iterator[DevicesOnThread]:
    fleet_of_devices = DevicesOnThread(hub, DEVICES)
    yield fleet_of_devices
    fleet_of_devices.close()


class Recorder:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def on_event(self, event: Event) -> None:
        self.events.append(event)


class FleetJobSetup:
    """A state folder, and what runs are executed with."""

    def __init__(self, folder: Path, hub: HubClient) -> None:
        self.store = SqliteStore.open(folder)
        self.hub = hub
        self.observer = Recorder()
        self.stop = threading.Event()

    def context(self) -> run_loop.RunContext:
        return run_loop.RunContext(
            store=self.store,
            make_driver=driver_factory(lambda: self.hub),
            make_gate_checker=gate_checker_factory(lambda: self.hub),
            clock=CLOCK,
            observer=self.observer,
            stop=self.stop,
        )

    def run(self, name: str, driver: Driver, action: Action = METHOD, **rollout: Any) -> Run:
        definition = Definition(
            action=action,
            targets=Targets(selection=Selection(device_ids=DEVICES)),
            rollout=Rollout(**rollout),
            delivery=Delivery(driver=driver, job_limit_s=60),
        )
        job = definitions.create(self.store, name, planning.host_of(self.hub), definition, by="me", at=CLOCK.now())
        run = planning.new_run(self.store, self.hub, job, by="me", at=CLOCK.now())
        return run_loop.execute(run, self.context())

    def results(self, run: Run, **wanted: Any) -> dict[str, Any]:
        pages = self.store.results.pages(run, ResultFilter(**wanted))
        return {row.device_id: row for page in pages for row in page.rows}


@pytest.fixture
def setup(tmp_path: Path, hub: HubClient, devices: DevicesOnThread) -> Iterator[FleetJobSetup]:
    devices.calls.clear()
    setup = FleetJobSetup(tmp_path / "state", hub)
    yield setup
    setup.store.close()


@pytest.mark.parametrize("driver", BOTH)
def test_each_device_is_called_once_in_batches(setup: FleetJobSetup, devices: DevicesOnThread, driver: Driver) -> None:
    run = setup.run(f"batches-{driver.value}", driver, sizes=parse_batch_sizes("1,5", "--batch"))
    assert (run.state, run.tally.completed, run.reason) == (RunState.COMPLETED, 12, None)
    assert [each.size for each in setup.store.runs.batches(run)] == [1, 5, 5, 1]
    assert devices.calls == Counter(DEVICES)
    rows = setup.results(run)
    assert {row.method_status for row in rows.values()} == {200} and set(rows) == set(DEVICES)


@pytest.mark.parametrize("driver", BOTH)
def test_a_twin_patch_of_tags_and_desired_properties(setup: FleetJobSetup, driver: Driver) -> None:
    patch = TwinPatch(document={"tags": {"by": driver.value}, "properties": {"desired": {"light": driver.value}}})
    run = setup.run(f"twins-{driver.value}", driver, Action(patch=patch))
    assert (run.state, run.tally.completed) == (RunState.COMPLETED, 12)
    twin = setup.hub.twins.get("dev-03").document
    assert (twin["tags"]["by"], twin["properties"]["desired"]["light"]) == (driver.value, driver.value)


@pytest.mark.parametrize("driver", BOTH)
def test_two_empty_state_folders_operate_every_device_twice(
    tmp_path: Path, hub: HubClient, devices: DevicesOnThread, driver: Driver
) -> None:
    devices.calls.clear()
    for folder in ("one", "two"):
        setup = FleetJobSetup(tmp_path / folder, hub)
        assert setup.run("same", driver, sizes=parse_batch_sizes("5", "--batch")).tally.completed == 12
        setup.store.close()
    assert devices.calls == Counter(dict.fromkeys(DEVICES, 2))
