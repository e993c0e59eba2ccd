"""What the local hub does with ten thousand devices, and what that costs it.

The devices are bare packets (`packet_devices`), in two processes of their own on the same machine. Wall clock depends
on what else the machine does; the hub's own CPU time for each operation does so far less, and is what to compare.

Run: .venv/bin/python benchmarks/hub.py [--devices 10000] [--websocket] [--only connect,methods,…]
With --short it takes some seconds and measures nothing: `make test` looks whether it still runs.
"""

import argparse
import copy
import http.client
import json
import os
import resource
import ssl
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from azext_iotjobs.localhub.testing.process import API_VERSION, LocalHub
from benchmarks.amqp_devices import amqp_device
from benchmarks.method_calls import call_methods
from benchmarks.mosquitto import Mosquitto, why_not
from benchmarks.packet_devices import HubEndpoint, PacketDevices
from benchmarks.row import Row
from tests.helpers.hub_process import sas

TOKEN_LIFE_S = 3600
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
MESSAGES, CALLS = 20_000, 10_000
PAGE_DEVICES, PAGE_MESSAGES = 3_000, 60_000
JOB_LIMIT_S = 660.0  # more than a job here has
SHORT = (20, 200, 200)  # devices, messages, calls
PARTS = ("create", "connect", "telemetry", "methods", "job", "twins", "restart", "amqp", "delete")


class HubUnderLoad:
    """A hub in a folder, and what is asked of it over one kept connection."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.local = LocalHub(*options, data_dir=folder)
        self.local.start()
        self._wire: http.client.HTTPSConnection | None = None

    def ask(self, verb: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
        """Status, document, headers."""
        if self._wire is None:
            tls = ssl.create_default_context(cafile=self.local.ca_certificate_path)
            self._wire = http.client.HTTPSConnection("localhost", self.local.https_port, context=tls, timeout=300)
        sent = {"Authorization": self.token(), "Content-Type": "application/json", **headers}
        mark = "&" if "?" in path else "?"
        text = None if body is None else json.dumps(body)
        self._wire.request(verb, f"{path}{mark}api-version={API_VERSION}", text, sent)
        answer = self._wire.getresponse()
        data = answer.read()
        return answer.status, json.loads(data) if data else None, dict(answer.headers)

    def ok(self, verb: str, path: str, body: Any = None, **headers: str) -> Any:
        """The document of an answer that is none but good."""
        status, document, _ = self.ask(verb, path, body, **headers)
        assert 200 <= status < 300, (status, document)
        return document

    def token(self) -> str:
        """The owner's, for requests."""
        parts = self._key_parts()
        return sas(parts["SharedAccessKey"], "localhost", policy=parts["SharedAccessKeyName"], life_s=TOKEN_LIFE_S)

    def _key_parts(self) -> dict[str, str]:
        return dict(part.partition("=")[::2] for part in self.local.connection_string.split(";"))

    def endpoint(self, *, is_websocket: bool = False, is_amqp: bool = False) -> HubEndpoint:
        """The way in for devices."""
        parts = self._key_parts()
        direct_port = self.local.amqp_port if is_amqp else self.local.mqtt_port
        return HubEndpoint(
            host="127.0.0.1",
            port=self.local.https_port if is_websocket else direct_port,
            ca_file=self.local.ca_certificate_path,
            hub_name="localhost",
            policy=parts["SharedAccessKeyName"],
            policy_key=parts["SharedAccessKey"],
            is_websocket=is_websocket,
        )

    def over_another_connection(self) -> "HubUnderLoad":
        """The same hub, for another thread."""
        other = copy.copy(self)
        other._wire = None
        return other

    def again(self) -> None:
        """The process has ended; start another on the same folder and ports."""
        self._wire = None
        self.local.start()

    @property
    def pid(self) -> int:
        return self.local.process.pid


def cpu_s(pid: int) -> float:
    """The CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def memory_mb(pid: int, what: str = "VmRSS") -> float:
    """A process's memory: VmRSS now, VmHWM the most it ever was."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) / 1024
    raise ValueError(what)


@dataclass
class Cost:
    """What a stretch of work took."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    latencies_s: list[float] = field(default_factory=list)  # of small requests meanwhile


@contextmanager
def measured(hub: HubUnderLoad) -> Iterator[Cost]:
    """Wall clock and the hub's CPU time of what is done inside."""
    with measured_process(hub.pid) as cost:
        yield cost


