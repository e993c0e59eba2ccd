"""What a simulated device costs, and how fast many are: ours, Microsoft's SDK and plain paho, one after another,
connected to the same local hub.

The SDK and plain paho wait with select(), which ends at 1024 open files: at 339 and 340 devices in a process, without
an error. So all three are compared with fewer than that; then ours is measured at full size.

The hub and the program that calls the methods run on the same machine, and take a core and more. CPU time for each
operation depends less on that than wall-clock time: it says what one core could do.

Run: .venv/bin/python benchmarks/simulator.py [--devices 10000] [--peers 300] [--calls 5000] [--only tls,websocket]
With --short it takes some seconds and measures nothing: `make test` checks that it still runs.
"""

import argparse
import base64
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from benchmarks.hub import HubUnderLoad, cpu_s, memory_mb  # noqa: E402
from benchmarks.method_calls import call_methods  # noqa: E402
from benchmarks.packet_devices import PacketDevices  # noqa: E402
from benchmarks.row import Row  # noqa: E402

SDK_PORT = 8883  # the SDK dials no other
SDK_PYTHON = REPOSITORY / ".venv-sdk" / "bin" / "python"
CONNECT_LIMIT_S, JOB_LIMIT_S = 240.0, 180.0
AT_ONCE = 64  # method calls over HTTP
PEER_DEVICES = 300  # 335 at most: the peers wait with select()
SHORT = (8, 3, 20)  # devices, devices of each peer, calls
RAMP_PER_S = 2000  # more than any hub here accepts, so that it is not what is measured
GOALS: Mapping[str, tuple[str, float]] = {  # (which figure, goal); memory at most, the others at least
    "KB for each of all devices": ("kb", 60),
    "connects/s, TLS": ("tls", 250),
    "connects/s, WebSocket": ("websocket", 150),
    "method answers/s, by a job": ("job", 5000),
}


class Program:
    """Devices in a process of their own; nothing is connected before `connect`."""

    def __init__(self, python: str | Path, name: str, told: dict[str, Any]) -> None:
        words = [str(python), str(REPOSITORY / "benchmarks" / "peers" / f"{name}.py")]
        self.process = subprocess.Popen(
            words,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)} if python == sys.executable else None,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if name == "official_sdk" else None,  # it logs
            text=True,
        )
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(told) + "\n")

    @property
    def pid(self) -> int:
        return self.process.pid

    def ask(self, word: str = "counts") -> dict[str, Any]:
        """Say a word; gives the counts."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline()))

    @property
    def threads(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/task"))

    @property
    def files(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def close(self) -> None:
        """End it; one that does not is killed."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass
class Figures:
    """What was measured with one program."""

    devices: int
    whole_kb: float  # of memory for each device, the process's own included
    kb: float  # for each device, beyond what the process had before
    threads: float  # for each device
    files: float
    connects_per_s: float
    connect_cpu_us: float  # of the devices' process
    calls_per_s: float = 0.0
    latencies_s: tuple[float, ...] = ()
    jobs_per_s: tuple[float, ...] = ()
    job_cpu_us: float = 0.0
    lost: str = ""  # what was lost; "" is nothing

    def row(self, name: str) -> str:
        """One line of the table."""
        cuts = statistics.quantiles(self.latencies_s, n=100) if len(self.latencies_s) > 1 else [0.0] * 99
        return (
            f"{name:26}{self.devices:8}{self.kb:8.1f}{self.threads:8.2f}{self.files:7.2f}{self.connects_per_s:10.0f}"
            f"{self.connect_cpu_us:9.0f}{self.calls_per_s:10.0f}{cuts[49] * 1e3:8.1f}{cuts[98] * 1e3:8.1f}"
            f"{max(self.jobs_per_s, default=0.0):9.0f}{self.job_cpu_us:8.0f}  {self.lost}"
        )


