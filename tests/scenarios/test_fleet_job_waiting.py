"""Runs that wait, and runs that another one waits for: what is shown is what is true, and what can be done is said."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.fleet_job_scenario import ALL, FAILING, FleetJobDevices, FleetJobs, counts
from tests.helpers.waiting import wait_until

TTL_S = 40
BY_JOBS = ("--driver", "jobs", "--ttl", str(TTL_S))


@contextmanager
def going(jobs: FleetJobs, name: str, folder: Path, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A run, whose calls outlive the commands that a test types meanwhile on a busy machine."""
    command = jobs.words("create", "-n", jobs.hub.name, "-j", name, *words, "--mrt", "300", "--run")
    running = jobs.hub.az.start(*command, output=folder / "out")
    try:
        yield running
    finally:
        if running.poll() is None:
            running.kill()
        running.wait(30)


def said(folder: Path) -> str:
    return (folder / "out.err").read_text()


def test_by_hub_jobs_a_device_that_is_away_is_named_and_nothing_false_is_shown(
    jobs: FleetJobs, devices: FleetJobDevices, calls: list[str], tmp_path: Path
) -> None:
    jobs.hub.new_device("away-1")
    name, events = "night.fw_1", tmp_path / "events.jsonl"
    named = (*ALL[:4], "away-1", *ALL[4:12])
    words = ("--mn", "ping", "--device-ids", ",".join(named), "--batch", "5", *BY_JOBS, "--events", str(events))
    with going(jobs, name, tmp_path, *words) as running:
        told = "for 1 device: away-1. It ends when it has answered, or at "
        wait_until("who is awaited is said", lambda: told in said(tmp_path) or running.poll() is not None, limit_s=60)
        assert told in said(tmp_path) and "Batch 1: hub job night-fw-1-" in said(tmp_path)
        shown = jobs.ok("show", "-j", name)["lastRun"]
        progress, (job,), (awaited,) = shown["progress"], shown["hubJobs"], shown["awaited"]
        assert counts(progress) == (0, 0, 0, 8) and progress["inProgress"] == 5
        assert (job["progress"]["completed"], job["progress"]["failed"], job["progress"]["total"]) == (4, 0, 5)
        assert (awaited["batch"], awaited["devices"], awaited["count"]) == (1, ["away-1"], 1)
        assert awaited["until"] == job["until"] > job["seen"]
        table = jobs.run("show", "-j", name, "-o", "table").stdout
        assert "InProgress" in table and "EndedByHub" in table and "Version" in table
        other = jobs.run("run", "-j", name)
        assert other.code == 9 and f"process {running.pid}" in other.stderr and "is running" in other.stderr
        assert f"fleet-job watch -j {name}" in other.stderr and "--if-unfinished" in other.stderr
        stopped = jobs.run("stop", "-j", name, "--reason", "lunch")
        assert stopped.code == 0 and running.wait(30) == 6
        assert counts(stopped.json["progress"]) == (0, 0, 0, 8) and stopped.json["progress"]["inProgress"] == 5
        for each in (stopped.stderr, said(tmp_path)):
            assert "continues by itself until" in each and "5 devices in progress, 4 had ended" in each
        assert "5 in progress, 8 pending" in said(tmp_path) and " s left" not in said(tmp_path)
    again = jobs.run("stop", "-j", name)
    assert again.code == 0 and again.json["reason"] == "lunch" and "is already stopped" in again.stderr
    rows = jobs.ok("results", "-j", name, "--status", "in-progress", "--columns", "deviceId")
    assert [each["deviceId"] for each in rows] == [*ALL[:4], "away-1"]
    (listed,) = [each for each in jobs.ok("list", "--state", "stopped") if each["id"] == name]
    assert listed["lastRun"]["progress"]["inProgress"] == 5

    ended = jobs.run("run", "-j", name, "--if-unfinished", "cancel", "--limit", "2")
    assert ended.code == 0, ended.stderr
    assert (ended.json["run"], ended.json["limit"], counts(ended.json["progress"])) == (2, 2, (2, 0, 0, 0))
    first, second = reversed(jobs.ok("list-runs", "-j", name))
    assert (first["status"], counts(first["progress"])) == ("canceled", (4, 1, 0, 8)), "the hub gave away-1 up"
    assert (second["status"], second["limit"]) == ("completed", 2)
    times = [json.loads(line)["at"] for line in events.read_text().splitlines()]
    progressed = [json.loads(line) for line in events.read_text().splitlines() if '"progressed"' in line]
    assert times == sorted(times) and progressed[-1]["hub"]["completed"] == 4
    assert progressed[-1]["awaited"][0]["devices"] == ["away-1"]


