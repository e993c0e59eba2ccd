"""/devices/query on the wire."""

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.helpers.any_hub import AnyHub
from tests.helpers.hub_process import HubProcess
from tests.helpers.waiting import looks


def query(hub: AnyHub, text: str, **headers: str) -> requests.Response:
    return hub.request("POST", "/devices/query", {"query": text}, headers=headers)


def test_all_of_a_twin_or_just_the_selected_members(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    hub.ok("PATCH", f"/twins/{name}", {"tags": {"site": name, "deep": {"er": 5}}})
    whole = query(hub, f"SELECT * FROM devices WHERE tags.site = '{name}'")
    assert whole.headers["x-ms-item-type"] == "Twin"
    assert whole.json() == [hub.ok("GET", f"/twins/{name}")]
    part = query(hub, f"SELECT DeviceId, tags.deep.er, tags.no AS x FROM devices WHERE deviceId = '{name}'")
    assert part.headers["x-ms-item-type"] == "Raw"
    assert part.json() == [{"DeviceId": name, "er": 5}]
    count = query(hub, f"select count() as number from devices where tags.site = '{name}'")
    assert (count.headers["x-ms-item-type"], count.json()) == ("Raw", [{"number": 1}])


def test_what_many_twins_have_is_counted_and_summed_by_group(hub: AnyHub, name: str) -> None:
    floors = [1, 1.0, 2, "1", True, None]
    for number, floor in enumerate(floors):
        hub.new_device(f"{name}-{number}")
        hub.ok("PATCH", f"/twins/{name}-{number}", {"tags": {"of": name, "floor": floor, "load": number / 2}})
    text = (
        "SELECT tags.floor AS floor, COUNT() AS n, SUM(tags.load) AS [[sum]], AVG(tags.load) AS mean, "
        f"MIN(tags.load) AS least, MAX(tags.load) AS most FROM devices "
        f"WHERE tags.of = '{name}' AND tags.load + 1 > 0 GROUP BY tags.floor"
    )
    answer = query(hub, text)
    assert answer.headers["x-ms-item-type"] == "Raw"
    found = {repr(row.pop("floor", None)): row for row in answer.json()}
    assert found == {
        "1": {"n": 2, "sum": 0.5, "mean": 0.25, "least": 0, "most": 0.5},
        "2": {"n": 1, "sum": 1, "mean": 1, "least": 1, "most": 1},
        "'1'": {"n": 1, "sum": 1.5, "mean": 1.5, "least": 1.5, "most": 1.5},
        "True": {"n": 1, "sum": 2, "mean": 2, "least": 2, "most": 2},
        "None": {"n": 1, "sum": 2.5, "mean": 2.5, "least": 2.5, "most": 2.5},
    }
    pages, headers = [], {"x-ms-max-item-count": "2"}
    for _ in looks("the last page"):
        page = query(hub, text, **headers)
        pages += page.json()
        if "x-ms-continuation" not in page.headers:
            break
        headers["x-ms-continuation"] = page.headers["x-ms-continuation"]
    assert pages == query(hub, text).json()


def test_pages_stay_whole_while_devices_come_and_go(hub: AnyHub, name: str) -> None:
    for number in range(7):
        hub.new_device(f"{name}-{number}")
    text = f"SELECT deviceId FROM devices WHERE STARTSWITH(deviceId, '{name}-')"
    first = query(hub, text, **{"x-ms-max-item-count": "3"})
    hub.request("DELETE", f"/devices/{name}-0", headers={"If-Match": "*"})
    hub.new_device(f"{name}-7")
    more = {"x-ms-max-item-count": "3", "x-ms-continuation": first.headers["x-ms-continuation"]}
    second = query(hub, text, **more)
    more["x-ms-continuation"] = second.headers["x-ms-continuation"]
    third = query(hub, text, **more)
    assert "x-ms-continuation" not in third.headers
    seen = [row["deviceId"] for page in (first, second, third) for row in page.json()]
    assert seen == [f"{name}-{number}" for number in range(8)]


def test_a_page_has_at_most_a_hundred_items_and_top_ends_all(hub: AnyHub, name: str) -> None:
    for number in range(103):
        hub.new_device(f"{name}-{number}")
    text = f"FROM devices WHERE STARTSWITH(deviceId, '{name}-')"
    page = query(hub, f"SELECT * {text}", **{"x-ms-max-item-count": "1000"})
    assert len(page.json()) == 100
    top = query(hub, f"SELECT TOP 101 * {text}")
    rest = query(hub, f"SELECT TOP 101 * {text}", **{"x-ms-continuation": top.headers["x-ms-continuation"]})
    assert (len(top.json()), len(rest.json()), "x-ms-continuation" in rest.headers) == (100, 1, False)


@pytest.mark.parametrize("token", ["x", "MTAuMS5hYmM=", "🙂".encode().hex()])
def test_a_token_that_is_not_ours_is_refused(hub: AnyHub, token: str) -> None:
    refused = query(hub, "SELECT * FROM devices", **{"x-ms-continuation": token})
    assert (refused.status_code, refused.headers["iothub-errorcode"]) == (400, "ArgumentInvalid")


def test_a_token_of_another_query_is_refused(hub: AnyHub, name: str) -> None:
    for number in range(2):
        hub.new_device(f"{name}-{number}")
    page = query(hub, f"SELECT * FROM devices WHERE STARTSWITH(deviceId, '{name}')", **{"x-ms-max-item-count": "1"})
    other = query(hub, "SELECT * FROM devices", **{"x-ms-continuation": page.headers["x-ms-continuation"]})
    assert other.status_code == 400


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "SELECT",
        "SELECT * FROM",
        "SELECT * FROM nowhere",
        "SELECT * FROM devices WHERE",
        "SELECT * FROM devices WHERE tags.group = 1",
        "SELECT * FROM devices ORDER BY deviceId",
        "SELECT * FROM devices WHERE deviceId LIKE 'a%'",
        "SELECT * FROM devices JOIN devices.modules",
        "SELECT DISTINCT deviceId FROM devices",
        "SELECT tags.site FROM devices GROUP BY tags.site HAVING COUNT() > 1",
        "SELECT * FROM devices WHERE deviceId IN (SELECT deviceId FROM devices)",
        "SELECT * FROM devices WHERE CONTAINS(deviceId, 'a')",
        "SELECT * FROM devices WHERE ENDSWITH(deviceId, 'a')",
        "SELECT * FROM devices WHERE IS_NULL(tags.a)",
        "SELECT tags.floor, COUNT() AS n FROM devices GROUP BY tags.site",
        "SELECT COUNT() AS n FROM devices.modules",
        "SELECT jobId FROM devices.jobs GROUP BY jobId",
        "SELECT * FROM devices.jobs WHERE properties.reported.a = 1",
        "SELECT * FROM devices WHERE " + "(1 + " * 2000 + "1" + ")" * 2000 + " = 1",
        "SELECT * FROM devices; DROP TABLE twins",
        "SELECT deviceId FROM devices.jobs",
        "SELECT COUNT() AS n FROM devices.jobs",
        "SELECT * FROM devices WHERE " + "NOT " * 500 + "1=1",
        "SELECT * FROM devices WHERE deviceId = '" + "x" * 8192 + "'",
    ],
)
def test_what_is_no_query_is_refused(hub: AnyHub, text: str) -> None:
    refused = query(hub, text)
    assert (refused.status_code, refused.headers["iothub-errorcode"]) == (400, "ArgumentInvalid")


