"""The three names of a hub on a newer gateway, on the wire: tokens, TLS, HTTPS and MQTT under each of them."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.helpers.hub_process import HubProcess, sas
from tests.helpers.mqtt_device import MqttDevice

pytestmark = pytest.mark.local_hub("uses the names below localhost")

CLASSIC, DEVICE, SERVICE = "local-hub.localhost", "local-hub.device.localhost", "local-hub.service.localhost"


def key_of(hub: HubProcess, device: str) -> str:
    return str(hub.new_device(device)["authentication"]["symmetricKey"]["primaryKey"])


@pytest.mark.parametrize("host", ["localhost", CLASSIC, DEVICE, SERVICE, "other.service.localhost"])
def test_a_token_may_be_for_any_of_the_names(hub: HubProcess, name: str, host: str) -> None:
    key = key_of(hub, name)
    for audience in (host, f"{host}:{hub.ports[0]}"):
        hub.ok("GET", f"/devices/{name}", token=sas(hub.key(), audience, policy="iothubowner"))
        token = sas(key, f"{audience}/devices/{name}")
        hub.ok("POST", f"/devices/{name}/messages/events", token=token, body=b"x")


def at(host: str, hub: HubProcess) -> dict[str, Any]:
    return {"headers": {"Host": f"{host}:{hub.ports[0]}"}}


def test_services_are_refused_at_the_device_name_and_devices_at_the_service_name(hub: HubProcess, name: str) -> None:
    own = sas(key_of(hub, name), f"localhost/devices/{name}")
    events = f"/devices/{name}/messages/events"
    refused = (401, "IotHubUnauthorizedAccess")
    for host in ("localhost", CLASSIC, SERVICE):
        hub.ok("GET", f"/devices/{name}", **at(host, hub))
    for path in (f"/devices/{name}", f"/twins/{name}", "/jobs/v2"):
        assert hub.refused("GET", path, **at(DEVICE, hub)) == refused
    for host in ("localhost", CLASSIC, DEVICE):
        hub.ok("POST", events, token=own, body=b"x", **at(host, hub))
    assert hub.refused("POST", events, token=own, body=b"x", **at(SERVICE, hub)) == refused
    assert len(hub.events_of(name)) == 3, "what was refused was not taken"
    assert SERVICE in hub.request("GET", f"/devices/{name}", **at(DEVICE, hub)).text, "the right name is said"


def test_a_client_without_a_valid_token_gets_401_for_every_name(hub: HubProcess) -> None:
    answer = hub.request("GET", "/devices/x", token="", **at(DEVICE, hub))
    assert answer.headers["iothub-errorcode"] == "IotHubUnauthorized" and SERVICE not in answer.text


def test_the_hubs_own_routes_answer_under_every_name(hub: HubProcess) -> None:
    for host in (CLASSIC, DEVICE, SERVICE):
        assert hub.request("GET", "/_local/state", **at(host, hub)).ok


@pytest.mark.parametrize("websocket", [False, True])
@pytest.mark.parametrize(("host", "code"), [(CLASSIC, 0), (DEVICE, 0), (SERVICE, 5), ("h.azure-devices.net", 5)])
def test_a_device_connects_under_the_classic_and_the_device_name(
    hub: HubProcess, name: str, host: str, code: int, websocket: bool
) -> None:
    device = MqttDevice(hub, name, key_of(hub, name), username=f"{host}/{name}/", websocket=websocket)
    try:
        assert device.connect() == code
    finally:
        device.close()


def test_a_device_that_goes_by_the_device_name_alone_is_called(
    hub: HubProcess, name: str, connect: Callable[..., MqttDevice]
) -> None:
    device = connect(name, host=DEVICE)
    device.answer_methods(lambda method, payload: (200, {"was": method}))
    answer = hub.ok("POST", f"/twins/{name}/methods", {"methodName": "ping", "responseTimeoutInSeconds": 10})
    assert answer == {"status": 200, "payload": {"was": "ping"}}