HEAD = (
    f"{'':26}{'devices':>8}{'KB each':>8}{'threads':>8}{'files':>7}{'connects/s':>10}{'CPU us':>9}{'calls/s':>10}"
    f"{'p50 ms':>8}{'p99 ms':>8}{'job/s':>9}{'CPU us':>8}"
)


class BareDevices:
    """The floor: devices that are packets alone (packet_devices), asked as a program is."""

    def __init__(self, hub: HubUnderLoad, ids: list[str]) -> None:
        self._fleet, self._count, self._answered = PacketDevices(hub.endpoint(), ids, processes=1), len(ids), 0.0

    def ask(self, word: str = "counts") -> dict[str, Any]:
        if word == "connect":
            self._fleet.connect(self._count)
        counts = self._fleet.counts()
        self._answered += counts["answered"]
        return {"ready": counts["connected"], "answered": self._answered}

    def close(self) -> None:
        self._fleet.close()


class Asked(Protocol):
    """What says how many devices are ready, and how many methods they answered."""

    def ask(self, word: str = "counts") -> dict[str, Any]:
        """Say a word; gives the counts."""


def measure(hub: HubUnderLoad, program: Program, ids: list[str], calls: int, job: str) -> Figures:
    """Connect all, call methods over HTTP, run a method job over all twice."""
    program.ask()  # it has imported what it needs
    before_kb, before_threads, before_files = memory_mb(program.pid) * 1024, program.threads, program.files
    count = len(ids)
    began, cpu = time.monotonic(), cpu_s(program.pid)
    counts = program.ask("connect")
    while counts["ready"] < count and time.monotonic() - began < CONNECT_LIMIT_S:
        time.sleep(0.1)
        counts = program.ask()
    took_s = time.monotonic() - began
    figures = Figures(
        devices=count,
        connects_per_s=counts["ready"] / took_s,
        connect_cpu_us=(cpu_s(program.pid) - cpu) / count * 1e6,
        whole_kb=0.0,
        kb=0.0,
        threads=(program.threads - before_threads) / count,
        files=(program.files - before_files) / count,
        lost="" if counts["ready"] == count else f"{count - counts['ready']} did not connect",
    )
    if not figures.lost:
        began = time.monotonic()
        figures.latencies_s = tuple(call_methods(hub.local, hub.token(), ids, calls, AT_ONCE))
        figures.calls_per_s = calls / (time.monotonic() - began)
        cpu = cpu_s(program.pid)
        figures.jobs_per_s = tuple(
            run_job(hub, program, count, f"{job}-{turn}".replace("_", "-"), figures) for turn in range(2)
        )
        figures.job_cpu_us = (cpu_s(program.pid) - cpu) / count / 2 * 1e6
    figures.whole_kb = memory_mb(program.pid, "VmHWM") * 1024 / count
    figures.kb = (memory_mb(program.pid, "VmHWM") * 1024 - before_kb) / count
    return figures


def run_job(hub: HubUnderLoad, program: Asked, count: int, job: str, figures: Figures) -> float:
    """A method job over all; gives devices a second, and notes what was lost."""
    before = program.ask()["answered"]
    method = {"methodName": "reboot", "payload": {"a": 1}, "responseTimeoutInSeconds": 60}
    document = {"type": "scheduleDeviceMethod", "queryCondition": "*", "cloudToDeviceMethod": method}
    began = time.monotonic()
    hub.ok("PUT", f"/jobs/v2/{job}", {**document, "maxExecutionTimeInSeconds": int(JOB_LIMIT_S)})
    while (found := hub.ok("GET", f"/jobs/v2/{job}"))["status"] not in ("completed", "failed"):
        assert time.monotonic() - began < 2 * JOB_LIMIT_S, f"job {job} does not end: {found}"
        time.sleep(0.01)
    took_s = time.monotonic() - began
    tally, answered = found["deviceJobStatistics"], program.ask()["answered"] - before
    if tally["succeededCount"] != count or answered != count:
        figures.lost += f" {job}: {tally['succeededCount']} succeeded, {answered} answered"
    trouble = program.ask().get("trouble")
    if trouble:
        figures.lost += f" {trouble}"
    return count / took_s


