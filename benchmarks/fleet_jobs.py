"""What fleet jobs take: by jobs against by calls, beside what the hub's tier allows at most; memory; a crash halfway.

The hub, the simulated devices and whoever carries a run on are processes of their own, on the same machine. Parts:
  calls, jobs  a method on all devices of an S1 hub with one unit, by each driver: seconds, what was used of the tier's
               quotas, and the same run again with its process killed at half of its devices, then resumed
  memory       a twin update of all devices of a hub without limits, by each driver, for a tenth of the devices and for
               all: how many a second, and the most memory that the process had

The least that a run can take is arithmetic: devices beyond what the throttle lets through at once, at its rate. Where
that is too long to wait for, the hub's quotas have their time pass faster (--jobs-time-scale), and the time on a real
S1 is the measured one times that: at most, as what we take ourselves is multiplied with it. Without --full a tenth of
the devices is measured. Choosing the devices is told apart: it is queries of 100 devices each, and S1 has 20 a minute.

Run: .venv/bin/python benchmarks/fleet_jobs.py [--full] [--devices 1000] [--twins 10000] [--only calls,jobs,memory]
With --short it takes some seconds and measures nothing: `make test` looks whether it still runs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from benchmarks.hub import HubUnderLoad, allow_files, create  # noqa: E402
from benchmarks.row import Row  # noqa: E402
from tests.helpers.simulator_process import SimulatorProcess  # noqa: E402

POLICY = "iothubowner"
CONCURRENCY = 10  # what a fleet job has unless it says otherwise
THROTTLES = {"calls": "direct methods", "jobs": "jobs device operations"}
PAGE_DEVICES = 100  # that a query gives
CONNECTS_A_SECOND = 80  # S1 takes 100
CONNECT_SLACK_S = 120.0
CALLS_GOAL, GROWTH_GOAL_MB = 1.15, 2.0
LEAST_DEVICES, FULL_DEVICES, FULL_TWINS, SHORT_TWINS = 200, 10_000, 100_000, 50
SHORT = {"devices": LEAST_DEVICES, "twins": SHORT_TWINS, "calls_time_scale": 2.0, "jobs_time_scale": 10.0}


@dataclass
class Goals:
    """What is compared at the end: figures, each with the most that it may be."""

    rows: list[tuple[str, float, float]] = field(default_factory=list)

    def at_most(self, what: str, goal: float, reached: float) -> None:
        self.rows.append((what, goal, reached))

    def say(self) -> None:
        for what, goal, reached in self.rows:
            say(f"goal {what:52} at most {goal:7.2f}   reached {reached:8.2f}   {'yes' if reached <= goal else 'NO'}")


class Runner:
    """A process that carries a run on."""

    def __init__(self, hub: HubUnderLoad, folder: Path, job: str, **told: Any) -> None:
        words = {"method": "", "driver": "calls", "resumes": False, "concurrency": CONCURRENCY, **told}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.fleet_job_run"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdin is not None
        words |= {"httpsPort": hub.local.https_port, "ca": hub.local.ca_certificate_path, "policy": POLICY}
        words |= {"key": owner_key(hub), "stateDir": str(folder), "job": job}
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        self.chosen_s = 0.0

    def lines(self) -> Iterator[dict[str, Any]]:
        """What it says, until it ends."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said = json.loads(line)
            if "chosen" in said:
                self.chosen_s = said["seconds"]
            if "said" in said:
                say(f"{'':20} it says: {said['said']}")
            yield said

    def to_its_end(self) -> dict[str, Any]:
        """Wait for the run's end; gives its counts."""
        *_, last = self.lines()
        self.process.wait()
        assert last.get("state") == "completed", last
        return last

    def kill_at(self, ended: int) -> int:
        """Kill it as soon as it says that so many devices have ended; gives how many that were."""
        for said in self.lines():
            if said.get("ended", 0) >= ended:
                self.process.kill()
                self.process.wait()
                return int(said["ended"])
        raise AssertionError("it ended before it could be killed")

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def owner_key(hub: HubUnderLoad) -> str:
    """Of the hub's policy."""
    parts = dict(part.partition("=")[::2] for part in hub.local.connection_string.split(";"))
    assert parts["SharedAccessKeyName"] == POLICY
    return parts["SharedAccessKey"]


@contextmanager
def hub_with(count: int, folder: Path, *tier: str) -> Iterator[tuple[HubUnderLoad, list[str]]]:
    """A hub of some tier with so many devices, which were registered while it had none."""
    ids = [f"bench-{number:06}" for number in range(count)]
    hub = HubUnderLoad(folder / f"hub-{count}")
    try:
        create(hub, ids)
        if tier:
            hub.local.close()
            hub = HubUnderLoad(folder / f"hub-{count}", *tier)
        yield hub, ids
    finally:
        hub.local.close()
        sys.stdout.write(hub.local.errors)


