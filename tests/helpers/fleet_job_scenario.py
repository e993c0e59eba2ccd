"""What scenarios of fleet jobs begin with: 103 simulated devices on a thread, and the commands in a state folder."""

import threading
from pathlib import Path
from typing import Any

from azext_iotjobs.simulator.behaviour import Behaviour, MethodRule
from azext_iotjobs.simulator.durations import Fixed
from azext_iotjobs.simulator.events import Activity, ActivityKind
from tests.conftest import ScenarioHub
from tests.helpers.az import Ran
from tests.helpers.scenario_devices import ScenarioDevices

ALL = [f"d-{number:03}" for number in range(103)]
FAILING = [ALL[number] for number in (10, 25, 40, 55, 70, 85)]  # six of the first hundred answer 500
SLOW = [ALL[number] for number in (4, 11, 102)]  # they take a while to answer `upgrade`
EVERYBODY = "STARTSWITH(deviceId, 'd-')"
ONE_BY_ONE = ("--driver", "calls", "--concurrency", "1")


class FleetJobDevices(ScenarioDevices):
    """The devices. From call `holds_at` on none answers until `gate`; `log` is what they received and answered."""

    def __init__(self, hub: ScenarioHub) -> None:
        self.log: list[tuple[ActivityKind, str]] = []
        self.holds_at = len(ALL) + 1
        self.gate = threading.Event()
        super().__init__(hub, {name: _behaviour(name) for name in ALL})

    def on_activity(self, device: str, activity: Activity) -> None:
        if activity.kind in (ActivityKind.METHOD, ActivityKind.ANSWER):
            self.log.append((activity.kind, device))
        super().on_activity(device, activity)
        if activity.kind is ActivityKind.METHOD and len(self.calls) >= self.holds_at:
            self.gate.wait(30)

    def hold(self, at: int) -> None:
        self.gate.clear()
        self.holds_at = at

    def forget(self) -> None:
        """Begin to count anew."""
        self.calls.clear()
        self.log.clear()
        self.hold(len(ALL) + 1)


def _behaviour(name: str) -> Behaviour:
    status = 500 if name in FAILING else 200
    slow = MethodRule(status=status, latency=Fixed(0.4 if name in SLOW else 0.0))
    return Behaviour(any_method=MethodRule(status=status), methods={"upgrade": slow})


class FleetJobs:
    """`az iot hub fleet-job` with a state folder of its own."""

    def __init__(self, hub: ScenarioHub, folder: Path) -> None:
        self.hub = hub
        self.folder = folder

    def words(self, verb: str, *more: str) -> tuple[str, ...]:
        return ("iot", "hub", "fleet-job", *verb.split(), "--state-dir", str(self.folder), *more)

    def run(self, verb: str, *more: str, stdin: str | None = None) -> Ran:
        ran = self.hub.az.run(*self.words(verb, *more), stdin=stdin)
        assert "Traceback" not in ran.stderr
        return ran

    def ok(self, verb: str, *more: str, code: int = 0, stdin: str | None = None) -> Any:
        ran = self.run(verb, *more, stdin=stdin)
        assert ran.code == code, f"{verb}: {ran.code}\n{ran.stderr}"
        return ran.json

    def create(self, name: str, *more: str, code: int = 0, stdin: str | None = None) -> Any:
        """Make the fleet job `name` on the local hub, with `more` options."""
        return self.ok("create", "-n", self.hub.name, "-j", name, *more, code=code, stdin=stdin)


def counts(progress: dict[str, Any]) -> tuple[int, ...]:
    return tuple(progress[name] for name in ("completed", "failed", "uncertain", "pending"))