def test_a_missing_query_has_an_error_code_of_its_own(hub: AnyHub) -> None:
    assert hub.refused("POST", "/devices/query", {}) == (400, "ArgumentNull")
    assert hub.refused("POST", "/devices/query", {"query": None}) == (400, "ArgumentNull")


def test_connection_state_status_and_versions_can_be_queried(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    hub.ok("PATCH", f"/twins/{name}", {"properties": {"desired": {"a": True}}})
    for condition in (
        "connectionState = 'Disconnected'",
        "status = 'enabled'",
        "properties.desired.$version = 2",
        "properties.desired.a = true",
        "properties.desired.$metadata.a.$lastUpdated > '2020'",
        "IS_DEFINED(properties.desired.a) AND NOT IS_DEFINED(properties.reported.a)",
        "capabilities.iotEdge = false",
        "devices.version >= 3",
        "etag = 'AAAAAAAAAAI='",
        "NOT IS_DEFINED(moduleId)",
        "lastActivityTime < '2020-01-01'",
    ):
        found = query(hub, f"SELECT deviceId FROM devices WHERE deviceId = '{name}' AND {condition}")
        assert found.json() == [{"deviceId": name}], condition


def test_modules_are_a_collection_of_their_own(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    hub.ok("PUT", f"/devices/{name}/modules/motor", {})
    hub.ok("PATCH", f"/twins/{name}/modules/motor", {"tags": {"of": name}})
    (twin,) = query(hub, f"SELECT * FROM devices.modules WHERE tags.of = '{name}'").json()
    assert twin == hub.ok("GET", f"/twins/{name}/modules/motor")
    assert query(hub, f"SELECT * FROM devices WHERE tags.of = '{name}'").json() == []


def made_up(place: str, text: str) -> Iterator[str]:
    """A token as whoever reads the hub's code could make it while it was signed without a key."""
    for question in (text, f"query {text}"):
        checksum = hashlib.sha256(f"{place}.1.{question}".encode()).hexdigest()
        for size in (16, 64):
            yield base64.b64encode(f"{place}.1.{checksum[:size]}".encode()).decode()


@pytest.mark.parametrize("place", ["5", "x", str(2**70), "-1", "9" * 400])
def test_a_continuation_token_that_somebody_made_up_is_refused(hub: AnyHub, place: str) -> None:
    for text in ("SELECT * FROM devices", "SELECT COUNT() FROM devices GROUP BY tags.a"):
        for token in made_up(place, text):
            refused = query(hub, text, **{"x-ms-continuation": token})
            assert (refused.status_code, refused.headers["iothub-errorcode"]) == (400, "ArgumentInvalid"), refused.text


@pytest.mark.local_hub("starts a hub of its own")
def test_a_continuation_token_is_good_after_a_restart_and_at_no_other_hub(tmp_path: Path) -> None:
    text, pages = "SELECT * FROM devices", {"x-ms-max-item-count": "1"}
    with HubProcess(tmp_path / "one") as hub, HubProcess(tmp_path / "two") as other:
        for each in (hub, other):
            each.new_device("a")
            each.new_device("b")
        token = {"x-ms-continuation": query(hub, text, **pages).headers["x-ms-continuation"]}
        assert query(other, text, **token).status_code == 400
        hub.kill()
    with HubProcess(tmp_path / "one") as again:
        assert [each["deviceId"] for each in query(again, text, **token).json()] == ["b"]
