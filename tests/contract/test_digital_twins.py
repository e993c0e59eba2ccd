"""Digital twins on the wire: read, changed by JSON Patch, and their commands."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.helpers.any_hub import AnyHub, sas
from tests.helpers.hub_process import HubProcess
from tests.helpers.mqtt_device import MqttDevice

Connect = Callable[..., MqttDevice]
MODEL = "dtmi:com:example:TemperatureController;1"
TWIN_TOPICS = ("$iothub/twin/res/#", "$iothub/twin/PATCH/properties/desired/#")


@pytest.fixture
def plug_and_play(hub: AnyHub, name: str, connect: Connect) -> MqttDevice:
    """A connected device that has announced a model."""
    key = hub.new_device(name)["authentication"]["symmetricKey"]["primaryKey"]
    user = f"{hub.host}/{name}/?api-version=2021-04-12&model-id={MODEL}"
    device = connect(name, username=user, password=sas(key, f"{hub.host}/devices/{name}"))
    device.subscribe(*TWIN_TOPICS)
    return device


def report(device: MqttDevice, properties: dict[str, Any]) -> None:
    device.publish("$iothub/twin/PATCH/properties/reported/?$rid=1", properties)
    assert device.next()[0].startswith("$iothub/twin/res/204/")


def patch(path: str, value: Any, op: str = "add") -> list[dict[str, Any]]:
    return [{"op": op, "path": path, "value": value}]


def test_a_device_that_has_announced_no_model_has_no_properties(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    response = hub.request("GET", f"/digitaltwins/{name}")
    assert response.json() == {"$dtId": name, "$metadata": {"$model": ""}}
    assert response.headers["ETag"] == f'"{hub.ok("GET", f"/twins/{name}")["etag"]}"'


def test_a_change_reaches_the_device_and_what_it_answers_is_shown(
    hub: AnyHub, name: str, plug_and_play: MqttDevice
) -> None:
    report(plug_and_play, {"serialNumber": "x", "thermostat": {"__t": "c", "highest": 25.5}})
    response = hub.request("PATCH", f"/digitaltwins/{name}", patch("/thermostat/target", 21.5))
    assert (response.status_code, response.content) == (202, b"")
    assert response.headers["Location"].endswith(f"/digitaltwins/{name}")
    assert response.headers["ETag"] == hub.request("GET", f"/digitaltwins/{name}").headers["ETag"]
    assert plug_and_play.next()[1] == {"thermostat": {"__t": "c", "target": 21.5}, "$version": 2}
    answer = {"value": 21.5, "ac": 200, "av": 2, "ad": "done"}
    report(plug_and_play, {"thermostat": {"__t": "c", "target": answer}})
    document = hub.ok("GET", f"/digitaltwins/{name}")
    assert (document["$dtId"], document["serialNumber"]) == (name, "x")
    assert document["$metadata"]["$model"] == MODEL
    thermostat = document["thermostat"]
    assert (thermostat["target"], thermostat["highest"]) == (21.5, 25.5)
    metadata = thermostat["$metadata"]["target"]
    assert metadata.pop("lastUpdateTime").endswith("Z")
    assert metadata == {
        "desiredValue": 21.5,
        "desiredVersion": 2,
        "ackVersion": 2,
        "ackCode": 200,
        "ackDescription": "done",
    }


def test_an_etag_guards_a_change(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    path = f"/digitaltwins/{name}"
    etag = hub.request("GET", path).headers["ETag"]
    assert hub.request("PATCH", path, patch("/target", 1), headers={"If-Match": etag}).status_code == 202
    stale = hub.refused("PATCH", path, patch("/target", 2), headers={"If-Match": etag})
    assert stale == (412, "PreconditionFailed")
    assert hub.request("PATCH", path, patch("/target", 3), headers={"If-Match": "*"}).status_code == 202
    assert hub.ok("GET", f"/twins/{name}")["properties"]["desired"]["target"] == 3


@pytest.mark.parametrize(
    ("operations", "code"),
    [
        ([], "InvalidDigitalTwinJsonPatch"),
        (patch("/a", 1, "test"), "InvalidDigitalTwinJsonPatch"),
        (patch("a", 1), "InvalidDigitalTwinPatchPath"),
        (patch("/a/b/c", 1), "InvalidDigitalTwinPatchPath"),
        ({"op": "add", "path": "/a", "value": 1}, "GenericBadRequest"),
    ],
)
def test_a_patch_that_digital_twins_do_not_take_changes_nothing(
    hub: AnyHub, name: str, operations: Any, code: str
) -> None:
    hub.new_device(name)
    etag = hub.request("GET", f"/digitaltwins/{name}").headers["ETag"]
    assert hub.refused("PATCH", f"/digitaltwins/{name}", operations) == (400, code)
    assert hub.request("GET", f"/digitaltwins/{name}").headers["ETag"] == etag


@pytest.mark.parametrize(("path", "method"), [("", "reboot"), ("/components/thermostat", "thermostat*reboot")])
def test_a_command_is_a_method_of_the_device(hub: AnyHub, name: str, connect: Connect, path: str, method: str) -> None:
    called: list[tuple[str, Any]] = []

    def answer(called_method: str, payload: Any) -> tuple[int, Any]:
        called.append((called_method, payload))
        return 207, {"done": [payload]}

    connect(name).answer_methods(answer)
    query = {"connectTimeoutInSeconds": "5", "responseTimeoutInSeconds": "20"}
    response = hub.request("POST", f"/digitaltwins/{name}{path}/commands/reboot", {"delay": 3}, query=query)
    assert (response.status_code, response.json()) == (200, {"done": [{"delay": 3}]})
    assert response.headers["x-ms-command-statuscode"] == "207"
    assert response.headers["x-ms-request-id"]
    assert called == [(method, {"delay": 3})]


@pytest.mark.parametrize("body", [b"", b"null", b"5", b'"text"', b"[]"])
def test_a_commands_payload_is_the_whole_body(hub: AnyHub, name: str, connect: Connect, body: bytes) -> None:
    connect(name).answer_methods(lambda _method, payload: (200, payload))
    response = hub.request("POST", f"/digitaltwins/{name}/commands/echo", body=body)
    assert (response.status_code, response.content) == (200, body or b"null")


def test_commands_of_devices_that_cannot_be_reached_are_refused_as_methods_are(hub: AnyHub, name: str) -> None:
    path = f"/digitaltwins/{name}/commands/reboot"
    assert hub.refused("POST", path, {}) == (404, "DeviceNotFound")
    assert hub.refused("GET", f"/digitaltwins/{name}") == (404, "DeviceNotFound")
    assert hub.refused("PATCH", f"/digitaltwins/{name}", patch("/a", 1)) == (404, "DeviceNotFound")
    hub.new_device(name)
    assert hub.refused("POST", path, {}) == (404, "DeviceNotOnline")
    late = {"responseTimeoutInSeconds": "1000"}
    assert hub.refused("POST", path, {}, query=late) == (400, "ArgumentInvalid")
    assert hub.refused("POST", path, body=b"{") == (400, "GenericBadRequest")


@pytest.mark.local_hub("uses policies that a real hub's tests have no keys of")
def test_digital_twins_need_the_right_of_services(hub: HubProcess, name: str) -> None:
    hub.new_device(name)
    assert hub.ok("GET", f"/digitaltwins/{name}", policy="service")["$dtId"] == name
    refused = (401, "IotHubUnauthorizedAccess")
    assert hub.refused("GET", f"/digitaltwins/{name}", policy="registryReadWrite") == refused
    assert hub.refused("POST", f"/digitaltwins/{name}/commands/x", {}, policy="registryReadWrite") == refused
