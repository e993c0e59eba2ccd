"""Fleet jobs with a team's store on PostgreSQL beside those with a file of this machine.

Parts:
  runs   a twin update of all devices of a hub without limits, by each driver: seconds, our CPU, the server's CPU
  hosts  processes that each execute a run of their own in one store, as if their devices answered at once: each step
         is stored as a run by calls stores it. How many devices a second they record together, beside one process

The server is a private one on this machine, on a socket, with fsync; the file is on the same disk. It shares the cores
with the hub, which a server elsewhere would not; on the other hand there is no network in between.

Run: .venv/bin/python benchmarks/team_store.py [--devices 100000] [--hosts 20] [--only runs,hosts]
With --short it takes some seconds and measures nothing: `make test` looks whether it still runs.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from azext_iotjobs.fleet_job.store.contract import FleetJobStore, NewRun  # noqa: E402
from azext_iotjobs.fleet_job.store.holder import this_process  # noqa: E402
from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun  # noqa: E402
from azext_iotjobs.model.attempt import Attempt, AttemptResult  # noqa: E402
from azext_iotjobs.model.clock import SystemClock  # noqa: E402
from azext_iotjobs.model.fleet_job import Action, Definition, Delivery, Driver, Targets  # noqa: E402
from azext_iotjobs.model.rollout import parse_batch_sizes  # noqa: E402
from azext_iotjobs.model.run import Run  # noqa: E402
from azext_iotjobs.model.run_state import DeviceState, RunEvent  # noqa: E402
from azext_iotjobs.model.selection import Selection  # noqa: E402
from azext_iotjobs.model.twin import TwinPatch  # noqa: E402
from benchmarks.fleet_job_run import open_store  # noqa: E402
from benchmarks.fleet_jobs import Runner, hub_with  # noqa: E402
from benchmarks.hub import TICKS_PER_S, allow_files  # noqa: E402
from benchmarks.row import Row  # noqa: E402
from tests.helpers.postgres_server import PostgresServer, binaries, postgres_server  # noqa: E402

DRIVERS = ("calls", "jobs")
DEVICES, PAGE_DEVICES, SHORT_DEVICES = 100_000, 20_000, 60
HOSTS, SHORT_HOSTS = 20, 2
OF_EACH_HOST, SHORT_OF_EACH = 1_000, 30
AT_ONCE = 10  # devices of each step of a host
HOST_LIMIT_S = 600.0
DURABLE = ("fsync=on", "full_page_writes=on", "shared_buffers=128MB")  # as servers are
CLOCK = SystemClock()


class Used(NamedTuple):
    """What a run took."""

    wall_s: float
    ours_s: float  # CPU seconds of the process that executes it
    server_s: float  # of all of the server's processes meanwhile; 0 with a file


@contextmanager
def durable_server() -> Iterator[PostgresServer]:
    """A private server that writes to the disk before it says so."""
    with postgres_server(*DURABLE) as server:
        yield server


def runs(devices: int, folder: Path, server: PostgresServer) -> Iterator[tuple[str, str, Used]]:
    """Driver, kind of store, and what a run of so many devices took, which were chosen before."""
    with hub_with(devices, folder) as (hub, _):
        for driver in DRIVERS:
            for kind, store in (("file", ""), ("server", server.url())):
                before = _server_s(server)
                with Runner(hub, folder / driver, f"twins-{driver}", driver=driver, store=store) as runner:
                    end = runner.to_its_end()
                assert end["completed"] == devices, end
                used_s = _server_s(server) - before if store else 0.0
                yield driver, kind, Used(end["seconds"], end["cpuS"], used_s)


def _server_s(server: PostgresServer) -> float:
    """CPU seconds of the server's processes, and of those that have ended."""
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    ticks = sum(map(int, fields[11:15]))
    for child in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split():
        try:
            ticks += sum(map(int, Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[11:13]))
        except FileNotFoundError:
            continue
    return ticks / TICKS_PER_S


# --- hosts


def hosts(count: int, devices: int, store: str, folder: Path) -> float:
    """Devices a second that so many processes record together, each in a run of its own of so many devices."""
    spawning = multiprocessing.get_context("spawn")
    ready = spawning.Barrier(count + 1)
    processes = [
        spawning.Process(target=_be_host, args=(f"job-{count}-{number}", devices, store, folder, ready))
        for number in range(count)
    ]
    for each in processes:
        each.start()
    ready.wait(HOST_LIMIT_S)
    began = time.monotonic()
    for each in processes:
        each.join(HOST_LIMIT_S)
    took_s = time.monotonic() - began
    assert all(each.exitcode == 0 for each in processes), [each.exitcode for each in processes]
    return count * devices / took_s


def _be_host(job: str, devices: int, place: str, folder: Path, ready: Barrier) -> None:
    """A process that executes a run of its own, in a store that it shares."""
    store = open_store(place, folder)
    leased = store.take_lease(_new_run(store, job, devices), this_process(), CLOCK.now())
    ready.wait(HOST_LIMIT_S)
    now = CLOCK.now()
    leased.begin(RunEvent.START, now, forgiven_of_run=0, forgiven_of_batch=0)
    leased.begin_batch(1, now)
    assert _operate(leased) == devices
    leased.end_batch(1, CLOCK.now(), CLOCK.now())
    leased.end(RunEvent.FINISH, CLOCK.now(), reason=None, by=None)


