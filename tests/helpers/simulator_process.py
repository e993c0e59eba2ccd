"""Simulated devices in a process of their own, without az: its memory and open files are theirs alone.

As a program, it reads what to simulate as JSON from the first line of its standard input. It answers each line `counts`
with a line of counts, and ends at the end of the file. Its last line is its result.
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


class SimulatorProcess:
    """A running simulation of devices that are registered already.

    settings: host, httpsPort, mqttPort, ca, policy, key, ids; if wanted websocket, rampPerSecond, messages,
    intervalSeconds, text;
    remembers: whether the result names the acknowledged messages.
    remembersCalls: whether the counts say for each method how many devices were called how often.
    """

    def __init__(self, **settings: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.helpers.simulator_process"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(settings) + "\n")
        self.process.stdin.flush()
        self._ended: dict[str, Any] | None = None

    def counts(self) -> dict[str, Any]:
        """Ready devices, activities, threads; and memory and open files of the process."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("counts\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the simulation has ended: {self.process.wait()}"
        return {**json.loads(line), "rss_kb": self.status("VmRSS"), "files": self.open_files}

    def status(self, name: str) -> int:
        """A number of /proc/PID/status, such as VmRSS, in KB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))

    @property
    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def end(self) -> dict[str, Any]:
        """End it cleanly; gives its result: acknowledged message numbers by device, failures, activities."""
        if self._ended is None:
            out, _ = self.process.communicate(timeout=END_LIMIT_S)
            self._ended = json.loads(out.splitlines()[-1])
        return self._ended

    def __enter__(self) -> "SimulatorProcess":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def main(settings: dict[str, Any]) -> None:
    """Simulate until standard input ends."""
    from azext_iotjobs.model.clock import SystemClock
    from azext_iotjobs.model.device_credentials import DeviceKey
    from azext_iotjobs.model.target import HubTarget
    from azext_iotjobs.operations.simulate import event_loop
    from azext_iotjobs.simulator.behaviour import Behaviour
    from azext_iotjobs.simulator.events import Activity, ActivityKind
    from azext_iotjobs.simulator.telemetry import TelemetryPlan
    from azext_iotjobs.transport.mqtt import MqttProtocol

    target = HubTarget(
        host=settings["host"],
        https_port=settings["httpsPort"],
        mqtt_port=settings["mqttPort"],
        ca_file=settings["ca"],
        is_local=True,
    )
    plan = None
    if settings.get("messages"):
        plan = TelemetryPlan(
            text=settings.get("text", "ping"), count=settings["messages"], interval_s=settings["intervalSeconds"]
        )
    behaviour = Behaviour()
    devices = [
        event_loop.SimulatedDevice(
            device_id=each,
            credential=DeviceKey(device_id=each, key=settings["key"], policy=settings["policy"]),
            behaviour=behaviour,
            plan=plan,
            number=number,
        )
        for number, each in enumerate(settings["ids"])
    ]
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    acknowledged: dict[str, list[int]] = {}
    called: dict[str, Counter[str]] = {}  # devices, by the name of the method
    ready: set[str] = set()
    stop = threading.Event()

    def on_activity(device: str, activity: Activity) -> None:
        counts[activity.kind.value] += 1
        if activity.kind is ActivityKind.READY:
            ready.add(device)
        elif activity.kind in (ActivityKind.LOST, ActivityKind.LEFT, ActivityKind.REFUSED, ActivityKind.NOT_CONNECTED):
            ready.discard(device)
            reasons[str(activity.details.get("reason"))] += 1
        elif activity.kind is ActivityKind.ACKNOWLEDGED and settings.get("remembers"):
            acknowledged.setdefault(device, []).append(activity.details["number"])
        elif activity.kind is ActivityKind.METHOD and settings.get("remembersCalls"):
            called.setdefault(activity.details["name"], Counter())[device] += 1

    def listen() -> None:
        for _ in sys.stdin:
            often = {name: dict(Counter(list(times.values()))) for name, times in list(called.items())}
            say({"ready": len(ready), "seen": dict(counts), "threads": threading.active_count() - 1, "called": often})
        stop.set()

    threading.Thread(target=listen, daemon=True).start()
    way = MqttProtocol.WEBSOCKET if settings.get("websocket") else MqttProtocol.TLS
    ramp = settings.get("rampPerSecond", event_loop.RAMP_PER_S)
    summary = event_loop.run(target, devices, on_activity, SystemClock(), stop, way, ramp_per_s=ramp)
    say(
        {
            "seen": dict(counts),
            "reasons": dict(reasons),
            "acknowledged": acknowledged,
            "sent": summary.sent_count,
            "dropped": summary.dropped_count,
            "failures": {name: str(error) for name, error in summary.failures.items()},
        }
    )


def say(document: dict[str, Any]) -> None:
    """Write one line to the process that started this one."""
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(json.loads(sys.stdin.readline()))
