"""Microsoft's service SDK for Node.js, azure-iothub: configurations, edge deployments and digital twins."""

from typing import Any

import pytest

from azext_iotjobs.localhub.testing.process import LocalHub
from tests.conformance.conftest import Open
from tests.conformance.test_node_service import refused
from tests.helpers.driven import Driven
from tests.helpers.official_sdks import needs_https_port, needs_mqtt_port, needs_node
from tests.helpers.waiting import wait_until

pytestmark = [needs_node, needs_https_port, needs_mqtt_port]

WATER = {"properties.desired.chiller-water": {"temperature": 66, "pressure": 28}}


def configuration(name: str, **members: Any) -> dict[str, Any]:
    return {
        "id": name,
        "schemaVersion": "1.0",
        "labels": {"App": "Mongo"},
        "content": {"deviceContent": WATER},
        "targetCondition": f"deviceId = '{name}'",
        "priority": 20,
        "metrics": {"queries": {"pending": f"SELECT deviceId FROM devices WHERE deviceId = '{name}'"}},
        **members,
    }


def test_a_configuration_is_added_read_updated_listed_and_removed(service: Driven, name: str) -> None:
    sent = configuration(name)
    added = service.do("registry", "addConfiguration", sent)
    assert {member: added[member] for member in sent if member != "metrics"} == {
        member: value for member, value in sent.items() if member != "metrics"
    }
    assert (added["etag"], added["metrics"]["queries"]) == ("MQ==", sent["metrics"]["queries"])
    assert name in [each["id"] for each in service.do("registry", "getConfigurations")]
    read = service.do("registry", "getConfiguration", name)
    changed = service.do("registry", "updateConfiguration", {**read, "priority": 4, "labels": {"a": "b"}})
    assert (changed["priority"], changed["labels"], changed["etag"]) == (4, {"a": "b"}, "Mg==")
    stale = ("registry", "updateConfiguration", {**read, "priority": 5})
    assert refused(service, *stale) == "InvalidEtagError"
    forced = service.do("registry", "updateConfiguration", {**read, "priority": 5}, True)
    assert (forced["priority"], service.do("registry", "getConfiguration", name)["priority"]) == (5, 5)
    service.do("registry", "removeConfiguration", name)
    assert refused(service, "registry", "getConfiguration", name) == "Error"  # the SDK has no name for it
    assert name not in [each["id"] for each in service.do("registry", "getConfigurations")]


def test_a_configuration_without_more_than_content_has_defaults(service: Driven, name: str) -> None:
    added = service.do("registry", "addConfiguration", {"id": name, "content": {"deviceContent": WATER}})
    assert (added["schemaVersion"], added["targetCondition"], added["priority"]) == ("1.0", "", 0)
    service.do("registry", "removeConfiguration", name)


def test_errors_of_configurations_have_the_names_that_are_caught(service: Driven, name: str) -> None:
    service.do("registry", "addConfiguration", configuration(name))
    again = refused(service, "registry", "addConfiguration", configuration(name))
    assert again == "DeviceAlreadyExistsError"  # the SDK's only name for a conflict
    for members in ({"content": {"deviceContent": {"tags.a": 1}}}, {"targetCondition": "tags.a ="}):
        bad = configuration(f"{name}-bad", **members)
        assert refused(service, "registry", "addConfiguration", bad) == "ArgumentError"
    service.do("registry", "removeConfiguration", name)


def test_a_device_has_what_its_configuration_says(service: Driven, name: str) -> None:
    service.do("registry", "create", {"deviceId": name})
    service.do("registry", "addConfiguration", configuration(name))

    def results() -> tuple[Any, Any]:
        found = service.do("registry", "getConfiguration", name)
        return found["systemMetrics"]["results"], found["metrics"]["results"]

    wait_until("it is applied", lambda: results() == ({"targetedCount": 1, "appliedCount": 1}, {"pending": 1}))
    twin = service.do("registry", "getTwin", name)
    assert twin["properties"]["desired"]["chiller-water"] == {"temperature": 66, "pressure": 28}
    applied = f"SELECT deviceId FROM devices WHERE configurations.[[{name}]].status='Applied'"
    assert service.do("rawQuery", applied, 10) == [[{"deviceId": name}]]
    service.do("registry", "removeConfiguration", name)


@pytest.mark.parametrize("kind", ["modulesContent", "moduleContent"])
def test_content_is_applied_to_an_edge_device(service: Driven, name: str, kind: str) -> None:
    service.do("registry", "create", {"deviceId": name, "capabilities": {"iotEdge": True}})
    content = {
        "$edgeAgent": {"properties.desired": {"schemaVersion": "1.0", "modules": {}}},
        "sensor": {"properties.desired": {"interval": 5}},
    }
    service.do("registry", "applyConfigurationContentOnDevice", name, {kind: content})
    modules = [each["moduleId"] for each in service.do("registry", "getModulesOnDevice", name)]
    assert sorted(modules) == ["$edgeAgent", "$edgeHub", "sensor"]
    twin = service.do("registry", "getModuleTwin", name, "sensor")
    assert twin["properties"]["desired"]["interval"] == 5
    leaf = f"{name}-leaf"
    service.do("registry", "create", {"deviceId": leaf})
    applied = refused(service, "registry", "applyConfigurationContentOnDevice", leaf, {kind: content})
    assert applied == "ArgumentError"


# --- digital twins


def test_a_digital_twin_is_read_and_changed_with_its_etag(service: Driven, name: str, hub: LocalHub) -> None:
    hub.create_device(name)
    read = service.do("digitalTwin", "getDigitalTwin", name)
    assert (read["status"], read["result"]) == (200, {"$dtId": name, "$metadata": {"$model": ""}})
    patch = [{"op": "add", "path": "/target", "value": 21.5}]
    changed = service.do("digitalTwin", "updateDigitalTwin", name, patch, read["etag"])
    assert changed["status"] == 202 and changed["etag"] != read["etag"]
    assert service.do("registry", "getTwin", name)["properties"]["desired"]["target"] == 21.5
    assert refused(service, "digitalTwin", "updateDigitalTwin", name, patch, read["etag"]) == "Error"
    assert refused(service, "digitalTwin", "getDigitalTwin", f"{name}-gone") == "Error"


def test_commands_reach_a_device_and_its_answer_comes_back(service: Driven, name: str, open_node: Open) -> None:
    open_node(name).do("listen")
    answer = service.do("command", "invokeCommand", name, "reboot", {"delay": 3})
    assert (answer["status"], answer["result"]["xMsCommandStatuscode"]) == (200, 202)
    assert answer["result"]["body"] == {"echo": {"delay": 3}}
    component = service.do("command", "invokeComponentCommand", name, "thermostat", "reboot", 5)
    assert (component["result"]["xMsCommandStatuscode"], component["result"]["body"]) == (202, {"echo": 5})
