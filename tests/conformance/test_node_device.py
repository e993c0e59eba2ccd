"""Microsoft's device SDK for Node.js, azure-iot-device with azure-iot-device-mqtt, as users write devices with it."""

import pytest

from azext_iotjobs.localhub.testing.process import LocalHub
from tests.conformance.conftest import Open
from tests.helpers.driven import ClientError
from tests.helpers.hub_messages import events_of, send_message, wait_for_events, wait_for_feedback
from tests.helpers.official_sdks import ADDRESS, needs_mqtt_port, needs_node, node_program
from tests.helpers.waiting import wait_until

pytestmark = [needs_node, needs_mqtt_port]


def test_telemetry_arrives_with_properties_and_system_properties(hub: LocalHub, name: str, open_node: Open) -> None:
    device = open_node(name)
    system = {"messageId": "m 1", "correlationId": "c1", "contentType": "application/json", "contentEncoding": "utf-8"}
    device.do("send", '{"t": 21}', {"site": "north/süd & +co", "empty": ""}, system)
    (event,) = wait_for_events(hub, name)
    assert event["body"] == '{"t": 21}'
    assert event["properties"] == {"site": "north/süd & +co", "empty": ""}
    assert event["systemProperties"] == system


def test_many_messages_at_once_arrive_once_and_in_order(hub: LocalHub, name: str, open_node: Open) -> None:
    device = open_node(name)
    numbers = [device.start("send", str(number)) for number in range(100)]
    for number in numbers:
        device.answer(number)
    assert [event["body"] for event in events_of(hub, name)] == [str(number) for number in range(100)]


def test_the_twin_is_read_reported_and_followed(hub: LocalHub, name: str, open_node: Open) -> None:
    device = open_node(name)
    hub.request("PATCH", f"/twins/{name}", {"tags": {"hidden": 1}, "properties": {"desired": {"fan": {"speed": 1}}}})
    twin = device.do("twin")
    assert twin["desired"] == {"fan": {"speed": 1}, "$version": 2}
    device.do("report", {"fan": {"speed": 1}, "gone": None, "list": [1, 2]})
    reported = hub.request("GET", f"/twins/{name}")["properties"]["reported"]
    assert (reported["fan"], reported["list"], "gone" in reported) == ({"speed": 1}, [1, 2], False)
    device.do("listen")
    hub.request("PATCH", f"/twins/{name}", {"properties": {"desired": {"fan": {"speed": 2}}}})
    device.event("desired", lambda each: each["patch"].get("$version") == 3)
    wait_until(
        "the device reported it",
        lambda: hub.request("GET", f"/twins/{name}")["properties"]["reported"]["fan"] == {"speed": 2},
    )


def test_a_report_that_the_hub_refuses_is_an_error_and_the_device_goes_on(
    hub: LocalHub, name: str, open_node: Open
) -> None:
    device = open_node(name)
    device.do("twin")
    with pytest.raises(
        ClientError, match="reported has a character"
    ):  # the SDK looks for errorCode in the answer, not at its status
        device.do("report", {"a.b": 1})
    device.do("report", {"a": 1})
    assert hub.request("GET", f"/twins/{name}")["properties"]["reported"]["a"] == 1


@pytest.mark.parametrize("payload", [None, {}, [], "text", 0, {"deep": [{"ü": None}]}])
def test_a_method_is_answered(hub: LocalHub, name: str, open_node: Open, payload: object) -> None:
    device = open_node(name)
    device.do("listen")
    answer = hub.request("POST", f"/twins/{name}/methods", {"methodName": "reboot", "payload": payload})
    assert answer == {"status": 202, "payload": {"echo": payload}}


def test_a_cloud_to_device_message_arrives_whole_and_is_completed(hub: LocalHub, name: str, open_node: Open) -> None:
    device = open_node(name)
    device.do("listenForMessages")
    send_message(
        hub,
        name,
        "reboot, übermorgen",
        messageId=f"m-{name}",
        correlationId="c 1",
        contentType="text/plain",
        contentEncoding="utf-8",
        userId="u",
        properties={"a&b": "1 2/ü+", "empty": ""},
        ack="full",
    )
    message = device.event("message")
    assert (message["body"], message["completed"]) == ("reboot, übermorgen", True)
    # The SDK takes what a sender wants to hear for a property of the application's.
    assert message["properties"] == {"a&b": "1 2/ü+", "empty": "", "iothub-ack": "full"}
    assert message["system"] == {
        "messageId": f"m-{name}",
        "correlationId": "c 1",
        "userId": "u",
        "contentType": "text/plain",
        "contentEncoding": "utf-8",
    }
    assert wait_for_feedback(hub, f"m-{name}") == "Success"


def test_messages_that_waited_for_the_device_arrive_in_order_and_once(
    hub: LocalHub, name: str, open_node: Open
) -> None:
    device = open_node(name)
    for number in range(20):
        send_message(hub, name, str(number))
    device.do("listenForMessages")
    assert [device.event("message")["body"] for _ in range(20)] == [str(number) for number in range(20)]
    wait_until("none waits", lambda: hub.request("GET", f"/devices/{name}")["cloudToDeviceMessageCount"] == 0)
    assert device.events == []


def test_a_module_has_messages_twin_and_methods_of_its_own(hub: LocalHub, name: str) -> None:
    hub.create_device(name)
    hub.request("PUT", f"/devices/{name}/modules/m1", {"deviceId": name, "moduleId": "m1"})
    with node_program(hub, "device.js") as module:
        module.do("open", {"connectionString": hub.device_connection_string(name, "m1"), "module": True})
        module.do("listen")
        hub.request("PATCH", f"/twins/{name}/modules/m1", {"properties": {"desired": {"own": 1}}})
        module.event("desired", lambda each: each["patch"].get("$version") == 2)
        call = {"methodName": "ping", "payload": 1}
        assert hub.request("POST", f"/twins/{name}/modules/m1/methods", call)["payload"] == {"echo": 1}
        module.do("send", "plain")
        module.do("sendOutput", "alarm", "loud")
        plain, loud = wait_for_events(hub, name, 2)
        assert (plain["moduleId"], plain["body"], loud["systemProperties"]["outputName"]) == ("m1", "plain", "alarm")


def test_a_wrong_key_is_an_unauthorized_error(hub: LocalHub, name: str) -> None:
    hub.create_device(name)
    wrong = f"HostName={ADDRESS};DeviceId={name};SharedAccessKey=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    with node_program(hub, "device.js") as device:
        with pytest.raises(ClientError) as refusal:
            device.do("open", {"connectionString": wrong})
    assert refusal.value.name == "UnauthorizedError"


def test_who_does_not_trust_the_hub_does_not_connect(hub: LocalHub, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.create_device(name)
    monkeypatch.setattr(hub, "environment", dict)
    with node_program(hub, "device.js") as device:
        with pytest.raises(ClientError, match="certificate"):
            device.do("open", {"connectionString": hub.device_connection_string(name)})