@contextmanager
def connected(hub: HubUnderLoad, ids: list[str], time_scale: float) -> Iterator[SimulatorProcess]:
    """All of them, connected no faster than the tier takes it."""
    ramp = CONNECTS_A_SECOND * time_scale
    with SimulatorProcess(
        host=hub.local.device_host_name,
        httpsPort=hub.local.https_port,
        mqttPort=hub.local.mqtt_port,
        ca=hub.local.ca_certificate_path,
        policy=POLICY,
        key=owner_key(hub),
        ids=ids,
        rampPerSecond=ramp,
        remembersCalls=True,
    ) as fleet:
        until = time.monotonic() + len(ids) / ramp + CONNECT_SLACK_S
        while (ready := fleet.counts()["ready"]) < len(ids):
            assert time.monotonic() < until, f"{ready} of {len(ids)} devices are connected"
            time.sleep(0.2)
        yield fleet


@contextmanager
def quota_use(hub: HubUnderLoad, used: dict[str, int]) -> Iterator[None]:
    """Fills `used` with what was counted of each throttle inside, by its name."""
    before = meters(hub)
    yield
    used |= {
        name: each["counted"] - before[name]["counted"]
        for name, each in meters(hub).items()
        if each["counted"] > before[name]["counted"]
    }
    refused = sum(each["refused"] - before[name]["refused"] for name, each in meters(hub).items())
    if refused:
        used["refused"] = refused


def meters(hub: HubUnderLoad) -> Mapping[str, dict[str, Any]]:
    """The hub's, by name."""
    fresh = hub.over_another_connection()  # a kept one is closed while a run takes minutes
    return {each["name"]: each for each in fresh.ok("GET", "/_local/quotas")["throttles"]}


def choosing_s(hub: HubUnderLoad, count: int) -> float:
    """The least that the queries take that choose so many devices."""
    throttle = meters(hub)["queries"]
    burst, per_second = float(throttle["burst"]), float(throttle["perSecond"])
    return max(0.0, count / PAGE_DEVICES - burst) / per_second


# --- parts


class Took(NamedTuple):
    """Seconds of a run on a real S1, and the least that its throttle allows."""

    real_s: float  # at most
    least_s: float


def by_driver(driver: str, count: int, time_scale: float, folder: Path, goals: Goals) -> Took:
    """A method on all devices of an S1 hub, and the same again with a crash at half."""
    tier = ("--sku", "S1", "--units", "1", "--time-scale", f"{time_scale:g}")
    with hub_with(count, folder / driver, *tier) as (hub, ids), connected(hub, ids, time_scale) as fleet:
        throttle = meters(hub)[THROTTLES[driver]]
        limit_s = (count - throttle["burst"]) / throttle["perSecond"]  # as the meters have it: of unscaled time
        used: dict[str, int] = {}
        state = folder / f"state-{driver}"
        with quota_use(hub, used), Runner(hub, state, "whole", method="whole", driver=driver) as runner:
            end = runner.to_its_end()
        real_s = end["seconds"] * time_scale
        scaled = "" if time_scale == 1 else f", measured {end['seconds']:.1f} s with time {time_scale:g} times as fast"
        say(
            f"{'by ' + driver:20} {count} devices in {real_s:8.1f} s  least {limit_s:8.1f} s  ratio "
            f"{real_s / limit_s:5.2f}{scaled}; chosen in {runner.chosen_s:.1f} s before"
        )
        say(f"{'':20} used: {', '.join(f'{name} {number}' for name, number in used.items())}")
        say(f"{'':20} {told_of(end)}; devices were called so often: {fleet.counts()['called']['whole']}")
        goals.at_most(f"by {driver}: not completed", 0, count - end["completed"])
        if driver == "calls":
            goals.at_most(f"S1, by calls: time over the least, {count} devices", CALLS_GOAL, real_s / limit_s)
        if count != FULL_DEVICES:
            whole_s = real_s + (FULL_DEVICES - count) / throttle["perSecond"]
            chosen_s = choosing_s(hub, FULL_DEVICES)
            say(f"{'':20} extrapolated to {FULL_DEVICES} devices: {whole_s:.0f} s, and {chosen_s:.0f} s to choose them")
        crash(hub, fleet, driver, count, state, goals)
        return Took(float(real_s), float(limit_s))


