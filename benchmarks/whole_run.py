"""What each step of a fleet job with very many devices costs us, beside what the hub computes for the same requests.

A step is a whole az command as it is typed, in a process of its own, on a local hub without limits: choosing devices,
runs by both drivers with and without verification, results, show, reports. CPU seconds are compared, as other work on
the machine hardly changes them; az's own start is taken off. Where a step asks the hub nothing, the hub's CPU seconds
for the rows of as many devices, read by queries of 100, stand beside it in brackets: so fast can rows be had at all.

The twins say from the start what a verification wants; one device in a hundred does not, and is looked at until its
time is over.

Run: make .stamps/extension && .venv/bin/python benchmarks/whole_run.py [--devices 100000] [--only choose,run,show]
With --short it takes some seconds and measures nothing: `make test` looks whether it still runs.
"""

import argparse
import http.client
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from benchmarks.cli import AZ, OURS, environment, owner_token  # noqa: E402
from benchmarks.hub import cpu_s  # noqa: E402

DRIVERS = ("calls", "jobs")
PARTS = ("choose", "run", "show")  # what is shown is the last run
DEVICES, SHORT_DEVICES = 100_000, 300
SILENT_PART = 100  # one in so many devices never reports
WANTED = "properties.reported.interval = 5"
VERIFIED = ("--verify", WANTED, "--verify-within", "10s")
GROWTH_GOAL_MB = 8.0  # for ten times the devices
MAY_FAIL = (0, 4)  # exit codes of a run: all devices completed, some did not


class Row(NamedTuple):
    """What a step took."""

    step: str
    devices: int
    ours_s: float  # CPU seconds of our process, without az's start
    hub_s: float  # CPU seconds of the hub meanwhile; for the rows of as many devices where `is_served` is False
    wall_s: float
    memory_mb: float  # the most that our process had
    is_served: bool  # whether the hub is asked anything in this step

    @property
    def ratio(self) -> float:
        """Ours over the hub's; above 1 we are what is waited for."""
        return self.ours_s / max(self.hub_s, 1e-9)


class Used(NamedTuple):
    """What a process used."""

    cpu_s: float
    wall_s: float
    memory_mb: float


class Bench:
    """az, and a hub with so many devices."""

    def __init__(self, folder: Path, devices: int) -> None:
        self.folder, self.devices = folder, devices
        self._environment = environment(folder / "az", OURS)
        self.hub: dict[str, Any] = {}

    @contextmanager
    def running(self) -> Iterator["Bench"]:
        """The hub, from its start to its end."""
        seed = self.folder / "seed.json"
        seed.write_text(json.dumps({"devices": list(_seed(self.devices))}))
        ports = "--https-port 0 --mqtt-port 0 --amqp-port 0".split()
        started = self.az("iot", "local-hub", "start", "--detach", *ports, "--seed", str(seed), "--sku", "unlimited")
        self.hub = json.loads(started)
        try:
            yield self
        finally:
            self.az("iot", "local-hub", "stop")

    def az(self, *words: str) -> str:
        """What a command prints that must succeed."""
        with tempfile.TemporaryFile("w+") as output:
            self.timed(*words, stdout=output)
            output.seek(0)
            return output.read()

    def timed(self, *words: str, stdout: Any = subprocess.DEVNULL) -> Used:
        """Run a command; what it used."""
        errors, began = self.folder / "errors.txt", time.monotonic()
        with errors.open("w") as stderr:
            streams = {"stdin": subprocess.DEVNULL, "stdout": stdout, "stderr": stderr}
            process = subprocess.Popen([AZ, *words], env=self._environment, cwd=self.folder, **streams)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode in MAY_FAIL, f"az {' '.join(words)}: {process.returncode}\n{errors.read_text()}"
        return Used(used.ru_utime + used.ru_stime, time.monotonic() - began, used.ru_maxrss / 1024)

    def hub_s(self) -> float:
        """The CPU seconds of the hub so far."""
        return cpu_s(self.hub["pid"])


