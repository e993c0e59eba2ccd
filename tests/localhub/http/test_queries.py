"""/devices/query: pages that stay good, item types, refusals."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.helpers.hub_process import HubProcess
from tests.helpers.waiting import wait_until


def ask(hub: HubProcess, text: Any, **headers: str) -> requests.Response:
    named = {f"x-ms-{name.replace('_', '-')}": value for name, value in headers.items()}
    return hub.request("POST", "/devices/query", json={"query": text}, headers=named)


@pytest.fixture
def site(hub: HubProcess, fresh: Callable[[str], str]) -> Iterator[tuple[str, list[str]]]:
    """Five devices that a tag tells from all others: the tag's value, and their ids."""
    name, devices = fresh("site"), [fresh("dev") for _ in range(5)]
    for number, device in enumerate(devices):
        hub.new_device(device)
        hub.ok("PATCH", f"/twins/{device}", json={"tags": {"site": name, "number": number}})
    yield name, devices


def test_a_page_has_whole_twins(hub: HubProcess, site: tuple[str, list[str]]) -> None:
    answer = ask(hub, f"SELECT * FROM devices WHERE tags.site = '{site[0]}'")
    assert answer.headers["x-ms-item-type"] == "Twin"
    assert "x-ms-continuation" not in answer.headers
    assert answer.json() == [hub.ok("GET", f"/twins/{device}") for device in site[1]]


def test_a_projection_has_the_selected_members_only(hub: HubProcess, site: tuple[str, list[str]]) -> None:
    text = (
        f"SELECT DeviceId, tags.number AS n, tags.none FROM devices WHERE tags.site = '{site[0]}' AND tags.number < 2"
    )
    answer = ask(hub, text)
    assert answer.headers["x-ms-item-type"] == "Raw"
    assert answer.json() == [{"DeviceId": site[1][number], "n": number} for number in range(2)]


def test_a_count_is_one_row(hub: HubProcess, site: tuple[str, list[str]]) -> None:
    answer = ask(hub, f"SELECT COUNT() AS n FROM devices WHERE tags.site = '{site[0]}'")
    assert (answer.headers["x-ms-item-type"], answer.json()) == ("Raw", [{"n": 5}])


def test_pages_stay_good_while_devices_come_and_go(
    hub: HubProcess, site: tuple[str, list[str]], fresh: Callable[[str], str]
) -> None:
    text = f"SELECT deviceId FROM devices WHERE tags.site = '{site[0]}'"
    first = ask(hub, text, max_item_count="2")
    assert [each["deviceId"] for each in first.json()] == site[1][:2]
    hub.request("DELETE", f"/devices/{site[1][0]}", headers={"If-Match": "*"})
    hub.request("DELETE", f"/devices/{site[1][2]}", headers={"If-Match": "*"})
    newcomer = fresh("dev")
    hub.new_device(newcomer)
    hub.ok("PATCH", f"/twins/{newcomer}", json={"tags": {"site": site[0]}})
    second = ask(hub, text, max_item_count="100", continuation=first.headers["x-ms-continuation"])
    assert [each["deviceId"] for each in second.json()] == [*site[1][3:], newcomer]
    assert "x-ms-continuation" not in second.headers


def test_top_counts_over_all_pages(hub: HubProcess, site: tuple[str, list[str]]) -> None:
    text = f"SELECT TOP 3 deviceId FROM devices WHERE tags.site = '{site[0]}'"
    first = ask(hub, text, max_item_count="2")
    second = ask(hub, text, max_item_count="2", continuation=first.headers["x-ms-continuation"])
    assert [each["deviceId"] for each in first.json() + second.json()] == site[1][:3]
    assert "x-ms-continuation" not in second.headers


def test_a_page_never_has_more_than_100(hub: HubProcess, fresh: Callable[[str], str]) -> None:
    site = fresh("site")
    for _ in range(101):
        device = fresh("dev")
        hub.new_device(device)
        hub.ok("PATCH", f"/twins/{device}", json={"tags": {"site": site}})
    for size in ("1000", "100"):
        answer = ask(hub, f"SELECT deviceId FROM devices WHERE tags.site = '{site}'", max_item_count=size)
        assert len(answer.json()) == 100
        assert "x-ms-continuation" in answer.headers


def test_a_token_of_another_query_or_made_up_is_refused(hub: HubProcess, site: tuple[str, list[str]]) -> None:
    text = f"SELECT deviceId FROM devices WHERE tags.site = '{site[0]}'"
    token = ask(hub, text, max_item_count="2").headers["x-ms-continuation"]
    for foreign in (
        "x",
        "é".encode().hex(),
        base64.b64encode(b"1.1.0000000000000000").decode(),
        token[:-4],
        token + "AAAA",
    ):
        assert ask(hub, text, continuation=foreign).headers["iothub-errorcode"] == "ArgumentInvalid"
    assert ask(hub, text + " ", continuation=token).headers["iothub-errorcode"] == "ArgumentInvalid"


@pytest.mark.parametrize("text", ["", "SELECT", "SELECT * FROM nowhere", "SELECT * FROM devices ORDER BY deviceId"])
def test_a_query_that_does_not_parse_is_refused(hub: HubProcess, text: str) -> None:
    answer = ask(hub, text)
    assert (answer.status_code, answer.headers["iothub-errorcode"]) == (400, "ArgumentInvalid")


@pytest.mark.parametrize("text", [None, 5, ["SELECT * FROM devices"]])
def test_a_query_that_is_no_text_is_refused(hub: HubProcess, text: Any) -> None:
    assert ask(hub, text).headers["iothub-errorcode"] == "ArgumentNull"


@pytest.mark.parametrize("size", ["many", "-", "1.5", "9" * 5000])
def test_a_page_size_that_is_no_number_is_refused(hub: HubProcess, size: str) -> None:
    assert ask(hub, "SELECT * FROM devices", max_item_count=size).headers["iothub-errorcode"] == "ArgumentInvalid"


def test_what_is_asked_for_behind_an_event_that_is_no_number_begins_with_the_first(hub: HubProcess) -> None:
    assert isinstance(hub.ok("GET", f"/_local/events?after={'9' * 5000}"), list)


def test_the_rows_of_a_job_are_device_jobs(
    hub: HubProcess, site: tuple[str, list[str]], fresh: Callable[[str], str]
) -> None:
    job = fresh("job")
    hub.ok("PUT", f"/jobs/v2/{job}", json={
        "type": "scheduleUpdateTwin", "queryCondition": f"tags.site = '{site[0]}'", "maxExecutionTimeInSeconds": 120,
        "updateTwin": {"etag": "*", "properties": {"desired": {"a": 1}}},
    })  # fmt: skip
    wait_until("the job has ended", lambda: hub.ok("GET", f"/jobs/v2/{job}")["status"] == "completed")
    answer = ask(
        hub, f"SELECT * FROM devices.jobs WHERE devices.jobs.jobId = '{job}' AND devices.jobs.status = 'completed'"
    )
    assert answer.headers["x-ms-item-type"] == "DeviceJob"
    rows = answer.json()
    assert [row["deviceId"] for row in rows] == site[1]
    row = rows[0]
    assert list(row) == [
        "deviceId", "jobId", "jobType", "status", "createdDateTimeUtc", "startTimeUtc", "endTimeUtc",
        "lastUpdatedDateTimeUtc", "outcome",
    ]  # fmt: skip
    assert row["outcome"] == {"deviceMethodResponse": None}
    assert row["startTimeUtc"] == hub.ok("GET", f"/jobs/v2/{job}")["startTime"]
    assert row["endTimeUtc"] > row["lastUpdatedDateTimeUtc"]
