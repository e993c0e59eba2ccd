"""Jobs on the wire."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.any_hub import AnyHub
from tests.helpers.hub_process import HubProcess
from tests.helpers.mqtt_device import MqttDevice
from tests.helpers.waiting import looks, wait_until

Connect = Callable[..., MqttDevice]
METHOD = {"methodName": "reboot", "payload": {"delay": 5}, "responseTimeoutInSeconds": 10, "connectTimeoutInSeconds": 0}


def method_job(condition: str, **more: Any) -> dict[str, Any]:
    return {"type": "scheduleDeviceMethod", "queryCondition": condition, "cloudToDeviceMethod": METHOD, **more}


def twin_job(condition: str, **more: Any) -> dict[str, Any]:
    patch = {"etag": "*", "tags": {"ring": 2}, "properties": {"desired": {"fw": "4.1.0"}}}
    return {"type": "scheduleUpdateTwin", "queryCondition": condition, "updateTwin": patch, **more}


def rows(hub: AnyHub, job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = hub.ok(
        "POST", "/devices/query", {"query": f"SELECT * FROM devices.jobs WHERE devices.jobs.jobId = '{job}'"}
    )
    return found


def ahead(**delta: float) -> str:
    return (datetime.now(timezone.utc) + timedelta(**delta)).isoformat().replace("+00:00", "Z")


def test_a_twin_job_changes_the_twins_of_its_devices_and_no_others(hub: AnyHub, name: str) -> None:
    for each in ("a", "b", "c"):
        hub.new_device(f"{name}-{each}")
    created = hub.ok("PUT", f"/jobs/v2/{name}", twin_job(f"deviceId IN ['{name}-a','{name}-b']"))
    assert created == {"jobId": name, "type": "scheduleUpdateTwin", "status": "queued"}
    job = hub.wait_for_job(name)
    assert job["status"] == "completed"
    assert job["deviceJobStatistics"] == {
        "deviceCount": 2,
        "failedCount": 0,
        "succeededCount": 2,
        "runningCount": 0,
        "pendingCount": 0,
    }
    assert job["startTime"] == job["createdTime"]
    assert not job["endTime"].startswith("9999")
    assert job["updateTwin"]["etag"] == "*"
    for each, tags in (("a", {"ring": 2}), ("b", {"ring": 2}), ("c", None)):
        assert hub.ok("GET", f"/twins/{name}-{each}").get("tags") == tags
    assert {row["outcome"]["deviceMethodResponse"] for row in rows(hub, name)} == {None}


def test_a_method_job_calls_each_device_and_keeps_what_it_answered(hub: AnyHub, name: str, connect: Connect) -> None:
    called: list[Any] = []

    def reboot(method: str, value: Any) -> tuple[int, Any]:
        called.append((method, value))
        return 500, {"why": "tired"}

    connect(name).answer_methods(reboot)
    hub.ok("PUT", f"/jobs/v2/{name}", method_job(f"deviceId = '{name}'", maxExecutionTimeInSeconds=60))
    job = hub.wait_for_job(name)
    # The device said 500: for the hub it has answered, and so succeeded.
    assert (job["status"], job["deviceJobStatistics"]["succeededCount"]) == ("completed", 1)
    assert bytes(job["cloudToDeviceMethod"]["payload"]) == b'{"delay":5}'
    assert called == [("reboot", {"delay": 5})]
    (row,) = rows(hub, name)
    assert (row["deviceId"], row["jobType"], row["status"]) == (name, "scheduleDeviceMethod", "completed")
    assert row["outcome"] == {"deviceMethodResponse": {"status": 500, "payload": {"why": "tired"}}}
    assert "error" not in row
    start, deadline = (datetime.fromisoformat(row[key][:26]) for key in ("startTimeUtc", "endTimeUtc"))
    assert deadline - start == timedelta(seconds=60)


def test_an_offline_device_is_waited_for_until_the_deadline_and_the_job_still_completes(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    hub.ok("PUT", f"/jobs/v2/{name}", method_job(f"deviceId = '{name}'", maxExecutionTimeInSeconds=2))
    job = hub.wait_for_job(name)
    assert (job["status"], job["deviceJobStatistics"]["failedCount"]) == ("completed", 1)
    (row,) = rows(hub, name)
    assert (row["status"], row["outcome"], row["error"]["code"]) == ("failed", {}, "JobRunPreconditionFailed")
    assert row["lastUpdatedDateTimeUtc"][:19] >= row["endTimeUtc"][:19]


def test_a_device_that_comes_back_in_time_is_called(hub: AnyHub, name: str, connect: Connect) -> None:
    hub.new_device(name)
    hub.ok("PUT", f"/jobs/v2/{name}", method_job(f"deviceId = '{name}'", maxExecutionTimeInSeconds=60))
    connect(name).answer_methods(lambda _method, _value: (200, None))
    assert hub.wait_for_job(name)["deviceJobStatistics"]["succeededCount"] == 1


def test_a_scheduled_job_waits_runs_at_its_time_and_sees_the_devices_of_then(hub: AnyHub, name: str) -> None:
    hub.ok("PUT", f"/jobs/v2/{name}", twin_job(f"STARTSWITH(deviceId, '{name}')", startTime=ahead(seconds=2)))
    for _ in looks("the job is no longer queued"):
        job = hub.ok("GET", f"/jobs/v2/{name}")
        if job["status"] != "queued":
            break
    assert job["status"] == "scheduled"
    assert job["endTime"].startswith("9999-12-31")
    assert "deviceJobStatistics" not in job
    hub.new_device(f"{name}-later")
    assert hub.wait_for_job(name)["deviceJobStatistics"]["succeededCount"] == 1


def test_a_start_more_than_168_hours_ahead_is_refused(hub: AnyHub, name: str) -> None:
    far = twin_job("*", startTime=ahead(hours=168, minutes=1))
    assert hub.refused("PUT", f"/jobs/v2/{name}", far) == (400, "ArgumentInvalid")
    assert hub.ok("GET", f"/jobs/v2/{name}")["status"] == "unknown"
    near = twin_job("*", startTime=ahead(hours=167, minutes=59))
    assert hub.ok("PUT", f"/jobs/v2/{name}", near)["status"] == "queued"
    hub.ok("POST", f"/jobs/v2/{name}/cancel")


def test_cancelling_is_for_what_has_not_begun(hub: AnyHub, name: str) -> None:
    hub.ok("PUT", f"/jobs/v2/{name}", twin_job("*", startTime=ahead(hours=1)))
    cancelled = hub.ok("POST", f"/jobs/v2/{name}/cancel")
    assert cancelled == {"jobId": name, "type": "scheduleUpdateTwin", "status": "cancelled"}
    refusal = (405, "OperationNotAllowedInCurrentState")
    assert hub.refused("POST", f"/jobs/v2/{name}/cancel") == refusal
    hub.new_device(name)
    running = f"{name}-running"
    hub.ok("PUT", f"/jobs/v2/{running}", method_job(f"deviceId = '{name}'", maxExecutionTimeInSeconds=2))
    wait_until("the job runs", lambda: hub.ok("GET", f"/jobs/v2/{running}")["status"] == "running")
    assert hub.refused("POST", f"/jobs/v2/{running}/cancel") == refusal
    assert hub.wait_for_job(running)["status"] == "completed"
    assert hub.refused("POST", "/jobs/v2/nobody-knows-it/cancel") == (404, "JobNotFound")


def test_an_id_stays_taken(hub: AnyHub, name: str) -> None:
    hub.ok("PUT", f"/jobs/v2/{name}", twin_job("deviceId = 'nobody'"))
    before = hub.wait_for_job(name)
    assert hub.refused("PUT", f"/jobs/v2/{name}", twin_job("*")) == (409, "JobAlreadyExists")
    assert hub.ok("GET", f"/jobs/v2/{name}") == before


def test_an_unknown_job_is_answered_with_200_and_unknown(hub: AnyHub) -> None:
    assert hub.ok("GET", "/jobs/v2/nope") == {"jobId": "nope", "type": "unknown", "status": "unknown"}


def test_zero_devices_complete_with_counts_of_zero(hub: AnyHub, name: str) -> None:
    hub.ok("PUT", f"/jobs/v2/{name}", method_job("deviceId = 'nobody'"))
    job = hub.wait_for_job(name)
    assert job["status"] == "completed"
    assert set(job["deviceJobStatistics"].values()) == {0}


@pytest.mark.parametrize("condition", ["SELECT * FROM devices", "tags.x = ", "no such thing", "tags.group = 1"])
def test_a_bad_condition_is_taken_and_fails_later_with_its_place(hub: AnyHub, name: str, condition: str) -> None:
    assert hub.ok("PUT", f"/jobs/v2/{name}", twin_job(condition))["status"] == "queued"
    job = hub.wait_for_job(name)
    assert job["status"] == "failed"
    assert "line:1, column:" in job["failureReason"]
    assert job["queryCondition"] == condition


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"type": "scheduleDirectMethod"}, "GenericBadRequest"),
        ({"type": None}, "GenericBadRequest"),
        ({"startTime": None}, "GenericBadRequest"),
        ({"startTime": "tomorrow"}, "GenericBadRequest"),
        ({"maxExecutionTimeInSeconds": None}, "GenericBadRequest"),
        ({"maxExecutionTimeInSeconds": 0}, "ArgumentInvalid"),
        ({"queryCondition": ""}, "ArgumentInvalid"),
        ({"queryCondition": None}, "ArgumentInvalid"),
        ({"updateTwin": None}, "ArgumentInvalid"),
        ({"updateTwin": {"tags": {}}}, "ArgumentInvalid"),
        ({"updateTwin": {"etag": "AAAAAAAAAAE=", "tags": {}}}, "ArgumentInvalid"),
        ({"updateTwin": {"etag": "*", "desired": {"a": 1}}}, "ArgumentInvalid"),
    ],
)
def test_a_job_that_makes_no_sense_is_refused_and_not_kept(
    hub: AnyHub, name: str, change: dict[str, Any], refusal: str
) -> None:
    assert hub.refused("PUT", f"/jobs/v2/{name}", {**twin_job("*"), **change}) == (400, refusal)
    assert hub.ok("GET", f"/jobs/v2/{name}")["status"] == "unknown"


def test_unknown_members_are_ignored_and_a_condition_may_be_long_but_not_too_long(hub: AnyHub, name: str) -> None:
    assert hub.ok("PUT", f"/jobs/v2/{name}", twin_job("deviceId = 'x'", maxExecutionTimeSeconds=5, jobId="other"))
    hub.wait_for_job(name)
    long = "deviceId = '" + "x" * 8192 + "'"
    assert hub.refused("PUT", f"/jobs/v2/{name}-2", twin_job(long)) == (412, "PreconditionFailed")


@pytest.mark.parametrize("bad", ["a_b", "a.b", "a%20b", "x" * 65])
def test_job_ids_are_checked(hub: AnyHub, bad: str) -> None:
    assert hub.refused("PUT", f"/jobs/v2/{bad}", twin_job("*")) == (400, "ArgumentInvalid")


def test_the_list_is_filtered_in_any_case_and_paged(hub: AnyHub, name: str) -> None:
    for number in range(3):
        hub.ok("PUT", f"/jobs/v2/{name}-{number}", twin_job("deviceId = 'nobody'"))
        hub.wait_for_job(f"{name}-{number}")
    everything = hub.request("GET", "/jobs/v2/query?jobType=SCHEDULEupdateTwin&jobStatus=Completed")
    assert everything.headers["x-ms-item-type"] == "JobResponse"
    ids = {job["jobId"] for job in everything.json()}
    assert {f"{name}-{number}" for number in range(3)} <= ids
    paged, token = set(), ""
    for _ in looks("the list's last page"):
        headers = {"x-ms-max-item-count": "2", **({"x-ms-continuation": token} if token else {})}
        page = hub.request("GET", "/jobs/v2/query?jobType=scheduleUpdateTwin&jobStatus=completed", headers=headers)
        assert len(page.json()) <= 2
        paged |= {job["jobId"] for job in page.json()}
        token = page.headers.get("x-ms-continuation", "")
        if not token:
            break
    assert paged == ids


@pytest.mark.local_hub("expects that nothing else uses the hub")
def test_the_old_endpoint_has_no_jobs(hub: HubProcess) -> None:
    assert hub.ok("GET", "/jobs") == []
    assert hub.refused("GET", "/jobs/nope") == (404, "JobNotFound")
    assert hub.refused("DELETE", "/jobs/nope") == (404, "JobNotFound")


@pytest.mark.local_hub("starts a hub of its own")
def test_slots_can_be_limited_and_a_scheduled_job_holds_one(tmp_path: Path) -> None:
    small = HubProcess(tmp_path, "--in-memory", "--max-active-jobs", "1")
    try:
        small.ok("PUT", "/jobs/v2/first", twin_job("*", startTime=ahead(hours=1)))
        refusal = (429, "ThrottlingMaxActiveJobCountExceeded")
        assert small.refused("PUT", "/jobs/v2/second", twin_job("*")) == refusal
        assert small.ok("GET", "/jobs/v2/second")["status"] == "unknown"
        small.ok("POST", "/jobs/v2/first/cancel")
        assert small.ok("PUT", "/jobs/v2/second", twin_job("*"))["status"] == "queued"
    finally:
        small.stop()
