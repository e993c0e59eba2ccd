"""Modules: identities on a device, with twins, methods, connections and jobs of their own; and edge devices."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.helpers.any_hub import AnyHub
from tests.helpers.hub_process import HubProcess, sas
from tests.helpers.mqtt_device import MqttDevice, wait_for_connection_state

ANY = {"If-Match": "*"}
Connect = Callable[[str, str], MqttDevice]


def new_module(hub: AnyHub, device: str, module: str = "motor", **members: Any) -> dict[str, Any]:
    return dict(hub.ok("PUT", f"/devices/{device}/modules/{module}", {"moduleId": module, **members}))


@pytest.fixture
def connect_module(hub: AnyHub) -> Iterator[Connect]:
    """Connects a module; it is disconnected at the test's end."""
    made: list[MqttDevice] = []

    def connect_module(device: str, module: str) -> MqttDevice:
        keys = hub.ok("GET", f"/devices/{device}/modules/{module}")["authentication"]["symmetricKey"]
        made.append(
            MqttDevice(
                hub,
                device,
                keys["primaryKey"],
                client_id=f"{device}/{module}",
                username=f"{hub.host}/{device}/{module}/?api-version=2021-04-12",
                password=sas(keys["primaryKey"], f"{hub.host}/devices/{device}/modules/{module}"),
            )
        )
        assert made[-1].connect() == 0
        return made[-1]

    yield connect_module
    for each in made:
        each.close()


