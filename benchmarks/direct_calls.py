"""Direct methods on many devices: a fleet job by calls, and `invoke` on many, beside a bare asyncio client.

The hub (without limits), the devices (bare packets, `packet_devices`) and each client are processes of their own on one
machine. The clients take turns, all with the same devices, the same number of calls and of calls at once, several
rounds: figures are medians of rounds, ratios are taken within a round. A client's time begins with its first connection
and ends with its last answer recorded; the fleet job's devices are selected before.

  bare    `method_calls`: asyncio, ready-made bytes, nothing decided and nothing stored; what the hub can do
  run     a fleet job by calls: its driver, its engine, and the SQLite file on the disk, an intent before each call
  invoke  what `az iot hub invoke-device-method` does for many devices, without its output

Run: .venv/bin/python benchmarks/direct_calls.py [--devices 2000] [--at-once 10,64] [--rounds 5]
With --short it takes some seconds and measures nothing: `make test` looks whether it still runs.
"""

import argparse
import asyncio
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from azext_iotjobs.clients.hub import HubClient  # noqa: E402
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore  # noqa: E402
from azext_iotjobs.model.clock import SystemClock  # noqa: E402
from azext_iotjobs.model.ids import Address  # noqa: E402
from azext_iotjobs.model.method import MethodCall  # noqa: E402
from azext_iotjobs.model.outcome import DEFAULT_SUCCESS_STATUS, parse_success_status  # noqa: E402
from azext_iotjobs.model.run_events import Event  # noqa: E402
from azext_iotjobs.model.target import HubTarget, SasKey  # noqa: E402
from azext_iotjobs.operations.fleet_job import run_loop  # noqa: E402
from azext_iotjobs.operations.fleet_job.drivers.factory import driver_factory  # noqa: E402
from azext_iotjobs.operations.fleet_job.gate_checks import gate_checker_factory  # noqa: E402
from azext_iotjobs.operations.method.invoke_many import CallMany, CallPlan  # noqa: E402
from benchmarks.fleet_job_run import new_run  # noqa: E402
from benchmarks.fleet_jobs import POLICY, owner_key  # noqa: E402
from benchmarks.hub import HubUnderLoad, create  # noqa: E402
from benchmarks.method_calls import bare_calls  # noqa: E402
from benchmarks.packet_devices import PacketDevices  # noqa: E402

DEVICES, ROUNDS, AT_ONCE = 2_000, 5, (10, 64)  # 10 is what fleet jobs have unless they say otherwise
SHORT = {"devices": 60, "rounds": 2, "at_once": "10"}
GOAL = 0.5  # of the bare client's rate
CLOCK = SystemClock()


class Access(NamedTuple):
    """The hub, for a process of a client."""

    https_port: int
    ca_file: str
    key: str
    token: str

    def client(self) -> HubClient:
        target = HubTarget(host="localhost", https_port=self.https_port, ca_file=self.ca_file, is_local=True)
        return HubClient.open(target, SasKey(policy=POLICY, key=self.key), CLOCK)


class Took(NamedTuple):
    """What a client took for its calls, all of which were answered."""

    wall_s: float
    cpu_s: float  # of its own process

    def rate(self, calls: int) -> float:
        """Calls a second."""
        return calls / self.wall_s


class Figures(NamedTuple):
    """Medians of the rounds, with one number of calls at once."""

    at_once: int
    bare: float  # calls a second
    run: float
    invoke: float
    run_of_bare: float  # the ratio
    invoke_of_bare: float
    bare_us: float  # CPU of the client for each call, in millionths of a second
    run_us: float
    invoke_us: float


# --- clients, each in a process of its own


def bare(access: Access, ids: list[str], at_once: int) -> None:
    """Ready-made bytes."""
    asyncio.run(bare_calls(access.https_port, access.ca_file, access.token, ids, len(ids), at_once))


def invoke(access: Access, ids: list[str], at_once: int) -> None:
    """The rows of `invoke-device-method` on many."""
    plan = CallPlan(call=METHOD, success=SUCCESS, concurrency=at_once)
    calls = CallMany(access.client(), plan, CLOCK, threading.Event(), say)
    done = sum(row.method_status == 200 for row in calls.rows(Address(each) for each in ids))
    assert done == len(ids) and calls.ended_by is None, (done, calls.ended_by)


class Observer:
    """Whoever watches a run; he has nothing to say."""

    def on_event(self, event: Event) -> None:
        """Something has happened."""


@contextmanager
def prepared_run(access: Access, ids: list[str], at_once: int) -> Iterator[Callable[[], None]]:
    """A run whose devices are selected; gives what executes it."""
    with tempfile.TemporaryDirectory(dir=REPOSITORY / "build") as folder:
        store, client = SqliteStore.open(Path(folder)), access.client()
        order = {"method": "reboot", "driver": "calls", "concurrency": at_once, "job": "bench"}
        run = new_run(store, client, order)
        context = run_loop.RunContext(
            store=store,
            make_driver=driver_factory(lambda: client),
            make_gate_checker=gate_checker_factory(lambda: client),
            clock=CLOCK,
            observer=Observer(),
            stop=threading.Event(),
        )

        def execute() -> None:
            tally = run_loop.execute(run, context).tally
            assert tally.completed == len(ids), tally

        yield execute


