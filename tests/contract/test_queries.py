"""/devices/query on the wire."""

import pytest
import requests

from tests.helpers.hub_process import HubProcess


def query(hub: HubProcess, text: str, **headers: str) -> requests.Response:
    return hub.request("POST", "/devices/query", {"query": text}, headers=headers)


def test_all_of_a_twin_or_just_what_is_asked(hub: HubProcess, name: str) -> None:
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


def test_pages_stay_whole_while_devices_come_and_go(hub: HubProcess, name: str) -> None:
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


def test_a_page_has_at_most_a_hundred_items_and_top_ends_all(hub: HubProcess, name: str) -> None:
    for number in range(103):
        hub.new_device(f"{name}-{number}")
    text = f"FROM devices WHERE STARTSWITH(deviceId, '{name}-')"
    page = query(hub, f"SELECT * {text}", **{"x-ms-max-item-count": "1000"})
    assert len(page.json()) == 100
    top = query(hub, f"SELECT TOP 101 * {text}")
    rest = query(hub, f"SELECT TOP 101 * {text}", **{"x-ms-continuation": top.headers["x-ms-continuation"]})
    assert (len(top.json()), len(rest.json()), "x-ms-continuation" in rest.headers) == (100, 1, False)


@pytest.mark.parametrize("token", ["x", "MTAuMS5hYmM=", "🙂".encode().hex()])
def test_a_token_that_is_not_ours_is_refused(hub: HubProcess, token: str) -> None:
    refused = query(hub, "SELECT * FROM devices", **{"x-ms-continuation": token})
    assert (refused.status_code, refused.headers["iothub-errorcode"]) == (400, "ArgumentInvalid")


def test_a_token_of_another_query_is_refused(hub: HubProcess, name: str) -> None:
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
        "SELECT * FROM devices; DROP TABLE twins",
        "SELECT deviceId FROM devices.jobs",
        "SELECT COUNT() AS n FROM devices.jobs",
        "SELECT * FROM devices WHERE " + "NOT " * 500 + "1=1",
        "SELECT * FROM devices WHERE deviceId = '" + "x" * 8192 + "'",
    ],
)
def test_what_is_no_query_is_refused(hub: HubProcess, text: str) -> None:
    refused = query(hub, text)
    assert (refused.status_code, refused.headers["iothub-errorcode"]) == (400, "ArgumentInvalid")


def test_a_missing_query_has_a_word_of_its_own(hub: HubProcess) -> None:
    assert hub.refused("POST", "/devices/query", {}) == (400, "ArgumentNull")
    assert hub.refused("POST", "/devices/query", {"query": None}) == (400, "ArgumentNull")


def test_connection_state_status_and_versions_can_be_asked_for(hub: HubProcess, name: str) -> None:
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


def test_modules_are_a_collection_of_their_own(hub: HubProcess, name: str) -> None:
    hub.new_device(name)
    hub.ok("PUT", f"/devices/{name}/modules/motor", {})
    hub.ok("PATCH", f"/twins/{name}/modules/motor", {"tags": {"of": name}})
    (twin,) = query(hub, f"SELECT * FROM devices.modules WHERE tags.of = '{name}'").json()
    assert twin == hub.ok("GET", f"/twins/{name}/modules/motor")
    assert query(hub, f"SELECT * FROM devices WHERE tags.of = '{name}'").json() == []