@contextmanager
def measured_process(pid: int) -> Iterator[Cost]:
    """The same of any process."""
    cost, began, cpu = Cost(), time.monotonic(), cpu_s(pid)
    yield cost
    cost.wall_s, cost.cpu_s = time.monotonic() - began, cpu_s(pid) - cpu


class Reached(NamedTuple):
    """How fast something went, and what each cost the hub."""

    rate: float  # a second, by the clock
    each_us: float  # of the hub's CPU time


def say(what: str, count: float, cost: Cost, more: str = "") -> Reached:
    """One line of figures."""
    found = reached(count, cost)
    _write(
        f"{what:34} {count:8.0f} in {cost.wall_s:7.2f} s  {found.rate:8.0f}/s  hub {found.each_us:7.0f} us each  {more}"
    )
    return found


def reached(count: float, cost: Cost) -> Reached:
    """So many of something at that cost."""
    return Reached(count / max(cost.wall_s, 1e-9), cost.cpu_s / max(count, 1) * 1e6)


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def quantiles(values: list[float]) -> str:
    """p50, p99 and the worst, in ms."""
    if len(values) < 2:
        return "no latencies"
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return f"p50 {cuts[49] * 1e3:.1f} p99 {cuts[98] * 1e3:.1f} max {max(values) * 1e3:.1f} ms"


@contextmanager
def small_requests(hub: HubUnderLoad, path: str, cost: Cost) -> Iterator[None]:
    """Ask for one device over and over, as others would meanwhile, and note how long each takes."""
    end = threading.Event()
    other = hub.over_another_connection()

    def work() -> None:
        while not end.wait(0.02):
            began = time.monotonic()
            other.ok("GET", path)
            cost.latencies_s.append(time.monotonic() - began)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


# --- parts


def create(hub: HubUnderLoad, ids: list[str]) -> None:
    with measured(hub) as cost:
        for at in range(0, len(ids), 100):
            items = [{"id": each, "importMode": "create"} for each in ids[at : at + 100]]
            hub.ok("POST", "/devices", items)
    say("created in bulk", len(ids), cost)


def delete(hub: HubUnderLoad, ids: list[str]) -> None:
    with measured(hub) as cost:
        for at in range(0, len(ids), 100):
            items = [{"id": each, "importMode": "delete"} for each in ids[at : at + 100]]
            hub.ok("POST", "/devices", items)
    say("deleted in bulk", len(ids), cost)


def connect(hub: HubUnderLoad, fleet: PacketDevices, ids: list[str], steps: list[int]) -> None:
    idle_mb, come = memory_mb(hub.pid), 0
    for step in steps:
        with measured(hub) as cost, small_requests(hub, f"/devices/{ids[0]}", cost):
            result = fleet.connect(step - come)
        new, come = result["connected"], step
        time.sleep(0.5)
        now_mb = memory_mb(hub.pid)
        each_kb = (now_mb - idle_mb) * 1024 / step
        more = f"hub {now_mb:.0f} MB, {each_kb:.1f} KB each; others: {quantiles(cost.latencies_s)}"
        say(f"connected, {step} in all", new, cost, more)
    counts = fleet.counts()
    _write(f"{'':34} connected {counts['connected']:.0f}, lost {counts['lost']:.0f}")


def telemetry(hub: HubUnderLoad, fleet: PacketDevices, messages: int, name: str = "telemetry, QoS 1") -> Reached:
    with measured(hub) as cost:
        result = fleet.send(messages)
    return say(name, result["acknowledged"], cost, "" if result["acknowledged"] == result["wanted"] else "LOST")


def amqp(hub: HubUnderLoad, ids: list[str], messages: int) -> None:
    """The same devices, one after the other, over AMQP."""
    fleet = PacketDevices(hub.endpoint(is_amqp=True), ids, amqp_device)
    try:
        with measured(hub) as cost:
            result = fleet.connect(len(ids))
        say("connected over AMQP", result["connected"], cost)
        telemetry(hub, fleet, messages, "telemetry over AMQP")
    finally:
        fleet.close()


def methods(hub: HubUnderLoad, ids: list[str], calls: int, *, at_once: int = 64) -> Reached:
    with measured(hub) as cost:
        latencies = call_methods(hub.local, hub.token(), ids, calls, at_once)
    return say(f"methods by HTTP, {at_once} at once", len(latencies), cost, quantiles(latencies))


