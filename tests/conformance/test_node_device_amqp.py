"""Microsoft's device SDK for Node.js over AMQP, azure-iot-device with azure-iot-device-amqp."""

import uuid
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.localhub.testing.process import LocalHub
from tests.conformance.conftest import Open
from tests.helpers.device_certificates import make
from tests.helpers.driven import ClientError
from tests.helpers.hub_messages import events_of, send_message, wait_for_events, wait_for_feedback
from tests.helpers.official_sdks import needs_amqp_port, needs_mqtt_port, needs_node, node_program
from tests.helpers.waiting import wait_until

pytestmark = [needs_node, needs_amqp_port]


def test_telemetry_arrives_with_properties_and_system_properties(hub: LocalHub, name: str, open_amqp: Open) -> None:
    device = open_amqp(name)
    system = {
        "messageId": str(uuid.uuid4()),  # the SDK sends it as a UUID
        "correlationId": "c1",
        "contentType": "application/json",
        "contentEncoding": "utf-8",
    }
    device.do("send", '{"t": 21}', {"site": "north/süd & +co", "empty": "", "dt-subject": "thermostat"}, system)
    (event,) = wait_for_events(hub, name)
    assert event["body"] == '{"t": 21}'
    assert event["properties"] == {"site": "north/süd & +co", "empty": ""}
    own_address = f"/devices/{name}/messages/events"
    assert event["systemProperties"] == {**system, "to": own_address, "componentName": "thermostat"}


def test_many_messages_at_once_arrive_once_and_in_order(hub: LocalHub, name: str, open_amqp: Open) -> None:
    device = open_amqp(name)
    device.do("send", "first")  # what is sent before the link is attached, the SDK sends in any order
    numbers = [device.start("send", str(number)) for number in range(100)]
    for number in numbers:
        device.answer(number)
    assert [event["body"] for event in events_of(hub, name)] == ["first", *map(str, range(100))]


def test_the_twin_is_read_reported_and_followed(hub: LocalHub, name: str, open_amqp: Open) -> None:
    device = open_amqp(name)
    hub.request("PATCH", f"/twins/{name}", {"tags": {"hidden": 1}, "properties": {"desired": {"fan": {"speed": 1}}}})
    twin = device.do("twin")
    assert twin["desired"] == {"fan": {"speed": 1}, "$version": 2}
    device.do("report", {"fan": {"speed": 1}, "gone": None, "list": [1, 2]})
    reported = hub.request("GET", f"/twins/{name}")["properties"]["reported"]
    assert (reported["fan"], reported["list"], "gone" in reported) == ({"speed": 1}, [1, 2], False)
    device.do("listen")
    hub.request("PATCH", f"/twins/{name}", {"properties": {"desired": {"fan": {"speed": 2}}}})
    device.event("desired", lambda each: each["patch"].get("$version") == 3)


def test_a_report_that_the_hub_refuses_is_an_error_and_the_device_goes_on(
    hub: LocalHub, name: str, open_amqp: Open
) -> None:
    device = open_amqp(name)
    device.do("twin")
    with pytest.raises(ClientError):  # the SDK drops what the hub says about it
        device.do("report", {"a.b": 1})
    device.do("report", {"a": 1})
    assert hub.request("GET", f"/twins/{name}")["properties"]["reported"]["a"] == 1


@pytest.mark.parametrize("payload", [None, [], "text", {"deep": [{"ü": None}]}])
def test_a_method_is_answered(hub: LocalHub, name: str, open_amqp: Open, payload: object) -> None:
    device = open_amqp(name)
    device.do("listen")
    answer = hub.request("POST", f"/twins/{name}/methods", {"methodName": "reboot", "payload": payload})
    assert answer == {"status": 202, "payload": {"echo": payload}}


@pytest.mark.parametrize(
    ("kind", "work"),
    [
        ("scheduleDeviceMethod", {"cloudToDeviceMethod": {"methodName": "ping", "payload": 1}}),
        ("scheduleUpdateTwin", {"updateTwin": {"etag": "*", "properties": {"desired": {"speed": 3}}}}),
    ],
)
def test_a_job_operates_it(hub: LocalHub, name: str, open_amqp: Open, kind: str, work: dict[str, Any]) -> None:
    device = open_amqp(name)
    device.do("listen")
    job = f"/jobs/v2/{name}"
    hub.request("PUT", job, {"type": kind, "queryCondition": f"deviceId = '{name}'", **work})
    wait_until("the job has completed", lambda: hub.request("GET", job)["status"] == "completed")
    assert hub.request("GET", job)["deviceJobStatistics"]["succeededCount"] == 1
    device.event("method" if kind == "scheduleDeviceMethod" else "desired")


