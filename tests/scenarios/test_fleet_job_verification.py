"""Fleet jobs whose devices count as done when their twins say so, as a user runs them; on devices that az simulates.

The devices accept every update. Then some report the new version, one that the update has failed, one nothing.
"""

import csv
import json
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.fleet_job_scenario import FleetJobs
from tests.helpers.updated_devices import FAILED, RULES
from tests.helpers.waiting import wait_until

GOOD, FAILING, SILENT = ["v-0", "v-1", "v-2"], "v-3", "v-4"
ALL = [*GOOD, FAILING, SILENT]
UPDATE = ("--mn", "update", "-q", "STARTSWITH(deviceId, 'v-')", *FAILED)


def verify(version: str) -> tuple[str, ...]:
    payload = json.dumps({"version": version})
    return ("--method-payload", payload, "--verify", f"properties.reported.fw.version = '{version}'")


@pytest.fixture(scope="module")
def log(own_hub: ScenarioHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Simulated devices; the file of their events."""
    folder = tmp_path_factory.mktemp("simulated")
    for name in ALL:
        own_hub.new_device(name)
    for name, kind in ((FAILING, "failing"), (SILENT, "silent")):
        tags = json.dumps({"kind": kind})
        own_hub.az.json(f"iot hub device-twin update -n {own_hub.name} -d {name}", "--tags", tags)
    (folder / "rules.yaml").write_text(RULES)
    simulation = own_hub.az.start(
        f"iot device simulate -n {own_hub.name} --device-ids {','.join(ALL)}",
        "--behaviour-file",
        str(folder / "rules.yaml"),
        "--events",
        str(folder / "events.jsonl"),
        output=folder / "o",
    )
    try:
        wait_until("all are connected", lambda: "All 5 devices are connected" in (folder / "o.err").read_text())
        yield folder / "events.jsonl"
    finally:
        simulation.send_signal(signal.SIGINT)
        simulation.wait(30)


def calls(log: Path) -> Counter[str]:
    events = [json.loads(line) for line in log.read_text().splitlines()]
    return Counter(each["device"] for each in events if each["event"] == "method")


def rows(jobs: FleetJobs, name: str, *more: str) -> dict[str, Any]:
    return {each["deviceId"]: each for each in jobs.ok("results", "-j", name, *more)}


@pytest.mark.parametrize("driver", ["calls", "jobs"])
def test_a_device_counts_as_completed_when_it_reports_the_new_version(
    jobs: FleetJobs, log: Path, tmp_path: Path, driver: str
) -> None:
    before, version = calls(log), f"2-{driver}"
    events = tmp_path / "events.jsonl"
    words = (*UPDATE, *verify(version), "--verify-within", "10s", "--driver", driver, "--run", "--events", str(events))
    ran = jobs.run("create", "-n", jobs.hub.name, "-j", f"by-{driver}", *words)
    assert ran.code == 4, ran.stderr
    progress = ran.json["progress"]
    assert (progress["completed"], progress["failed"], progress["verifying"]) == (3, 2, 0)
    assert progress["byErrorClass"] == {"not-verified": 2}
    assert "not-verified: It was operated, and reports a failure" in ran.stderr
    found = rows(jobs, f"by-{driver}")
    for name in GOOD:
        row = found[name]
        assert (row["status"], row["methodStatus"], row["payload"]) == ("completed", 202, {"accepted": True})
        assert row["reported"]["properties.reported.fw.version"] == version and row["verified"] > row["finished"]
    assert {name: found[name]["errorCode"] for name in (FAILING, SILENT)} == {
        FAILING: "ReportedFailure",
        SILENT: "NotInTime",
    }
    assert found[FAILING]["reported"]["properties.reported.fw.state"] == "failed" and found[FAILING]["verified"] is None
    assert found[SILENT]["reported"]["properties.reported.fw.version"] == "1", "both answers are there"
    assert (found[SILENT]["methodStatus"], found[SILENT]["payload"]) == (202, {"accepted": True})
    assert {name: count - before[name] for name, count in calls(log).items()} == dict.fromkeys(ALL, 1)
    written = [json.loads(line) for line in events.read_text().splitlines()]
    kinds = Counter(each["event"] for each in written)
    assert (kinds["device-operated"], kinds["device-ended"]) == (5, 5)


def test_a_table_and_a_file_show_what_a_device_answered_and_what_it_reported(jobs: FleetJobs, tmp_path: Path) -> None:
    table = jobs.run("results", "-j", "by-calls", "-o", "table").stdout
    assert "Reported" in table.splitlines()[0] and "NotInTime" in table
    path = tmp_path / "rows.csv"
    jobs.run("results", "-j", "by-calls", "--output-file", str(path))
    with path.open(newline="") as file:
        found = {row["deviceId"]: row for row in csv.DictReader(file)}
    assert json.loads(found["v-0"]["reported"])["properties.reported.fw.version"] == "2-calls"
    assert found["v-0"]["methodStatus"] == "202" and found["v-0"]["verified"] and not found[SILENT]["verified"]
    shown = jobs.ok("show", "-j", "by-calls")["verification"]
    assert shown == {
        "condition": "properties.reported.fw.version = '2-calls'",
        "withinSeconds": 10.0,
        "failedCondition": "properties.reported.fw.state = 'failed'",
    }


def test_a_run_that_is_killed_while_devices_are_verified_is_resumed_and_operates_none_again(
    jobs: FleetJobs, log: Path, tmp_path: Path
) -> None:
    before = calls(log)
    words = jobs.words("create", "-n", jobs.hub.name, "-j", "killed", *UPDATE, *verify("3"), "--verify-within", "1h")
    events = tmp_path / "events.jsonl"
    running = jobs.hub.az.start(*words, "--driver", "calls", "--run", "--events", str(events), output=tmp_path / "out")
    wait_until("all are operated", lambda: events.exists() and events.read_text().count("device-operated") == 5)
    running.send_signal(signal.SIGKILL)
    running.wait(30)
    waits_for = jobs.ok("show", "-j", "killed")["lastRun"]["awaited"]
    assert [each["verifying"] for each in waits_for] == [True] and SILENT in waits_for[0]["devices"]
    resuming = jobs.hub.az.start(*jobs.words("resume", "-j", "killed"), output=tmp_path / "again")
    try:
        wait_until("it is resumed", lambda: "are being verified" in (tmp_path / "again.err").read_text())
        wait_until("the others are decided", lambda: list(rows(jobs, "killed", "--status", "verifying")) == [SILENT])
        canceled = jobs.ok("cancel", "-j", "killed", "--reason", "enough")
        assert resuming.wait(30) == 5
    finally:
        resuming.kill()
        resuming.wait(30)
    assert (canceled["status"], canceled["progress"]["completed"], canceled["progress"]["failed"]) == ("canceled", 3, 2)
    assert rows(jobs, "killed")[SILENT]["errorCode"] == "NotVerified"
    assert {name: count - before[name] for name, count in calls(log).items()} == dict.fromkeys(ALL, 1)


def test_the_next_batch_begins_when_the_one_before_it_is_verified(jobs: FleetJobs, log: Path, tmp_path: Path) -> None:
    words = (
        "--mn",
        "update",
        "--device-ids",
        ",".join(GOOD),
        *verify("4"),
        "--batch",
        "1",
        "--driver",
        "calls",
        "--run",
    )
    ran = jobs.create("in-turn", *words)
    assert ran["progress"]["completed"] == 3
    found = rows(jobs, "in-turn")
    assert [found[name]["batch"] for name in GOOD] == [1, 2, 3]
    assert all(found[one]["verified"] <= found[two]["started"] for one, two in zip(GOOD, GOOD[1:], strict=False))


def test_what_was_not_verified_is_tried_again_and_stops_a_run_like_any_failure(jobs: FleetJobs, log: Path) -> None:
    before = calls(log)
    words = ("--mn", "update", "--device-ids", f"{FAILING},{GOOD[0]}", *FAILED, *verify("5"))
    retry = ("--retry", "not-verified=1", "--retry-pause", "1s")
    ran = jobs.create("again", *words, *retry, "--driver", "calls", "--run", code=4)
    assert ran["progress"]["byErrorClass"] == {"not-verified": 1}
    assert {name: calls(log)[name] - before[name] for name in (FAILING, GOOD[0])} == {FAILING: 2, GOOD[0]: 1}
    assert rows(jobs, "again")[FAILING]["tries"] == 2
    limited = ("--cancellation-threshold", "0", "--cancellation-threshold-error-class", "not-verified", "--batch", "1")
    ran = jobs.ok("rerun", "-j", "again", "--on", "not-verified", "--retry", "none", *limited, code=5)
    assert ran["status"] == "canceled" and "not-verified" in ran["reason"]
    assert jobs.ok("show", "-j", ran["id"])["verification"]["condition"] == "properties.reported.fw.version = '5'"


def test_a_condition_that_the_hub_cannot_read_is_refused_before_anything_is_saved_or_sent(
    jobs: FleetJobs, log: Path
) -> None:
    before = calls(log)
    for more in (("--run",), ()):
        words = ("--mn", "update", "--device-ids", "v-0", "--verify", "properties.reported.fw.version = = 2", *more)
        ran = jobs.run("create", "-n", jobs.hub.name, "-j", "typo", *words)
        assert ran.code == 1 and "--verify" in ran.stderr and "cannot read this condition" in ran.stderr, ran.stderr
    assert jobs.run("show", "-j", "typo").code == 3 and calls(log) == before
    half = jobs.run("create", "-n", jobs.hub.name, "-j", "typo", *UPDATE, "--verify", "tags.a = 1) OR (tags.b = 2")
    assert half.code == 1 and "--verify" in half.stderr


def test_a_verification_is_changed_previewed_and_taken_away(jobs: FleetJobs, log: Path) -> None:
    jobs.create("changed", *UPDATE, *verify("6"))
    changed = jobs.ok("update", "-j", "changed", "--verify-within", "2h", "--verify-failed", "none")
    assert (changed["verification"]["withinSeconds"], changed["verification"]["failedCondition"]) == (7200.0, None)
    copied = jobs.ok("copy", "-j", "changed")
    assert copied["verification"] == changed["verification"]
    plan = jobs.ok("run", "-j", "changed", "--dry-run")
    assert plan["verification"] == {**changed["verification"], "metByDevicesNow": 0}
    assert jobs.ok("update", "-j", "changed", "--verify", "none")["verification"] is None
    lonely = jobs.run("update", "-j", "changed", "--verify-within", "5m")
    assert lonely.code == 1 and "go with --verify" in lonely.stderr
