"""A process, a hub that is a function, and a fleet job: the setup of tests of runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.model.fleet_job import Action, Driver
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.rollout import Threshold, parse_batch_sizes
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.share import parse_share
from tests.helpers.fleet_job_hub_double import StopDouble, World, definition_of, rows_of

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


class FleetJobSetup:
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
        return self.world.execute(self.store, stop)

    def resume(self, stop: Any = None) -> Run:
        return self.world.resume(self.store, stop)

    def events_of(self, kind: type) -> list[Any]:
        return [each for each in self.world.events if isinstance(each, kind)]

    @property
    def rows(self) -> dict[str, Any]:
        return rows_of(self.store, self.store.runs.get("job"))


class CallingList(list[Any]):
    """A list that calls a function with each event that is added."""

    def __init__(self, then: Callable[[Any], None]) -> None:
        super().__init__()
        self.then = then

    def append(self, event: Any) -> None:
        super().append(event)
        self.then(event)


def when_running(setup: FleetJobSetup) -> StopDouble:
    """Ctrl-C once a hub job runs."""
    return StopDouble(when=lambda: any(job["status"] == "running" for job in setup.world.hub.jobs.values()))
