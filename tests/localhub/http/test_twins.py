"""/twins: reading, merging, replacing."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from tests.helpers.hub_process import HubProcess


@pytest.fixture
def device(hub: HubProcess, fresh: Callable[[str], str]) -> str:
    name = fresh("dev")
    hub.new_device(name)
    return name


def test_a_new_twin_has_the_services_fields(hub: HubProcess, device: str) -> None:
    answer = hub.request("GET", f"/twins/{device}")
    twin = answer.json()
    assert list(twin) == [
        "deviceId",
        "etag",
        "deviceEtag",
        "status",
        "statusUpdateTime",
        "connectionState",
        "lastActivityTime",
        "cloudToDeviceMessageCount",
        "authenticationType",
        "x509Thumbprint",
        "modelId",
        "version",
        "properties",
        "capabilities",
    ]
    assert (twin["etag"], twin["version"], "tags" in twin) == ("AAAAAAAAAAE=", 2, False)
    assert answer.headers["ETag"] == '"AAAAAAAAAAE="'
    assert [twin["properties"][name]["$version"] for name in ("desired", "reported")] == [1, 1]
    assert twin["deviceEtag"] == hub.ok("GET", f"/devices/{device}")["etag"]


def test_a_patch_merges_and_gives_the_whole_twin(hub: HubProcess, device: str) -> None:
    hub.ok("PATCH", f"/twins/{device}", json={"tags": {"a": {"b": 1, "c": 2}}})
    twin = hub.ok("PATCH", f"/twins/{device}", json={"tags": {"a": {"b": None}}, "properties": {"desired": {"d": 1.0}}})
    assert twin["tags"] == {"a": {"c": 2}}
    assert twin["properties"]["desired"]["d"] == 1.0
    assert twin["properties"]["desired"]["$version"] == 2
    assert base64.b64decode(twin["etag"]) == (3).to_bytes(8, "big")
    assert hub.ok("GET", f"/twins/{device}") == twin


def test_a_whole_twin_can_be_sent_back(hub: HubProcess, device: str) -> None:
    twin = hub.ok("PATCH", f"/twins/{device}", json={"properties": {"desired": {"d": 1}}})
    twin["tags"] = {"site": "A"}
    again = hub.ok("PATCH", f"/twins/{device}", json=twin, headers={"If-Match": f'"{twin["etag"]}"'})
    assert (again["tags"], again["properties"]["desired"]["d"]) == ({"site": "A"}, 1)


def test_a_replacement_wipes_what_is_not_given(hub: HubProcess, device: str) -> None:
    hub.ok("PATCH", f"/twins/{device}", json={"tags": {"a": 1}, "properties": {"desired": {"b": {"c": 1, "d": 2}}}})
    twin = hub.ok("PUT", f"/twins/{device}", json={"properties": {"desired": {"b": {"c": 3}}}})
    desired = twin["properties"]["desired"]
    assert ("tags" in twin, desired["b"], desired["$version"]) == (False, {"c": 3}, 3)
    assert set(desired["$metadata"]["b"]) == {"$lastUpdated", "$lastUpdatedVersion", "c"}


def test_a_service_does_not_write_reported_properties(hub: HubProcess, device: str) -> None:
    twin = hub.ok("PATCH", f"/twins/{device}", json={"tags": {"a": 1}, "properties": {"reported": {"x": 1}}})
    assert "x" not in twin["properties"]["reported"]


@pytest.mark.parametrize("verb", ["PATCH", "PUT"])
def test_a_stale_etag_is_412_and_changes_nothing(hub: HubProcess, device: str, verb: str) -> None:
    before = hub.ok("GET", f"/twins/{device}")
    answer = hub.request(verb, f"/twins/{device}", json={"tags": {"a": 1}}, headers={"If-Match": '"AAAAAAAAAAk="'})
    assert (answer.status_code, answer.headers["iothub-errorcode"]) == (412, "PreconditionFailed")
    assert hub.ok("GET", f"/twins/{device}") == before


@pytest.mark.parametrize(
    "patch",
    [
        {"desired": {"a": 1}},
        {"tags": []},
        {"properties": {"desired": "x"}},
        {"tags": {"a.b": 1}},
        {"tags": {"a": [None]}},
        {"tags": {"a": 2**52}},
        {"properties": {"desired": {"$secret": 1}}},
        {"tags": {f"k{number}": "x" * 4000 for number in range(3)}},
    ],
)
@pytest.mark.parametrize("verb", ["PATCH", "PUT"])
def test_a_bad_twin_is_400_and_changes_nothing(hub: HubProcess, device: str, verb: str, patch: Any) -> None:
    before = hub.ok("PATCH", f"/twins/{device}", json={"tags": {"kept": True}})
    answer = hub.request(verb, f"/twins/{device}", json=patch)
    assert (answer.status_code, answer.headers["iothub-errorcode"]) == (400, "ArgumentInvalid")
    assert hub.ok("GET", f"/twins/{device}") == before


@pytest.mark.parametrize("verb", ["GET", "PATCH", "PUT"])
def test_the_twin_of_an_unknown_device_is_404001(hub: HubProcess, verb: str) -> None:
    answer = hub.request(verb, "/twins/nobody", json={"tags": {}})
    assert (answer.status_code, answer.headers["iothub-errorcode"]) == (404, "DeviceNotFound")