def test_one_stopped_night_does_not_block_the_nights_that_follow(
    jobs: FleetJobs, devices: FleetJobDevices, calls: list[str], tmp_path: Path
) -> None:
    ten = ",".join(ALL[:10])
    devices.hold(4)
    words = ("--mn", "ping", "--device-ids", ten, "--driver", "calls", "--concurrency", "1")
    with going(jobs, "nightly", tmp_path, *words) as running:
        wait_until("it is held", lambda: len(calls) >= 4 or running.poll() is not None)
        stop = jobs.run("stop", "-j", "nightly", "--poll-duration", "2")
        assert stop.code == 7 and "1 call is under way: d-003" in stop.stderr and "at the latest" in stop.stderr
        assert f"process {running.pid} takes care of it" in stop.stderr
        devices.gate.set()
        assert running.wait(30) == 6
    devices.hold(len(ALL) + 1)
    assert jobs.run("run", "-j", "nightly", "--rate", "0").code == 1, "a typo"
    assert jobs.run("run", "-j", "nightlyy").code == 3
    refused = jobs.run("run", "-j", "nightly")
    assert refused.code == 9 and "Run 1 of fleet job nightly is stopped" in refused.stderr
    for way in ("resume -j nightly", "cancel -j nightly", "run -j nightly --if-unfinished resume"):
        assert f"az iot hub fleet-job {way}" in refused.stderr
    assert jobs.run("run", "-j", "nightly", "--if-unfinished", "fail").code == 9
    went_on = jobs.run("run", "-j", "nightly", "--if-unfinished", "resume", "--limit", "1")
    assert (went_on.code, went_on.json["run"], counts(went_on.json["progress"])) == (0, 1, (10, 0, 0, 0))
    assert "it is resumed" in went_on.stderr and sorted(calls) == ALL[:10], "each device once"
    anew = jobs.ok("run", "-j", "nightly", "--if-unfinished", "resume", "--sample", "25%", "--mrt", "20", "--mct", "5")
    assert (anew["run"], anew["samplePercent"], anew["progress"]["total"]) == (2, 25, 3)
    delivery = anew["delivery"]
    assert (delivery["methodResponseTimeoutSeconds"], delivery["methodConnectTimeoutSeconds"]) == (20, 5)
    assert jobs.ok("show", "-j", "nightly")["version"] == 1
    again = jobs.ok("rerun", "-j", "nightly", "--on", "completed", "--mrt", "15", "--mct", "0")
    assert again["progress"]["total"] == 3, "a rerun is of the devices that the run had"
    assert jobs.ok("show", "-j", "nightly-r1")["action"]["responseTimeoutInSeconds"] == 15


def test_a_run_that_another_process_executes_has_the_same_code_for_every_verb_that_would(
    jobs: FleetJobs, devices: FleetJobDevices, calls: list[str], tmp_path: Path
) -> None:
    devices.hold(2)
    words = ("--mn", "ping", "--device-ids", ",".join(ALL[:4]), "--driver", "calls", "--concurrency", "1")
    with going(jobs, "busy", tmp_path, *words) as running:
        wait_until("it is held", lambda: len(calls) >= 2 or running.poll() is not None)
        for verb in (("resume",), ("run",), ("run", "--if-unfinished", "resume"), ("rerun",)):
            refused = jobs.run(verb[0], "-j", "busy", *verb[1:])
            assert refused.code == 9, (verb, refused.stderr)
            assert f"process {running.pid}" in refused.stderr or verb == ("rerun",)
        shown = jobs.ok("show", "-j", "busy")["lastRun"]
        assert shown["awaited"][0]["devices"] == [ALL[1]] and shown["progress"]["inProgress"] == 1
        devices.gate.set()
        assert running.wait(30) == 0


def test_a_local_hub_without_a_tier_is_known_as_one(jobs: FleetJobs) -> None:
    words = ("create", "-n", jobs.hub.name, "-j", "plan", "--mn", "ping", "--device-ids", "d-000", "--dry-run")
    assert "no tier, and so no quotas" in jobs.ok(*words)["driverReason"]


def test_what_a_hub_counts_as_succeeded_is_not_called_so_where_devices_answered_500(
    jobs: FleetJobs, devices: FleetJobDevices, calls: list[str]
) -> None:
    words = ("iot", "hub", "job", "create", "-n", jobs.hub.name, "--job-id", "says-500", "--mn", "reboot")
    named = ("--job-type", "scheduleDeviceMethod", "--device-ids", f"{ALL[0]},{FAILING[0]}", "--wait", "-o", "table")
    ran = jobs.hub.az.run(*words, *named)
    assert ran.code == 4 and "2 of 2 devices answered" in ran.stderr and "outside 200-399" in ran.stderr
    heading, _, row = ran.stdout.splitlines()[:3]
    assert "Answered" in heading and "Succeeded" not in heading and row.startswith("says-500")
    for verb in ("show", "list"):
        which = ("--job-id", "says-500") if verb == "show" else ()
        table = jobs.hub.az.run("iot hub job", verb, "-n", jobs.hub.name, *which, "-o", "table").stdout
        assert "Answered" in table and "Succeeded" not in table.splitlines()[0]


@pytest.mark.parametrize("verb", ["list", "list-runs", "show"])
def test_tables_show_the_version_that_a_run_executes(jobs: FleetJobs, calls: list[str], verb: str) -> None:
    name = f"versions-{verb}"
    jobs.create(name, "--mn", "ping", "--device-ids", ALL[0], "--run")
    jobs.ok("update", "-j", name, "--description", "newer")
    which: tuple[Any, ...] = () if verb == "list" else ("-j", name)
    lines = jobs.run(verb, *which, "-o", "table").stdout.splitlines()
    assert "Version" in lines[0]
    (row,) = [line.split() for line in lines if line.startswith(name)]
    if verb == "list":
        assert "RunVersion" in lines[0]
        assert row[row.index("2") + 1] == "1", "the newest, and the one that ran"
    else:
        assert row[:3] == [name, "1", "1"]
