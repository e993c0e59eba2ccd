"""Hub jobs and calls whose devices count as done when their twins say so, as a user runs them.

The devices, which az simulates, accept every update. Then some report the new version after a while, one that the
update has failed, one nothing.
"""

import csv
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.az import Ran
from tests.helpers.updated_devices import FAILED, RULES
from tests.helpers.waiting import wait_until

GOOD, FAILING, SILENT = ["u-0", "u-1"], "u-2", "u-3"
ALL = [*GOOD, FAILING, SILENT]
JOB = ("--job-type", "scheduleDeviceMethod")


def update(version: str, within: str = "10s") -> tuple[str, ...]:
    """What a method call or a job has: an update, and what verifies it."""
    condition = f"properties.reported.fw.version = '{version}'"
    payload = json.dumps({"version": version})
    return (
        *("--method-name", "update", "--method-payload", payload),
        *("--verify", condition, "--verify-within", within, *FAILED),
    )


@pytest.fixture(scope="module")
def updated(own_hub: ScenarioHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScenarioHub]:
    """A hub whose devices are simulated."""
    folder = tmp_path_factory.mktemp("simulated")
    for name in ALL:
        own_hub.new_device(name)
    for name, kind in ((FAILING, "failing"), (SILENT, "silent")):
        tags = json.dumps({"kind": kind})
        own_hub.az.json(f"iot hub device-twin update -n {own_hub.name} -d {name}", "--tags", tags)
    (folder / "rules.yaml").write_text(RULES)
    words = ("iot", "device", "simulate", "-n", own_hub.name, "--device-ids", ",".join(ALL))
    simulation = own_hub.az.start(*words, "--behaviour-file", str(folder / "rules.yaml"), output=folder / "o")
    try:
        wait_until("all are connected", lambda: "All 4 devices are connected" in (folder / "o.err").read_text())
        yield own_hub
    finally:
        simulation.send_signal(signal.SIGINT)
        simulation.wait(30)


def job(hub: ScenarioHub, verb: str, job_id: str, *more: str) -> Ran:
    ran = hub.az.run("iot", "hub", "job", verb, "-n", hub.name, "--job-id", job_id, *more)
    assert "Traceback" not in ran.stderr
    return ran


def call(hub: ScenarioHub, *more: str) -> Ran:
    ran = hub.az.run("iot", "hub", "invoke-device-method", "-n", hub.name, *more)
    assert "Traceback" not in ran.stderr
    return ran


