"""FleetJobDevices jobs as a user runs them: each test is named after a sentence of IoT Central's documentation on jobs.

One local hub, 103 simulated devices on a thread; six of them answer 500.
"""

import csv
import json
import signal
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.model.identity import NewIdentity
from azext_iotjobs.simulator.events import ActivityKind
from tests.conftest import ScenarioHub
from tests.helpers.fleet_job_scenario import (
    ALL,
    EVERYBODY,
    FAILING,
    ONE_BY_ONE,
    SLOW,
    FleetJobDevices,
    FleetJobs,
    counts,
)
from tests.helpers.waiting import wait_until

BY_JOBS = ("--driver", "jobs", "--batch", "30")  # the sixth failure is in the third batch


@pytest.fixture(scope="module")
def thresholds(jobs: FleetJobs, devices: FleetJobDevices) -> dict[str, Any]:
    """A hundred devices of which six fail, with a threshold of 5 and of 6: how each run ended, and who was called."""
    hundred = ("--mn", "reboot", "-q", EVERYBODY, "--limit", "100", "--run")
    found: dict[str, Any] = {}
    for suffix, way in (("", ONE_BY_ONE), ("-jobs", BY_JOBS)):
        for allowed, code in ((5, 5), (6, 4)):
            devices.forget()
            name = f"threshold-{allowed}{suffix}"
            run = jobs.create(name, *hundred, *way, "--cancellation-threshold", str(allowed), code=code)
            found[name] = (run, list(devices.calls))
    return found


@pytest.mark.parametrize("driver", ["calls", "jobs"])
def test_the_job_is_divided_into_multiple_batches_that_are_queued_and_run_in_sequence(
    jobs: FleetJobs, devices: FleetJobDevices, calls: list[str], driver: str
) -> None:
    name = f"in-batches-{driver}"
    upgrade = f"--mn upgrade --batch 10 --batch-type percentage --driver {driver} --success-status 200-599 --run"
    jobs.create(name, "-q", EVERYBODY, *upgrade.split())
    shown = jobs.ok("show", "-j", name)
    batches = shown["lastRun"]["batchList"]
    assert (shown["status"], counts(shown["lastRun"]["progress"])) == ("completed", (103, 0, 0, 0))
    assert [each["devices"] for each in batches] == [11] * 9 + [4]
    assert all(one["ended"] <= two["started"] for one, two in zip(batches, batches[1:], strict=False))
    assert Counter(calls) == Counter(ALL) and set(SLOW) < set(ALL)
    for start in range(0, 103, 11):  # in the order of their ids; each has answered before one of the next is called
        batch = set(devices.log[2 * start : 2 * (start + 11)])
        kinds = (ActivityKind.METHOD, ActivityKind.ANSWER)
        assert batch == {(kind, device) for device in ALL[start : start + 11] for kind in kinds}


def test_canceled_because_the_threshold_was_exceeded(thresholds: dict[str, Any]) -> None:
    canceled, called = thresholds["threshold-5"]
    assert (canceled["status"], counts(canceled["progress"])) == ("canceled", (80, 6, 0, 14))
    assert "exceed the threshold" in canceled["reason"] and called == ALL[:86], "the sixth failure was the last call"
    completed, called = thresholds["threshold-6"]
    assert (completed["status"], counts(completed["progress"])) == ("completed", (94, 6, 0, 0))
    assert called == ALL[:100]


def test_canceled_between_hub_jobs_because_the_threshold_was_exceeded(thresholds: dict[str, Any]) -> None:
    canceled, called = thresholds["threshold-5-jobs"]
    assert (canceled["status"], counts(canceled["progress"])) == ("canceled", (84, 6, 0, 10))
    assert Counter(called) == Counter(ALL[:90]), "the sixth failure was in the third batch; the fourth never began"
    completed, called = thresholds["threshold-6-jobs"]
    assert (completed["status"], counts(completed["progress"])) == ("completed", (94, 6, 0, 0))
    assert Counter(called) == Counter(ALL[:100])


