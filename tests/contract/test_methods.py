"""Direct methods on the wire."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.helpers.any_hub import AnyHub
from tests.helpers.mqtt_device import MqttDevice, wait_for_connection_state

Connect = Callable[..., MqttDevice]


def call(hub: AnyHub, device: str, **members: Any) -> Any:
    return hub.request("POST", f"/twins/{device}/methods", {"methodName": "reboot", **members})


def test_request_ids_count_from_one_on_each_connection(
    hub: AnyHub, name: str, connect: Callable[..., MqttDevice]
) -> None:
    for _ in range(2):
        device, other = connect(name), connect(f"{name}-other")
        for each in (device, other):
            each.client.message_callback_add("$iothub/methods/POST/#", _answered(each))
            each.subscribe("$iothub/methods/POST/#")
        for _ in range(3):
            hub.ok("POST", f"/twins/{name}/methods", {"methodName": "m"})
        hub.ok("POST", f"/twins/{name}-other/methods", {"methodName": "m"})
        assert [device.next()[0] for _ in range(3)] == [f"$iothub/methods/POST/m/?$rid={n}" for n in (1, 2, 3)]
        assert other.next()[0] == "$iothub/methods/POST/m/?$rid=1"


def _answered(device: MqttDevice) -> Callable[..., None]:
    def answer(_client: object, _data: object, message: Any) -> None:
        device.arrived.put((message.topic, b""))
        device.publish(f"$iothub/methods/res/200/?$rid={message.topic.partition('$rid=')[2]}", b"{}")

    return answer


@pytest.mark.parametrize("payload", [None, 0, False, "", [], {}, {"a": [1, "ü\u0007"]}])
def test_payload_and_answer_are_carried_as_they_are(hub: AnyHub, name: str, connect: Connect, payload: Any) -> None:
    device = connect(name)
    device.answer_methods(lambda method, value: (207, {"method": method, "value": value}))
    answer = call(hub, name, payload=payload).json()
    assert answer == {"status": 207, "payload": {"method": "reboot", "value": payload}}


def test_the_status_that_a_device_chooses_is_not_the_http_status(hub: AnyHub, name: str, connect: Connect) -> None:
    connect(name).answer_methods(lambda _method, _value: (500, None))
    response = call(hub, name)
    assert (response.status_code, response.json()) == (200, {"status": 500, "payload": None})


def test_an_unknown_device_is_not_found(hub: AnyHub) -> None:
    response = call(hub, "nobody-here")
    assert (response.status_code, response.headers["iothub-errorcode"]) == (404, "DeviceNotFound")


def test_an_offline_device_is_not_online_in_the_nested_shape(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    response = call(hub, name)
    assert (response.status_code, response.headers["iothub-errorcode"]) == (404, "DeviceNotOnline")
    body = response.json()
    assert body["ExceptionMessage"] == ""
    inner = json.loads(body["Message"])
    assert inner["errorCode"] == 404103
    assert inner["info"] == {"timeout": "00:00:00"}
    assert set(inner) == {"errorCode", "trackingId", "message", "info", "timestampUtc"}


def test_a_device_that_does_not_listen_for_methods_is_not_online(hub: AnyHub, name: str, connect: Connect) -> None:
    connect(name)
    assert call(hub, name).headers["iothub-errorcode"] == "DeviceNotOnline"


def test_a_silent_device_is_a_gateway_timeout(hub: AnyHub, name: str, connect: Connect) -> None:
    connect(name).subscribe("$iothub/methods/POST/#")
    response = call(hub, name, responseTimeoutInSeconds=5)
    assert (response.status_code, response.headers["iothub-errorcode"]) == (504, "GatewayTimeout")
    inner = json.loads(response.json()["Message"])
    assert (inner["errorCode"], inner["info"]) == (504101, {})


def test_the_connect_timeout_waits_for_a_device_that_comes(hub: AnyHub, name: str, connect: Connect) -> None:
    hub.new_device(name)
    answers: list[Any] = []
    caller = threading.Thread(target=lambda: answers.append(call(hub, name, connectTimeoutInSeconds=30).json()))
    caller.start()
    connect(name).answer_methods(lambda _method, _value: (200, "came late"))
    caller.join(40)
    assert answers == [{"status": 200, "payload": "came late"}]


def test_a_device_that_goes_while_it_is_called_is_not_online(hub: AnyHub, name: str, connect: Connect) -> None:
    device = connect(name)
    device.subscribe("$iothub/methods/POST/#")
    answers: list[Any] = []
    caller = threading.Thread(target=lambda: answers.append(call(hub, name)))
    caller.start()
    device.next()  # it has been called
    device.close()
    caller.join(40)
    assert answers[0].headers["iothub-errorcode"] == "DeviceNotOnline"


def test_late_double_and_foreign_answers_change_nothing(hub: AnyHub, name: str, connect: Connect) -> None:
    stranger = connect(f"{name}-stranger")
    device = connect(name)
    device.subscribe("$iothub/methods/POST/#")
    answers: list[Any] = []
    caller = threading.Thread(target=lambda: answers.append(call(hub, name).json()))
    caller.start()
    topic, _ = device.next()
    rid = topic.split("$rid=")[1]
    stranger.publish(f"$iothub/methods/res/666/?$rid={rid}", {}, qos=1).wait_for_publish(10)
    device.publish("$iothub/methods/res/667/?$rid=no-such-call", {}, qos=1)
    device.publish(f"$iothub/methods/res/200/?$rid={rid}", "right", qos=1)
    device.publish(f"$iothub/methods/res/668/?$rid={rid}", "double", qos=1)
    caller.join(40)
    assert answers == [{"status": 200, "payload": "right"}]


@pytest.mark.parametrize(
    "members",
    [
        {"responseTimeoutInSeconds": 4},
        {"responseTimeoutInSeconds": 301},
        {"connectTimeoutInSeconds": 301, "responseTimeoutInSeconds": 300},
        {"connectTimeoutInSeconds": 20, "responseTimeoutInSeconds": 10},
        {"methodName": ""},
        {"methodName": 5},
    ],
)
def test_bad_calls_are_refused_and_reach_no_device(
    hub: AnyHub, name: str, connect: Connect, members: dict[str, Any]
) -> None:
    device = connect(name)
    device.subscribe("$iothub/methods/POST/#")
    assert call(hub, name, **members).headers["iothub-errorcode"] == "ArgumentInvalid"
    assert device.arrived.empty()


def test_timeouts_may_be_texts_as_some_clients_send_them(hub: AnyHub, name: str, connect: Connect) -> None:
    connect(name).answer_methods(lambda _method, _value: (200, None))
    assert call(hub, name, responseTimeoutInSeconds="30", connectTimeoutInSeconds="0").status_code == 200


def test_a_payload_over_128_kb_is_refused(hub: AnyHub, name: str, connect: Connect) -> None:
    connect(name).answer_methods(lambda _method, _value: (200, None))
    assert call(hub, name, payload="x" * 128 * 1024).headers["iothub-errorcode"] == "MessageTooLarge"
    assert call(hub, name, payload="x" * (128 * 1024 - 2)).status_code == 200


def test_a_disabled_device_is_disconnected_and_cannot_be_called(hub: AnyHub, name: str, connect: Connect) -> None:
    device = connect(name)
    device.answer_methods(lambda _method, _value: (200, None))
    identity = hub.ok("GET", f"/devices/{name}")
    hub.ok("PUT", f"/devices/{name}", {**identity, "status": "disabled"}, headers={"If-Match": "*"})
    device.wait_for_loss()
    wait_for_connection_state(hub, name, "Disconnected")
    assert call(hub, name).headers["iothub-errorcode"] == "DeviceNotOnline"


def test_method_names_with_any_characters_arrive_whole(hub: AnyHub, name: str, connect: Connect) -> None:
    device = connect(name)
    device.subscribe("$iothub/methods/POST/#")
    answers: list[Any] = []
    caller = threading.Thread(target=lambda: answers.append(call(hub, name, methodName="a*b c/d?ü", payload=1)))
    caller.start()
    topic, _ = device.next()
    assert topic.split("/")[3] == "a*b%20c%2Fd%3F%C3%BC"  # devices compare a component's "*" without decoding it
    device.publish(f"$iothub/methods/res/200/?$rid={topic.split('$rid=')[1]}")
    caller.join(40)
    assert answers[0].json() == {"status": 200, "payload": None}
