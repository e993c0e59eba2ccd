"""/jobs/v2 and the old /jobs: what is taken, refused and shown."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.hub_process import HubProcess
from tests.helpers.waiting import looks, wait_until

TERMINAL = ("completed", "failed", "cancelled")


def ahead(hours: float) -> str:
    return (datetime.now(timezone.utc) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


def twin_job(**members: Any) -> dict[str, Any]:
    patch = {"etag": "*", "tags": {"touched": True}}
    return {"type": "scheduleUpdateTwin", "queryCondition": "deviceId = 'nobody'", "updateTwin": patch, **members}


def method_job(**members: Any) -> dict[str, Any]:
    method = {"methodName": "reboot", "payload": {"é": 1}, "responseTimeoutInSeconds": 30}
    return {"type": "scheduleDeviceMethod", "queryCondition": "*", "cloudToDeviceMethod": method, **members}


def ended(hub: HubProcess, job: str) -> dict[str, Any]:
    wait_until(f"{job} has ended", lambda: hub.ok("GET", f"/jobs/v2/{job}")["status"] in TERMINAL)
    return dict(hub.ok("GET", f"/jobs/v2/{job}"))


def test_a_new_job_is_answered_shortly_and_shown_in_full(hub: HubProcess, fresh: Callable[[str], str]) -> None:
    job, start = fresh("job"), ahead(1)
    short = hub.ok("PUT", f"/jobs/v2/{job}", json=method_job(startTime=start, maxExecutionTimeInSeconds=120, jobId="x"))
    assert short == {"jobId": job, "type": "scheduleDeviceMethod", "status": "queued"}
    wait_until("it is scheduled", lambda: hub.ok("GET", f"/jobs/v2/{job}")["status"] == "scheduled")
    shown = hub.ok("GET", f"/jobs/v2/{job}")
    assert shown["queryCondition"] == "*"
    assert shown["startTime"] == f"{start[:-1]}.0000000Z"
    assert shown["endTime"].startswith("9999-12-31T23:59:59")
    assert shown["maxExecutionTimeInSeconds"] == 120
    method = shown["cloudToDeviceMethod"]
    assert (method["methodName"], method["responseTimeoutInSeconds"], method["connectTimeoutInSeconds"]) == (
        "reboot",
        30,
        0,
    )
    assert json.loads(bytes(method["payload"])) == {"é": 1}


def test_a_twin_job_changes_the_twins_that_its_condition_selects(hub: HubProcess, fresh: Callable[[str], str]) -> None:
    site, job = fresh("site"), fresh("job")
    inside, outside = [fresh("dev"), fresh("dev")], fresh("dev")
    for device in (*inside, outside):
        hub.new_device(device)
    for device in inside:
        hub.ok("PATCH", f"/twins/{device}", json={"tags": {"site": site}})
    hub.ok("PUT", f"/jobs/v2/{job}", json=twin_job(queryCondition=f"tags.site = '{site}'"))
    done = ended(hub, job)
    assert done["status"] == "completed"
    assert done["deviceJobStatistics"] == {
        "deviceCount": 2,
        "failedCount": 0,
        "succeededCount": 2,
        "runningCount": 0,
        "pendingCount": 0,
    }
    assert done["endTime"] >= done["startTime"] == done["createdTime"]
    touched = {device: "touched" in hub.ok("GET", f"/twins/{device}").get("tags", {}) for device in (*inside, outside)}
    assert touched == {inside[0]: True, inside[1]: True, outside: False}


def test_a_condition_that_selects_nothing_completes_with_nothing(hub: HubProcess, fresh: Callable[[str], str]) -> None:
    job = fresh("job")
    hub.ok("PUT", f"/jobs/v2/{job}", json=twin_job())
    done = ended(hub, job)
    assert (done["status"], done["deviceJobStatistics"]["deviceCount"]) == ("completed", 0)


@pytest.mark.parametrize("condition", ["deviceId =", "SELECT * FROM devices", "tags.a ~ 1", "FROM devices.jobs"])
def test_a_condition_that_does_not_parse_is_taken_and_fails_later(
    hub: HubProcess, fresh: Callable[[str], str], condition: str
) -> None:
    job = fresh("job")
    assert hub.ok("PUT", f"/jobs/v2/{job}", json=twin_job(queryCondition=condition))["status"] == "queued"
    done = ended(hub, job)
    assert done["status"] == "failed"
    assert "line:" in done["failureReason"]


def test_an_id_stays_taken_and_the_first_job_stays_as_it_is(hub: HubProcess, fresh: Callable[[str], str]) -> None:
    job = fresh("job")
    hub.ok("PUT", f"/jobs/v2/{job}", json=twin_job())
    before = ended(hub, job)
    answer = hub.request("PUT", f"/jobs/v2/{job}", json=method_job())
    assert (answer.status_code, answer.headers["iothub-errorcode"]) == (409, "JobAlreadyExists")
    assert hub.ok("GET", f"/jobs/v2/{job}") == before


@pytest.mark.parametrize(
    ("body", "status", "name"),
    [
        (twin_job(type="scheduleTwinUpdate"), 400, "GenericBadRequest"),
        (twin_job(startTime=None), 400, "GenericBadRequest"),
        (twin_job(maxExecutionTimeInSeconds=None), 400, "GenericBadRequest"),
        (twin_job(startTime="tomorrow"), 400, "GenericBadRequest"),
        (twin_job(startTime="9999-12-31T23:59:59-10:00"), 400, "GenericBadRequest"),
        (twin_job(startTime="0001-01-01T00:00:00+10:00"), 400, "GenericBadRequest"),
        (twin_job(startTime=ahead(169)), 400, "ArgumentInvalid"),
        (twin_job(startTime=5), 400, "ArgumentInvalid"),
        (twin_job(maxExecutionTimeInSeconds=0), 400, "ArgumentInvalid"),
        (twin_job(maxExecutionTimeInSeconds=True), 400, "ArgumentInvalid"),
        (twin_job(maxExecutionTimeInSeconds=2**31), 400, "ArgumentInvalid"),
        (twin_job(queryCondition=" "), 400, "ArgumentInvalid"),
        (twin_job(queryCondition="x" * 8193), 412, "PreconditionFailed"),
        (twin_job(updateTwin=None), 400, "ArgumentInvalid"),
        (twin_job(updateTwin={"tags": {}}), 400, "ArgumentInvalid"),
        (twin_job(updateTwin={"etag": "AAAAAAAAAAE=", "tags": {}}), 400, "ArgumentInvalid"),
        (twin_job(updateTwin={"etag": "*", "desired": {"a": 1}}), 400, "ArgumentInvalid"),
        (method_job(cloudToDeviceMethod=None), 400, "ArgumentInvalid"),
        (method_job(cloudToDeviceMethod={"payload": 1}), 400, "ArgumentInvalid"),
        (method_job(cloudToDeviceMethod={"methodName": "m", "connectTimeoutInSeconds": 40}), 400, "ArgumentInvalid"),
    ],
)
def test_a_wrong_job_is_refused_and_not_kept(
    hub: HubProcess, fresh: Callable[[str], str], body: dict[str, Any], status: int, name: str
) -> None:
    job = fresh("job")
    answer = hub.request("PUT", f"/jobs/v2/{job}", json=body)
    assert (answer.status_code, answer.headers["iothub-errorcode"]) == (status, name)
    assert hub.ok("GET", f"/jobs/v2/{job}") == {"jobId": job, "type": "unknown", "status": "unknown"}


@pytest.mark.parametrize("path", ["a_b", "a%20b", "x" * 65])
def test_a_job_id_out_of_its_rules_is_refused(hub: HubProcess, path: str) -> None:
    assert hub.request("PUT", f"/jobs/v2/{path}", json=twin_job()).headers["iothub-errorcode"] == "ArgumentInvalid"


def test_a_job_that_waits_can_be_cancelled_and_stays_so(hub: HubProcess, fresh: Callable[[str], str]) -> None:
    job = fresh("job")
    hub.ok("PUT", f"/jobs/v2/{job}", json=twin_job(startTime=ahead(1)))
    short = hub.ok("POST", f"/jobs/v2/{job}/cancel")
    assert short == {"jobId": job, "type": "scheduleUpdateTwin", "status": "cancelled"}
    assert not hub.ok("GET", f"/jobs/v2/{job}")["endTime"].startswith("9999")
    again = hub.request("POST", f"/jobs/v2/{job}/cancel")
    assert (again.status_code, again.headers["iothub-errorcode"]) == (405, "OperationNotAllowedInCurrentState")
    assert hub.ok("GET", f"/jobs/v2/{job}")["status"] == "cancelled"


def test_a_job_that_has_ended_cannot_be_cancelled(hub: HubProcess, fresh: Callable[[str], str]) -> None:
    job = fresh("job")
    hub.ok("PUT", f"/jobs/v2/{job}", json=twin_job())
    before = ended(hub, job)
    assert hub.request("POST", f"/jobs/v2/{job}/cancel").status_code == 405
    assert hub.ok("GET", f"/jobs/v2/{job}") == before


def test_an_unknown_job_cannot_be_cancelled(hub: HubProcess) -> None:
    answer = hub.request("POST", "/jobs/v2/nothing/cancel")
    assert (answer.status_code, answer.headers["iothub-errorcode"]) == (404, "JobNotFound")


def test_jobs_are_listed_page_by_page_and_by_type_and_status_in_any_case(tmp_path: Path) -> None:
    with HubProcess(tmp_path, "--in-memory") as hub:
        for number in range(5):
            hub.ok("PUT", f"/jobs/v2/j{number}", json=twin_job())
            ended(hub, f"j{number}")
        hub.ok("PUT", "/jobs/v2/later", json=method_job(startTime=ahead(1)))
        seen, token = [], ""
        for _ in looks("the last page"):
            headers = {"x-ms-max-item-count": "2", **({"x-ms-continuation": token} if token else {})}
            page = hub.request("GET", "/jobs/v2/query", headers=headers)
            assert page.headers["x-ms-item-type"] == "JobResponse"
            assert 1 <= len(page.json()) <= 2
            seen += [each["jobId"] for each in page.json()]
            if "x-ms-continuation" not in page.headers:
                break
            token = page.headers["x-ms-continuation"]
        assert seen == ["j0", "j1", "j2", "j3", "j4", "later"]
        completed = hub.ok("GET", "/jobs/v2/query", query={"jobType": "ScheduleUpdateTwin", "jobStatus": "Completed"})
        assert [each["jobId"] for each in completed] == seen[:5]
        assert hub.ok("GET", "/jobs/v2/query", query={"jobType": "export"}) == []


def test_job_slots_can_be_limited_and_a_waiting_job_holds_one(tmp_path: Path) -> None:
    with HubProcess(tmp_path, "--in-memory", "--sku", "S2", "--max-active-jobs", "1") as hub:
        hub.ok("PUT", "/jobs/v2/first", json=twin_job(startTime=ahead(1)))
        answer = hub.request("PUT", "/jobs/v2/second", json=twin_job())
        assert (answer.status_code, answer.headers["iothub-errorcode"]) == (429, "ThrottlingMaxActiveJobCountExceeded")
        assert hub.ok("GET", "/jobs/v2/second")["status"] == "unknown"
        assert hub.request("PUT", "/jobs/v2/first", json=twin_job()).status_code == 409
        hub.ok("POST", "/jobs/v2/first/cancel")
        hub.ok("PUT", "/jobs/v2/second", json=twin_job())


def test_old_jobs_are_none(hub: HubProcess) -> None:
    assert hub.ok("GET", "/jobs") == []
    for verb in ("GET", "DELETE"):
        answer = hub.request(verb, "/jobs/any")
        assert (answer.status_code, answer.headers["iothub-errorcode"]) == (404, "JobNotFound")
