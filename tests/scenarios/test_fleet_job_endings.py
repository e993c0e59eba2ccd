"""How fleet jobs end, break off and go on: states and words of IoT Central's documentation, counted at the devices.

One local hub, 103 simulated devices on a thread; six of them answer 500.
"""

import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.model.connection_string import parse_connection_string
from tests.conftest import ScenarioHub
from tests.helpers.fleet_job_scenario import (
    ALL,
    EVERYBODY,
    FAILING,
    ONE_BY_ONE,
    FleetJobDevices,
    FleetJobs,
    counts,
)
from tests.helpers.scheduled_fleet_jobs import Scheduled
from tests.helpers.waiting import wait_until

BY = {"calls": ("--driver", "calls", "--concurrency", "3"), "jobs": ("--driver", "jobs")}


@contextmanager
def held(
    jobs: FleetJobs, fleet: FleetJobDevices, name: str, folder: Path, *more: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """A run of everybody in tens of percent that is held when 40 % have been called: no device answers any more."""
    fleet.hold(41)
    words = jobs.words("create", "-n", jobs.hub.name, "-j", name, "--mn", "reboot", "-q", EVERYBODY, "--batch", "10%")
    running = jobs.hub.az.start(*words, *more, "--run", output=folder / "out")
    try:
        wait_until("40 % are called", lambda: len(fleet.calls) >= 41 or running.poll() is not None)
        yield running
    finally:
        running.kill()
        running.wait(30)


def rows(jobs: FleetJobs, name: str, state: str) -> list[str]:
    return [each["deviceId"] for each in jobs.ok("results", "-j", name, "--status", state, "--columns", "deviceId")]


def test_when_a_job_is_in_a_stopped_state_you_can_select_continue_to_resume_running_the_job(
    jobs: FleetJobs, devices: FleetJobDevices, calls: list[str], tmp_path: Path
) -> None:
    """By hub jobs: what runs at the stop continues by itself, and is read when the run is resumed."""
    with held(jobs, devices, "by-jobs", tmp_path, *BY["jobs"]) as running:
        stopped = jobs.ok("stop", "-j", "by-jobs", "--reason", "lunch")
        assert running.wait(30) == 6
    assert (stopped["status"], stopped["reason"], counts(stopped["progress"])) == ("stopped", "lunch", (31, 2, 0, 59))
    devices.gate.set()
    assert stopped["progress"]["inProgress"] == 11
    status = {each["deviceId"]: each["status"] for each in jobs.ok("results", "-j", "by-jobs")}
    assert [each for each in ALL if status[each] == "in-progress"] == ALL[33:44]
    assert [each for each in ALL if status[each] == "failed"] == FAILING[:2]
    assert [each for each in ALL if status[each] == "pending"] == ALL[44:]
    wait_until("the hub job that ran has called its batch", lambda: len(calls) == 44)
    devices.hold(len(ALL) + 1)
    ended = jobs.ok("resume", "-j", "by-jobs", code=4)
    assert (ended["run"], ended["status"], counts(ended["progress"])) == (1, "completed", (97, 6, 0, 0))
    assert Counter(calls) == Counter(ALL), "each device once"


@pytest.mark.parametrize("driver", ["calls", "jobs"])
def test_a_run_whose_process_is_killed_is_gone_on_with(
    jobs: FleetJobs, devices: FleetJobDevices, calls: list[str], tmp_path: Path, driver: str
) -> None:
    name = f"killed-{driver}"
    with held(jobs, devices, name, tmp_path, *BY[driver]) as running:
        running.kill()
    devices.gate.set()
    shown = jobs.run("show", "-j", name)
    assert shown.json["status"] == "running"
    assert "No process has executed" in shown.stderr and f"resume -j {name}" in shown.stderr
    devices.hold(len(ALL) + 1)
    ended = jobs.ok("resume", "-j", name, code=4)
    progress, uncertain = ended["progress"], rows(jobs, name, "uncertain")
    assert (ended["status"], progress["total"], progress["pending"]) == ("completed", 103, 0)
    assert len(uncertain) == progress["uncertain"] and len(uncertain) in ((1, 2, 3) if driver == "calls" else (0,))
    times = Counter(calls)
    assert all(times[each] <= 1 for each in uncertain)
    assert all(times[each] == 1 for each in ALL if each not in uncertain), "never twice, none forgotten"


def test_ctrl_c_twice_leaves_at_once_and_says_whose_calls_were_under_way(
    jobs: FleetJobs, devices: FleetJobDevices, calls: list[str], tmp_path: Path
) -> None:
    with held(jobs, devices, "left", tmp_path, *BY["calls"]) as running:
        running.send_signal(signal.SIGINT)
        wait_until("it stops", lambda: "Stopping" in (tmp_path / "out.err").read_text())
        assert running.poll() is None, "calls under way are awaited"
        running.send_signal(signal.SIGINT)
        assert running.wait(10) == 6
    uncertain = rows(jobs, "left", "uncertain")
    devices.gate.set()
    assert 1 <= len(uncertain) <= 3 and "results -j left --status uncertain" in (tmp_path / "out.err").read_text()
    devices.hold(len(ALL) + 1)
    ended = jobs.ok("resume", "-j", "left", code=4)
    assert (ended["progress"]["uncertain"], max(Counter(calls).values())) == (len(uncertain), 1)


def test_the_threshold_can_apply_to_all_the_devices_in_the_job_or_to_individual_batches(
    jobs: FleetJobs, calls: list[str]
) -> None:
    """And what the tool adds: a threshold that stops, a cancel by hand."""
    words = ("--mn", "reboot", "-q", EVERYBODY, "-b", "10", *ONE_BY_ONE, "--ctb", "--ctt", "percentage", "--run")
    each_batch = jobs.create("each-batch", *words, "--cth", "10", code=4)
    assert (each_batch["status"], counts(each_batch["progress"])) == ("completed", (97, 6, 0, 0))
    assert calls == ALL, "ten percent of each batch, not of all, and that is not exceeded by one of ten"
    calls.clear()
    stopped = jobs.create("stops", *words, "--cth", "9.9", "--cta", "stop", code=6)
    assert stopped["status"] == "stopped" and "in batch 2 of 10 devices" in stopped["reason"] and calls == ALL[:11]
    again = jobs.ok("resume", "-j", "stops", code=6)
    assert counts(again["progress"]) == (24, 2, 0, 77) and calls == ALL[:26], "the failures so far were accepted"
    canceled = jobs.ok("cancel", "-j", "stops", "--reason", "wrong version")
    assert (canceled["status"], canceled["reason"]) == ("canceled", "wrong version") and canceled["endedBy"]
    refused = jobs.run("resume", "-j", "stops")
    assert refused.code == 1 and "canceled" in refused.stderr and "rerun" in refused.stderr and calls == ALL[:26]


def test_a_service_that_is_ended_stops_its_run_and_the_next_call_goes_on_with_it(
    own_hub: ScenarioHub, devices: FleetJobDevices, calls: list[str], tmp_path: Path
) -> None:
    """By a termination signal, as systemd does it, in the middle of a run that a schedule has started."""
    place = Scheduled(own_hub, tmp_path / "state")
    place.create("nightly", "--mn", "reboot", "-q", EVERYBODY, "--batch", "10%", *BY["calls"])
    place.set("nightly")
    devices.hold(41)
    running = own_hub.az.start(*place.words("schedule run-due"), output=tmp_path / "out")
    try:
        wait_until("40 % are called", lambda: len(calls) >= 41 or running.poll() is not None)
        running.send_signal(signal.SIGTERM)
        wait_until("it stops", lambda: "Stopping" in (tmp_path / "out.err").read_text())
        assert running.poll() is None, "calls under way are awaited"
        devices.gate.set()
        assert running.wait(60) == 6
    finally:
        running.kill()
        running.wait(30)
    (stopped,) = json.loads((tmp_path / "out").read_text())
    run = stopped["lastRun"]
    assert (stopped["status"], run["status"], run["endedBy"]) == ("started", "stopped", "its schedule")
    assert run["progress"]["pending"] == len(ALL) - len(calls) > 0 == run["progress"]["uncertain"]
    devices.hold(len(ALL) + 1)
    assert place.run_due(code=4) == [("resumed", 1)], "six of the devices fail"
    assert Counter(calls) == Counter(ALL), "nothing twice, none forgotten"
    assert place.run_due() == [] and [each["run"] for each in place.ok("list-runs", "-j", "nightly")] == [1]


@pytest.mark.parametrize("driver", ["calls", "jobs"])
def test_this_job_failed_and_didnt_fully_run_on_devices(jobs: FleetJobs, calls: list[str], driver: str) -> None:
    name, hub = f"refused-{driver}", jobs.hub
    show = ("iot", "hub", "connection-string", "show", "-n", hub.name, "--policy-name", "device")
    login: str = hub.az.json(*show)["connectionString"]
    words: tuple[Any, ...] = ("--mn", "reboot", "--device-ids", ",".join(ALL[:3]), "--driver", driver, "--run")
    failed = jobs.ok("create", "--login", login, "-j", name, *words, code=5)
    assert (failed["status"], counts(failed["progress"])) == ("failed", (0, 0, 0, 3)) and "401" in failed["reason"]
    stopped = jobs.ok("stop", "-j", name)
    assert (stopped["status"], stopped["reason"]) == ("stopped", failed["reason"]) and stopped["endedBy"]
    before = jobs.ok("show", "-j", name)["lastRun"]
    refused = jobs.run("resume", "--login", login, "-j", name)
    assert refused.code == 1 and "stays stopped" in refused.stderr and "401" in refused.stderr
    assert "Batch 1 begins" not in refused.stderr and "is stopped by" not in refused.stderr
    assert jobs.ok("show", "-j", name)["lastRun"] == before and before["reason"] == stopped["reason"]
    detached = jobs.run("resume", "--login", login, "-j", name, "--detach")
    assert detached.code == 1 and "stays stopped" in detached.stderr and "401" in detached.stderr, detached.stderr
    assert jobs.ok("show", "-j", name)["lastRun"] == before, "the typed login counts, not the key that the hub has here"
    assert calls == []
    assert jobs.ok("resume", "-j", name)["status"] == "completed" and Counter(calls) == Counter(ALL[:3])
    jobs.ok("run", "--login", login, "-j", name, "--detach")
    wait_until("it is refused", lambda: jobs.ok("show", "-j", name)["lastRun"]["status"] == "failed")
    assert Counter(calls) == Counter(ALL[:3])
    key = parse_connection_string(login).key
    stored = b"".join(each.read_bytes() for each in jobs.folder.iterdir())
    assert key is not None and name.encode() in stored and key.encode() not in stored, "the hub is stored, and no key"
    assert os.name == "nt" or (jobs.folder.stat().st_mode & 0o077) == 0
