"""What tests read of what devices did, and wait for: a device over MQTT and one over HTTPS, on a real hub."""

import http.client
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from azext_iotjobs.localhub.testing import LocalHub, LocalHubRefused, LocalHubTimeout
from tests.helpers.hub_process import HubProcess
from tests.helpers.mqtt_device import MqttDevice
from tests.helpers.restart_actors import key_of
from tests.helpers.waiting import wait_until

SECRET = "c2VjcmV0c2VjcmV0"
BAD_TOKEN = f"SharedAccessSignature sr=localhost%2Fdevices%2Fd&sig={SECRET}&se=4102444800"
REPORT = "$iothub/twin/PATCH/properties/reported/?$rid=1"


@contextmanager
def online(process: HubProcess, device: str) -> Iterator[MqttDevice]:
    """A registered device that answers all methods."""
    process.new_device(device)
    client = MqttDevice(process, device, key_of(process, device))
    assert client.connect() == 0
    client.answer_methods(lambda name, payload: (201, {"did": name, "by": payload}))
    try:
        yield client
    finally:
        client.close()


def later(act: Callable[..., Any], *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=act, args=arguments)
    thread.start()
    return thread


def send_over_https(hub: LocalHub, device: str, token: str) -> int:
    """Send telemetry with a query that nobody asks for; gives the status."""
    context = ssl.create_default_context(cafile=hub.ca_certificate_path)
    connection = http.client.HTTPSConnection(hub.device_host_name, hub.https_port, context=context)
    try:
        path = f"/devices/{quote(device)}/messages/events?api-version=2021-04-12&sig={SECRET}"
        connection.request("POST", path, b"{}", {"Authorization": token})
        return connection.getresponse().status
    finally:
        connection.close()


def test_calls_are_read_with_what_became_of_them(hub: HubProcess, fresh: Callable[[str], str]) -> None:
    device, local = fresh("observed"), hub.local
    with online(hub, device):
        local.call(device, "open", {"percent": 100})
        with local.fault("status", operation="method", status=503, device=device), pytest.raises(LocalHubRefused):
            local.call(device, "shut")
    with pytest.raises(LocalHubRefused, match="DeviceNotOnline"):
        local.call(device, "open", connect_timeout_s=0)
    opened, shut, late = local.calls(device)
    assert (opened.method, opened.payload, opened.status, opened.response, opened.job_id) == (
        *("open", {"percent": 100}, 201),
        *({"did": "open", "by": {"percent": 100}}, None),
    )
    assert (shut.method, shut.state, shut.error_code) == ("shut", "failed", "ServiceUnavailable")
    assert (late.state, late.error_code) == ("failed", "DeviceNotOnline")
    assert local.calls(device, after=shut.number) == [late]
    assert local.wait_for_call(device, "shut") == shut
    assert local.wait_for_call(device, match={"percent": 100}) == opened
    with pytest.raises(LocalHubTimeout, match="No call of 'open' of .* within 0.01 s. It was called:") as error:
        local.wait_for_call(device, "open", {"percent": 1}, 0.01)
    assert 'open({"percent": 100}) -> 201 {"did": "open"' in str(error.value)
    assert "shut(null) -> failed: ServiceUnavailable" in str(error.value)


def test_a_call_by_a_job_is_waited_for(hub: HubProcess, fresh: Callable[[str], str]) -> None:
    device, local = fresh("observed"), hub.local
    with online(hub, device):
        job = {
            "jobId": f"job-of-{device}",
            "type": "scheduleDeviceMethod",
            "cloudToDeviceMethod": {"methodName": "open", "payload": None, "responseTimeoutInSeconds": 30},
            "queryCondition": f"deviceId = '{device}'",
            "maxExecutionTimeInSeconds": 60,
        }
        thread = later(hub.ok, "PUT", f"/jobs/v2/job-of-{device}", job)
        call = local.wait_for_call(device, "open")
        thread.join()
    assert (call.job_id, call.status) == (f"job-of-{device}", 201)


def test_what_came_and_went_again_while_a_test_waited_is_seen(hub: HubProcess, fresh: Callable[[str], str]) -> None:
    device, local = fresh("observed"), hub.local
    hub.new_device(device)

    def come_report_and_go() -> None:
        client = MqttDevice(hub, device, key_of(hub, device))
        assert client.connect() == 0
        for state in ("opening", "open", "shut"):
            client.publish(REPORT, {"valve": state}, qos=1).wait_for_publish(20)
        client.close()

    found: list[dict[str, Any]] = []
    waits = [
        later(lambda: found.append(local.wait_connected(device))),
        later(lambda: found.append(local.wait_reported(device, {"valve": "open"}))),
    ]
    # Each has looked at the twin twice before it follows the log from where that was before the second time.
    wait_until("both wait", lambda: sum(each["path"] == f"/twins/{device}" for each in local.requests(device)) == 4)
    come_report_and_go()
    for each in waits:
        each.join()
    assert {"valve", "$version", "$metadata"} in [set(each) for each in found] and len(found) == 2
    assert [each.patch["valve"] for each in local.reported_changes(device)] == ["opening", "open", "shut"]
    assert local.twin(device)["properties"]["reported"]["valve"] == "shut"
    changes = local.connections(device)
    assert [each.change for each in changes] == ["connected", "ended"]
    assert local.wait_for_connection(device, "ended").reason == "it sent DISCONNECT"
    with pytest.raises(LocalHubTimeout, match="Its changes:") as error:
        local.wait_reported(device, {"valve": "broken"}, 0.01)
    assert f'{device} reported {{"valve": "opening"}}' in str(error.value)