@pytest.mark.parametrize("parent", ["threshold-6", "threshold-6-jobs"])
def test_rerun_on_failed_submits_a_new_job_to_retry_the_action_on_failed_devices(
    jobs: FleetJobs, thresholds: dict[str, Any], calls: list[str], parent: str
) -> None:
    words = ("--on", "failed", "--display-name", "Once more", "--description", "After the repair")
    again = jobs.ok("rerun", "-j", parent, *words, code=4)
    assert (again["id"], counts(again["progress"])) == (f"{parent}-r1", (0, 6, 0, 0))
    assert sorted(calls) == FAILING
    shown = jobs.ok("show", "-j", f"{parent}-r1")
    assert shown["parent"] == {"id": parent, "run": 1, "how": "rerun"}
    assert (shown["displayName"], shown["description"]) == ("Once more", "After the repair")
    assert counts(jobs.ok("show", "-j", parent)["lastRun"]["progress"]) == (94, 6, 0, 0), "the old one is as it was"


def test_stop_a_running_job_and_continue_it(
    jobs: FleetJobs, own_hub: ScenarioHub, devices: FleetJobDevices, calls: list[str], tmp_path: Path
) -> None:
    az, events = own_hub.az, ("--events", str(tmp_path / "events.jsonl"))
    devices.hold(41)  # 40 %
    reboot = f"create -n {own_hub.name} -j halfway --mn reboot --driver calls --run"
    running = az.start(*jobs.words(reboot, "-q", EVERYBODY, *events), output=tmp_path / "first")
    with running:
        wait_until("40 % are called", lambda: len(calls) >= 41)
        running.send_signal(signal.SIGINT)
        wait_until("it stops", lambda: "Stopping" in (tmp_path / "first.err").read_text())
        devices.gate.set()
        assert running.wait(30) == 6
    stopped = jobs.ok("show", "-j", "halfway")
    done = stopped["lastRun"]["progress"]["total"] - stopped["lastRun"]["progress"]["pending"]
    failed = len(set(calls) & set(FAILING))
    assert (stopped["status"], counts(stopped["lastRun"]["progress"])) == (
        "stopped",
        (done - failed, failed, 0, 103 - done),
    )
    assert 41 <= done <= 51 and len(calls) == done, "calls under way were awaited, no other began"

    devices.hold(80)
    running = az.start(*jobs.words("resume"), "-j", "halfway", *events, output=tmp_path / "second")
    with running:
        wait_until("it goes on", lambda: len(calls) >= 80)
        refused = jobs.run("resume", "-j", "halfway")
        assert refused.code == 9 and f"process {running.pid}" in refused.stderr and "UTC" in refused.stderr
        assert [each["id"] for each in jobs.ok("list", "--state", "running")] == ["halfway"]
        asked = jobs.ok("stop", "-j", "halfway", "--reason", "enough for today", "--poll-duration", "1", code=7)
        assert asked["status"] == "running" and asked["asked"]["what"] == "stop"
        devices.gate.set()
        assert running.wait(30) == 6
    (run,) = jobs.ok("list-runs", "-j", "halfway")
    assert (run["status"], run["reason"]) == ("stopped", "enough for today") and run["endedBy"]

    devices.hold(len(ALL) + 1)
    ended = jobs.ok("resume", "-j", "halfway", *events, code=4)
    assert (ended["run"], ended["status"], counts(ended["progress"])) == (1, "completed", (97, 6, 0, 0))
    assert Counter(calls) == Counter(ALL), "each device once, whoever carried the run on"
    told = (tmp_path / "events.jsonl").read_text().splitlines()
    assert sum('"event": "device-ended"' in line for line in told) == 103
    assert sum('"event": "run-ended"' in line for line in told) == 3


@pytest.mark.parametrize("driver", ["calls", "jobs"])
def test_an_empty_state_folder_never_takes_an_old_job_for_its_own(
    own_hub: ScenarioHub, calls: list[str], tmp_path: Path, driver: str
) -> None:
    for folder in ("one", "two"):
        reboot = f"--mn reboot --batch 3 --driver {driver} --run"
        FleetJobs(own_hub, tmp_path / folder).create(
            f"same-{driver}", *reboot.split(), "--device-ids", ",".join(ALL[:5])
        )
    assert Counter(calls) == Counter(ALL[:5] * 2)