def of(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found = {row["deviceId"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def check_rows(rows: dict[str, dict[str, Any]], version: str, old: str) -> None:
    """Every row has both answers: what the device said, and what it reported. old: what the silent one reports."""
    assert set(rows) == set(ALL)
    assert {(row["methodStatus"], str(row["payload"])) for row in rows.values()} == {(202, "{'accepted': True}")}
    for name in GOOD:
        assert (rows[name]["status"], rows[name]["errorClass"]) == ("completed", None)
        assert rows[name]["reported"]["properties.reported.fw.version"] == version
        assert rows[name]["verified"] > rows[name]["started"]
    for name, code in ((FAILING, "ReportedFailure"), (SILENT, "NotInTime")):
        assert (rows[name]["status"], rows[name]["errorClass"]) == ("failed", "not-verified")
        assert (rows[name]["errorCode"], rows[name]["verified"]) == (code, None)
    assert rows[FAILING]["reported"]["properties.reported.fw.state"] == "failed"
    assert rows[SILENT]["reported"]["properties.reported.fw.version"] == old


def test_a_job_waits_until_its_devices_report_the_new_version(updated: ScenarioHub) -> None:
    ran = job(updated, "create", "u-job", *JOB, *update("2"), "-q", "STARTSWITH(deviceId, 'u-')", "--wait")
    assert ran.code == 4, ran.stderr
    assert ran.json["status"] == "completed" and ran.json["deviceJobStatistics"]["failedCount"] == 0
    found = ran.json["verification"]
    assert found["condition"] == "properties.reported.fw.version = '2'" and found["withinSeconds"] == 10.0
    assert (found["verified"], found["notVerified"], found["verifying"]) == (2, 2, 0)
    assert found["byErrorClass"] == {"not-verified": 2}
    check_rows(of(found["results"]), "2", "1")
    assert "2 verified, 2 failed (not-verified 2)" in ran.stderr
    assert f"{FAILING} not-verified: It was operated, and reports a failure" in ran.stderr


def test_a_job_that_has_ended_is_verified_by_who_waits_for_it_and_its_rows_go_into_a_file(
    updated: ScenarioHub, tmp_path: Path
) -> None:
    path = tmp_path / "rows.csv"
    verify = ("--verify", "properties.reported.fw.version = '2'", *FAILED, "--verify-within", "10s")
    ran = job(updated, "wait", "u-job", *verify, "--output-file", str(path))
    assert ran.code == 4, ran.stderr
    found = ran.json["verification"]
    assert (found["verified"], found["notVerified"], found["results"]) == (2, 2, None)
    with path.open(newline="") as file:
        rows = {row["deviceId"]: row for row in csv.DictReader(file)}
    assert json.loads(rows["u-0"]["reported"])["properties.reported.fw.version"] == "2" and rows["u-0"]["verified"]
    assert {name: rows[name]["errorCode"] for name in (FAILING, SILENT)} == {
        FAILING: "ReportedFailure",
        SILENT: "NotInTime",
    }
    there = job(updated, "wait", "u-job", *verify, "--output-file", str(path))
    assert there.code == 1 and "already exists" in there.stderr
    old = ("--verify", "properties.reported.fw.version = '1'", "--verify-within", "10s")
    table = job(updated, "wait", "u-job", *old, "--exit-zero", "-o", "table")
    assert table.code == 0 and "Reported" in table.stdout.splitlines()[0], table.stderr


def test_a_rerun_verifies_its_devices(updated: ScenarioHub, tmp_path: Path) -> None:
    rows = tmp_path / "failed.json"
    rows.write_text(json.dumps([{"deviceId": "u-0", "status": "failed", "errorClass": "not-verified"}]))
    verify = ("--method-payload", '{"version": "3"}', "--verify", "properties.reported.fw.version = '3'")
    again = ("--from-results", str(rows), "--on", "not-verified", "--wait")
    ran = job(updated, "rerun", "u-job", *again, *verify)
    assert ran.code == 0, ran.stderr
    assert [each["deviceId"] for each in ran.json["verification"]["results"]] == ["u-0"]
    assert ran.json["verification"]["verified"] == 1 and len(ran.json["jobs"]) == 1


def test_calls_of_many_devices_are_verified(updated: ScenarioHub, tmp_path: Path) -> None:
    ran = call(updated, "--device-ids", ",".join(ALL), *update("4"))
    assert ran.code == 4, ran.stderr
    check_rows(of(ran.json), "4", "1")
    assert "4 called" in ran.stderr and "2 succeeded, 2 failed (not-verified 2)" in ran.stderr
    assert "u-0 202" in ran.stderr and ", verified" in ran.stderr
    path = tmp_path / "rows.jsonl"
    words = ("--device-ids", "u-0,u-1", *update("5"), "--output-file", str(path), "--group-output")
    ran = call(updated, *words)
    assert ran.code == 0, ran.stderr
    assert [(each["status"], each["count"], each["errorClass"]) for each in ran.json] == [(202, 2, None)]
    rows = of([json.loads(line) for line in path.read_text().splitlines()])
    assert {row["reported"]["properties.reported.fw.version"] for row in rows.values()} == {"5"}


def test_a_device_that_refuses_is_not_verified(updated: ScenarioHub) -> None:
    verify = ("--verify", "properties.reported.fw.version = '9'")
    for words in (("--device-ids", "u-0"), ("-d", "u-0")):
        ran = call(updated, *words, "--method-name", "refuse", *verify)
        assert ran.code == 4, ran.stderr
        [row] = ran.json if isinstance(ran.json, list) else [ran.json]
        assert row["payload"] == {"why": "never"} and row.get("reported") is None and "verification" not in row


def test_one_device_that_is_called_is_verified(updated: ScenarioHub) -> None:
    ran = call(updated, "-d", "u-1", *update("6"))
    assert ran.code == 0, ran.stderr
    assert (ran.json["status"], ran.json["payload"]) == (202, {"accepted": True})
    found = ran.json["verification"]["result"]
    assert found["status"] == "completed" and found["verified"] is not None and found["deviceId"] == "u-1"
    assert found["reported"]["properties.reported.fw.version"] == "6"
    ran = call(updated, "-d", FAILING, *update("6"), "-o", "table")
    assert ran.code == 4 and "ReportedFailure" in ran.stdout and "202" in ran.stdout, ran.stderr


@pytest.mark.parametrize("what", ["job", "many", "one"])
def test_ctrl_c_leaves_and_names_what_is_still_being_verified(updated: ScenarioHub, tmp_path: Path, what: str) -> None:
    devices = {
        "job": ("-q", "STARTSWITH(deviceId, 'u-')"),
        "many": ("--device-ids", ",".join(ALL)),
        "one": ("-d", SILENT),
    }
    begin = ("iot", "hub", "invoke-device-method") if what != "job" else ("iot", "hub", "job", "create", *JOB, "--wait")
    more = ("--job-id", "u-broken-off") if what == "job" else ()
    rows = tmp_path / "rows.jsonl"
    written = ("--output-file", str(rows)) if what != "one" else ()
    words = (*begin, "-n", updated.name, *more, *devices[what], *update(f"7-{what}", "1h"), *written)
    running = updated.az.start(*words, output=tmp_path / "o")
    if what == "one":
        wait_until("it was called", lambda: state_of_updates(updated, tmp_path) == "called")
    else:
        wait_until("the others are decided", lambda: rows.exists() and rows.read_text().count("\n") == 3)
    running.send_signal(signal.SIGINT)
    assert running.wait(30) == 7, (tmp_path / "o.err").read_text()
    told = (tmp_path / "o.err").read_text()
    assert "Traceback" not in told
    if what == "one":
        answered = json.loads((tmp_path / "o").read_text())
        assert answered["status"] == 202 and answered["verification"]["result"]["status"] == "verifying"
        return
    assert "still being verified" in told
    found = of([json.loads(line) for line in rows.read_text().splitlines()])
    assert {name: row["status"] for name, row in found.items()} == {
        **dict.fromkeys(GOOD, "completed"),
        FAILING: "failed",
        SILENT: "verifying",
    }
    if what == "job":
        assert "az iot hub job wait" in told and "--verify-within 3600s" in told
        document = json.loads((tmp_path / "o").read_text())["verification"]
        assert (document["verified"], document["notVerified"], document["verifying"]) == (2, 1, 1)


def state_of_updates(hub: ScenarioHub, folder: Path) -> str:
    return "called" if "verifying" in (folder / "o.err").read_text() else "waits"


def test_what_cannot_be_verified_is_refused_before_anything_is_sent(updated: ScenarioHub) -> None:
    good = "properties.reported.fw.version = '8'"
    base = (*JOB, "--method-name", "update", "-q", "deviceId = 'u-0'")
    for more, told in (
        (("--verify", good), "--verify needs --wait"),
        (("--wait", "--verify", "properties.reported.fw.version = = 8"), "cannot read this condition"),
        (("--wait", "--verify", "tags.a = 1) OR (tags.b = 2"), "--verify"),
        (("--wait", "--verify-within", "5m"), "go with --verify"),
        (("--wait", "--verify", good, "--verify-within", "1s"), "--verify-within"),
        (("--wait", "--output-file", "rows.csv"), "--output-file goes with --verify"),
        (("--wait", "--verify", good, "--output-file", "-"), "written to stdout"),
    ):
        ran = job(updated, "create", "u-never", *base, *more)
        assert ran.code == 1 and told in ran.stderr, ran.stderr
    assert job(updated, "show", "u-never").code == 3
    for words in (("--device-ids", "u-0"), ("-d", "u-0")):
        ran = call(updated, *words, "--method-name", "update", "--verify", "properties.reported = = 8")
        assert ran.code == 1 and "cannot read this condition" in ran.stderr


def test_a_preview_says_how_many_devices_meet_the_condition_already(updated: ScenarioHub) -> None:
    condition = "properties.reported.fw.version = '1'"
    plan = {"condition": condition, "withinSeconds": 600.0, "failedCondition": None, "metByDevicesNow": 2}
    verify = ("--method-name", "update", "--verify", condition, "--dry-run")
    assert job(updated, "create", "u-plan", *JOB, "-q", "*", "--wait", *verify).json["verification"] == plan
    assert call(updated, "--device-ids", "u-0", *verify).json["verification"] == plan
    assert call(updated, "-d", "u-0", *verify).json["verification"] == plan