def test_a_device_that_is_not_let_in_is_noted_with_the_reason_and_no_secret(
    hub: HubProcess, fresh: Callable[[str], str]
) -> None:
    device, local = fresh("observed"), hub.local
    hub.new_device(device)
    client = MqttDevice(hub, device, "", password=BAD_TOKEN)
    assert client.connect() == 5
    client.close()
    assert send_over_https(local, device, BAD_TOKEN) == 401
    over_mqtt, over_https = local.connections(device)
    assert (over_mqtt.change, over_mqtt.protocol, over_mqtt.client) == ("refused", "MQTT", device)
    assert over_mqtt.reason is not None and over_mqtt.reason.startswith("it was not let in: ")
    assert (over_https.change, over_https.protocol, over_https.client) == ("refused", "HTTPS", None)
    assert local.wait_for_connection(device, "refused", after=over_mqtt.number) == over_https
    with pytest.raises(LocalHubTimeout, match=f"Its connections:\n  .* {device} refused over MQTT: it was not let in"):
        local.wait_connected(device, 0.01)
    with pytest.raises(LocalHubTimeout, match=f"No connection of '{device}' was connected within 0.01 s. Its connect"):
        local.wait_for_connection(device, "connected", 0.01)
    path = f"/devices/{device}/messages/events"
    [request] = [each for each in local.requests(device) if each["path"] == path]
    assert (request["status"], request["errorCode"], "caller" in request) == (401, "IotHubUnauthorizedAccess", False)
    assert SECRET not in json.dumps([local.requests(), list(map(str, local.connections())), local.errors])


def test_who_asks_for_what_is_in_the_log_of_requests(hub: HubProcess, fresh: Callable[[str], str]) -> None:
    device, local = fresh("observed"), hub.local
    local.create_device(device)
    token = local.device_token(device)
    assert send_over_https(local, device, token) == 204
    created, _key, sent = local.requests(device)
    assert (created["verb"], created["path"], created["caller"]) == ("PUT", f"/devices/{device}", "iothubowner")
    assert (sent["caller"], sent["status"]) == (f"device {device}", 204)
    assert not any(each["path"].startswith("/_local/") for each in local.requests())


def test_a_module_connects_with_a_token_by_its_own_key(hub: HubProcess, fresh: Callable[[str], str]) -> None:
    device, local = fresh("with-module"), hub.local
    local.create_device(device)
    local.request("PUT", f"/devices/{device}/modules/motor", {"deviceId": device, "moduleId": "motor"})
    user = f"{local.device_host_name}/{device}/motor/?api-version=2021-04-12"
    for token, code in ((local.device_token(device, "motor"), 0), (local.device_token(device), 5)):
        client = MqttDevice(hub, device, "", client_id=f"{device}/motor", username=user, password=token)
        assert client.connect() == code
        client.close()
    assert local.wait_for_connection(device, "connected", module_id="motor").module_id == "motor"


def test_telemetry_of_one_module_is_waited_for_beside_that_of_its_device(
    hub: HubProcess, fresh: Callable[[str], str]
) -> None:
    device, local = fresh("with-module"), hub.local
    local.create_device(device)
    local.request("PUT", f"/devices/{device}/modules/motor", {"deviceId": device, "moduleId": "motor"})
    local.request("POST", f"/devices/{device}/messages/events", {"t": 1})
    with pytest.raises(LocalHubTimeout, match=f"(?s)No telemetry of '{device}/motor' matched .*from {device}: "):
        local.wait_for_telemetry(device, {"t": 1}, 0.01, module_id="motor")
    user = f"{local.device_host_name}/{device}/motor/?api-version=2021-04-12"
    client = MqttDevice(
        hub, device, "", client_id=f"{device}/motor", username=user, password=local.device_token(device, "motor")
    )
    assert client.connect() == 0
    client.publish(f"devices/{device}/modules/motor/messages/events/", {"t": 1}, qos=1).wait_for_publish(20)
    assert local.wait_for_telemetry(device, {"t": 1}, module_id="motor").module_id == "motor"
    assert local.wait_for_telemetry(device, {"t": 1}).module_id is None, "the first of both"
    client.close()


def test_a_reset_removes_the_logs_and_numbers_go_on(tmp_path: Path) -> None:
    with HubProcess(tmp_path, "--in-memory") as process:
        hub = process.local
        with online(process, "pump-1") as client:
            hub.call("pump-1", "open")
            client.publish(REPORT, {"a": 1}, qos=1).wait_for_publish(20)
            numbers = [hub.request("GET", f"/_local/{name}")["last"] for name in ("connections", "calls", "reported")]
            assert all(numbers)
            hub.reset()
            assert [hub.connections(), hub.calls(), hub.reported_changes(), hub.requests()] == [[], [], [], []]
        with online(process, "pump-1"):
            assert hub.wait_for_connection("pump-1", "connected").number > numbers[0]
        process.local.stop()
        process.local.start()
        with pytest.raises(LocalHubRefused, match="is more than 0, the number of the newest entry"):
            hub.connections(after=numbers[0])