def test_a_property_job_can_set_multiple_properties_and_a_copy_opens_for_you_to_edit(
    jobs: FleetJobs, devices: FleetJobDevices
) -> None:
    change = "--desired light=45 fan=2 --tags ring=1 --display-name Light --labels owner=ann"
    saved = jobs.create("light", *change.split(), *"--device-ids d-001,d-002,d-003 --exclude d-002".split())
    assert (saved["status"], saved["lastRun"], saved["version"]) == ("pending", None, 1)
    assert [each["id"] for each in jobs.ok("list", "--saved")] == ["light"]
    copied = jobs.ok("copy", "-j", "light", "--desired", "light=50")
    assert (copied["id"], copied["displayName"], copied["labels"]) == ("light-copy", "Light Copy", {"owner": "ann"})
    assert copied["action"]["twinPatch"] == {"properties": {"desired": {"light": 50}}}
    edited = jobs.ok("update", "-j", "light", "--batch", "1", "--description", "Brighter")
    assert (edited["version"], edited["batch"], edited["action"]) == (
        2,
        [{"type": "number", "value": 1}],
        saved["action"],
    )
    ran = jobs.ok("run", "-j", "light")
    assert (ran["version"], ran["batches"], counts(ran["progress"])) == (2, 2, (2, 0, 0, 0))
    twin = devices.client.twins.get("d-003").document
    assert twin["tags"] == {"ring": 1}
    assert (twin["properties"]["desired"]["light"], twin["properties"]["desired"]["fan"]) == (45, 2)
    assert "light" not in devices.client.twins.get("d-002").document["properties"]["desired"]


