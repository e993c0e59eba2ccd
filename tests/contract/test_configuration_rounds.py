"""What configurations do to twins: targets, priorities, deployments of edge devices, metrics, and over a kill."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.any_hub import AnyHub
from tests.helpers.hub_process import HubProcess, hubs_until_the_end
from tests.helpers.mqtt_device import MqttDevice
from tests.helpers.waiting import wait_until

pytestmark = pytest.mark.local_hub("waits for rounds, which another hub does every five minutes")

ANY = {"If-Match": "*"}


@pytest.fixture
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub whose rounds come every half second."""
    process = HubProcess(tmp_path_factory.mktemp("rounds"), "--in-memory", "--time-scale", "600")
    yield process
    assert process.stop() == 0


def configure(hub: AnyHub, name: str, condition: str, content: dict[str, Any], **members: Any) -> None:
    hub.ok("PUT", f"/configurations/{name}", {"targetCondition": condition, "content": content, **members})


def device_content(**settings: Any) -> dict[str, Any]:
    return {"deviceContent": {f"properties.desired.{name}": value for name, value in settings.items()}}


def tag(hub: AnyHub, device: str, **tags: Any) -> None:
    hub.ok("PATCH", f"/twins/{device}", {"tags": tags})


def desired(hub: AnyHub, twin: str) -> dict[str, Any]:
    found = hub.ok("GET", f"/twins/{twin}")["properties"]["desired"]
    return {name: value for name, value in found.items() if not name.startswith("$")}


def statuses(hub: AnyHub, twin: str) -> dict[str, str]:
    found = hub.ok("GET", f"/twins/{twin}").get("configurations", {})
    return {name: shown["status"] for name, shown in found.items()}


def wait_for(hub: AnyHub, twin: str, expected: dict[str, str]) -> None:
    wait_until(f"{twin} shows {expected}", lambda: statuses(hub, twin) == expected)


def selected(hub: AnyHub, query: str) -> list[str]:
    return [each["deviceId"] for each in hub.ok("POST", "/devices/query", {"query": query})]


def test_devices_that_come_get_the_content_and_those_that_go_lose_it(hub: HubProcess) -> None:
    for device in ("first", "second"):
        hub.new_device(device)
    tag(hub, "first", site="a")
    configure(hub, "c", "tags.site = 'a'", device_content(fan={"speed": 3}))
    wait_for(hub, "first", {"c": "Applied"})
    assert desired(hub, "first") == {"fan": {"speed": 3}}
    tag(hub, "second", site="a")
    tag(hub, "first", site="b")
    wait_for(hub, "second", {"c": "Applied"})
    wait_for(hub, "first", {})
    assert (desired(hub, "first"), desired(hub, "second")) == ({}, {"fan": {"speed": 3}})
    assert "configurations" not in hub.ok("GET", "/twins/first")


def test_a_device_is_told_of_what_is_set_as_of_any_change(hub: HubProcess) -> None:
    key = hub.new_device("pump")["authentication"]["symmetricKey"]["primaryKey"]
    device = MqttDevice(hub, "pump", key)
    try:
        assert device.connect() == 0
        device.subscribe("$iothub/twin/PATCH/properties/desired/#")
        configure(hub, "c", "deviceId = 'pump'", device_content(fan={"speed": 3}))
        topic, patch = device.next()
        assert topic == "$iothub/twin/PATCH/properties/desired/?$version=2"
        assert patch == {"fan": {"speed": 3}, "$version": 2}
        hub.ok("PUT", "/configurations/c", {**hub.ok("GET", "/configurations/c"), "targetCondition": ""}, headers=ANY)
        assert device.next()[1] == {"fan": None, "$version": 3}
    finally:
        device.close()


def test_the_higher_priority_wins_path_by_path_and_the_next_one_takes_over(hub: HubProcess) -> None:
    hub.new_device("pump")
    configure(hub, "low", "*", device_content(fan=1, lamp=1), priority=1)
    configure(hub, "high", "*", device_content(fan=2), priority=2)
    wait_for(hub, "pump", {"low": "Applied", "high": "Applied"})
    assert desired(hub, "pump") == {"fan": 2, "lamp": 1}
    high = hub.ok("GET", "/configurations/high")
    hub.ok("PUT", "/configurations/high", {**high, "targetCondition": "tags.none = 1"}, headers=ANY)
    wait_for(hub, "pump", {"low": "Applied"})
    assert desired(hub, "pump") == {"fan": 1, "lamp": 1}


def test_what_a_deleted_configuration_has_set_stays(hub: HubProcess) -> None:
    hub.new_device("pump")
    configure(hub, "c", "*", device_content(fan=1))
    wait_for(hub, "pump", {"c": "Applied"})
    hub.ok("DELETE", "/configurations/c")
    wait_for(hub, "pump", {})
    assert desired(hub, "pump") == {"fan": 1}


def test_modules_are_configured_by_a_condition_of_modules(hub: HubProcess) -> None:
    hub.new_device("pump")
    for module in ("one", "two"):
        hub.ok("PUT", f"/devices/pump/modules/{module}", {"deviceId": "pump", "moduleId": module})
    hub.ok("PATCH", "/twins/pump/modules/one", {"tags": {"role": "x"}})
    content = {"moduleContent": {"properties.desired.interval": 5}}
    configure(hub, "c", "from devices.modules where tags.role = 'x'", content)
    wait_for(hub, "pump/modules/one", {"c": "Applied"})
    assert (desired(hub, "pump/modules/one"), desired(hub, "pump/modules/two")) == ({"interval": 5}, {})
    assert desired(hub, "pump") == {}
    query = hub.ok("GET", "/configurations/c")["systemMetrics"]["queries"]["appliedCount"]
    assert hub.ok("POST", "/devices/query", {"query": query}) == [{"deviceId": "pump", "moduleId": "one"}]


