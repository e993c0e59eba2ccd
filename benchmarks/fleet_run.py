"""A run of a fleet job in a process of its own, for benchmarks/fleet_jobs.py: its memory is the run's, and it can be
killed.

The first line of standard input says what to do, as JSON. Each line of standard output is a JSON object: `chosen` when
the run is made, `ended` again and again while it goes on (devices that have), and at last `state` with the counts.
"""

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.store.sqlite import FleetStore
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.fleet import Action, Definition, Delivery, Driver, Targets
from azext_iotjobs.model.fleet_events import Event, HubJobMoved, Progressed, Said
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.target import HubTarget, SasKey
from azext_iotjobs.model.twin import TwinPatch
from azext_iotjobs.operations.fleet_job import definitions, planning, run_loop
from azext_iotjobs.operations.fleet_job.drivers import direct_calls, hub_jobs

CLOCK = SystemClock()
DRIVERS = {Driver.JOBS: hub_jobs.driver, Driver.CALLS: direct_calls.driver}


class Telling:
    """Says how many devices have ended."""

    def __init__(self) -> None:
        self._told = 0
        self._of_jobs: dict[str, int] = {}

    def heard(self, event: Event) -> None:
        if isinstance(event, Said):
            say({"said": event.text})
        elif isinstance(event, Progressed):
            self._tell(event.run.ended)
        elif isinstance(event, HubJobMoved) and event.tally is not None:
            self._of_jobs[event.job_id] = event.tally.succeeded_count + event.tally.failed_count
            self._tell(sum(self._of_jobs.values()))

    def _tell(self, ended: int) -> None:
        if ended > self._told:
            self._told = ended
            say({"ended": ended})


def main(told: dict[str, Any]) -> None:
    """Begin a run, or go on with one."""
    target = HubTarget(host="localhost", https_port=told["httpsPort"], ca_file=told["ca"], is_local=True)
    client = HubClient.open(target, SasKey(policy=told["policy"], key=told["key"]), CLOCK)
    store, before_kb = FleetStore(Path(told["stateDir"])), most_kb()
    began = time.monotonic()
    run = store.run(told["job"]) if told["resumes"] else new_run(store, client, told)
    say({"chosen": run.device_count, "seconds": time.monotonic() - began})
    hands = run_loop.hands(store, DRIVERS[run.driver](client, CLOCK), CLOCK, Telling(), threading.Event())
    began = time.monotonic()
    done = run_loop.resume(run, hands) if told["resumes"] else run_loop.carry_on(run, hands)
    took_s = time.monotonic() - began
    say(
        {
            "state": done.state.value,
            "reason": done.reason,
            "seconds": took_s,
            "completed": done.tally.completed,
            "failed": done.tally.failed,
            "uncertain": done.tally.uncertain,
            "beforeKb": before_kb,
            "mostKb": most_kb(),
        }
    )


def new_run(store: FleetStore, client: HubClient, told: dict[str, Any]) -> Run:
    """Make a fleet job for all devices of the hub, and a run of it."""
    action = (
        Action(method=MethodCall(name=told["method"], payload={"delay": 5}))
        if told["method"]
        else Action(patch=TwinPatch(document={"properties": {"desired": {"interval": told["job"]}}}))
    )
    definition = Definition(
        action=action,
        targets=Targets(selection=Selection(condition="*")),
        delivery=Delivery(driver=Driver(told["driver"]), concurrency=told["concurrency"]),
    )
    job = definitions.create(store, told["job"], planning.host_of(client), definition, by="bench", at=CLOCK.now())
    return planning.new_run(store, client, job, by="bench", at=CLOCK.now())


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
