"""The tutorial "schedule and broadcast jobs": method jobs, twin jobs, and what a job refuses before it is sent."""

import signal
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.waiting import wait_until

DEVICE = "myExampleDevice"
CONDITION = f"deviceId = '{DEVICE}'"
METHOD_JOB = ("--job-type", "scheduleDeviceMethod", "--method-name", "lockDoor")


@pytest.fixture(scope="module")
def device(hub: ScenarioHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A simulated device that answers 200; gives the file that holds what it shows."""
    output = tmp_path_factory.mktemp("device") / "simulate.txt"
    hub.new_device(DEVICE)
    simulator = hub.az.start(f"iot device simulate -d {DEVICE} -n {hub.name}", output=output)
    hub.wait_for_connection(DEVICE)
    yield output
    simulator.send_signal(signal.SIGINT)
    assert simulator.wait(30) == 0


def create(hub: ScenarioHub, job: str, *options: str) -> dict[str, Any]:
    created = hub.az.json(f"iot hub job create --hub-name {hub.name} --job-id {job}", *options)
    assert created["jobId"] == job
    return dict(created)


def show(hub: ScenarioHub, job: str) -> dict[str, Any]:
    return dict(hub.az.json(f"iot hub job show --hub-name {hub.name} --job-id {job}"))


def wait_for_end(hub: ScenarioHub, job: str) -> dict[str, Any]:
    wait_until(f"{job} has ended", lambda: show(hub, job)["status"] in ("completed", "failed", "cancelled"))
    return show(hub, job)


@pytest.mark.parametrize(
    ("job", "payload"),
    [
        ("with-payload", ["--method-payload", '{"door": 5}']),
        ("with-null", ["--method-payload", "null"]),
        ("without", []),
    ],
)
def test_a_method_job_runs_on_the_device(hub: ScenarioHub, device: Path, job: str, payload: list[str]) -> None:
    create(hub, job, *METHOD_JOB, *payload, "--query-condition", CONDITION)
    ended = wait_for_end(hub, job)
    assert ended["status"] == "completed"
    assert ended["deviceJobStatistics"]["succeededCount"] == 1
    wait_until("the device shows the call", lambda: "lockDoor" in device.read_text())


def test_a_twin_job_sets_the_building_number(hub: ScenarioHub, device: Path) -> None:
    patch = '{"properties":{"desired": {"BuildingNo": 45}}}'
    options = ("--job-type", "scheduleUpdateTwin", "--twin-patch", patch, "--query-condition", CONDITION)
    waited = hub.az.run(f"iot hub job create -n {hub.name} --job-id building --wait --poll-interval 1", *options)
    assert waited.code == 0, waited.stderr
    assert waited.json["status"] == "completed"
    twin = hub.az.json(f"iot hub device-twin show -d {DEVICE} -n {hub.name}")
    assert twin["properties"]["desired"]["BuildingNo"] == 45
    wait_until("the device shows the new value", lambda: "BuildingNo" in device.read_text())


def test_what_only_the_hub_writes_is_left_out_of_a_patch_and_selects_nobody(hub: ScenarioHub, device: Path) -> None:
    patch = '{"deviceId": "another", "status": "disabled", "etag": "*", "tags": {"left": "out"}}'
    ran = hub.az.run(
        f"iot hub job create -n {hub.name} --job-id read-only --job-type scheduleUpdateTwin --wait --poll-interval 1",
        "--twin-patch",
        patch,
        "-q",
        CONDITION,
    )
    assert ran.code == 0, ran.stderr
    assert "deviceId, status left out" in ran.stderr and "does not select" in ran.stderr
    assert ran.json["deviceJobStatistics"]["succeededCount"] == 1
    twin = hub.az.json(f"iot hub device-twin show -d {DEVICE} -n {hub.name}")
    assert (twin["tags"]["left"], twin["status"]) == ("out", "enabled")


def reported_building(hub: ScenarioHub) -> object:
    twin = hub.az.json(f"iot hub device-twin show -d {DEVICE} -n {hub.name}")
    return twin["properties"]["reported"].get("BuildingNo")


def test_the_device_echoes_desired_properties_as_reported(hub: ScenarioHub, device: Path) -> None:
    hub.az.json(f"iot hub device-twin update -d {DEVICE} -n {hub.name}", "--desired", '{"BuildingNo": 46}')
    wait_until("the echo has come back", lambda: reported_building(hub) == 46)


def test_a_job_scheduled_ahead_is_seen_waiting_and_runs_at_its_time(hub: ScenarioHub, device: Path) -> None:
    start = (datetime.now(timezone.utc) + timedelta(seconds=60)).strftime("%Y-%m-%dT%H:%M:%SZ")
    create(hub, "later", *METHOD_JOB, "--query-condition", CONDITION, "--start-time", start)
    wait_until("it is scheduled", lambda: show(hub, "later")["status"] == "scheduled")
    hub.for_devices.ok("POST", "/_local/clock", {"advance": "1m"})
    ended = wait_for_end(hub, "later")
    assert ended["status"] == "completed"
    assert ended["startTime"][:19] == start[:19]


def test_a_scheduled_job_can_be_cancelled_and_then_never_runs(hub: ScenarioHub) -> None:
    start = (datetime.now(timezone.utc) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    create(hub, "never", *METHOD_JOB, "--query-condition", CONDITION, "--start-time", start)
    cancelled = hub.az.json(f"iot hub job cancel -n {hub.name} --job-id never")
    assert cancelled["status"] == "cancelled"
    assert show(hub, "never")["status"] == "cancelled"


def test_jobs_are_listed_and_filtered(hub: ScenarioHub) -> None:
    job = "listed"
    create(hub, job, "--job-type", "scheduleUpdateTwin", "--patch", '{"tags":{"a":1}}', "-q", "deviceId = 'nobody'")
    wait_for_end(hub, job)
    twin_jobs = hub.az.json(f"iot hub job list -n {hub.name} --job-type scheduleUpdateTwin")
    assert job in {each["jobId"] for each in twin_jobs}
    assert {each["type"] for each in twin_jobs} == {"scheduleUpdateTwin"}
    assert len(hub.az.json(f"iot hub job list -n {hub.name} --top 1")) == 1


def test_the_rows_of_a_job_can_be_queried(hub: ScenarioHub, device: Path) -> None:
    create(hub, "rows", *METHOD_JOB, "--query-condition", CONDITION)
    wait_for_end(hub, "rows")
    query = "SELECT * FROM devices.jobs WHERE devices.jobs.jobId = 'rows'"
    (row,) = hub.az.json(f"iot hub query -n {hub.name}", "-q", query)
    assert (row["deviceId"], row["status"]) == (DEVICE, "completed")
    assert row["outcome"]["deviceMethodResponse"]["status"] == 200


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ((*METHOD_JOB,), "--query-condition"),
        ((*METHOD_JOB, "-q", "   "), "--query-condition"),
        (("--job-type", "scheduleDeviceMethod", "-q", "*"), "--method-name"),
        (("--job-type", "scheduleUpdateTwin", "-q", "*"), "--twin-patch"),
        ((*METHOD_JOB, "-q", "*", "--twin-patch", '{"tags":{}}'), "--twin-patch"),
        ((*METHOD_JOB, "-q", "*", "--method-payload", "{broken"), "--method-payload"),
        ((*METHOD_JOB, "-q", "*", "--method-payload", "{door:", "5}"), """--method-payload '{"door": 5}'"""),
        ((*METHOD_JOB, "-q", "SELECT * FROM devices WHERE tags.a = 1"), '--query-condition "tags.a = 1"'),
        ((*METHOD_JOB, "-q", "*", "--start-time", "tomorrow"), "--start-time"),
        ((*METHOD_JOB, "-q", "*", "--mct", "40", "--mrt", "30"), "--method-connect-timeout"),
        (("--job-type", "scheduleUpdateTwin", "-q", "*", "--patch", '{"desired":{"a":1}}'), "--twin-patch"),
        (("--job-type", "scheduleUpdateTwin", "-q", "*", "--patch", '{"deviceId":"a"}'), "changes nothing"),
        (("--job-type", "scheduleUpdateTwin", "-q", "*", "--patch", '{"tgas":{},"tags":{"a":1}}'), "has tgas"),
    ],
)
def test_a_wrong_job_is_refused_before_anything_is_sent(hub: ScenarioHub, options: tuple[str, ...], named: str) -> None:
    ran = hub.az.run(f"iot hub job create -n {hub.name} --job-id refused", *options)
    assert ran.code == 1
    assert ran.stdout == ""
    assert named in ran.stderr
    assert "Traceback" not in ran.stderr
    assert hub.az.run(f"iot hub job show -n {hub.name} --job-id refused").code == 3