def test_a_module_has_keys_and_a_twin_but_no_status(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    made = new_module(hub, name, managedBy="someone")
    assert (made["deviceId"], made["moduleId"], made["managedBy"]) == (name, "motor", "someone")
    assert made["authentication"]["type"] == "sas" and made["authentication"]["symmetricKey"]["primaryKey"]
    assert {"status", "capabilities", "deviceScope"}.isdisjoint(made)
    assert hub.ok("GET", f"/devices/{name}/modules") == [made]
    assert hub.ok("GET", f"/devices/{name}/modules/motor") == made
    twin = hub.ok("GET", f"/twins/{name}/modules/motor")
    assert (twin["moduleId"], twin["version"], twin["etag"]) == ("motor", 2, "AAAAAAAAAAE=")


def test_creating_a_module_twice_is_refused_in_a_shape_of_its_own(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    made = new_module(hub, name)
    answer = hub.request("PUT", f"/devices/{name}/modules/motor", {})
    assert (answer.status_code, answer.headers["iothub-errorcode"]) == (409, "ModuleAlreadyExistsOnDevice")
    assert answer.json()["errorCode"] == 409301
    assert hub.ok("GET", f"/devices/{name}/modules/motor") == made


def test_a_module_is_changed_and_deleted_with_its_etag_only(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    made = new_module(hub, name)
    path = f"/devices/{name}/modules/motor"
    assert hub.refused("PUT", path, made, headers={"If-Match": '"stale"'}) == (412, "PreconditionFailed")
    assert hub.refused("DELETE", path) == (412, "PreconditionFailed")
    changed = hub.ok("PUT", path, {**made, "managedBy": "me"}, headers={"If-Match": f'"{made["etag"]}"'})
    assert (changed["managedBy"], changed["authentication"]) == ("me", made["authentication"])
    assert changed["etag"] != made["etag"]
    assert hub.request("DELETE", path, headers=ANY).status_code == 204
    assert hub.refused("GET", path) == (404, "ModuleNotFound")
    assert hub.refused("GET", f"/twins/{name}/modules/motor") == (404, "DeviceNotFound")
    assert hub.refused("PUT", path, {}, headers=ANY) == (404, "ModuleNotFound")


def test_modules_of_a_device_that_is_missing_or_disabled_are_refused(hub: AnyHub, name: str) -> None:
    unauthorized = (401, "IotHubUnauthorizedAccess")
    assert hub.refused("PUT", f"/devices/{name}/modules/motor", {}) == unauthorized
    assert hub.refused("GET", f"/devices/{name}/modules") == unauthorized
    device = hub.new_device(name)
    new_module(hub, name)
    hub.ok("PUT", f"/devices/{name}", {**device, "status": "disabled"}, headers=ANY)
    assert hub.refused("GET", f"/devices/{name}/modules/motor") == unauthorized


@pytest.mark.parametrize("module", ["$edgeAgent", "$mine", "a b", "é", "m" * 129])
def test_an_id_that_is_no_module_s_is_refused(hub: AnyHub, name: str, module: str) -> None:
    hub.new_device(name)
    assert hub.refused("PUT", f"/devices/{name}/modules/{module}", {}) == (400, "ArgumentInvalid")
    assert hub.ok("GET", f"/devices/{name}/modules") == []


def test_a_module_without_a_way_to_sign_in_gets_keys(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    made = new_module(hub, name, authentication={"type": "none"})
    assert made["authentication"]["type"] == "sas" and made["authentication"]["symmetricKey"]["primaryKey"]


def test_a_deleted_device_takes_its_modules_along(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    new_module(hub, name)
    hub.request("DELETE", f"/devices/{name}", headers=ANY)
    hub.new_device(name)
    assert hub.ok("GET", f"/devices/{name}/modules") == []


def test_a_module_connects_beside_its_device_and_has_a_twin_and_methods(
    hub: AnyHub, name: str, connect: Callable[..., MqttDevice], connect_module: Connect
) -> None:
    device = connect(name)
    new_module(hub, name)
    module = connect_module(name, "motor")
    module.subscribe("$iothub/twin/res/#", "$iothub/twin/PATCH/properties/desired/#")
    hub.ok("PATCH", f"/twins/{name}/modules/motor", {"properties": {"desired": {"speed": 3}}})
    assert module.next() == ("$iothub/twin/PATCH/properties/desired/?$version=2", {"speed": 3, "$version": 2})
    module.publish("$iothub/twin/PATCH/properties/reported/?$rid=1", {"speed": 2})
    assert module.next()[0] == "$iothub/twin/res/204/?$rid=1&$version=2"
    module.answer_methods(lambda method, value: (202, [method, value]))
    device.answer_methods(lambda _method, _value: (500, None))
    call = {"methodName": "stop", "payload": 7, "responseTimeoutInSeconds": 10}
    answer = hub.ok("POST", f"/twins/{name}/modules/motor/methods", call)
    assert answer == {"status": 202, "payload": ["stop", 7]}
    assert hub.ok("GET", f"/twins/{name}/modules/motor")["properties"]["reported"]["speed"] == 2
    assert "speed" not in hub.ok("GET", f"/twins/{name}")["properties"]["desired"]
    assert hub.ok("GET", f"/devices/{name}/modules/motor")["connectionState"] == "Connected"


@pytest.mark.local_hub("reads what devices sent, which other hubs give over AMQP alone")
def test_a_module_s_telemetry_says_which_module(hub: HubProcess, name: str, connect_module: Connect) -> None:
    hub.new_device(name)
    new_module(hub, name)
    module = connect_module(name, "motor")
    module.publish(f"devices/{name}/modules/motor/messages/events/$.on=out1", {}, qos=1).wait_for_publish(10)
    (event,) = hub.events_of(name)
    assert (event["moduleId"], event["systemProperties"]) == ("motor", {"outputName": "out1"})


def test_a_key_of_the_device_lets_no_module_in(hub: AnyHub, name: str) -> None:
    key = hub.new_device(name)["authentication"]["symmetricKey"]["primaryKey"]
    new_module(hub, name)
    for resource in (f"{hub.host}/devices/{name}", f"{hub.host}/devices/{name}/modules/motor"):
        module = MqttDevice(
            hub,
            name,
            key,
            client_id=f"{name}/motor",
            username=f"{hub.host}/{name}/motor/?api-version=2021-04-12",
            password=sas(key, resource),
        )
        assert module.connect() == 5
        module.close()


def test_a_disabled_device_s_modules_go_with_it(hub: AnyHub, name: str, connect_module: Connect) -> None:
    device = hub.new_device(name)
    new_module(hub, name)
    module = connect_module(name, "motor")
    hub.ok("PUT", f"/devices/{name}", {**device, "status": "disabled"}, headers=ANY)
    module.wait_for_loss()


def test_a_method_on_a_module_that_is_not_there(hub: AnyHub, name: str) -> None:
    call = {"methodName": "stop", "responseTimeoutInSeconds": 5}
    assert hub.refused("POST", f"/twins/{name}/modules/motor/methods", call) == (404, "DeviceNotFound")
    hub.new_device(name)
    assert hub.refused("POST", f"/twins/{name}/modules/motor/methods", call) == (404, "ModuleNotFound")
    new_module(hub, name)
    assert hub.refused("POST", f"/twins/{name}/modules/motor/methods", call) == (404, "DeviceNotOnline")


def test_jobs_aim_at_modules(hub: AnyHub, name: str, connect_module: Connect) -> None:
    devices = [f"{name}-a", f"{name}-b"]
    for device in devices:
        hub.new_device(device)
        new_module(hub, device, f"{name}-m")
    connect_module(devices[0], f"{name}-m").answer_methods(lambda _method, _value: (200, "done"))
    condition = f"FROM devices.modules WHERE moduleId = '{name}-m'"
    twin = {"etag": "*", "properties": {"desired": {"fw": 2}}}
    job = {"type": "scheduleUpdateTwin", "queryCondition": condition, "updateTwin": twin}
    hub.ok("PUT", f"/jobs/v2/{name}-t", job)
    assert hub.wait_for_job(f"{name}-t")["deviceJobStatistics"]["succeededCount"] == 2
    assert hub.ok("GET", f"/twins/{devices[1]}/modules/{name}-m")["properties"]["desired"]["fw"] == 2
    method = {"methodName": "stop", "responseTimeoutInSeconds": 5, "connectTimeoutInSeconds": 0}
    job = {"type": "scheduleDeviceMethod", "queryCondition": condition, "cloudToDeviceMethod": method}
    hub.ok("PUT", f"/jobs/v2/{name}-c", {**job, "maxExecutionTimeInSeconds": 1})
    counts = hub.wait_for_job(f"{name}-c")["deviceJobStatistics"]
    assert (counts["succeededCount"], counts["failedCount"]) == (1, 1)
    rows = hub.ok("POST", "/devices/query", {"query": f"SELECT * FROM devices.jobs WHERE jobId = '{name}-c'"})
    assert {(row["deviceId"], row["moduleId"], row["status"]) for row in rows} == {
        (devices[0], f"{name}-m", "completed"),
        (devices[1], f"{name}-m", "failed"),
    }


def test_an_edge_device_is_born_with_two_modules(hub: AnyHub, name: str) -> None:
    edge = hub.new_device(name, capabilities={"iotEdge": True})
    modules = hub.ok("GET", f"/devices/{name}/modules")
    assert [(each["moduleId"], each["managedBy"], each["authentication"]["type"]) for each in modules] == [
        ("$edgeAgent", "iotEdge", "none"),
        ("$edgeHub", "iotEdge", "none"),
    ]
    assert hub.ok("GET", f"/twins/{name}/modules/$edgeAgent")["moduleId"] == "$edgeAgent"
    leaf = hub.ok("PUT", f"/devices/{name}", {**edge, "capabilities": {"iotEdge": False}}, headers=ANY)
    assert "deviceScope" not in leaf and hub.ok("GET", f"/devices/{name}/modules") == []


def test_children_are_set_and_unset_as_the_reference_does(hub: AnyHub, name: str) -> None:
    parent = hub.new_device(f"{name}-p", capabilities={"iotEdge": True})["deviceScope"]
    leaf = hub.new_device(f"{name}-l")
    set_ = hub.ok("PUT", f"/devices/{name}-l", {**leaf, "deviceScope": parent}, headers=ANY)
    assert (set_["deviceScope"], set_["parentScopes"]) == (parent, [parent])
    unset = hub.ok("PUT", f"/devices/{name}-l", {**set_, "deviceScope": ""}, headers=ANY)
    assert "deviceScope" not in unset and "parentScopes" not in unset
    child = hub.new_device(f"{name}-c", capabilities={"iotEdge": True}, parentScopes=[parent])
    assert child["parentScopes"] == [parent] and child["deviceScope"] != parent


@pytest.mark.parametrize("scope", ["ms-azure-iot-edge://nobody-1", "anything"])
def test_a_scope_of_no_edge_device_is_refused(hub: AnyHub, name: str, scope: str) -> None:
    document = {"deviceId": name, "deviceScope": scope}
    assert hub.refused("PUT", f"/devices/{name}", document) == (400, "InvalidDeviceScope")
    assert hub.refused("GET", f"/devices/{name}")[0] == 404


def test_an_edge_device_is_not_its_own_parent(hub: AnyHub, name: str) -> None:
    edge = hub.new_device(name, capabilities={"iotEdge": True})
    assert re.match("ms-azure-iot-edge://", edge["deviceScope"])
    own = {**edge, "parentScopes": [edge["deviceScope"]]}
    assert hub.refused("PUT", f"/devices/{name}", own, headers=ANY) == (400, "InvalidDeviceScope")


@pytest.mark.local_hub("counts all devices of the hub")
def test_connected_devices_are_counted_without_modules(
    hub: HubProcess, name: str, connect: Callable[..., MqttDevice], connect_module: Connect
) -> None:
    before = hub.ok("GET", "/statistics/service")["connectedDeviceCount"]
    connect(name)
    new_module(hub, name)
    connect_module(name, "motor")
    wait_for_connection_state(hub, name, "Connected")
    assert hub.ok("GET", "/statistics/service")["connectedDeviceCount"] == before + 1


def test_the_modules_of_an_edge_device_are_set_in_one_request(hub: AnyHub, name: str) -> None:
    hub.new_device(name, capabilities={"iotEdge": True})
    routes: dict[str, Any] = {"routes": {"up": "FROM /* INTO $upstream"}, "timeToLive": 7200}
    content = {
        "$edgeAgent": {"properties.desired": {"modules": {"sensor": {"type": "docker"}}}},
        "$edgeHub": {"properties.desired": routes},
        "sensor": {"properties.desired": {"interval": 5}},
    }
    hub.ok("POST", f"/devices/{name}/applyConfigurationContent", {"modulesContent": content})
    module = hub.ok("GET", f"/devices/{name}/modules/sensor")
    assert (module["managedBy"], module["authentication"]["type"]) == ("iotEdge", "sas")
    more = {"$edgeHub": {"properties.desired.routes.down": "x"}, "sensor": {"properties.desired": {"interval": 6}}}
    hub.ok("POST", f"/devices/{name}/applyConfigurationContent", {"modulesContent": more})
    desired = hub.ok("GET", f"/twins/{name}/modules/$edgeHub")["properties"]["desired"]
    assert desired["routes"] == {**routes["routes"], "down": "x"} and desired["timeToLive"] == 7200
    assert hub.ok("GET", f"/twins/{name}/modules/sensor")["properties"]["desired"]["interval"] == 6


@pytest.mark.parametrize(
    "content", [{}, {"a b": {}}, {"$mine": {}}, {"ok": {"properties.reported": {}}}, {"ok": {"properties.desired": 5}}]
)
def test_module_content_that_does_not_fit_is_refused_whole(hub: AnyHub, name: str, content: dict[str, Any]) -> None:
    hub.new_device(name, capabilities={"iotEdge": True})
    body = {"modulesContent": {"first": {"properties.desired": {"a": 1}}, **content} if content else {}}
    path = f"/devices/{name}/applyConfigurationContent"
    assert hub.refused("POST", path, body) == (400, "ArgumentInvalid")
    assert len(hub.ok("GET", f"/devices/{name}/modules")) == 2


def test_the_twin_of_an_edge_device_is_set_by_device_content(hub: AnyHub, name: str) -> None:
    hub.new_device(name, capabilities={"iotEdge": True})
    path = f"/devices/{name}/applyConfigurationContent"
    hub.ok("PATCH", f"/twins/{name}", {"properties": {"desired": {"kept": 1}}})
    hub.ok("POST", path, {"deviceContent": {"properties.desired": {"fan": 3}, "properties.desired.a.b": 4}})
    desired = hub.ok("GET", f"/twins/{name}")["properties"]["desired"]
    assert (desired["kept"], desired["fan"], desired["a"]["b"]) == (1, 3, 4)
    assert hub.refused("POST", path, {"deviceContent": {"tags.a": 1}}) == (400, "ArgumentInvalid")
    one = {"moduleContent": {"properties.desired": {"a": 1}}}
    assert hub.refused("POST", path, one) == (400, "ArgumentInvalid")
    assert len(hub.ok("GET", f"/devices/{name}/modules")) == 2


def test_only_edge_devices_take_module_content(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    body = {"modulesContent": {"m": {"properties.desired": {"a": 1}}}}
    assert hub.refused("POST", f"/devices/{name}/applyConfigurationContent", body) == (400, "ArgumentInvalid")