def _seed(devices: int) -> Iterator[dict[str, Any]]:
    """Devices of two sites; those that report what is wanted, and those that do not."""
    silent = max(1, devices // SILENT_PART)
    for first, last, site in ((1, devices // 2, "north"), (devices // 2 + 1, devices - silent, "south")):
        reported = {"interval": 5, "firmware": {"version": "2.0.1", "status": "idle"}}
        properties = {"desired": {"interval": 1}, "reported": reported}
        yield {"deviceId": _range(first, last), "tags": {"site": site, "floor": 3}, "properties": properties}
    yield {"deviceId": _range(devices - silent + 1, devices), "tags": {"site": "south"}}


def _range(first: int, last: int) -> str:
    return f"bench-{{{first:06}..{last:06}}}"


def measure(devices: int, folder: Path, drivers: Sequence[str] = DRIVERS, parts: Sequence[str] = PARTS) -> list[Row]:
    """Take all steps with so many devices, 200 or more, in an empty folder; a row for each, in their order."""
    with Bench(folder, devices).running() as bench:
        return list(_Steps(bench).all(drivers, parts))


class _Steps:
    """The steps, one after the other: what is later shown was made before."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._hub = ("-n", bench.hub["hostName"])
        words = ("iot", "local-hub", "-h")
        self._start_s = min(bench.timed(*words).cpu_s for _ in range(3))
        self._rows_s = 0.0  # of the hub, for the rows of all devices

    def all(self, drivers: Sequence[str], parts: Sequence[str]) -> Iterator[Row]:
        """Take them."""
        self._rows_s = self._read_rows()
        if "choose" in parts:
            yield from self._selecting()
        if "run" in parts:
            yield from self._running(drivers, "show" in parts)

    def _running(self, drivers: Sequence[str], is_shown: bool) -> Iterator[Row]:
        last = ""
        for driver in drivers:
            for more, words in (("", ()), (", verified", VERIFIED)):
                last = f"{driver}-{len(words)}"
                patch = f"properties.desired.interval={len(last)}"
                self._create(last, "-q", "*", "--twin-patch", patch, "--driver", driver, *words)
                events = self._bench.folder / f"{last}.jsonl"
                yield self._step(f"run by {driver}{more}", "run", "-j", last, "-y", "--events", str(events))
        if is_shown:
            yield from self._showing(last)

    def _selecting(self) -> Iterator[Row]:
        count = self._bench.devices
        ids = self._bench.folder / "ids.txt"
        ids.write_text("".join(f"bench-{number:06}\n" for number in range(1, count + 1)))
        for name, selection, share in (
            ("all", ("-q", "*"), 1),
            ("condition", ("-q", "tags.site = 'north'"), 2),
            ("file", ("--devices-file", str(ids)), 1),
        ):
            created = ("create", "-j", name, "--twin-patch", "tags.a=1", *selection, *self._hub)
            saved = self._step(f"save, devices by {name}", *created, devices=count // share)
            if name == "file":
                yield saved
            yield self._step(f"choose, by {name}", "run", "-j", name, "--dry-run", devices=count // share)

    def _showing(self, job: str) -> Iterator[Row]:
        for what in ("json", "csv", "jsonl"):
            yield self._step(
                f"results, {what} file", "results", "-j", job, "--output-file", str(self._bench.folder / f"r.{what}")
            )
        for what in ("json", "table"):
            yield self._step(f"results, -o {what}", "results", "-j", job, "-o", what)
        yield self._step("results, --check-registry", "results", "-j", job, "--check-registry", "-o", "none")
        for what in ("html", "xml", "md"):
            path = self._bench.folder / f"report.{what}"
            yield self._step(f"report, {what}", "report", "-j", job, "--output-file", str(path))
        yield self._step("show", "show", "-j", job)
        yield self._step("choose, failed ones", "rerun", "-j", job, "--dry-run")

    def _create(self, job: str, *words: str) -> None:
        self._bench.timed("iot", "hub", "fleet-job", "create", "-j", job, *words, *self._hub)

    def _step(self, name: str, *words: str, devices: int = 0) -> Row:
        devices = devices or self._bench.devices
        before = self._bench.hub_s()
        used = self._bench.timed("iot", "hub", "fleet-job", *words)
        hub_s = self._bench.hub_s() - before
        is_served = hub_s > self._rows_s / 10
        floor_s = hub_s if is_served else self._rows_s * devices / self._bench.devices
        ours_s = max(0.0, used.cpu_s - self._start_s)
        row = Row(name, devices, ours_s, floor_s, used.wall_s, used.memory_mb, is_served)
        say(line_of(row))
        return row

    def _read_rows(self) -> float:
        """The hub's CPU seconds for the rows of all devices, in pages of 100."""
        hub, before, token = self._bench.hub, self._bench.hub_s(), None
        tls = ssl.create_default_context(cafile=hub["caCertificatePath"])
        wire = http.client.HTTPSConnection(hub["hostName"], context=tls, timeout=300)
        key = hub["connectionString"].split("SharedAccessKey=")[1]
        headers = {"Authorization": owner_token(key), "Content-Type": "application/json"}
        query = json.dumps({"query": "SELECT * FROM devices"})
        while token != "":
            more: dict[str, str] = {"x-ms-continuation": token} if token else {}
            wire.request("POST", "/devices/query?api-version=2021-04-12", query, {**headers, **more})
            answer = wire.getresponse()
            assert answer.status == 200, answer.read()
            answer.read()
            token = answer.headers.get("x-ms-continuation", "")
        wire.close()
        return self._bench.hub_s() - before


def line_of(row: Row) -> str:
    """A row as it is printed."""
    hub = f"{row.hub_s:8.2f} " if row.is_served else f"({row.hub_s:7.2f})"
    return (
        f"{row.step:26} {row.devices:7} {row.ours_s:8.2f} {hub} {row.ratio:6.2f} "
        f"{row.ours_s / row.devices * 1e6:7.0f} us {row.wall_s:8.1f} {row.memory_mb:7.1f}"
    )


def measured(devices: int, drivers: Sequence[str], parts: Sequence[str] = PARTS) -> list[Row]:
    """The same in a folder that is removed afterwards, with a head."""
    say(
        f"{'step':26} {'devices':>7} {'ours s':>8} {'hub s':>8}  {'ratio':>6} {'each':>10} {'wall s':>8} {'most MB':>7}"
    )
    with tempfile.TemporaryDirectory() as name:
        return measure(devices, Path(name), drivers, parts)


def say(text: str) -> None:
    """A line of the result."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    """A tenth of the devices, and all: what memory grows by."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=DEVICES)
    parser.add_argument("--drivers", default=",".join(DRIVERS))
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--only-all", action="store_true", help="not a tenth of the devices before")
    parser.add_argument("--short", action="store_true", help="with so few that it takes some seconds")
    given = parser.parse_args()
    drivers, parts = given.drivers.split(","), given.only.split(",")
    devices = SHORT_DEVICES if given.short else given.devices
    few = [] if given.short or given.only_all else measured(devices // 10, drivers, parts)
    many = measured(devices, drivers, parts)
    grown = {row.step: row.memory_mb for row in many}
    for row in few:
        say_goal(f"{row.step}: MB more for {devices}", GROWTH_GOAL_MB, grown[row.step] - row.memory_mb)
    for row in many:
        say_goal(f"{row.step}: ours over the hub", 1.0, row.ratio)


def say_goal(what: str, most: float, reached: float) -> None:
    """What is to be reached, and what is."""
    say(f"goal {what:52} at most {most:7.2f}   reached {reached:8.2f}   {'yes' if reached <= most else 'NO'}")


if __name__ == "__main__":
    main()
