"""A registry from ten thousand devices to a million: to fill it, to start on it, to query it, to select devices of a
job; and simulated devices that connect to it, from several processes. Where it bends shows in the rows of one step.

The hub's CPU time is measured: the clock depends on what else the machine does. A second connection asks for one device
over and over meanwhile: the longest that it waits is how long others are held up.

Run: .venv/bin/python benchmarks/million.py [--devices 10000,100000,1000000] [--connected 20000] [--only seed,…]
With --short it takes some seconds and measures nothing: `make test` looks whether it still runs.
"""

import argparse
import base64
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.hub import Cost, HubUnderLoad, memory_mb, small_requests
from benchmarks.simulator import Program, register, told

SIZES, CONNECTED, SHORT = "10000,100000,1000000", 20_000, (2_000, 6)
STEPS = ("seed", "start", "queries", "pages", "jobs", "connected")
SHARE_CONNECTED = 10  # one device in so many is simulated, up to --connected
ITEMS, RINGS = 100, 100  # of the seed; a ring has a hundredth of the devices
PAGES_AT_MOST, ROUNDS = 300, 3
SIMULATOR_PROCESSES = 2
CONNECT_LIMIT_S, JOB_LIMIT_S = 1200.0, 1200.0
OTHER_FILES = 500  # of the hub, beside connections of devices
QUERIES = {
    "a device by its id": "SELECT * FROM devices WHERE deviceId = '{last}'",
    "50 devices by their ids": "SELECT deviceId FROM devices WHERE deviceId IN [{fifty}]",
    "a page of a hundredth, by a tag": "SELECT * FROM devices WHERE tags.ring = '99'",
    "none, by a tag": "SELECT * FROM devices WHERE tags.ring = 'none'",
    "none, by a number in a tag": "SELECT * FROM devices WHERE tags.site.building = 99",
    "none, by a reported property": "SELECT * FROM devices WHERE properties.reported.firmware = 'none'",
    "none, by status": "SELECT * FROM devices WHERE status = 'disabled'",
    "none, by connectionState": "SELECT * FROM devices WHERE connectionState = 'Connected'",
    "COUNT of all": "SELECT COUNT() AS n FROM devices",
    "COUNT of a hundredth, by a tag": "SELECT COUNT() AS n FROM devices WHERE tags.ring = '99'",
    "COUNT of a seventh, by a number in a tag": "SELECT COUNT() AS n FROM devices WHERE tags.site.building = 3",
    "SUM of a number in a tag": "SELECT SUM(tags.site.building) AS s, COUNT() AS n FROM devices",
    "GROUP BY connectionState": "SELECT connectionState, COUNT() AS n FROM devices GROUP BY connectionState",
    "GROUP BY a tag": "SELECT tags.ring, COUNT() AS n FROM devices GROUP BY tags.ring",
    "GROUP BY deviceId": "SELECT deviceId, COUNT() AS n FROM devices GROUP BY deviceId",
}
# Asked for once before it is measured: an index is made meanwhile where there are many devices.
ASKED_FIRST = (
    "a page of a hundredth, by a tag",
    "none, by a number in a tag",
    "none, by a reported property",
    "none, by status",
    "none, by connectionState",
)
IDLE_SHARE, IDLE_FOR_S, IDLE_LIMIT_S = 0.2, 0.5, 120.0  # of a core; the small requests take a little


class Step(NamedTuple):
    """What a step took with so many devices registered."""

    step: str
    devices: int  # that are registered
    items: int  # what was done: devices created, selected, connected; 1 for a query
    cpu_s: float  # of the hub
    wall_s: float
    hub_mb: float  # of memory, after the step
    longest_ms: float = 0.0  # that another small request has waited meanwhile; 0: none was sent
    simulator_kb: float = 0.0  # of memory, for each connected device
    hub_kb: float = 0.0

    @property
    def line(self) -> str:
        """It, for people."""
        each_us = self.cpu_s / max(self.items, 1) * 1e6
        more = f"  others {self.longest_ms:6.0f} ms" if self.longest_ms else ""
        if self.simulator_kb:
            more += f"  simulator {self.simulator_kb:.1f} KB, hub {self.hub_kb:.1f} KB each"
        return (
            f"{self.devices:8} {self.step:34} {self.items:8} hub {self.cpu_s:8.3f} s {each_us:10.1f} us each  "
            f"wall {self.wall_s:8.3f} s  {self.hub_mb:6.0f} MB{more}"
        )


def measure(
    devices: int,
    folder: Path,
    steps: tuple[str, ...] = STEPS,
    connected: int = CONNECTED,
    on_row: Callable[[Step], None] = lambda _: None,
) -> list[Step]:
    """Take the steps with so many devices.

    devices: a multiple of 100.  folder: empty, for the hub's data, about 1.5 KB a device.
    connected: at most so many are simulated, and at most a tenth.  on_row: called with each row as it is there.
    """
    rows: list[Step] = []

    def take(row: Step) -> None:
        rows.append(row)
        on_row(row)

    hub = HubUnderLoad(folder)
    try:
        for name, step in _STEPS.items():
            if name == "seed" or name in steps:
                for row in step(hub, devices, connected):
                    take(row)
    finally:
        hub.local.close()
    return rows


