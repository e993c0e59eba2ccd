"""A run of a fleet job in a process of its own, for benchmarks/fleet_jobs.py: its memory is the run's, and it can be
killed.

The first line of standard input says what to do, as JSON. Each line of standard output is a JSON object: `chosen` when
the run is made, `ended` again and again while it goes on (devices that have), and at last `state` with the counts.
"""

import json
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Any

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.store.sql.store import SqlStore
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.fleet_job import Action, Definition, Delivery, Driver, Targets
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.run_events import Event, HubJobMoved, Notice, Progressed
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.target import HubTarget, SasKey
from azext_iotjobs.model.twin import TwinPatch
from azext_iotjobs.operations.fleet_job import definitions, planning, run_loop
from azext_iotjobs.operations.fleet_job.drivers.factory import driver_factory
from azext_iotjobs.operations.fleet_job.gate_checks import gate_checker_factory

CLOCK = SystemClock()


class Reporter:
    """Says how many devices have ended."""

    def __init__(self) -> None:
        self._reported = 0
        self._of_jobs: dict[str, int] = {}

    def on_event(self, event: Event) -> None:
        if isinstance(event, Notice):
            say({"said": event.text})
        elif isinstance(event, Progressed):
            self._report(event.run.ended)
        elif isinstance(event, HubJobMoved) and event.tally is not None:
            self._of_jobs[event.job_id] = event.tally.succeeded_count + event.tally.failed_count
            self._report(sum(self._of_jobs.values()))

    def _report(self, ended: int) -> None:
        if ended > self._reported:
            self._reported = ended
            say({"ended": ended})


def main(order: dict[str, Any]) -> None:
    """Begin a run, or resume one."""
    target = HubTarget(host="localhost", https_port=order["httpsPort"], ca_file=order["ca"], is_local=True)
    client = HubClient.open(target, SasKey(policy=order["policy"], key=order["key"]), CLOCK)
    store, before_kb = open_store(order.get("store", ""), Path(order["stateDir"])), most_kb()
    began = time.monotonic()
    run = store.runs.get(order["job"]) if order["resumes"] else new_run(store, client, order)
    say({"chosen": run.device_count, "seconds": time.monotonic() - began})
    context = run_loop.RunContext(
        store=store,
        make_driver=driver_factory(lambda: client),
        make_gate_checker=gate_checker_factory(lambda: client),
        clock=CLOCK,
        observer=Reporter(),
        stop=threading.Event(),
    )
    began, before_s = time.monotonic(), cpu_s()
    done = run_loop.resume(run, context) if order["resumes"] else run_loop.execute(run, context)
    took_s = time.monotonic() - began
    say(
        {
            "state": done.state.value,
            "reason": done.reason,
            "seconds": took_s,
            "completed": done.tally.completed,
            "failed": done.tally.failed,
            "uncertain": done.tally.uncertain,
            "cpuS": cpu_s() - before_s,
            "beforeKb": before_kb,
            "mostKb": most_kb(),
        }
    )


def open_store(url: str, folder: Path) -> SqlStore:
    """A store on a server; without a URL, in a folder."""
    if not url:
        return SqliteStore.open(folder)
    from azext_iotjobs.fleet_job.store.postgres.place import parse_place
    from azext_iotjobs.fleet_job.store.postgres.store import PostgresStore

    return PostgresStore.open(parse_place(url))


def new_run(store: SqlStore, client: HubClient, order: dict[str, Any]) -> Run:
    """Make a fleet job for all devices of the hub, and a run of it."""
    action = (
        Action(method=MethodCall(name=order["method"], payload={"delay": 5}))
        if order["method"]
        else Action(patch=TwinPatch(document={"properties": {"desired": {"interval": order["job"]}}}))
    )
    definition = Definition(
        action=action,
        targets=Targets(selection=Selection(condition="*")),
        delivery=Delivery(driver=Driver(order["driver"]), concurrency=order["concurrency"]),
    )
    job = definitions.create(store, order["job"], planning.host_of(client), definition, by="bench", at=CLOCK.now())
    return planning.new_run(store, client, job, by="bench", at=CLOCK.now())


def cpu_s() -> float:
    """CPU seconds that this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def most_kb() -> int:
    """The most memory that this process ever had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def say(document: dict[str, Any]) -> None:
    """One line to who started us."""
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(json.loads(sys.stdin.readline()))