@contextmanager
def running_hub(count: int) -> Iterator[tuple[HubUnderLoad, dict[str, str]]]:
    """A hub with so many devices; their ids and keys."""
    with socket.socket() as probe:
        is_free = probe.connect_ex(("127.0.0.1", SDK_PORT)) != 0
    with tempfile.TemporaryDirectory() as folder:
        hub = HubUnderLoad(Path(folder) / "hub", *(("--mqtt-port", str(SDK_PORT)) if is_free else ()))
        try:
            yield hub, {f"sim-{number:05}": base64.b64encode(os.urandom(32)).decode() for number in range(count)}
        finally:
            hub.local.close()


def register(hub: HubUnderLoad, devices: Mapping[str, str], mode: str = "create") -> None:
    """Create or delete them in bulk."""
    ids = list(devices)
    for at in range(0, len(ids), 100):
        items: list[dict[str, Any]] = []
        for each in ids[at : at + 100]:
            keys = {"primaryKey": devices[each], "secondaryKey": devices[each]}
            known = {"authentication": {"type": "sas", "symmetricKey": keys}} if mode == "create" else {}
            items.append({"id": each, "importMode": mode, **known})
        hub.ok("POST", "/devices", items)


def told(hub: HubUnderLoad, devices: Mapping[str, str], *, is_websocket: bool = False) -> dict[str, Any]:
    """What a program is to simulate."""
    return {
        "host": hub.local.device_host_name,
        "httpsPort": hub.local.https_port,
        "mqttPort": hub.local.mqtt_port,
        "ca": hub.local.ca_certificate_path,
        "devices": dict(devices),
        "isWebSocket": is_websocket,
        "rampPerSecond": RAMP_PER_S,
    }