def crash(hub: HubUnderLoad, fleet: SimulatorProcess, driver: str, count: int, state: Path, goals: Goals) -> None:
    """Kill the process at half of the devices, and go on in another one."""
    with Runner(hub, state, "crash", method="crash", driver=driver) as runner:
        killed_at = runner.kill_at(count // 2)
    with Runner(hub, state, "crash", method="crash", driver=driver, resumes=True) as runner:
        end = runner.to_its_end()
    often = {int(times): devices for times, devices in fleet.counts()["called"]["crash"].items()}
    again, never = sum(devices for times, devices in often.items() if times > 1), count - sum(often.values())
    say(
        f"{'':20} killed at {killed_at}, resumed: {told_of(end)}; called twice {again}, never {never}, "
        f"went on for {end['seconds']:.1f} s"
    )
    goals.at_most(f"by {driver}, killed at half: devices called twice", 0, again)
    in_flight = CONCURRENCY if driver == "calls" else 0
    goals.at_most(f"by {driver}, killed at half: uncertain", in_flight, end["uncertain"])
    goals.at_most(f"by {driver}, killed at half: neither called nor said so", 0, max(0, never - end["uncertain"]))


def told_of(end: dict[str, Any]) -> str:
    """The counts of a run, in words."""
    return f"{end['completed']} completed, {end['failed']} failed, {end['uncertain']} uncertain"


def memory(counts: list[int], folder: Path, goals: Goals) -> dict[str, dict[int, float]]:
    """Twin updates without limits, for few and for many devices; gives the most MB, by driver and devices."""
    most: dict[str, dict[int, float]] = {"calls": {}, "jobs": {}}
    for count in counts:
        with hub_with(count, folder) as (hub, _):
            for driver, reached in most.items():
                with Runner(hub, folder / f"state-{count}", f"twins-{driver}", driver=driver) as runner:
                    end = runner.to_its_end()
                reached[count], before = end["mostKb"] / 1024, end["beforeKb"] / 1024
                say(
                    f"{'twins by ' + driver:20} {count} devices in {end['seconds']:8.1f} s  "
                    f"{count / end['seconds']:6.0f}/s  most memory {reached[count]:6.1f} MB, {before:.1f} "
                    f"before; chosen in {runner.chosen_s:.1f} s; {told_of(end)}"
                )
                goals.at_most(f"twins by {driver}, {count} devices: not completed", 0, count - end["completed"])
    for driver, reached in most.items():
        for count in counts[1:]:
            grown = reached[count] - reached[counts[0]]
            goals.at_most(f"by {driver}: MB more for {count} than for {counts[0]} devices", GROWTH_GOAL_MB, grown)
    return most


def rows(wanted: set[str], is_short: bool) -> Iterator[Row]:
    """For the page: a run by calls on S1 beside the least that its throttle allows, and the memory of a larger one."""
    allow_files()
    count, twins = (LEAST_DEVICES, SHORT_TWINS) if is_short else (FULL_DEVICES // 10, FULL_TWINS // 10)
    with tempfile.TemporaryDirectory() as name:
        if "s1_calls" in wanted:
            took = by_driver("calls", count, SHORT["calls_time_scale"] if is_short else 1.0, Path(name), Goals())
            what = f"a fleet job by calls on {count:,} devices of an S1 hub with one unit"
            floor_is = "the least that S1's throttle allows"
            yield Row("s1_calls", what, "s", took.real_s, floor=took.least_s, floor_is=floor_is)
        if "fleet_job_memory" in wanted:
            most = memory([twins], Path(name), Goals())
            what = f"the most memory of a process that updates {twins:,} twins, by calls"
            yield Row("fleet_job_memory", what, "MB", most["calls"][twins])


def main() -> None:
    """Measure the parts that are asked for, in their order, and compare with the goals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, help="simulated, on S1; 1,000, or 10,000 with --full")
    parser.add_argument("--twins", type=int, help="devices of the memory part; 10,000, or 100,000 with --full")
    parser.add_argument("--full", action="store_true", help="the whole sizes: about 45 minutes")
    parser.add_argument("--calls-time-scale", type=float, default=1.0)
    parser.add_argument("--jobs-time-scale", type=float, default=5.0)
    parser.add_argument("--only", default="calls,jobs,memory")
    parser.add_argument("--short", action="store_true", help="with so few that it takes some seconds")
    arguments = parser.parse_args()
    if arguments.short:
        vars(arguments).update(SHORT)
    count = arguments.devices or (FULL_DEVICES if arguments.full else FULL_DEVICES // 10)
    if count < LEAST_DEVICES:
        parser.error(f"--devices {count}: give {LEAST_DEVICES} or more; fewer are done before half of them is seen.")
    twins = arguments.twins or (FULL_TWINS if arguments.full else FULL_TWINS // 10)
    allow_files()
    parts, goals, took = arguments.only.split(","), Goals(), {}
    with tempfile.TemporaryDirectory() as name:
        for driver, time_scale in (("calls", arguments.calls_time_scale), ("jobs", arguments.jobs_time_scale)):
            if driver in parts:
                took[driver] = by_driver(driver, count, time_scale, Path(name), goals)
        if len(took) == 2:
            say(f"{'by jobs over calls':20} {took['jobs'].real_s / took['calls'].real_s:.2f} times the time")
        if "memory" in parts:
            counts = {twins // 10, twins} | ({max(1, twins // 100)} if arguments.full else set())
            memory(sorted(counts), Path(name), goals)
    say(f"load {' '.join(f'{each:.1f}' for each in os.getloadavg())} on {os.cpu_count()} cores")
    goals.say()


def say(line: str) -> None:
    """One line of figures."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