def test_a_cloud_to_device_message_arrives_whole_and_is_completed(hub: LocalHub, name: str, open_amqp: Open) -> None:
    device = open_amqp(name)
    device.do("listenForMessages")
    given = {"correlationId": "c 1", "contentType": "text/plain", "contentEncoding": "utf-8"}
    properties = {"a&b": "1 2/ü+", "empty": ""}
    send_message(hub, name, "reboot, übermorgen", messageId=f"m-{name}", ack="full", properties=properties, **given)
    message = device.event("message")
    assert (message["body"], message["completed"], message["properties"]) == ("reboot, übermorgen", True, properties)
    assert message["system"] == {"messageId": f"m-{name}", "ack": "full", **given}
    assert wait_for_feedback(hub, f"m-{name}") == "Success"


@pytest.mark.parametrize(("settle", "outcome"), [("reject", "Rejected"), ("abandon", "DeliveryCountExceeded")])
def test_a_cloud_to_device_message_is_rejected_or_abandoned(
    hub: LocalHub, name: str, open_amqp: Open, settle: str, outcome: str
) -> None:
    device = open_amqp(name)
    device.do("listenForMessages", settle)
    send_message(hub, name, "no", messageId=f"m-{name}", ack="full")
    assert wait_for_feedback(hub, f"m-{name}") == outcome
    for _ in range(10 if settle == "abandon" else 1):
        assert device.event("message")["body"] == "no"


def test_messages_that_waited_for_the_device_arrive_in_order_and_once(
    hub: LocalHub, name: str, open_amqp: Open
) -> None:
    device = open_amqp(name)
    for number in range(20):
        send_message(hub, name, str(number))
    device.do("listenForMessages")
    assert [device.event("message")["body"] for _ in range(20)] == [str(number) for number in range(20)]
    wait_until("none waits", lambda: hub.request("GET", f"/devices/{name}")["cloudToDeviceMessageCount"] == 0)
    assert device.events == []


def test_a_module_has_messages_twin_and_methods_of_its_own(hub: LocalHub, name: str) -> None:
    hub.create_device(name)
    hub.request("PUT", f"/devices/{name}/modules/m1", {"deviceId": name, "moduleId": "m1"})
    with node_program(hub, "device.js", "amqp") as module:
        module.do("open", {"connectionString": hub.device_connection_string(name, "m1"), "module": True})
        module.do("listen")
        module.do("listenForInputs")
        hub.request("PATCH", f"/twins/{name}/modules/m1", {"properties": {"desired": {"own": 1}}})
        module.event("desired", lambda each: each["patch"].get("$version") == 2)
        call = {"methodName": "ping", "payload": 1}
        assert hub.request("POST", f"/twins/{name}/modules/m1/methods", call)["payload"] == {"echo": 1}
        module.do("send", "plain")
        module.do("sendOutput", "alarm", "loud")
        plain, loud = wait_for_events(hub, name, 2)
        assert (plain["moduleId"], plain["body"], loud["systemProperties"]["outputName"]) == ("m1", "plain", "alarm")


def test_a_device_that_is_deleted_is_told_and_does_not_come_again(hub: LocalHub, name: str, open_amqp: Open) -> None:
    device = open_amqp(name)
    device.do("send", "once")
    device.do("listenForMessages")
    hub.request("DELETE", f"/devices/{name}", headers={"If-Match": "*"})
    device.event("connection", lambda each: not each["connected"])
    with pytest.raises(ClientError) as refusal:
        device.do("send", "again")
    assert refusal.value.name == "UnauthorizedError"


@needs_mqtt_port
def test_a_connection_over_mqtt_takes_the_device_over(hub: LocalHub, name: str, open_amqp: Open) -> None:
    older = open_amqp(name)
    older.do("listenForMessages")
    with node_program(hub, "device.js") as newer:
        newer.do("open", {"connectionString": hub.device_connection_string(name)})
        older.event("connection", lambda each: not each["connected"])
        newer.do("listen")
        answer = hub.request("POST", f"/twins/{name}/methods", {"methodName": "ping", "payload": 1})
        assert answer["payload"] == {"echo": 1}


def test_another_s_certificate_opens_a_connection_and_nothing_else(hub: LocalHub, name: str, tmp_path: Path) -> None:
    own = make(name)
    thumbprints = {"primaryThumbprint": own.thumbprint(), "secondaryThumbprint": own.thumbprint("sha256")}
    hub.create_device(name, authentication={"type": "selfSigned", "x509Thumbprint": thumbprints})
    certificate, key = make(name).files(tmp_path)
    with node_program(hub, "device.js", "amqp") as device:
        string = f"{hub.device_connection_string(name)}"
        device.do("open", {"connectionString": string, "certificate": certificate, "key": key})
        with pytest.raises(ClientError) as refusal:
            device.do("send", "hello")
    assert refusal.value.name == "UnauthorizedError"
    assert hub.request("GET", f"/devices/{name}")["connectionState"] == "Disconnected"