def _operate(leased: LeasedRun) -> int:
    """Record of each device that its call begins and has ended; gives how many there were."""
    count, in_flight = 0, leased.devices.due(1, CLOCK.now(), AT_ONCE)
    leased.devices.write(CLOCK.now(), ended=(), begun=in_flight)
    while in_flight:
        count += len(in_flight)
        due = leased.devices.due(1, CLOCK.now(), AT_ONCE, after=in_flight[-1].seq)
        leased.devices.write(CLOCK.now(), ended=[_ended(each, CLOCK.now()) for each in in_flight], begun=due)
        in_flight = due
    return count


def _ended(attempt: Attempt, now: datetime) -> AttemptResult:
    return AttemptResult(
        seq=attempt.seq, state=DeviceState.COMPLETED, tries=1, began_at=now, ended_at=now, payload={}, has_payload=True
    )


def _new_run(store: FleetJobStore, job: str, devices: int) -> Run:
    definition = Definition(
        action=Action(patch=TwinPatch(document={"tags": {"a": 1}})),
        targets=Targets(selection=Selection(condition="*")),
        delivery=Delivery(driver=Driver.CALLS),
    )
    now = CLOCK.now()
    store.definitions.add(job, "localhost", definition, at=now, by="bench", origin=None)
    store.candidates.collect(((f"bench-{number:06}", None) for number in range(devices)), seed=0)
    new = NewRun(
        fleet_job_id=job,
        version=1,
        run_key=f"k{os.getpid()}",
        driver=Driver.CALLS,
        driver_reason="",
        delivery=definition.delivery,
        sizes=parse_batch_sizes("100%", "--batch"),
        at=now,
        by="bench",
    )
    return store.runs.add(new)


# --- the page


def rows(wanted: set[str], is_short: bool) -> Iterator[Row]:
    """For the page: a run over PostgreSQL beside one with a file; hosts that share a store beside one that does not."""
    if binaries() is None:
        yield from (Row(name, "not measured", "-", None, notes=("PostgreSQL is not installed",)) for name in wanted)
        return
    allow_files()
    devices = SHORT_DEVICES if is_short else PAGE_DEVICES
    with tempfile.TemporaryDirectory() as name, durable_server() as server:
        took = {(driver, kind): used for driver, kind, used in runs(devices, Path(name), server)}
        for driver in DRIVERS:
            over, with_file = took[driver, "server"], took[driver, "file"]
            yield Row(
                f"team_store_{driver}",
                f"a run of {devices:,} devices by {driver}, its store on PostgreSQL",
                "s",
                over.wall_s,
                floor=with_file.wall_s,
                floor_is="a file",
                notes=(
                    f"CPU seconds: {over.ours_s:.1f}, with a file {with_file.ours_s:.1f}; server {over.server_s:.1f}",
                ),
            )
        count, of_each = (SHORT_HOSTS, SHORT_OF_EACH) if is_short else (HOSTS, OF_EACH_HOST)
        yield Row(
            "team_store_hosts",
            f"devices that {count} hosts record together in one store, each in its run",
            "devices/s",
            hosts(count, of_each, server.url(), Path(name)),
            floor=hosts(1, of_each, server.url(), Path(name)),
            floor_is="one host alone",
        )


def main() -> None:
    """Measure the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=DEVICES)
    parser.add_argument("--hosts", type=int, default=HOSTS)
    parser.add_argument("--only", default="runs,hosts")
    parser.add_argument("--short", action="store_true", help="with so few that it takes some seconds")
    given = parser.parse_args()
    if binaries() is None:
        raise SystemExit("PostgreSQL is not installed: there is no initdb.")
    devices, count = (SHORT_DEVICES, SHORT_HOSTS) if given.short else (given.devices, given.hosts)
    allow_files()
    with tempfile.TemporaryDirectory() as name, durable_server() as server:
        if "runs" in given.only.split(","):
            _say_runs(devices, Path(name), server)
        if "hosts" in given.only.split(","):
            _say_hosts(count, SHORT_OF_EACH if given.short else OF_EACH_HOST, Path(name), server)
    say(f"load {' '.join(f'{each:.1f}' for each in os.getloadavg())} on {os.cpu_count()} cores")


def _say_runs(devices: int, folder: Path, server: PostgresServer) -> None:
    with_file: dict[str, Used] = {}
    for driver, kind, used in runs(devices, folder, server):
        with_file.setdefault(driver, used)
        of_file = used.wall_s / with_file[driver].wall_s
        say(
            f"by {driver:6} {kind:7} {devices} devices in {used.wall_s:7.1f} s  {devices / used.wall_s:6.0f}/s  "
            f"{of_file:5.2f} of the file's; CPU: ours {used.ours_s:6.1f} s, the server's {used.server_s:6.1f} s"
        )


def _say_hosts(most: int, of_each: int, folder: Path, server: PostgresServer) -> None:
    for kind, store in (("file", ""), ("server", server.url())):
        for count in (1, most):
            say(f"{count:3} hosts, {kind:7} {hosts(count, of_each, store, folder / kind):7.0f} devices/s")


def say(line: str) -> None:
    """One line of figures."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