def _id(number: int) -> str:
    return f"pump-{number:07}"


def _seed(devices: int) -> dict[str, Any]:
    each = devices // ITEMS
    return {
        "devices": [
            {
                "deviceId": f"pump-{{{item * each:07}..{(item + 1) * each - 1:07}}}",
                "tags": {"ring": str(item % RINGS), "site": {"building": item % 7}},
                "properties": {"desired": {"interval": 60}, "reported": {"firmware": f"1.{item % 4}"}},
            }
            for item in range(ITEMS)
        ]
    }


def seed(hub: HubUnderLoad, devices: int, _connected: int) -> Iterator[Step]:
    hub.ok("PUT", "/devices/first", {"deviceId": "first"})
    with _asked(hub, "/devices/first") as cost:
        hub.local.seed(_seed(devices))
    yield _row("seeded", devices, devices, cost, hub)


def start(hub: HubUnderLoad, devices: int, _connected: int) -> Iterator[Step]:
    for _ in range(2):  # once it has started twice, the hub's modules are loaded already
        began = time.monotonic()
        assert hub.local.stop() == 0
        ended_s = time.monotonic() - began
        hub.again()
        started_s = time.monotonic() - began - ended_s
    yield _row("ended", devices, 1, Cost(wall_s=ended_s))
    yield _row("started again", devices, 1, Cost(wall_s=started_s, cpu_s=exact_cpu_s(hub.pid)), hub)