def job(hub: HubUnderLoad, fleet: PacketDevices, ids: list[str], name: str) -> None:
    fleet.counts()
    document = {
        "type": "scheduleDeviceMethod",
        "queryCondition": "*",
        "maxExecutionTimeInSeconds": 600,
        "cloudToDeviceMethod": {"methodName": "reboot", "payload": {"delay": 5}, "responseTimeoutInSeconds": 120},
    }
    ended, cost = _job(hub, ids, name, document)
    answered = fleet.counts()["answered"]
    counted = ended["deviceJobStatistics"]
    more = (
        f"succeeded {counted['succeededCount']}, devices answered {answered:.0f}; others: {quantiles(cost.latencies_s)}"
    )
    say("methods by a job", counted["deviceCount"], cost, more)


def two_jobs(hub: HubUnderLoad, fleet: PacketDevices, ids: list[str]) -> None:
    """The second finds everything warm."""
    for number in range(2):
        job(hub, fleet, ids, f"job-{number}")


def twins(hub: HubUnderLoad, ids: list[str], name: str) -> None:
    document = {
        "type": "scheduleUpdateTwin",
        "queryCondition": "*",
        "maxExecutionTimeInSeconds": 600,
        "updateTwin": {"etag": "*", "tags": {"ring": name}, "properties": {"desired": {"interval": 60}}},
    }
    ended, cost = _job(hub, ids, name, document)
    counted = ended["deviceJobStatistics"]
    more = f"succeeded {counted['succeededCount']}; others: {quantiles(cost.latencies_s)}"
    say("twins by a job", counted["deviceCount"], cost, more)


def _job(hub: HubUnderLoad, ids: list[str], name: str, document: dict[str, Any]) -> tuple[dict[str, Any], Cost]:
    with measured(hub) as cost, small_requests(hub, f"/devices/{ids[0]}", cost):
        hub.ok("PUT", f"/jobs/v2/{name}", document)
        until = time.monotonic() + JOB_LIMIT_S
        while (ended := hub.ok("GET", f"/jobs/v2/{name}"))["status"] not in ("completed", "failed", "cancelled"):
            assert time.monotonic() < until, f"job {name} does not end: {ended}"
            time.sleep(0.1)
    assert ended["status"] == "completed", ended
    return dict(ended), cost


def restart(hub: HubUnderLoad) -> None:
    _write(f"{'most memory until here':34} {memory_mb(hub.pid, 'VmHWM'):.0f} MB")
    began = time.monotonic()
    code = hub.local.stop()
    ended_s = time.monotonic() - began
    began = time.monotonic()
    hub.again()
    up_s = time.monotonic() - began
    _write(f"{'stopped with its devices connected':34} exit {code} in {ended_s:.2f} s; up again in {up_s:.2f} s")


class Loaded(NamedTuple):
    """What devices that connect and then send made of a server."""

    connects: Reached
    telemetry: Reached


def loaded(endpoint: HubEndpoint, pid: int, ids: list[str], messages: int) -> Loaded:
    """All devices connect over MQTT, subscribe, and send so many messages each. Raises LoadLost."""
    fleet = PacketDevices(endpoint, ids)
    try:
        with measured_process(pid) as cost:
            come = fleet.connect(len(ids))["connected"]
        if come != len(ids):
            raise LoadLost(f"{come:.0f} of {len(ids)} devices connected")
        connects = reached(come, cost)
        with measured_process(pid) as cost:
            sent = fleet.send(messages)
        if sent["acknowledged"] != sent["wanted"]:
            raise LoadLost(f"{sent['acknowledged']:.0f} of {sent['wanted']:.0f} messages were acknowledged")
        return Loaded(connects, reached(sent["acknowledged"], cost))
    finally:
        fleet.close()


class LoadLost(Exception):
    """Not all came through, so that the figures say nothing."""