def test_download_a_csv_file_of_your_job_details_and_filter_the_device_list(
    jobs: FleetJobs, thresholds: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "results.csv"
    columns = ("--columns", "deviceId,status,errorClass", "--job-details")
    jobs.ok("results", "-j", "threshold-5", "--output-file", str(path), *columns)
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["deviceId"] for row in rows] == ALL[:100]
    assert Counter(row["status"] for row in rows) == {"completed": 80, "failed": 6, "pending": 14}
    details = [(row["fleetJobId"], row["run"], row["action"], row["runStatus"]) for row in rows]
    assert details == [("threshold-5", "1", "method", "canceled")] * 100
    failed = jobs.ok("results", "-j", "threshold-5", "--status", "failed", "--error-class", "rejected")
    assert [(row["deviceId"], row["methodStatus"]) for row in failed] == [(each, 500) for each in FAILING]
    assert {row["status"] for row in failed} == {"failed"} and "payload" in failed[0]
    several = jobs.ok("results", "-j", "threshold-5", "--status", "failed,uncertain", "pending", "--status", "failed")
    assert Counter(row["status"] for row in several) == {"failed": 6, "pending": 14}
    assert {(row["batch"], row["tries"]) for row in several if row["status"] == "failed"} <= {
        (batch, 1) for batch in range(1, 12)
    }
    unknown = jobs.run("results", "-j", "threshold-5", "--device-id", "nobody")
    assert unknown.code == 3 and "has no device 'nobody'" in unknown.stderr
    refused = jobs.run("results", "-j", "threshold-5", "--output-file", str(tmp_path / "r.xml"))
    assert refused.code == 1 and ".jsonl" in refused.stderr and not (tmp_path / "r.xml").exists()
    jobs.ok("results", "-j", "threshold-5", "--output-file", str(tmp_path / "r.jsonl"), "--status", "failed")
    lines = (tmp_path / "r.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["deviceId"] for line in lines] == FAILING
    (one,) = jobs.ok("results", "-j", "threshold-5", "--device-id", ALL[99])
    assert (one["status"], one["started"]) == ("pending", None)
    chosen = {"AZURE_IOTJOBS_COLUMNS": "deviceId,status"}  # as az config set iotjobs.columns=… keeps them
    words = jobs.words("results", "-j", "threshold-5", "--device-id", ALL[99])
    assert jobs.hub.az.run(*words, environment=chosen).json == [{"deviceId": ALL[99], "status": "pending"}]


def test_a_report_of_the_run_is_a_page_test_results_and_the_summary_of_a_step(
    jobs: FleetJobs, thresholds: dict[str, Any], tmp_path: Path
) -> None:
    page, results = tmp_path / "r.html", tmp_path / "r.xml"
    for path in (page, results):
        assert jobs.ok("report", "-j", "threshold-5", "--output-file", str(path)) is None
    assert "<style>" in page.read_text(encoding="utf-8") and "Failures by class" in page.read_text(encoding="utf-8")
    suites = ElementTree.parse(results).getroot().findall("testsuite")
    assert sum(int(each.get("failures", "")) for each in suites) == 6
    assert sum(int(each.get("skipped", "")) for each in suites) == 14
    failed = [
        case.get("name") for case in ElementTree.parse(results).iter("testcase") if case.find("failure") is not None
    ]
    assert failed == FAILING
    summary = jobs.run("report", "-j", "threshold-5")
    assert summary.code == 0 and summary.stdout.startswith("# ❌ Run 1 of fleet job")
    assert "| 100 | 80 | 6 | 0 | 14 |" in summary.stdout
    refused = jobs.run("report", "-j", "threshold-5", "--output-file", str(page))
    assert refused.code == 1 and "already exists" in refused.stderr


def test_a_device_that_was_deleted_appears_as_deleted(jobs: FleetJobs, devices: FleetJobDevices) -> None:
    devices.client.identities.create(NewIdentity(device_id="old-1"))
    jobs.create("to-old-ones", "--mn", "x", "--device-ids", f"old-1,{ALL[0]}", "--mct", "0", "--run", code=4)
    devices.client.identities.delete("old-1", etag="*")
    columns = "deviceId,status,errorClass,errorCode,errorText,deleted"
    old, there = jobs.ok("results", "-j", "to-old-ones", "--check-registry", "--columns", columns)
    assert there == {**dict.fromkeys(columns.split(",")), "deviceId": ALL[0], "status": "completed", "deleted": False}
    assert (old["deviceId"], old["status"], old["errorClass"], old["deleted"]) == ("old-1", "failed", "offline", True)
    assert old["errorCode"] == "DeviceNotOnline" and "not online" in old["errorText"], "the error message says more"


def test_the_jobs_page_shows_running_jobs_and_the_history_of_any_previously_run_or_saved_jobs(
    jobs: FleetJobs, thresholds: dict[str, Any]
) -> None:
    canceled = jobs.ok("list", "--state", "canceled", "--since", "30d")
    assert [each["id"] for each in canceled] == ["threshold-5-jobs", "threshold-5"], "the newest first"
    assert [each["lastRun"]["progress"]["failed"] for each in canceled] == [6, 6]
    assert jobs.ok("list", "-n", "somewhere-else") == []
    assert [each["id"] for each in jobs.ok("list", "--contains", "THRESHOLD-5-j")] == ["threshold-5-jobs"]
    assert jobs.ok("list", "--labels", "nobody=has", "this") == []
    (run,) = jobs.ok("list-runs", "-j", "threshold-5")
    assert run["started"] < run["ended"] and run["durationSeconds"] > 0
    line = f"az iot hub fleet-job show --state-dir {jobs.folder} -n {jobs.hub.name} -j thresh"
    assert set(jobs.hub.az.complete(line)) >= {"threshold-5", "threshold-6"}
    other = jobs.run("show", "-j", "threshold-5", "-n", "somewhere-else")
    assert other.code == 1 and f"belongs to {jobs.hub.name}" in other.stderr
    jobs.ok("copy", "-j", "threshold-5", "--new-fleet-job-id", "not-for-long")
    asked = jobs.run("delete", "-j", "not-for-long")
    assert asked.code == 1 and "Give --yes" in asked.stderr and jobs.ok("show", "-j", "not-for-long")
    jobs.ok("delete", "-j", "not-for-long", "--yes")
    assert jobs.run("show", "-j", "not-for-long").code == 3
    kept_history = jobs.run("delete", "--older-than", "29d")
    assert kept_history.code == 1 and "30" in kept_history.stderr
    assert jobs.ok("delete", "--older-than", "30d") == {"runs": 0}


def test_select_the_target_device_group_and_see_how_many_devices_it_applies_to(
    jobs: FleetJobs, calls: list[str]
) -> None:
    hub = ("-n", jobs.hub.name)
    made = jobs.ok("group create", *hub, "--group", "first ten", "-q", "STARTSWITH(deviceId, 'd-00')")
    assert made["deviceCount"] == 10
    jobs.create("of-a-group", "--mn", "ping", "--group", "first ten", "--sample", "25%", "--seed", "7")
    plan = jobs.ok("run", "-j", "of-a-group", "--dry-run", "--sku", "S1")
    assert (plan["deviceCount"], plan["batches"], plan["batchSizes"], plan["driver"]) == (3, 1, [3], "calls")
    assert "S1" in plan["driverReason"] and calls == []
    assert plan["estimates"] == [
        {"driver": "calls", "seconds": 0.075, "limit": "direct methods, 40 a second", "operations": 3},
        {"driver": "jobs", "seconds": 0.3, "limit": "jobs device operations, 10 a second", "operations": 3},
    ]
    typed = jobs.ok("create", *hub, "-j", "typed", "--device-ids", "typo,d-000", "--mn", "ping", "--dry-run")
    assert (typed["deviceCount"], typed["notRegisteredCount"], typed["notRegistered"]) == (2, 1, ["typo"])
    refused = jobs.run("run", "-j", "of-a-group", "--max-devices", "2")
    assert refused.code == 1 and calls == []
    assert jobs.ok("run", "-j", "of-a-group")["progress"]["completed"] == 3
    sampled = set(calls)
    assert len(calls) == 3 and sampled < set(ALL[:10])
    jobs.ok("run", "-j", "of-a-group")
    assert Counter(calls) == Counter([*sampled, *sampled]), "the same seed is the same sample"
    assert [each["name"] for each in jobs.ok("group list", *hub)] == ["first ten"]
    copied = jobs.ok("copy", "-j", "of-a-group")
    assert (copied["targets"]["group"], copied["status"]) == ("first ten", "pending")
    fifties = "deviceId IN ['d-050', 'd-051', 'd-052', 'd-053']"
    taken = jobs.run("group create", *hub, "--group", "first ten", "-q", fifties)
    assert taken.code == 1 and "already" in taken.stderr and 'group update --group "first ten"' in taken.stderr
    assert jobs.ok("group update", "--group", "first ten", "-q", fifties)["deviceCount"] == 4  # it knows its hub
    shown = jobs.ok("group show", "--group", "first ten")
    assert (shown["queryCondition"], shown["fleetJobs"]) == (fifties, ["of-a-group", "of-a-group-copy"])
    used = jobs.run("group delete", "--group", "first ten")
    assert used.code == 1 and "of-a-group, of-a-group-copy" in used.stderr and "--yes" in used.stderr
    jobs.ok("run", "-j", "of-a-group-copy")
    assert len(calls) == 7 and calls[6] > "d-049", "what changed in the group is reflected in the copy"


def test_the_devices_of_a_list_but_some(jobs: FleetJobs, calls: list[str]) -> None:
    """What Central has no word for: devices by name, from standard input."""
    words = ("--devices-file", "-", "--exclude", "d-003", "--limit", "2", "--mn", "ping", "--run")
    ran = jobs.create("of-a-list", *words, stdin="deviceId,why\nd-003,a\nd-009,b\nd-001,c\nd-009,d\nd-002,e\n")
    assert (ran["progress"]["completed"], sorted(calls)) == (2, ["d-001", "d-009"])


def test_select_the_edge_deployment_manifest_to_assign_to_the_edge_devices(
    jobs: FleetJobs, devices: FleetJobDevices, tmp_path: Path
) -> None:
    for number in (1, 2):
        devices.client.identities.create(NewIdentity(device_id=f"edge-{number}", is_edge=True))
    content = {"modulesContent": {"sensor": {"properties.desired": {"interval": 5}}}}
    (tmp_path / "deployment.json").write_text(json.dumps(content))
    words = ("--content", f"@{tmp_path / 'deployment.json'}", "-q", "capabilities.iotEdge = true", "--run")
    ran = jobs.create("manifest", *words)
    assert (ran["driver"], counts(ran["progress"])) == ("calls", (2, 0, 0, 0)) and "no job" in ran["driverReason"]
    for number in (1, 2):
        twin = devices.client.twins.get(f"edge-{number}", "sensor").document
        assert twin["properties"]["desired"]["interval"] == 5


def test_nothing_matched_is_a_code_of_its_own(jobs: FleetJobs, calls: list[str]) -> None:
    assert jobs.create("nobody", "--mn", "ping", "-q", "tags.none = 1", "--run", code=8)["status"] == "completed"
    assert calls == []
