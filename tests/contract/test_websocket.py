"""MQTT over WebSocket on the wire, by paho over TLS."""

import queue
from collections.abc import Callable
from typing import Any

import pytest

from tests.helpers.any_hub import AnyHub
from tests.helpers.hub_process import HubProcess
from tests.helpers.mqtt_device import MqttDevice, wait_for_connection_state

Connect = Callable[..., MqttDevice]


@pytest.mark.local_hub("reads what devices sent, which other hubs give over AMQP alone")
def test_a_device_answers_methods_reads_its_twin_and_sends(hub: HubProcess, name: str, connect: Connect) -> None:
    device = connect(name, websocket=True)
    device.answer_methods(lambda method, payload: (201, {"called": method, "with": payload}))
    call = {"methodName": "echo", "payload": "x" * 120_000, "responseTimeoutInSeconds": 30}
    answer = hub.ok("POST", f"/twins/{name}/methods", call)
    assert answer == {"status": 201, "payload": {"called": "echo", "with": "x" * 120_000}}
    device.subscribe("$iothub/twin/res/#")
    device.publish("$iothub/twin/GET/?$rid=1")
    assert device.next() == (
        "$iothub/twin/res/200/?$rid=1",
        {"desired": {"$version": 1}, "reported": {"$version": 1}},
    )
    info = device.publish(f"devices/{name}/messages/events/a=b", {"n": 1}, qos=1)
    info.wait_for_publish(20)
    assert [each["properties"] for each in hub.events_of(name)] == [{"a": "b"}]


def test_a_wrong_key_is_refused(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    attempt = MqttDevice(hub, name, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", websocket=True)
    try:
        assert attempt.connect() == 5
    finally:
        attempt.close()


@pytest.mark.parametrize("first_by_websocket", [True, False])
def test_the_newest_connection_of_a_device_is_the_only_one_over_tcp_and_websocket(
    hub: AnyHub, name: str, connect: Connect, first_by_websocket: bool
) -> None:
    first = connect(name, websocket=first_by_websocket)
    second = connect(name, websocket=not first_by_websocket)
    first.wait_for_loss()
    second.subscribe("$iothub/twin/res/#")
    assert hub.ok("GET", f"/devices/{name}")["connectionState"] == "Connected"
    with pytest.raises(queue.Empty):
        second.lost.get_nowait()


def test_the_end_of_a_token_is_the_end_of_the_connection(hub: AnyHub, name: str, connect: Connect) -> None:
    connect(name, websocket=True, life_s=2).wait_for_loss()
    wait_for_connection_state(hub, name, "Disconnected")


@pytest.mark.local_hub("starts a hub of its own")
def test_the_hub_s_end_is_clean_with_devices_over_tcp_and_websocket(tmp_path: Any) -> None:
    hub = HubProcess(tmp_path, "--in-memory")
    devices = []
    for number, websocket in enumerate((True, False, True)):
        identity = hub.new_device(f"d{number}")
        key = identity["authentication"]["symmetricKey"]["primaryKey"]
        devices.append(MqttDevice(hub, f"d{number}", key, websocket=websocket))
        assert devices[-1].connect() == 0
    assert hub.stop() == 0
    for device in devices:
        device.wait_for_loss()
        device.close()
