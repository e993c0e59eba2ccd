"""/devices/query: pages that stay good, item types, refusals."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.helpers.hub_process import HubProcess
from tests.helpers.waiting import looks, wait_until


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


def rows_of_all_pages(hub: HubProcess, text: str, size: int) -> list[Any]:
    answer = ask(hub, text, max_item_count=str(size))
    rows: list[Any] = answer.json()
    for _ in looks("the last page"):
        token = answer.headers.get("x-ms-continuation")
        if not token:
            break
        assert len(answer.json()) == size
        answer = ask(hub, text, max_item_count=str(size), continuation=token)
        rows += answer.json()
    return rows


def by_number(rows: list[Any]) -> list[Any]:
    return sorted(rows, key=lambda row: row.get("number", -1))


def test_groups_have_their_members_and_what_was_made_of_their_rows(
    hub: HubProcess, site: tuple[str, list[str]]
) -> None:
    name, devices = site
    hub.ok("PATCH", f"/twins/{devices[4]}", json={"tags": {"number": 3.0}})
    hub.ok("PATCH", f"/twins/{devices[0]}", json={"tags": {"number": None}})
    text = (
        f"SELECT COUNT() AS n, d.tags.number, SUM(tags.number), MAX(d.tags.number) AS most FROM devices d "
        f"WHERE tags.site = '{name}' GROUP BY tags.number"
    )
    answer = ask(hub, text)
    assert (answer.headers["x-ms-item-type"], "x-ms-continuation" in answer.headers) == ("Raw", False)
    groups = [
        {"n": 1},
        {"n": 1, "number": 1, "$1": 1, "most": 1},
        {"n": 1, "number": 2, "$1": 2, "most": 2},
        {"n": 2, "number": 3, "$1": 6, "most": 3},
    ]
    assert by_number(answer.json()) == groups
    assert rows_of_all_pages(hub, text, 1) == rows_of_all_pages(hub, text, 3) == answer.json()
    top = text.replace("SELECT", "SELECT TOP 3")
    assert rows_of_all_pages(hub, top, 2) == rows_of_all_pages(hub, top, 100) == answer.json()[:3]
    assert ask(hub, text.replace("SELECT", "SELECT TOP 0")).json() == []


def test_pages_of_groups_stay_good_while_devices_come_and_go(
    hub: HubProcess, site: tuple[str, list[str]], fresh: Callable[[str], str]
) -> None:
    name, devices = site
    text = f"SELECT tags.number AS n FROM devices WHERE tags.site = '{name}' GROUP BY tags.number"
    whole = [row["n"] for row in ask(hub, text).json()]
    first = ask(hub, text, max_item_count="2")
    # The group that was given last goes, one that is to come grows, and there is a new one.
    hub.request("DELETE", f"/devices/{devices[whole[1]]}", headers={"If-Match": "*"})
    for number in (whole[3], 77):
        newcomer = fresh("dev")
        hub.new_device(newcomer)
        hub.ok("PATCH", f"/twins/{newcomer}", json={"tags": {"site": name, "number": number}})
    rest = ask(hub, text, continuation=first.headers["x-ms-continuation"])
    found = [row["n"] for row in first.json() + rest.json()]
    assert [number for number in found if number != 77] == whole
    assert found.count(77) <= 1


def test_aggregates_without_groups_are_one_row_even_of_no_devices(hub: HubProcess, site: tuple[str, list[str]]) -> None:
    text = "SELECT COUNT(), AVG(tags.number) AS mean, MIN(tags.none) FROM devices WHERE tags.site = "
    found = ask(hub, f"{text}'{site[0]}'", max_item_count="1")
    assert (found.json(), "x-ms-continuation" in found.headers) == ([{"$1": 5, "mean": 2}], False)
    assert ask(hub, f"{text}'nowhere'").json() == [{"$1": 0}]
    assert ask(hub, f"{text}'nowhere'".replace("SELECT", "SELECT TOP 0")).json() == []


def test_a_token_of_groups_is_no_token_of_rows(hub: HubProcess, site: tuple[str, list[str]]) -> None:
    rows = f"SELECT deviceId FROM devices WHERE tags.site = '{site[0]}'"
    groups = f"{rows} GROUP BY deviceId"
    for text, other in ((rows, groups), (groups, rows)):
        token = ask(hub, text, max_item_count="2").headers["x-ms-continuation"]
        assert len(ask(hub, text, continuation=token).json()) == 3
        assert ask(hub, other, continuation=token).headers["iothub-errorcode"] == "ArgumentInvalid"


def test_a_query_calculates_and_looks_through_arrays(hub: HubProcess, site: tuple[str, list[str]]) -> None:
    name, devices = site
    hub.ok("PATCH", f"/twins/{devices[1]}", json={"tags": {"doors": ["north", 2]}})
    for condition, expected in (
        ("tags.number * 2 + 1 = 5", devices[2:3]),
        ("tags.number / 2 = 1.5", devices[3:4]),
        ("tags.number % 2 = 1", devices[1::2]),
        ("-tags.number < 10 - 13", devices[4:]),
        ("tags.number / 0 = 1 OR tags.number > 0x3", devices[4:]),
        ("ARRAY_CONTAINS(tags.doors, 'north') AND NOT ARRAY_CONTAINS(tags.doors, '2')", devices[1:2]),
        ("NOT ARRAY_CONTAINS(tags.doors, 'north')", []),
    ):
        found = ask(hub, f"SELECT deviceId FROM devices WHERE tags.site = '{name}' AND ({condition})")
        assert [row["deviceId"] for row in found.json()] == expected, condition


def test_thumbprints_are_selected_under_one_name_whether_they_are_set_or_not(
    hub: HubProcess, site: tuple[str, list[str]], fresh: Callable[[str], str]
) -> None:
    device, thumbprint = fresh("dev"), "AB" * 20
    hub.ok(
        "PUT",
        f"/devices/{device}",
        json={
            "deviceId": device,
            "authentication": {"type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": thumbprint}},
        },
    )
    text = "SELECT x509Thumbprint.PrimaryThumbprint FROM devices WHERE deviceId = '{}' AND x509thumbprint.{} = {}"
    found = ask(hub, text.format(device, "primaryThumbprint", f"'{thumbprint}'"))
    assert found.json() == [{"PrimaryThumbprint": thumbprint}]
    found = ask(hub, text.format(site[1][0], "primarythumbprint", "null"))
    assert found.json() == [{"PrimaryThumbprint": None}]


def test_modules_are_read_whole_or_in_part_and_are_not_counted(hub: HubProcess, fresh: Callable[[str], str]) -> None:
    device = fresh("dev")
    hub.new_device(device)
    hub.ok("PUT", f"/devices/{device}/modules/lamp", json={})
    of_device = f"FROM devices.modules WHERE devices.modules.deviceId = '{device}'"
    whole, part = ask(hub, f"SELECT * {of_device}"), ask(hub, f"SELECT ModuleId, version {of_device}")
    assert (whole.headers["x-ms-item-type"], whole.json()[0]["moduleId"]) == ("Twin", "lamp")
    assert (part.headers["x-ms-item-type"], part.json()) == ("Raw", [{"ModuleId": "lamp", "version": 2}])
    for refused in (f"SELECT COUNT() {of_device}", f"SELECT moduleId {of_device} GROUP BY moduleId"):
        assert ask(hub, refused).headers["iothub-errorcode"] == "ArgumentInvalid"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT * FROM devices\nORDER BY deviceId", "there is no ORDER here"),
        ("SELECT * FROM devices\nWHERE CONTAINS(deviceId, 'x')", "CONTAINS is a function of message routing"),
        ("SELECT tags.b, tags.a\nFROM devices GROUP BY tags.b", "'tags.a' is neither in GROUP BY nor an aggregate"),
        ("SELECT COUNT() FROM devices.jobs", "SELECT *"),
        ("SELECT * FROM devices.jobs WHERE tags.a = 1", "devices.jobs has no 'tags'"),
    ],
)
def test_a_refusal_says_what_is_wrong_and_where(hub: HubProcess, text: str, said: str) -> None:
    message = ask(hub, text).json()["Message"]
    assert said in message
    assert "(line " in message and ", column " in message


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


@pytest.mark.parametrize(
    ("text", "code"), [(None, "ArgumentNull"), (5, "ArgumentInvalid"), (["SELECT * FROM devices"], "ArgumentInvalid")]
)
def test_a_query_that_is_no_text_is_refused(hub: HubProcess, text: Any, code: str) -> None:
    assert ask(hub, text).headers["iothub-errorcode"] == code


@pytest.mark.parametrize("size", ["many", "-", "1.5", "9" * 5000])
def test_a_page_size_that_is_no_number_is_refused(hub: HubProcess, size: str) -> None:
    assert ask(hub, "SELECT * FROM devices", max_item_count=size).headers["iothub-errorcode"] == "ArgumentInvalid"


def test_the_rows_of_a_job_are_device_jobs(
    hub: HubProcess, site: tuple[str, list[str]], fresh: Callable[[str], str]
) -> None:
    job = fresh("job")
    hub.ok(
        "PUT",
        f"/jobs/v2/{job}",
        json={
            "type": "scheduleUpdateTwin",
            "queryCondition": f"tags.site = '{site[0]}'",
            "maxExecutionTimeInSeconds": 120,
            "updateTwin": {"etag": "*", "properties": {"desired": {"a": 1}}},
        },
    )
    wait_until("the job has ended", lambda: hub.ok("GET", f"/jobs/v2/{job}")["status"] == "completed")
    answer = ask(
        hub, f"SELECT * FROM devices.jobs WHERE devices.jobs.jobId = '{job}' AND devices.jobs.status = 'completed'"
    )
    assert answer.headers["x-ms-item-type"] == "DeviceJob"
    rows = answer.json()
    assert [row["deviceId"] for row in rows] == site[1]
    row = rows[0]
    assert list(row) == [
        "deviceId",
        "jobId",
        "jobType",
        "status",
        "createdDateTimeUtc",
        "startTimeUtc",
        "endTimeUtc",
        "lastUpdatedDateTimeUtc",
        "outcome",
    ]
    assert row["outcome"] == {"deviceMethodResponse": None}
    assert row["startTimeUtc"] == hub.ok("GET", f"/jobs/v2/{job}")["startTime"]
    assert row["endTimeUtc"] > row["lastUpdatedDateTimeUtc"]