# --- edge deployments


def manifest(**modules: Any) -> dict[str, Any]:
    agent = {"schemaVersion": "1.1", "modules": {name: {"type": "docker"} for name in modules}}
    return {
        "modulesContent": {
            "$edgeAgent": {"properties.desired": agent},
            "$edgeHub": {"properties.desired": {"routes": {}}},
            **{name: {"properties.desired": value} for name, value in modules.items()},
        }
    }


def test_the_highest_deployment_applies_with_the_layers_above_it(hub: HubProcess) -> None:
    hub.new_device("edge", capabilities={"iotEdge": True})
    hub.new_device("leaf")
    layer = {
        "$edgeAgent": {"properties.desired.modules.extra": {"type": "docker"}},
        "sensor": {"properties.desired.interval": 9},
    }
    configure(hub, "old", "*", manifest(old={}), priority=1)
    configure(hub, "base", "*", manifest(sensor={"interval": 5, "unit": "C"}), priority=2)
    configure(hub, "layer", "*", {"modulesContent": layer}, priority=3)
    expected = {"old": "Targeted", "base": "Applied", "layer": "Applied"}
    wait_for(hub, "edge", expected)
    assert statuses(hub, "edge/modules/$edgeAgent") == expected
    assert statuses(hub, "leaf") == {}
    assert desired(hub, "edge/modules/sensor") == {"interval": 9, "unit": "C"}
    assert list(desired(hub, "edge/modules/$edgeAgent")["modules"]) == ["sensor", "extra"]
    assert hub.ok("GET", "/devices/edge/modules/sensor")["managedBy"] == "iotEdge"
    hub.ok("DELETE", "/configurations/layer")
    wait_for(hub, "edge", {"old": "Targeted", "base": "Applied"})
    assert desired(hub, "edge/modules/sensor") == {"interval": 5, "unit": "C"}


def test_a_manifest_set_by_hand_stays_until_a_deployment_is_evaluated(hub: HubProcess) -> None:
    hub.new_device("edge", capabilities={"iotEdge": True})
    hub.ok("POST", "/devices/edge/applyConfigurationContent", manifest(sensor={"interval": 1}))
    assert desired(hub, "edge/modules/sensor") == {"interval": 1}
    configure(hub, "base", "deviceId = 'edge'", manifest(sensor={"interval": 5}))
    wait_for(hub, "edge", {"base": "Applied"})
    hub.ok("POST", "/devices/edge/applyConfigurationContent", manifest(sensor={"interval": 1}))
    wait_until("it is set again", lambda: desired(hub, "edge/modules/sensor") == {"interval": 5})


# --- metrics and queries


def test_metrics_are_counted_each_round_and_statuses_can_be_queried(hub: HubProcess) -> None:
    for number in range(3):
        hub.new_device(f"d{number}")
    mine = "select deviceId from devices where tags.done = true"
    configure(hub, "low", "*", device_content(fan=1), metrics={"queries": {"done": mine}})
    configure(hub, "high", "deviceId = 'd0'", device_content(fan=2), priority=9)

    def counted(name: str) -> tuple[Any, ...]:
        document = hub.ok("GET", f"/configurations/{name}")
        return document["systemMetrics"]["results"], document["metrics"]["results"]

    expected = {"targetedCount": 3, "appliedCount": 2}, {"done": 0}
    wait_until("the first counts", lambda: counted("low") == expected)
    tag(hub, "d1", done=True)
    wait_until("the metric", lambda: counted("low")[1] == {"done": 1})
    targeted = "SELECT deviceId FROM devices WHERE configurations.[[low]].status = 'Targeted'"
    assert selected(hub, targeted) == ["d0"]
    applied = "select deviceId from devices where configurations.low.status = 'Applied'"
    assert selected(hub, applied) == ["d1", "d2"]
    shown = hub.ok("POST", "/devices/query", {"query": "SELECT configurations FROM devices WHERE deviceId = 'd0'"})
    assert shown == [{"configurations": {"low": {"status": "Targeted"}, "high": {"status": "Applied"}}}]


# --- over a kill


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], HubProcess]]:
    """Starts hubs on one data folder, one after the other."""
    with hubs_until_the_end() as begin:
        yield lambda: begin(tmp_path)


def test_a_round_that_a_kill_ends_is_done_by_the_next_hub(start: Callable[[], HubProcess]) -> None:
    count = 1500
    first = start()
    for begin in range(0, count, 100):
        devices = [{"id": f"d{number}", "importMode": "create"} for number in range(begin, begin + 100)]
        first.ok("POST", "/devices", devices)
    configure(first, "c", "*", device_content(fan=1))
    wait_until("it has begun", lambda: statuses(first, "d0"))
    first.kill()
    second = start()
    wait_until(
        "all are counted",
        lambda: second.ok("GET", "/configurations/c")["systemMetrics"]["results"].get("appliedCount") == count,
    )
    query = "SELECT properties.desired.$version AS v, COUNT() AS n FROM devices GROUP BY properties.desired.$version"
    written = second.ok("POST", "/devices/query", {"query": query})
    assert written == [{"v": 2, "n": count}], "each twin was written once, before the kill or after it"
