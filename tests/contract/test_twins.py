"""Twins on the wire, from both sides."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.helpers.any_hub import AnyHub
from tests.helpers.mqtt_device import MqttDevice, wait_for_connection_state


def test_a_patch_merges_and_null_removes(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    hub.ok("PATCH", f"/twins/{name}", {"tags": {"a": 1, "b": {"c": 2, "d": [1, 2]}}})
    twin = hub.ok("PATCH", f"/twins/{name}", {"tags": {"a": None, "b": {"d": [3]}}})
    assert twin["tags"] == {"b": {"c": 2, "d": [3]}}
    assert hub.ok("PATCH", f"/twins/{name}", {"tags": {"b": {"c": None, "d": None}}})["tags"] == {"b": {}}


def test_versions_and_etags_move_as_documented(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    first = hub.ok("PATCH", f"/twins/{name}", {"properties": {"desired": {"a": 1}}})
    assert (first["version"], first["etag"], first["properties"]["desired"]["$version"]) == (3, "AAAAAAAAAAI=", 2)
    second = hub.ok("PATCH", f"/twins/{name}", {"tags": {"x": 1}})
    assert (second["version"], second["etag"], second["properties"]["desired"]["$version"]) == (4, "AAAAAAAAAAM=", 2)


def test_metadata_mirrors_the_data_and_keeps_a_trace_of_removals(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    hub.ok("PATCH", f"/twins/{name}", {"properties": {"desired": {"a": {"b": 1, "c": 2}}}})
    twin = hub.ok("PATCH", f"/twins/{name}", {"properties": {"desired": {"a": {"b": None}}}})
    desired = twin["properties"]["desired"]
    metadata = desired["$metadata"]
    assert desired["a"] == {"c": 2}
    assert set(metadata["a"]) == {"$lastUpdated", "$lastUpdatedVersion", "c"}
    assert (metadata["a"]["$lastUpdatedVersion"], metadata["a"]["c"]["$lastUpdatedVersion"]) == (3, 2)
    assert metadata["$lastUpdated"] > metadata["a"]["c"]["$lastUpdated"]


def test_an_etag_that_is_not_current_is_refused_and_nothing_changes(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    before = hub.ok("GET", f"/twins/{name}")
    stale = {"If-Match": '"AAAAAAAAAAk="'}
    for method in ("PATCH", "PUT"):
        assert hub.refused(method, f"/twins/{name}", {"tags": {"a": 1}}, headers=stale)[0] == 412
    unquoted = {"If-Match": before["etag"]}  # replaces all: what is meant has to be sure
    assert hub.refused("PUT", f"/twins/{name}", {"tags": {"a": 1}}, headers=unquoted)[0] == 412
    assert hub.ok("GET", f"/twins/{name}") == before
    current = {"If-Match": f'"{before["etag"]}"'}
    assert hub.ok("PATCH", f"/twins/{name}", {"tags": {"a": 1}}, headers=current)["tags"] == {"a": 1}


@pytest.mark.parametrize("etag", ["AAAAAAAAAAk=", "AAAAAAAAAAE=", '"', "x, y", ""])
@pytest.mark.parametrize("module", ["", "/modules/m"])
def test_an_etag_that_is_not_in_quotes_does_not_guard_a_patch(hub: AnyHub, name: str, etag: str, module: str) -> None:
    hub.new_device(name)
    hub.ok("PUT", f"/devices/{name}/modules/m", {})
    patched = hub.ok("PATCH", f"/twins/{name}{module}", {"tags": {"a": 1}}, headers={"If-Match": etag})
    assert patched["tags"] == {"a": 1}


def test_a_twin_without_tags_has_no_such_member_in_any_answer(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    query = {"query": f"SELECT * FROM devices WHERE deviceId = '{name}' AND NOT IS_DEFINED(tags)"}
    assert "tags" not in hub.ok("GET", f"/twins/{name}")
    assert ["tags" in each for each in hub.ok("POST", "/devices/query", query)] == [False]
    assert hub.ok("PATCH", f"/twins/{name}", {"tags": {"a": 1}})["tags"] == {"a": 1}
    assert hub.ok("POST", "/devices/query", query) == []
    assert "tags" not in hub.ok("PATCH", f"/twins/{name}", {"tags": {"a": None}})


def test_an_edge_device_has_a_list_of_parents_also_of_none_and_a_leaf_has_not(hub: AnyHub, name: str) -> None:
    edge = hub.new_device(f"{name}-edge", capabilities={"iotEdge": True})
    leaf = hub.new_device(f"{name}-leaf")
    assert edge["parentScopes"] == hub.ok("GET", f"/twins/{name}-edge")["parentScopes"] == []
    assert "parentScopes" not in leaf.keys() | hub.ok("GET", f"/twins/{name}-leaf").keys()
    query = {"query": f"SELECT deviceId, parentScopes FROM devices WHERE STARTSWITH(deviceId, '{name}-')"}
    assert hub.ok("POST", "/devices/query", query) == [
        {"deviceId": f"{name}-edge", "parentScopes": []},
        {"deviceId": f"{name}-leaf"},
    ]


def test_put_replaces_and_leaves_reported_alone(hub: AnyHub, name: str, connect: Callable[..., MqttDevice]) -> None:
    device = connect(name)
    device.subscribe("$iothub/twin/res/#")
    device.publish("$iothub/twin/PATCH/properties/reported/?$rid=1", {"r": 1})
    device.next()
    hub.ok("PATCH", f"/twins/{name}", {"tags": {"a": 1}, "properties": {"desired": {"x": 1, "y": 2}}})
    twin = hub.ok("PUT", f"/twins/{name}", {"properties": {"desired": {"y": 3}}})
    assert "tags" not in twin
    assert {key: value for key, value in twin["properties"]["desired"].items() if key[0] != "$"} == {"y": 3}
    assert twin["properties"]["reported"]["r"] == 1


@pytest.mark.parametrize(
    "tags",
    [
        {"a.b": 1},
        {"a b": 1},
        {"$a": 1},
        {"a#": 1},
        {"a\u0001": 1},
        {"k" * 1025: 1},
        {"a": "v" * 4097},
        {"a": 2**52},
        {"a": -(2**52) - 1},
        {"a": [1, None]},
        {str(number): "v" * 4000 for number in range(3)},
    ],
)
def test_the_limits_are_kept(hub: AnyHub, name: str, tags: dict[str, Any]) -> None:
    hub.new_device(name)
    assert hub.refused("PATCH", f"/twins/{name}", {"tags": tags}) == (400, "ArgumentInvalid")
    assert "tags" not in hub.ok("GET", f"/twins/{name}")


def test_depth_ten_is_the_last_that_is_taken(hub: AnyHub, name: str) -> None:
    def nested(depth: int) -> dict[str, Any]:
        return {"k": nested(depth - 1)} if depth > 1 else {"k": 1}

    hub.new_device(name)
    assert hub.ok("PATCH", f"/twins/{name}", {"tags": nested(10)})["tags"] == nested(10)
    assert hub.refused("PATCH", f"/twins/{name}", {"tags": nested(11)}) == (400, "ArgumentInvalid")


@pytest.mark.parametrize(
    "value", [1, 1.0, 1.5, True, False, "text", [], [1, [2]], {}, 2**52 - 1, -(2**52), "ünï\u0007"]
)
def test_values_come_back_as_they_were(hub: AnyHub, name: str, value: object) -> None:
    hub.new_device(name)
    back = hub.ok("PATCH", f"/twins/{name}", {"properties": {"desired": {"v": value}}})["properties"]["desired"]["v"]
    assert (back, type(back)) == (value, type(value))


def test_a_device_reads_its_twin_without_metadata_and_tags(
    hub: AnyHub, name: str, connect: Callable[..., MqttDevice]
) -> None:
    device = connect(name)
    hub.ok("PATCH", f"/twins/{name}", {"tags": {"t": 1}, "properties": {"desired": {"d": 1}}})
    device.subscribe("$iothub/twin/res/#")
    device.publish("$iothub/twin/GET/?$rid=abc", b" ")
    topic, twin = device.next()
    assert topic == "$iothub/twin/res/200/?$rid=abc"
    assert twin == {"desired": {"d": 1, "$version": 2}, "reported": {"$version": 1}}


def test_what_a_device_reports_is_merged_and_moves_the_version_but_not_the_etag(
    hub: AnyHub, name: str, connect: Callable[..., MqttDevice]
) -> None:
    device = connect(name)
    device.subscribe("$iothub/twin/res/#")
    device.publish("$iothub/twin/PATCH/properties/reported/?$rid=1", {"a": 1, "b": 2})
    assert device.next() == ("$iothub/twin/res/204/?$rid=1&$version=2", None)
    device.publish("$iothub/twin/PATCH/properties/reported/?$rid=2", {"a": None}, qos=1)
    assert device.next() == ("$iothub/twin/res/204/?$rid=2&$version=3", None)
    twin = hub.ok("GET", f"/twins/{name}")
    assert twin["properties"]["reported"]["b"] == 2
    assert "a" not in twin["properties"]["reported"]
    assert (twin["version"], twin["etag"]) == (4, "AAAAAAAAAAE=")


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b'{"a.b": 1}', b'{"a": 9007199254740993}'])
def test_a_report_that_is_no_good_is_answered_with_400_and_changes_nothing(
    hub: AnyHub, name: str, connect: Callable[..., MqttDevice], body: bytes
) -> None:
    device = connect(name)
    device.subscribe("$iothub/twin/res/#")
    device.publish("$iothub/twin/PATCH/properties/reported/?$rid=1", body)
    topic, _ = device.next()
    assert topic.startswith("$iothub/twin/res/400/?$rid=1")
    assert hub.ok("GET", f"/twins/{name}")["properties"]["reported"]["$version"] == 1


def test_a_device_receives_desired_changes_with_their_version(
    hub: AnyHub, name: str, connect: Callable[..., MqttDevice]
) -> None:
    device = connect(name)
    device.subscribe("$iothub/twin/PATCH/properties/desired/#")
    hub.ok("PATCH", f"/twins/{name}", {"tags": {"t": 1}})  # not a device's business
    hub.ok("PATCH", f"/twins/{name}", {"properties": {"desired": {"a": 1, "b": None}}})
    expected = ("$iothub/twin/PATCH/properties/desired/?$version=2", {"a": 1, "b": None, "$version": 2})
    assert device.next() == expected


def test_a_model_that_a_device_announces_is_in_its_twin(
    hub: AnyHub, name: str, connect: Callable[..., MqttDevice]
) -> None:
    connect(name, username=f"{hub.host}/{name}/?api-version=2020-09-30&model-id=dtmi%3Aexample%3APump%3B1")
    wait_for_connection_state(hub, name, "Connected")
    assert hub.ok("GET", f"/twins/{name}")["modelId"] == "dtmi:example:Pump;1"
    query = {"query": f"SELECT deviceId FROM devices WHERE modelId = 'dtmi:example:Pump;1' AND deviceId = '{name}'"}
    assert hub.ok("POST", "/devices/query", query) == [{"deviceId": name}]