def main() -> None:
    """Measure, print the table, compare with the goals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--peers", type=int, default=PEER_DEVICES, help="devices of each peer, 335 at most")
    parser.add_argument("--calls", type=int, default=5_000)
    parser.add_argument("--only", default="peers,tls,websocket")
    parser.add_argument("--short", action="store_true", help="with so few that it takes some seconds")
    arguments = parser.parse_args()
    if arguments.short:
        arguments.devices, arguments.peers, arguments.calls = SHORT
    parts = arguments.only.split(",")
    say(HEAD)
    with running_hub(max(arguments.devices, arguments.peers)) as (hub, devices):
        few = dict(list(devices.items())[: arguments.peers])
        register(hub, few)
        if "peers" in parts:
            compare(hub, few, arguments.calls)
        register(hub, {each: key for each, key in devices.items() if each not in few})
        every = dict(list(devices.items())[: max(arguments.devices, arguments.peers)])
        reached: dict[str, float] = {}
        for part in ("tls", "websocket"):
            if part in parts:
                is_websocket = part == "websocket"
                figures = run(
                    hub, sys.executable, "ours", told(hub, every, is_websocket=is_websocket), arguments.calls, part
                )
                reached[part] = figures.connects_per_s
                reached["kb"] = max(reached.get("kb", 0.0), figures.whole_kb)
                reached["job"] = max(reached.get("job", 0.0), *figures.jobs_per_s, 0.0)
                say(figures.row(f"ours, all, {part}") + f"  hub {memory_mb(hub.pid, 'VmHWM'):.0f} MB at most")
    for goal, (name, wanted) in GOALS.items():
        if name in reached:
            is_met = reached[name] <= wanted if name == "kb" else reached[name] >= wanted
            say(f"goal {goal:32} {wanted:7.0f}   reached {reached[name]:7.0f}   {'yes' if is_met else 'NO'}")


def compare(hub: HubUnderLoad, few: Mapping[str, str], calls: int) -> None:
    """The three peers, one after the other, and their ratios."""
    found, missing = of_peers(hub, few, calls)
    for each in missing:
        say(each)
    ours = found.pop("ours")
    for name, other in found.items():
        if other.lost:
            continue
        median, theirs = statistics.median(ours.latencies_s), statistics.median(other.latencies_s)
        say(
            f"ours against {name}: memory {ours.kb / other.kb:.2f}, connects/s "
            f"{ours.connects_per_s / other.connects_per_s:.2f}, calls/s {ours.calls_per_s / other.calls_per_s:.2f}, "
            f"p50 {median / theirs:.2f}, job/s {max(ours.jobs_per_s) / max(other.jobs_per_s):.2f}"
        )


def of_peers(hub: HubUnderLoad, few: Mapping[str, str], calls: int) -> tuple[dict[str, Figures], list[str]]:
    """Figures of ours and of each peer, printed as they come; and why one is left out."""
    peers = {"ours": sys.executable, "paho_threads": sys.executable, "official_sdk": str(SDK_PYTHON)}
    missing: list[str] = []
    if hub.local.mqtt_port != SDK_PORT or not SDK_PYTHON.exists():
        del peers["official_sdk"]
        missing.append(
            f"azure-iot-device is left out: port {SDK_PORT} is taken, or it is not installed (make .stamps/sdk)"
        )
    found: dict[str, Figures] = {}
    for name, python in peers.items():
        found[name] = run(hub, python, name, told(hub, few), calls, name)
        say(found[name].row(name))
    return found, missing


def rows(_wanted: set[str], is_short: bool) -> Iterator[Row]:
    """For the page: a method job over as many devices as every peer can have, and their memory."""
    _, count, calls = SHORT if is_short else (0, PEER_DEVICES, PEER_DEVICES)
    with running_hub(count) as (hub, devices):
        register(hub, devices)
        found, missing = of_peers(hub, devices, calls)
        least = of_bare_devices(hub, list(devices))
    ours = found["ours"]
    of = f"of {count} devices in one process"
    for peer, peer_is, ending in (
        ("official_sdk", "azure-iot-device, Microsoft's device SDK", ""),
        ("paho_threads", "paho-mqtt, a thread for each device", "_paho"),
    ):
        theirs = found.get(peer)
        lost = [f"{name}: {each.lost}" for name, each in (("ours", ours), (peer, theirs)) if each and each.lost]
        if theirs is not None and theirs.lost:
            theirs = None
        notes = tuple(lost + (missing if peer not in found else []))
        yield Row(
            f"simulated_fleet_jobs{ending}",
            f"answers to a hub's method job {of}",
            "answers/s",
            max(ours.jobs_per_s, default=None),
            max(theirs.jobs_per_s) if theirs else None,
            least,
            peer_is,
            "ready-made packets over asyncio",
            notes,
        )
        yield Row(
            f"simulated_memory{ending}",
            f"memory of each {of}, without the process's own",
            "KB",
            ours.kb,
            theirs.kb if theirs else None,
            peer_is=peer_is,
            notes=notes,
        )


def of_bare_devices(hub: HubUnderLoad, ids: list[str]) -> float | None:
    """The floor's answers a second, at best; None when it lost any."""
    bare, figures = BareDevices(hub, ids), Figures(len(ids), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    try:
        bare.ask("connect")
        rates = [run_job(hub, bare, len(ids), f"bare-{turn}", figures) for turn in range(2)]
    finally:
        bare.close()
    return None if figures.lost else max(rates)


def run(hub: HubUnderLoad, python: str, name: str, what: dict[str, Any], calls: int, job: str) -> Figures:
    """One program, from its start to its end."""
    program = Program(python, name, what)
    try:
        return measure(hub, program, list(what["devices"]), calls, f"{job}-{name}")
    finally:
        program.close()


def say(line: str) -> None:
    """One line of figures."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
