"""A simulated fleet in a process of its own, without az in front: its memory and open files are its own.

As a program, it reads what to simulate as JSON from the first line of its standard input; then `counts` asks for a line
of counts, and the end ends it. Its last line says what came of it.
"""

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
END_LIMIT_S = 120.0


class SimulatedFleet:
    """A running fleet of devices that are registered already.

    told: host, httpsPort, mqttPort, ca, policy, key, ids; perhaps websocket, rampPerSecond, messages, intervalSeconds;
    remembers: to tell at the end which messages were acknowledged.
    remembersCalls: to tell in the counts, for each method, how many devices were called how often.
    """

    def __init__(self, **told: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.helpers.simulated_fleet"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(told) + "\n")
        self.process.stdin.flush()
        self._ended: dict[str, Any] | None = None

    def counts(self) -> dict[str, Any]:
        """How many devices are ready, how often what was seen, threads; and memory and open files of the process."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("counts\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the fleet has ended: {self.process.wait()}"
        return {**json.loads(line), "rss_kb": self.status("VmRSS"), "files": self.open_files}

    def status(self, name: str) -> int:
        """A number of /proc/PID/status, such as VmRSS, in KB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))

    @property
    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def end(self) -> dict[str, Any]:
        """End it cleanly; gives its last words: acknowledged message numbers by device, failures, what was seen."""
        if self._ended is None:
            out, _ = self.process.communicate(timeout=END_LIMIT_S)
            self._ended = json.loads(out.splitlines()[-1])
        return self._ended

    def __enter__(self) -> "SimulatedFleet":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def main(told: dict[str, Any]) -> None:
    """Simulate until standard input ends."""
    from azext_iotjobs.model.clock import SystemClock
    from azext_iotjobs.model.device_credentials import DeviceKey
    from azext_iotjobs.model.target import HubTarget
    from azext_iotjobs.operations.simulate import event_loop
    from azext_iotjobs.simulator.behaviour import Behaviour
    from azext_iotjobs.simulator.events import Seen, What
    from azext_iotjobs.simulator.telemetry import TelemetryPlan
    from azext_iotjobs.transport.mqtt import MqttProtocol

    target = HubTarget(
        host=told["host"], https_port=told["httpsPort"], mqtt_port=told["mqttPort"], ca_file=told["ca"], is_local=True
    )
    plan = None
    if told.get("messages"):
        plan = TelemetryPlan(text="ping", count=told["messages"], interval_s=told["intervalSeconds"])
    behaviour = Behaviour()
    devices = [
        event_loop.SimulatedDevice(
            device_id=each,
            credential=DeviceKey(device_id=each, key=told["key"], policy=told["policy"]),
            behaviour=behaviour,
            plan=plan,
            number=number,
        )
        for number, each in enumerate(told["ids"])
    ]
    seen: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    acknowledged: dict[str, list[int]] = {}
    called: dict[str, Counter[str]] = {}  # devices, by the name of the method
    ready: set[str] = set()
    stop = threading.Event()

    def on_seen(device: str, what: Seen) -> None:
        seen[what.what.value] += 1
        if what.what is What.READY:
            ready.add(device)
        elif what.what in (What.LOST, What.LEFT, What.REFUSED, What.NOT_CONNECTED):
            ready.discard(device)
            reasons[str(what.details.get("reason"))] += 1
        elif what.what is What.ACKNOWLEDGED and told.get("remembers"):
            acknowledged.setdefault(device, []).append(what.details["number"])
        elif what.what is What.METHOD and told.get("remembersCalls"):
            called.setdefault(what.details["name"], Counter())[device] += 1

    def listen() -> None:
        for _ in sys.stdin:
            often = {name: dict(Counter(list(times.values()))) for name, times in list(called.items())}
            say({"ready": len(ready), "seen": dict(seen), "threads": threading.active_count() - 1, "called": often})
        stop.set()

    threading.Thread(target=listen, daemon=True).start()
    way = MqttProtocol.WEBSOCKET if told.get("websocket") else MqttProtocol.TLS
    ramp = told.get("rampPerSecond", event_loop.RAMP_PER_S)
    summary = event_loop.run(target, devices, on_seen, SystemClock(), stop, way, ramp_per_s=ramp)
    say(
        {
            "seen": dict(seen),
            "reasons": dict(reasons),
            "acknowledged": acknowledged,
            "sent": summary.sent_count,
            "dropped": summary.dropped_count,
            "failures": {name: str(error) for name, error in summary.failures.items()},
        }
    )


def say(document: dict[str, Any]) -> None:
    """One line to who started us."""
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(json.loads(sys.stdin.readline()))