@contextmanager
def prepared(
    client: Callable[[Access, list[str], int], None], access: Access, ids: list[str], at_once: int
) -> Iterator[Callable[[], None]]:
    """A client that needs no preparation."""
    yield lambda: client(access, ids, at_once)


def took(name: str, *of_client: Any) -> Took:
    """Let a client of CLIENTS make its calls."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_client_process, args=(theirs, name, *of_client))
    process.start()
    theirs.close()
    try:
        found: Took = ours.recv()
    finally:
        process.join()
    return found


def _client_process(pipe: Connection, name: str, access: Access, ids: list[str], at_once: int) -> None:
    client = prepared_run(access, ids, at_once) if name == "run" else prepared(CLIENTS[name], access, ids, at_once)
    with client as call_all:
        began, cpu_s = time.monotonic(), time.process_time()
        call_all()
        pipe.send(Took(time.monotonic() - began, time.process_time() - cpu_s))


METHOD = MethodCall(name="reboot", payload={"delay": 5})
SUCCESS = parse_success_status(DEFAULT_SUCCESS_STATUS)
CLIENTS = {"bare": bare, "invoke": invoke}


# --- rounds


def measure(devices: int, rounds: int, at_once: tuple[int, ...]) -> list[Figures]:
    """The figures for each number of calls at once; `devices` is the number of calls of a client in a round."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    ids = [f"bench-{number:05}" for number in range(devices)]
    (REPOSITORY / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        hub = HubUnderLoad(Path(folder) / "hub")
        try:
            create(hub, ids)
            fleet = PacketDevices(hub.endpoint(), ids, processes=1)
            try:
                fleet.connect(devices)
                access = Access(hub.local.https_port, hub.local.ca_certificate_path, owner_key(hub), hub.token())
                figures = [_rounds(access, ids, rounds, each) for each in at_once]
                answered, expected = fleet.counts()["answered"], devices * rounds * 3 * len(at_once)
                assert answered == expected, f"devices answered {answered:.0f} calls of {expected}"
                return figures
            finally:
                fleet.close()
        finally:
            hub.local.close()
            sys.stdout.write(hub.local.errors)


def _rounds(access: Access, ids: list[str], rounds: int, at_once: int) -> Figures:
    found: dict[str, list[Took]] = {"bare": [], "run": [], "invoke": []}
    for _ in range(rounds):
        for name, of_client in found.items():
            of_client.append(took(name, access, ids, at_once))
    rates = {name: [each.rate(len(ids)) for each in of_client] for name, of_client in found.items()}
    cpu_us = {name: statistics.median(each.cpu_s for each in found[name]) / len(ids) * 1e6 for name in found}
    ratios = {name: [ours / bare for ours, bare in zip(rates[name], rates["bare"], strict=True)] for name in rates}
    return Figures(
        at_once=at_once,
        bare=statistics.median(rates["bare"]),
        run=statistics.median(rates["run"]),
        invoke=statistics.median(rates["invoke"]),
        run_of_bare=statistics.median(ratios["run"]),
        invoke_of_bare=statistics.median(ratios["invoke"]),
        bare_us=cpu_us["bare"],
        run_us=cpu_us["run"],
        invoke_us=cpu_us["invoke"],
    )


def main() -> None:
    """Measure, and compare with the goal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=DEVICES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--at-once", default=",".join(map(str, AT_ONCE)), help="calls at once, 1 to 200, one or more")
    parser.add_argument("--short", action="store_true", help="with so few that it takes some seconds")
    arguments = parser.parse_args()
    if arguments.short:
        vars(arguments).update(SHORT)
    at_once = tuple(int(each) for each in arguments.at_once.split(","))
    for each in measure(arguments.devices, arguments.rounds, at_once):
        of_all = f"{arguments.devices} calls, {each.at_once} at once"
        say(f"{'bare':8} {of_all}  {each.bare:6.0f}/s  client {each.bare_us:5.0f} us each")
        say(f"{'run':8} {of_all}  {each.run:6.0f}/s  client {each.run_us:5.0f} us each  of bare {each.run_of_bare:.2f}")
        say(
            f"{'invoke':8} {of_all}  {each.invoke:6.0f}/s  client {each.invoke_us:5.0f} us each  "
            f"of bare {each.invoke_of_bare:.2f}"
        )
        for name, reached in (("run", each.run_of_bare), ("invoke", each.invoke_of_bare)):
            is_met = "yes" if reached >= GOAL else "NO"
            what = f"{name}, {each.at_once} at once: of the bare client's"
            say(f"goal {what:44} {GOAL:.2f}   reached {reached:.2f}   {is_met}")
    say(f"load {' '.join(f'{each:.1f}' for each in os.getloadavg())} on {os.cpu_count()} cores")


def say(line: str) -> None:
    """One line of figures."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