def rows(wanted: set[str], is_short: bool) -> Iterator[Row]:
    """For the page: the hub's MQTT side beside mosquitto, with the same devices and certificate; methods by HTTP."""
    allow_files()
    count, messages, calls = SHORT if is_short else (PAGE_DEVICES, PAGE_MESSAGES, CALLS)
    ids = [f"bench-{number:05}" for number in range(count)]
    with tempfile.TemporaryDirectory() as name:
        hub = HubUnderLoad(Path(name) / "hub")
        try:
            create(hub, ids)
            each = max(1, messages // count)
            if wanted - {"hub_methods"}:
                ours, (peer, note) = loaded(hub.endpoint(), hub.pid, ids, each), beside(hub, Path(name), ids, each)
                yield from _rows_of(ours, peer, note)
            if "hub_methods" in wanted:
                yield from _row_of_methods(hub, ids[: min(count, 1000)], calls)
        finally:
            hub.local.close()


def beside(hub: HubUnderLoad, folder: Path, ids: list[str], messages: int) -> tuple[Loaded | None, str]:
    """The same with mosquitto; None and the reason when there is none, or it fails."""
    reason = why_not()
    if reason:
        return None, reason
    endpoint = hub.endpoint()
    certificates = Path(hub.local.info["dataDirectory"])
    with Mosquitto(folder, certificates / "server.pem", certificates / "server-key.pem") as broker:
        try:
            found = loaded(replace(endpoint, port=broker.port), broker.pid, ids, messages)
        except (LoadLost, OSError) as err:
            return None, f"mosquitto: {err}"
    return found, "mosquitto checks no token and keeps no message, the hub does both"


def _rows_of(ours: Loaded, peer: Loaded | None, note: str) -> Iterator[Row]:
    parts = (
        ("connects", "devices that connect over TLS", "connect"),
        ("telemetry", "messages, QoS 1", "message"),
    )
    for part, what, unit in parts:
        mine: Reached = getattr(ours, part)
        theirs: Reached | None = getattr(peer, part) if peer else None
        for name, field_name, unit_of in (("", "rate", f"{unit}s/s"), ("_cpu", "each_us", f"µs of CPU a {unit}")):
            yield Row(
                name=f"hub_{part}{name}",
                what=f"{what}, by the clock" if not name else f"{what}: what each costs the server",
                unit=unit_of,
                ours=getattr(mine, field_name),
                peer=getattr(theirs, field_name) if theirs else None,
                peer_is="mosquitto",
                notes=(note,),
            )


def _row_of_methods(hub: HubUnderLoad, ids: list[str], calls: int) -> Iterator[Row]:
    fleet = PacketDevices(hub.endpoint(), ids)
    try:
        fleet.connect(len(ids))
        found = methods(hub, ids, calls)
    finally:
        fleet.close()
    what = "direct methods by HTTP, called by a bare asyncio client over 64 connections"
    yield Row("hub_methods", what, "calls/s", found.rate, notes=(f"{found.each_us:.0f} us of the hub's CPU each",))


def allow_files() -> None:
    """As many open files as the system lets this process have, and what it starts."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main() -> None:
    """Measure the parts that are asked for, in their order."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--websocket", action="store_true")
    parser.add_argument("--only", default=",".join(PARTS), help="of " + ", ".join(PARTS))
    parser.add_argument("--short", action="store_true", help="with so few that it takes some seconds")
    arguments = parser.parse_args()
    load = SHORT if arguments.short else (arguments.devices, MESSAGES, CALLS)
    parts = set(arguments.only.split(",")) | {"create"}
    allow_files()
    ids = [f"bench-{number:05}" for number in range(load[0])]
    with tempfile.TemporaryDirectory() as folder:
        hub = HubUnderLoad(Path(folder) / "hub")
        try:
            _measure(hub, ids, parts, load, is_websocket=arguments.websocket)
        finally:
            hub.local.close()
            sys.stdout.write(hub.local.errors)


def _measure(
    hub: HubUnderLoad, ids: list[str], parts: set[str], load: tuple[int, int, int], *, is_websocket: bool
) -> None:
    count, messages, calls = load
    create(hub, ids)
    fleet = PacketDevices(hub.endpoint(is_websocket=is_websocket), ids)
    with_fleet: dict[str, Callable[[], object]] = {
        "telemetry": lambda: telemetry(hub, fleet, max(1, messages // count)),
        "methods": lambda: methods(hub, ids, calls),
        "job": lambda: two_jobs(hub, fleet, ids),
        "twins": lambda: twins(hub, ids, "twins"),
        "restart": lambda: restart(hub),
    }
    try:
        if parts & {"connect", *with_fleet}:
            connect(hub, fleet, ids, sorted({min(count, step) for step in (1_000, 3_000, count)}))
        for name, part in with_fleet.items():
            if name in parts:
                part()
    finally:
        fleet.close()
    if "amqp" in parts:
        amqp(hub, ids, max(1, messages // count))
    if "delete" in parts:
        delete(hub, ids)


if __name__ == "__main__":
    main()
