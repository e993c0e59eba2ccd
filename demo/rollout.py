"""Roll a firmware version out to a simulated fleet, by hand and then by a schedule, on a fresh local hub.

`make demo-rollout` calls this. Each az command is printed as it is typed, with its real output; each outcome is
checked, and the first one that is not as it should be ends the demo with exit code 1 and says what was expected.
"""

import csv
import json
import os
import re
import shutil
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from steps import Commands, check, end, free_ports, heading, run, say, wait_for

HERE = Path(__file__).parent
COUNT, PREFIX = 200, "pump-"
SEED = "rollout"  # which updates fail depends on it: none of the five canaries, and some of the second batch
FIRST, SECOND = "2.0.1", "2.0.2"
JOB, SCHEDULED = "firmware", "firmware-catch-up"
FLEET_JOB = ("iot", "hub", "fleet-job")
STATE = ("--state-dir", "state")
EVERY = timedelta(minutes=10)
HALFWAY, JUST_BEFORE = EVERY / 2, timedelta(seconds=3)
SHORT = "{status: status, reason: reason, progress: progress}"


class Rollout:
    """A hub, devices on it, and what is done to them."""

    def __init__(self, folder: Path, at_end: ExitStack) -> None:
        self.folder = folder
        self.commands = Commands(folder)
        self.az = self.commands.az
        self.at_end = at_end
        self.hub = ""

    def fleet_job(self, verb: str, job: str, *more: str, code: int = 0, quietly: bool = False) -> Any:
        return self.az(*FLEET_JOB, *verb.split(), "-j", job, *STATE, *more, code=code, quietly=quietly)

    def start_hub(self) -> None:
        heading("A local IoT Hub, and a fleet of simulated devices")
        say("In another terminal the same az sees all of this, while it lasts:\n")
        say(f"$ cd {self.folder}")
        say(f'$ export PATH="{Path(sys.executable).parent}:$PATH"')
        for name in ("AZURE_CONFIG_DIR", "AZURE_EXTENSION_DIR"):
            check(f"{name} is set: this is started by `make demo-rollout`", name in os.environ, quietly=True)
            say(f"$ export {name}={os.environ[name]}")
        output = self.folder / "hub.txt"
        start = ("iot", "local-hub", "start", "--in-memory", "--data-dir", "hub", *free_ports())
        self.commands.begin(*start, output=output, at_end=self.at_end)

        def is_ready() -> bool:
            found = re.search(r'"hostName": "([^"]+)"', output.read_text(encoding="utf-8"))
            self.hub = found[1] if found else ""
            return bool(self.hub)

        wait_for("the hub is ready", is_ready)

    def start_devices(self) -> None:
        """Devices that accept each update; of a hundred updates five fail after that."""
        shutil.copy(HERE / "firmware.yaml", self.folder)
        say("\n" + (self.folder / "firmware.yaml").read_text(encoding="utf-8").strip())
        output = self.folder / "devices.txt"
        which = ("--prefix", PREFIX, "--count", str(COUNT), "--create", "--tags", "site=north")
        how = ("--behaviour-file", "firmware.yaml", "--seed", SEED, "--events", "calls.jsonl")
        simulate = ("iot", "device", "simulate", "-n", self.hub, *which, *how)
        self.commands.begin(*simulate, output=output, at_end=self.at_end)
        connected = f"All {COUNT} devices are connected"
        wait_for(connected, lambda: connected in output.read_text(encoding="utf-8"))

    def roll_out(self) -> None:
        """Canaries, a second batch at which the gate stops, and the rest once somebody has looked."""
        heading("A rollout: five canaries, then forty, then the rest")
        update = ("--method-name", "firmwareUpdate", "--method-payload", f"version={FIRST}")
        verify = ("--verify", f"properties.reported.firmware.version = '{FIRST}'", "--verify-within", "1m")
        failed = ("--verify-failed", "properties.reported.firmware.status = 'failed'")
        batches = ("--batch", "5,40,100%", "--gate-success", "98%", "--driver", "calls", "--concurrency", "50")
        who = ("-n", self.hub, "-q", "tags.site = 'north'")
        self.fleet_job("create", JOB, *who, *update, *verify, *failed, *batches, "--query", "id")
        stopped = self.fleet_job("run", JOB, "--query", SHORT, code=6)
        canaries, second, rest = self.fleet_job("show", JOB, "--query", "lastRun.batchList", quietly=True)
        check("the canaries have the new version", canaries["progress"]["completed"] == 5)
        check("some of the second batch had accepted it, and failed", second["progress"]["failed"] > 0)
        check("the gate has stopped the run", "Gate success after batch 2: stop" in stopped["reason"])
        check("no device of the third batch was called", rest["progress"]["pending"] == COUNT - 45)
        check("each of the others was called once", self.calls() == Counter(range(1, 46)))

        self.fleet_job("show", JOB, "-o", "table")
        self.fleet_job(
            "results", JOB, "--status", "failed", "--columns", "deviceId,methodStatus,errorCode", "-o", "table"
        )
        say("\nSomebody has looked at them, and accepts that: the run goes on past the gate.")
        ended = self.fleet_job("resume", JOB, "--query", SHORT, code=4)["progress"]
        check("the run has ended on all devices", ended["completed"] + ended["failed"] == COUNT)
        check("no device was called twice", self.calls() == Counter(range(1, COUNT + 1)))

    def report(self) -> None:
        """What came of it, for people and for other programs."""
        heading("The results, beside what the devices report")
        kept = Path(os.environ["AZURE_CONFIG_DIR"]).parent / "rollout"  # they outlive the demo
        kept.mkdir(exist_ok=True)
        results, page = kept / "results.csv", kept / "report.html"
        self.fleet_job("results", JOB, "--output-file", str(results), "--overwrite")
        with open(results, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        failed = {row["deviceId"] for row in rows if row["errorCode"] == "ReportedFailure"}
        check("the file has a row for each device", len(rows) == COUNT)
        check("those that failed are those that report it", failed == self.devices_with("status = 'failed'"))
        check("all others report the new version", self.devices_with(f"version = '{FIRST}'") == self.devices() - failed)
        self.fleet_job("report", JOB, "--output-file", str(page), "--overwrite")
        check("the report has them, too", page.read_text(encoding="utf-8").count("ReportedFailure") >= len(failed))
        say(f"See it in a browser: {page.as_uri()}")

    def schedule(self) -> None:
        """The next version by a schedule, every ten minutes: to all devices that do not have it yet."""
        heading("The same by a schedule, which runs twice by itself")
        clock = MovedClock(self.folder / "clock")
        say("Nobody wants to wait for it here: what looks at the schedule gets a clock that the demo sets ahead.\n")
        for name, value in (("PYTHONPATH", HERE / "moved_clock"), ("IOTJOBS_DEMO_CLOCK", clock.file)):
            self.commands.environment[name] = str(value)
            say(f"$ export {name}={value}")
        clock.set_ahead(HALFWAY)
        self.save_scheduled()
        loop = (*FLEET_JOB, "schedule", "run-due", "--loop", "--interval", "1s", *STATE)
        said = self.folder / "loop.txt"
        service = self.commands.begin(*loop, output=said, at_end=self.at_end)
        lacking = self.devices()
        for number, code in ((1, 4), (2, 0)):  # 4: some devices fail
            clock.set_ahead(JUST_BEFORE)
            lacking = self.see_it_run(number, said, lacking, code)
        check("all devices have the new version", not lacking)
        end(service)
        check("the service ended as it was told to", service.returncode == 0)
        history = self.fleet_job("schedule history", SCHEDULED, "--query", "[].[at, status, run]")
        check("each occurrence has started once", [each[1:] for each in history] == [["started", 2], ["started", 1]])
        check("the schedule is over", self.fleet_job("schedule show", SCHEDULED, quietly=True)["next"] == [])

    def save_scheduled(self) -> None:
        has_it = f"properties.reported.firmware.version = '{SECOND}'"
        update = ("--method-payload", f"version={SECOND}", "--verify", has_it, "--verify-within", "15s")
        # What a device reports has the hub's time, which is not set ahead: as a failure it would seem to be an old one.
        others = ("--verify-failed", "none", "--batch", "5,100%", "--gate-success", "80%")
        who = ("-q", f"tags.site = 'north' AND NOT {has_it}")
        self.fleet_job("copy", JOB, "--new-fleet-job-id", SCHEDULED, *update, *others, *who, "--query", "id")
        due = ("--cron", "*/10 * * * *", "--time-zone", "Europe/Berlin", "--times", "2")
        self.fleet_job("schedule set", SCHEDULED, *due, "--query", "description")

    def see_it_run(self, number: int, said: Path, lacking: set[str], code: int) -> set[str]:
        """Watch a run that the schedule starts; gives the devices that lack the new version after it.

        number: of the run.  said: the file of what the service writes.  lacking: the devices that lack it before.
        code: how the run ends.
        """
        before = self.calls()
        begins = f"Run {number} of fleet job {SCHEDULED} on {self.hub} begins"
        wait_for(f"run {number} has begun by itself", lambda: begins in said.read_text(encoding="utf-8"))
        run = self.fleet_job("watch", SCHEDULED, "--query", SHORT, code=code)
        check(f"run {number} was about those that lacked the version", self.calls() - before == numbers(lacking))
        left = self.devices() - self.devices_with(f"version = '{SECOND}'")
        check("those that have failed are those that lack it now", run["progress"]["failed"] == len(left))
        return left

    def calls(self) -> "Counter[int]":
        """How often each device was called, by its number from 1."""
        with open(self.folder / "calls.jsonl", encoding="utf-8") as file:
            events = [json.loads(line) for line in file if line.endswith("\n")]
        return Counter(int(each["device"].removeprefix(PREFIX)) for each in events if each["event"] == "method")

    def devices(self) -> set[str]:
        return {f"{PREFIX}{number:03}" for number in range(1, COUNT + 1)}

    def devices_with(self, condition: str) -> set[str]:
        """The devices whose reported firmware meets a condition."""
        query = f"SELECT deviceId FROM devices WHERE properties.reported.firmware.{condition}"
        return {each["deviceId"] for each in self.az("iot", "hub", "query", "-n", self.hub, "-q", query, quietly=True)}


class MovedClock:
    """The clock of what looks at the schedule: the machine's, set ahead. Who reads the file: moved_clock/."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._ahead = timedelta(0)

    def set_ahead(self, before: timedelta) -> None:
        """Set it to so long before an occurrence is due: the next one that is not due sooner anyway."""
        now = datetime.now(timezone.utc) + self._ahead
        due = now + before + EVERY - timedelta(seconds=(now + before).timestamp() % EVERY.total_seconds())
        self._ahead += due - before - now
        new = self.file.with_suffix(".new")
        new.write_text(str(self._ahead.total_seconds()), encoding="utf-8")
        new.replace(self.file)  # others read it meanwhile
        say(f"\nThat clock says {due - before:%H:%M:%S} UTC now, {before.total_seconds():.0f} s before it is due.")


def numbers(devices: set[str]) -> "Counter[int]":
    return Counter(int(each.removeprefix(PREFIX)) for each in devices)


def rollout(at_end: ExitStack) -> None:
    folder = Path(tempfile.mkdtemp(prefix="iotjobs-demo-"))
    at_end.callback(shutil.rmtree, folder, ignore_errors=True)
    demo = Rollout(folder, at_end)
    demo.start_hub()
    demo.start_devices()
    demo.roll_out()
    demo.report()
    demo.schedule()


if __name__ == "__main__":
    sys.exit(run(rollout, "All was as it should be."))