def queries(hub: HubUnderLoad, devices: int, _connected: int) -> Iterator[Step]:
    hub = hub.over_another_connection()  # the hub has ended one that was idle for long
    ids = {"last": _id(devices - 1), "fifty": ", ".join(f"'{_id(at * devices // 50)}'" for at in range(50))}
    for name, text in QUERIES.items():
        alone: list[Cost] = []
        if name in ASKED_FIRST:
            with _asked(hub, f"/devices/{_id(0)}") as first:
                began_s = time.monotonic()
                hub.ok("POST", "/devices/query", {"query": text.format(**ids)})
                answered_s = time.monotonic() - began_s
                _wait_until_idle(hub)
            cost = Cost(answered_s, first.cpu_s, first.latencies_s)
            yield _row(f"{name}: first, until indexed", devices, 1, cost, hub)
        for _ in range(ROUNDS):
            with _measured(hub) as cost:
                found = hub.ok("POST", "/devices/query", {"query": text.format(**ids)})
            assert bool(found) != name.startswith("none"), (name, found)
            alone.append(cost)
        with _asked(hub, f"/devices/{_id(0)}") as beside:
            hub.ok("POST", "/devices/query", {"query": text.format(**ids)})
        cost = sorted(alone, key=lambda each: each.cpu_s)[ROUNDS // 2]
        yield _row(name, devices, 1, Cost(cost.wall_s, cost.cpu_s, beside.latencies_s), hub)


def pages(hub: HubUnderLoad, devices: int, _connected: int) -> Iterator[Step]:
    """From the first page on; where a page is does not matter."""
    token: dict[str, str] = {}
    count, page = 0, 0
    with _asked(hub, f"/devices/{_id(0)}") as cost:
        while page < PAGES_AT_MOST:
            _, found, headers = hub.ask("POST", "/devices/query", {"query": "SELECT * FROM devices"}, **token)
            page, count = page + 1, count + len(found)
            if "x-ms-continuation" not in headers:
                break
            token = {"x-ms-continuation": headers["x-ms-continuation"]}
    yield _row("paged through", devices, count, cost, hub)


def jobs(hub: HubUnderLoad, devices: int, _connected: int) -> Iterator[Step]:
    """One on a hundredth until it has ended; one on all until all are selected."""
    hub = hub.over_another_connection()  # the hub has ended one that was idle while devices connected
    _wait_until_idle(hub)  # devices that were connected have just ended
    for name, condition, states in (
        ("job on a hundredth, by a tag", "tags.ring = '99'", ("completed",)),
        ("job on all: selected", "*", ("running", "completed")),
    ):
        job_id = name.split(":")[0].replace(" ", "-").replace(",", "")
        document = {
            "type": "scheduleUpdateTwin",
            "queryCondition": condition,
            "maxExecutionTimeInSeconds": 3600,
            "updateTwin": {"etag": "*", "tags": {"touched": "1"}},
        }
        with _asked(hub, f"/devices/{_id(0)}") as cost:
            hub.ok("PUT", f"/jobs/v2/{job_id}", document)
            until = time.monotonic() + JOB_LIMIT_S
            while (found := hub.ok("GET", f"/jobs/v2/{job_id}"))["status"] not in states:
                assert time.monotonic() < until and found["status"] != "failed", found
                time.sleep(0.02)
        selected = found["deviceJobStatistics"]["deviceCount"]
        yield _row(name, devices, selected, cost, hub)
        assert selected > devices if condition == "*" else selected == devices // RINGS


def connected(hub: HubUnderLoad, devices: int, most: int) -> Iterator[Step]:
    """Devices of our simulator, dealt out among processes as `--shard` does."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]  # of a process; the hub has one for each connection
    count = max(SIMULATOR_PROCESSES, min(most, devices // SHARE_CONNECTED, files - OTHER_FILES))
    count -= count % SIMULATOR_PROCESSES
    keys = {f"sim-{number:06}": base64.b64encode(os.urandom(32)).decode() for number in range(count)}
    register(hub, keys)
    shards = [dict(list(keys.items())[number::SIMULATOR_PROCESSES]) for number in range(SIMULATOR_PROCESSES)]
    with ExitStack() as at_end:
        programs = [Program(sys.executable, "ours", told(hub, shard)) for shard in shards]
        for program in programs:
            at_end.callback(program.close)
            program.ask()
        before_mb, before_hub_mb = sum(memory_mb(each.pid) for each in programs), memory_mb(hub.pid)
        with _asked(hub, f"/devices/{_id(0)}") as cost:
            for program in programs:
                program.ask("connect")
            until = time.monotonic() + CONNECT_LIMIT_S
            while sum(each.ask()["ready"] for each in programs) < count:
                assert time.monotonic() < until, [each.ask() for each in programs]
                time.sleep(0.2)
        time.sleep(1.5)  # until presence is written
        simulator_mb, hub_mb = sum(memory_mb(each.pid) for each in programs), memory_mb(hub.pid)
        row = _row(f"connected, {SIMULATOR_PROCESSES} simulators", devices, count, cost, hub)
        yield row._replace(
            simulator_kb=(simulator_mb - before_mb) * 1024 / count, hub_kb=(hub_mb - before_hub_mb) * 1024 / count
        )
        with _asked(hub, f"/devices/{_id(0)}") as cost:
            text = "SELECT COUNT() AS n FROM devices WHERE connectionState = 'Connected'"
            assert hub.over_another_connection().ok("POST", "/devices/query", {"query": text}) == [{"n": count}]
        yield _row("COUNT of the connected ones", devices, 1, cost, hub)


_STEPS: dict[str, Callable[[HubUnderLoad, int, int], Iterator[Step]]] = {
    "seed": seed,
    "start": start,
    "queries": queries,
    "pages": pages,
    "connected": connected,
    "jobs": jobs,  # the last: the one on all goes on
}


def _wait_until_idle(hub: HubUnderLoad) -> None:
    until = time.monotonic() + IDLE_LIMIT_S
    while time.monotonic() < until:
        before_s = exact_cpu_s(hub.pid)
        time.sleep(IDLE_FOR_S)
        if exact_cpu_s(hub.pid) - before_s < IDLE_SHARE * IDLE_FOR_S:
            return
    raise AssertionError("the hub goes on computing")


def exact_cpu_s(pid: int) -> float:
    """The CPU seconds that a process has used, to less than the ticks of /proc/…/stat."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(each.read_text().split()[0]) for each in tasks) / 1e9


@contextmanager
def _measured(hub: HubUnderLoad) -> Iterator[Cost]:
    cost, began_s, cpu_s = Cost(), time.monotonic(), exact_cpu_s(hub.pid)
    yield cost
    cost.wall_s, cost.cpu_s = time.monotonic() - began_s, exact_cpu_s(hub.pid) - cpu_s


@contextmanager
def _asked(hub: HubUnderLoad, path: str) -> Iterator[Cost]:
    """What is done inside costs, while another asks for something small."""
    with _measured(hub) as cost, small_requests(hub, path, cost):
        yield cost


def _row(step: str, devices: int, count: int, cost: Cost, hub: HubUnderLoad | None = None) -> Step:
    longest_ms = max(cost.latencies_s, default=0.0) * 1e3
    hub_mb = 0.0 if hub is None else memory_mb(hub.pid)
    return Step(step, devices, count, cost.cpu_s, cost.wall_s, hub_mb, longest_ms)


def say(line: str) -> None:
    """One line of figures."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Measure the steps that are asked for, with each number of devices."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", default=SIZES, help="how many are registered, one number after another")
    parser.add_argument("--connected", type=int, default=CONNECTED, help="at most so many are simulated")
    parser.add_argument("--only", default=",".join(STEPS), help="of " + ", ".join(STEPS))
    parser.add_argument("--short", action="store_true", help="with so few that it takes some seconds")
    arguments = parser.parse_args()
    sizes = [SHORT[0]] if arguments.short else [int(each) for each in arguments.devices.split(",")]
    most = SHORT[1] if arguments.short else arguments.connected
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for devices in sizes:
        with tempfile.TemporaryDirectory() as folder:
            measure(devices, Path(folder) / "hub", tuple(arguments.only.split(",")), most, lambda row: say(row.line))


if __name__ == "__main__":
    main()
