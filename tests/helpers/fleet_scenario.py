"""What scenarios of fleet jobs begin with: 103 simulated devices on a thread, and the commands in a state folder."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.identity import NewIdentity
from azext_iotjobs.model.target import DeviceKey, HubTarget, SasKey, parse_connection_string
from azext_iotjobs.operations import simulate
from azext_iotjobs.simulator.behaviour import Behaviour, MethodRule
from azext_iotjobs.simulator.durations import Fixed
from azext_iotjobs.simulator.events import Seen, What
from azext_iotjobs.simulator.telemetry import TelemetryPlan
from tests.conftest import ScenarioHub
from tests.helpers.az import Ran
from tests.helpers.waiting import wait_until

ALL = [f"d-{number:03}" for number in range(103)]
FAILING = [ALL[number] for number in (10, 25, 40, 55, 70, 85)]  # six of the first hundred answer 500
SLOW = [ALL[number] for number in (4, 11, 102)]  # they take a while to answer `upgrade`
EVERYBODY = "STARTSWITH(deviceId, 'd-')"
ONE_BY_ONE = ("--driver", "calls", "--concurrency", "1")


class Fleet:
    """The devices; `calls` are those that were called, in order. From call `holds_at` on none answers until `gate`.

    `log` is what they received and answered, in order.
    """

    def __init__(self, hub: ScenarioHub) -> None:
        document = hub.document
        login = parse_connection_string(document["connectionString"])
        assert login.policy is not None and login.key is not None
        target = HubTarget(
            host="localhost",
            https_port=document["httpsPort"],
            mqtt_port=document["mqttPort"],
            ca_file=document["caCertificatePath"],
            is_local=True,
        )
        self.client = HubClient.open(target, SasKey(policy=login.policy, key=login.key), SystemClock())
        self.calls: list[str] = []
        self.log: list[tuple[What, str]] = []
        self.holds_at = len(ALL) + 1
        self.gate = threading.Event()
        self.stop = threading.Event()
        self._ready: set[str] = set()
        devices = [self._device(each) for each in ALL]
        self.thread = ThreadPoolExecutor(1)
        self.end = self.thread.submit(simulate.run, target, devices, self._seen, SystemClock(), self.stop)
        wait_until("all devices listen", lambda: len(self._ready) == len(ALL))

    def _device(self, name: str) -> simulate.SimulatedDevice:
        key = self.client.identities.create(NewIdentity(device_id=name)).primary_key
        assert key is not None
        status = 500 if name in FAILING else 200
        slow = MethodRule(status=status, latency=Fixed(0.4 if name in SLOW else 0.0))
        return simulate.SimulatedDevice(
            device_id=name,
            credential=DeviceKey(device_id=name, key=key),
            behaviour=Behaviour(any_method=MethodRule(status=status), methods={"upgrade": slow}),
            plan=TelemetryPlan(text="ping", count=10_000, interval_s=60),
        )

    def _seen(self, device: str, seen: Seen) -> None:
        if seen.what is What.READY:
            self._ready.add(device)
        if seen.what in (What.METHOD, What.ANSWER):
            self.log.append((seen.what, device))
        if seen.what is What.METHOD:
            self.calls.append(device)
            if len(self.calls) >= self.holds_at:
                self.gate.wait(30)

    def hold(self, at: int) -> None:
        self.gate.clear()
        self.holds_at = at

    def forget(self) -> None:
        """Begin to count anew."""
        self.calls.clear()
        self.log.clear()
        self.hold(len(ALL) + 1)

    def close(self) -> None:
        self.stop.set()
        self.thread.shutdown()
        assert self.end.result().failures == {}


class Place:
    """A state folder, and the commands that work in it."""

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
        return self.ok("create", "-n", self.hub.name, "-j", name, *more, code=code, stdin=stdin)


def counts(progress: dict[str, Any]) -> tuple[int, ...]:
    return tuple(progress[name] for name in ("completed", "failed", "uncertain", "pending"))
