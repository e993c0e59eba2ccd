"""Subscription filters on the wire: those of published clients, wide ones and overlapping ones."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.test_messages import send
from tests.helpers.any_hub import AnyHub
from tests.helpers.hub_process import HubProcess
from tests.helpers.mqtt_device import MqttDevice, wait_for_connection_state

Connect = Callable[..., MqttDevice]
METHOD, TWIN, REPORTED = "$iothub/methods/POST/", "$iothub/twin/res/", "$iothub/twin/PATCH/properties/reported/"
DESIRED, MESSAGE = "$iothub/twin/PATCH/properties/desired/", "devices/{id}/messages/devicebound/"


def heard(hub: HubProcess, device: MqttDevice, name: str) -> list[str]:
    """The topics of what reaches a device of all that the hub may send it, without what differs each time."""
    device.publish("$iothub/twin/GET/?$rid=get")
    device.publish(f"{REPORTED}?$rid=set", {"a": 1})
    device.publish(f"devices/{name}/messages/events/", b"{}", qos=1).wait_for_publish(20)  # and so those before it
    hub.ok("PATCH", f"/twins/{name}", {"properties": {"desired": {"a": 1}}})
    send(hub, name, b"1")
    for method in ("a", "b"):
        hub.request("POST", f"/twins/{name}/methods", {"methodName": method, "responseTimeoutInSeconds": 5})
    device.client.subscribe(f"devices/{name}/messages/events/last/#")
    device._granted.get(timeout=20)  # what the hub sent before this answer has come
    found = []
    while not device.arrived.empty():
        topic, _ = device.arrived.get()
        found.append(topic.partition("?")[0].replace(name, "{id}").partition("%24")[0])
    return sorted(found)


def answering(device: MqttDevice) -> MqttDevice:
    """A device that keeps the calls of methods as messages, and answers them."""

    def answer(_client: object, _data: object, message: Any) -> None:
        device.arrived.put((message.topic, message.payload))
        rid = message.topic.partition("$rid=")[2]
        device.publish(f"$iothub/methods/res/200/?$rid={rid}", b"{}")

    device.client.message_callback_add("$iothub/methods/POST/#", answer)
    return device


WIDE = {
    "$iothub/methods/#": [f"{METHOD}a/", f"{METHOD}b/"],
    "$iothub/methods/POST/a/#": [f"{METHOD}a/"],
    "$iothub/+/POST/+/+": [f"{METHOD}a/", f"{METHOD}b/"],
    "$iothub/twin/#": [DESIRED, f"{TWIN}200/", f"{TWIN}204/"],
    "$iothub/twin/res/200/#": [f"{TWIN}200/"],
    "$iothub/twin/PATCH/#": [DESIRED],
    "$iothub/#": [f"{METHOD}a/", f"{METHOD}b/", DESIRED, f"{TWIN}200/", f"{TWIN}204/"],
    "devices/{id}/messages/events/#": [],
    "devices/{id}/#": [MESSAGE],
    "devices/+/messages/devicebound/#": [MESSAGE],
    "devices/{id}/messages/devicebound/+": [MESSAGE],
    "#": [MESSAGE],
}


@pytest.mark.local_hub("sends messages to devices, which other hubs take over AMQP alone")
@pytest.mark.parametrize("topic_filter", WIDE)
def test_a_filter_brings_what_it_covers_of_the_device_s_own_topics_and_nothing_else(
    hub: HubProcess, name: str, connect: Connect, topic_filter: str
) -> None:
    other = f"{name}-other"
    device, its_neighbour = answering(connect(name)), connect(other)
    its_neighbour.subscribe(f"devices/{other}/messages/devicebound/#", "$iothub/methods/#")
    assert device.subscribe(topic_filter.replace("{id}", name), qos=1) == [1]
    send(hub, other, b"1")
    hub.ok("PATCH", f"/twins/{other}", {"properties": {"desired": {"a": 1}}})
    assert heard(hub, device, name) == sorted(WIDE[topic_filter])


@pytest.mark.local_hub("sends messages to devices, which other hubs take over AMQP alone")
def test_filters_of_published_clients_are_granted_together(hub: HubProcess, name: str, connect: Connect) -> None:
    device = answering(connect(name))
    filters = [
        f"devices/{name}/messages/devicebound/#",
        "$iothub/methods/#",
        "$iothub/twin/PATCH/properties/desired/#",
        "$iothub/twin/res/200/#",
        "$iothub/twin/#",
        f"devices/{name}/messages/events/#",
    ]
    assert device.subscribe(*filters) == [0] * len(filters)
    everything = [f"{METHOD}a/", f"{METHOD}b/", DESIRED, f"{TWIN}200/", f"{TWIN}204/", MESSAGE]
    assert heard(hub, device, name) == sorted(everything)  # each of them once


@pytest.mark.local_hub("sends messages to devices, which other hubs take over AMQP alone")
def test_what_one_filter_covers_still_comes_when_another_is_taken_back(
    hub: HubProcess, name: str, connect: Connect
) -> None:
    device = answering(connect(name))
    device.subscribe("$iothub/#", "$iothub/methods/POST/a/#", "#")
    for topic_filter in ("$iothub/#", "#", "$iothub/twin/#"):
        device.client.unsubscribe(topic_filter)
    assert heard(hub, device, name) == [f"{METHOD}a/"]


@pytest.mark.local_hub("sends messages to devices, which other hubs take over AMQP alone")
def test_a_stored_session_receives_by_its_wide_filters_again(hub: HubProcess, name: str, connect: Connect) -> None:
    first = connect(name, clean_session=False)
    first.subscribe("$iothub/methods/#", "#", qos=1)
    first.close()
    wait_for_connection_state(hub, name, "Disconnected")
    send(hub, name, b"1")
    again = answering(connect(name, clean_session=False))
    assert again.next()[1] == 1
    assert hub.ok("POST", f"/twins/{name}/methods", {"methodName": "a"})["status"] == 200


def test_a_method_that_a_device_has_not_subscribed_to_fails_at_once(hub: AnyHub, name: str, connect: Connect) -> None:
    connect(name).subscribe("$iothub/methods/POST/a/#")
    call = {"methodName": "b", "responseTimeoutInSeconds": 300, "connectTimeoutInSeconds": 0}
    assert hub.refused("POST", f"/twins/{name}/methods", call) == (404, "DeviceNotOnline")


@pytest.mark.local_hub("sends messages to devices, which other hubs take over AMQP alone")
def test_sending_to_a_device_whose_id_no_topic_can_contain_is_no_danger(
    hub: HubProcess, name: str, connect: Connect
) -> None:
    odd = f"{name}+"
    hub.ok("PUT", f"/devices/{name}%2B", {})
    key = hub.ok("GET", f"/devices/{name}%2B")["authentication"]["symmetricKey"]["primaryKey"]
    device = MqttDevice(hub, odd, key)
    assert device.connect() == 0
    assert device.subscribe("$iothub/#") == [0]
    assert hub.ok("POST", f"/_local/devices/{name}%2B/messages", {"body": ""})["sequenceNumber"]
    hub.ok("PATCH", f"/twins/{name}%2B", {"properties": {"desired": {"a": 1}}})
    assert device.next()[1] == {"a": 1, "$version": 2}
    device.close()
