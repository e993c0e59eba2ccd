"""The edges of MQTT: what SDKs never do, said by plain paho-mqtt."""

import base64
import ssl
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.helpers.any_hub import AnyHub
from tests.helpers.hub_process import HubProcess, sas
from tests.helpers.mqtt_device import MqttDevice, wait_for_connection_state
from tests.helpers.waiting import wait_until

Connect = Callable[..., MqttDevice]
LIMIT_S = 20
MAX_MESSAGE_BYTES = 256 * 1024


def key_of(hub: AnyHub, path: str) -> str:
    return str(hub.ok("GET", f"/devices/{path}")["authentication"]["symmetricKey"]["primaryKey"])


def only_event(hub: HubProcess, device: str) -> dict[str, Any]:
    (event,) = hub.events_of(device)
    return event


def connack(hub: AnyHub, device: str, **other: Any) -> int:
    attempt = MqttDevice(hub, device, key_of(hub, device), **other)
    try:
        return attempt.connect()
    finally:
        attempt.close()


# --- who gets in


@pytest.mark.parametrize(
    "username",
    [
        "{host}/{other}/?api-version=2021-04-12",
        "{host}/{id}x/?api-version=2021-04-12",
        "{host}/{upper}/?api-version=2021-04-12",
        "{host}/{id}/m1/?api-version=2021-04-12",
        "{host}//{id}/?api-version=2021-04-12",
        "/{id}/?api-version=2021-04-12",
        "{host}",
        "{host}/",
        "{id}",
        "{host}/{id}/#",
        "{host}/{id}?api-version=2021-04-12",
    ],
)
def test_a_user_name_that_is_not_this_device_s_is_refused(hub: AnyHub, name: str, username: str) -> None:
    hub.new_device(name)
    hub.new_device(f"{name}-other")
    written = username.format(host=hub.host, id=name, other=f"{name}-other", upper=name.upper())
    assert connack(hub, name, username=written) == 5


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: token.replace("sr=", "sR="),
        lambda token: token.replace("&se=", "&se=-"),
        lambda token: token.replace("&se=", "&se=9"),
        lambda token: token.replace("SharedAccessSignature ", ""),
        lambda token: token.replace("&sig=", "&sig=AAAA"),
        lambda token: token[:-1],
        lambda token: token + "&skn=iothubowner",
        lambda token: token + "&skn=nobody",
        lambda token: token + " " * 5000,
        lambda token: "Bearer " + token,
    ],
)
def test_a_malformed_token_is_refused(hub: AnyHub, name: str, spoil: Callable[[str], str]) -> None:
    key = hub.new_device(name)["authentication"]["symmetricKey"]["primaryKey"]
    good = sas(key, f"{hub.host}/devices/{name}")
    assert connack(hub, name, password=good) == 0
    assert connack(hub, name, password=spoil(good)) == 5


@pytest.mark.parametrize("client_id", ["/", "{id}/", "{id}/m/n", "/{id}"])
def test_a_client_id_that_names_nobody_is_refused(hub: AnyHub, name: str, client_id: str) -> None:
    hub.new_device(name)
    assert connack(hub, name, client_id=client_id.format(id=name), clean_session=True) == 2
    assert hub.ok("GET", f"/devices/{name}")["connectionState"] == "Disconnected"


def test_mqtt_5_is_refused_and_dropped(hub: AnyHub, name: str) -> None:
    key = hub.new_device(name)["authentication"]["symmetricKey"]["primaryKey"]
    ended: list[Any] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv5)
    client.tls_set_context(ssl.create_default_context(cafile=hub.ca))
    client.username_pw_set(f"{hub.host}/{name}/?api-version=2020-10-01-preview", sas(key, f"{hub.host}/devices/{name}"))
    client.on_connect = lambda _c, _u, _f, reason, _p: ended.append(reason.is_failure)
    client.on_disconnect = lambda *_: ended.append(True)
    client.connect(hub.host, hub.mqtt_port)
    wait_until("it is over", lambda: ended or client.loop(0.1) != paho.MQTT_ERR_SUCCESS, limit_s=LIMIT_S)
    client.disconnect()
    assert ended and all(ended)
    assert hub.ok("GET", f"/devices/{name}")["connectionState"] == "Disconnected"


def test_ids_that_differ_by_case_and_modules_are_clients_of_their_own(hub: AnyHub, name: str, connect: Connect) -> None:
    devices = [connect(name), connect(name.upper())]
    hub.ok("PUT", f"/devices/{name}/modules/m1", {})
    module = MqttDevice(
        hub,
        name,
        "",
        client_id=f"{name}/m1",
        username=f"{hub.host}/{name}/m1/?api-version=2021-04-12",
        password=sas(key_of(hub, f"{name}/modules/m1"), f"{hub.host}/devices/{name}/modules/m1"),
    )
    assert module.connect() == 0
    for device in devices:
        device.subscribe("$iothub/twin/res/#")
        device.publish("$iothub/twin/GET/?$rid=1")
        assert device.next()[0] == "$iothub/twin/res/200/?$rid=1"
    assert [each.lost.empty() for each in (*devices, module)] == [True, True, True]
    module.close()


# --- sessions


def test_a_session_is_stored_on_request_and_removed_by_a_clean_session(
    hub: AnyHub, name: str, connect: Connect
) -> None:
    sessions: list[bool] = []

    def visit(*, clean: bool) -> MqttDevice:
        device = MqttDevice(hub, name, key_of(hub, name), clean_session=clean)
        known: Any = device.client.on_connect

        def on_connect(client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
            sessions.append(flags.session_present)
            known(client, data, flags, reason, properties)

        device.client.on_connect = on_connect
        assert device.connect() == 0
        return device

    hub.new_device(name)
    first = visit(clean=False)
    first.subscribe("$iothub/twin/PATCH/properties/desired/#")
    first.close()
    wait_for_connection_state(hub, name, "Disconnected")
    second = visit(clean=False)
    hub.ok("PATCH", f"/twins/{name}", {"properties": {"desired": {"a": 1}}})
    assert second.next() == ("$iothub/twin/PATCH/properties/desired/?$version=2", {"a": 1, "$version": 2})
    second.close()
    wait_for_connection_state(hub, name, "Disconnected")
    third = visit(clean=True)
    third.subscribe("$iothub/twin/res/#")
    hub.ok("PATCH", f"/twins/{name}", {"properties": {"desired": {"a": 2}}})
    third.publish("$iothub/twin/GET/?$rid=1")
    assert third.next()[0] == "$iothub/twin/res/200/?$rid=1"  # and no notification before it
    third.close()
    wait_for_connection_state(hub, name, "Disconnected")
    fourth = visit(clean=False)
    fourth.close()
    assert sessions == [False, True, False, False]


def test_a_device_that_has_unsubscribed_from_methods_is_offline_for_them(
    hub: AnyHub, name: str, connect: Connect
) -> None:
    device = connect(name)
    device.answer_methods(lambda _method, _value: (200, None))
    assert hub.ok("POST", f"/twins/{name}/methods", {"methodName": "x"})["status"] == 200
    gone: list[int] = []
    device.client.on_unsubscribe = lambda *_: gone.append(1)
    device.client.unsubscribe("$iothub/methods/POST/#")
    wait_until("it has unsubscribed", lambda: gone)
    assert hub.refused("POST", f"/twins/{name}/methods", {"methodName": "x"}) == (404, "DeviceNotOnline")
    assert hub.ok("GET", f"/devices/{name}")["connectionState"] == "Connected"


def test_every_documented_filter_is_granted_also_twice(hub: AnyHub, name: str, connect: Connect) -> None:
    device = connect(name)
    filters = (
        "$iothub/methods/POST/#",
        "$iothub/twin/res/#",
        "$iothub/twin/PATCH/properties/desired/#",
        f"devices/{name}/messages/devicebound/#",
    )
    for _ in range(3):
        assert device.subscribe(*filters, qos=1) == [1, 1, 1, 1]
    device.on_method = lambda _method, _value: (200, "once")
    assert hub.ok("POST", f"/twins/{name}/methods", {"methodName": "x"})["payload"] == "once"
    hub.ok("PATCH", f"/twins/{name}", {"properties": {"desired": {"a": 1}}})
    device.next()
    device.publish("$iothub/twin/GET/?$rid=1")
    assert device.next()[0].startswith("$iothub/twin/res/200/")  # the notification came once, however often asked for


@pytest.mark.parametrize(
    "topic",
    [
        "$iothub/methods/GET/#",
        "$iothub/other/#",
        "devices/{id}x/#",
        "devices/{id}/modules/#",
        "devices/{id}/twin/#",
        "+/methods/POST/#",
        "$share/g/$iothub/methods/POST/#",
        "+/+",
        "/",
    ],
)
def test_a_filter_that_covers_nothing_of_its_own_ends_the_connection_and_grants_nothing(
    hub: AnyHub, name: str, connect: Connect, topic: str
) -> None:
    device = connect(name)
    device.client.subscribe([("$iothub/methods/POST/#", 0), (topic.format(id=name), 0)])
    device.wait_for_loss()
    wait_for_connection_state(hub, name, "Disconnected")


@pytest.mark.local_hub("reads what devices sent, which other hubs give over AMQP alone")
@pytest.mark.parametrize(
    "topic",
    [
        "devices/{id}/messages/devicebound/",
        "devices/{id}/modules/m1/messages/events/",
        "$iothub/methods/POST/x/?$rid=1",
        "$iothub/twin/res/200/?$rid=1",
        "$iothub/twin/PATCH/properties/desired/?$rid=1",
        "devices/{id}/messages/eventsx",
        "devices/{upper}/messages/events/",
        "/devices/{id}/messages/events/",
        "$SYS/x",
    ],
)
def test_a_topic_that_is_not_the_device_s_ends_the_connection(
    hub: HubProcess, name: str, connect: Connect, topic: str
) -> None:
    device = connect(name)
    device.publish(topic.format(id=name, upper=name.upper()), b"x", qos=1)
    device.wait_for_loss()
    assert hub.events_of(name) == []


# --- messages


@pytest.mark.local_hub("reads what devices sent, which other hubs give over AMQP alone")
@pytest.mark.parametrize(
    ("bag", "properties"),
    [
        ("", {}),
        ("/", {}),
        ("/a=1&a=2", {"a": "2"}),
        ("/a=%", {"a": "%"}),
        ("/a=%zz", {"a": "%zz"}),
        ("/&&a=1&", {"a": "1"}),
        ("/a=b=c", {"a": "b=c"}),
        ("/ü=ß", {"ü": "ß"}),
        ("/%C3%BC=%C3%9F", {"ü": "ß"}),
        ("/a=1/2", {"a": "1/2"}),
        ("/a=1/", {"a": "1"}),
    ],
)
def test_properties_are_read_as_they_are_meant(
    hub: HubProcess, name: str, connect: Connect, bag: str, properties: dict[str, str]
) -> None:
    connect(name).publish(f"devices/{name}/messages/events{bag}", b"x", qos=1).wait_for_publish(LIMIT_S)
    assert only_event(hub, name)["properties"] == properties


@pytest.mark.local_hub("reads what devices sent, which other hubs give over AMQP alone")
@pytest.mark.parametrize("body", [b"", b"\x00", b"\xff\xfe", b"x" * MAX_MESSAGE_BYTES])
def test_any_bytes_are_a_message(hub: HubProcess, name: str, connect: Connect, body: bytes) -> None:
    connect(name).publish(f"devices/{name}/messages/events/", body, qos=1).wait_for_publish(LIMIT_S)
    assert base64.b64decode(only_event(hub, name)["body"]) == body


@pytest.mark.local_hub("reads what devices sent, which other hubs give over AMQP alone")
def test_a_message_above_256_kb_ends_the_connection_and_is_not_kept(
    hub: HubProcess, name: str, connect: Connect
) -> None:
    device = connect(name)
    device.publish(f"devices/{name}/messages/events/", b"x" * (MAX_MESSAGE_BYTES + 1), qos=1)
    device.wait_for_loss()
    assert hub.events_of(name) == []


@pytest.mark.local_hub("reads what devices sent, which other hubs give over AMQP alone")
def test_a_thousand_messages_are_acknowledged_and_kept_in_order(hub: HubProcess, name: str, connect: Connect) -> None:
    device = connect(name)
    sent = [device.publish(f"devices/{name}/messages/events/", str(n).encode(), qos=1) for n in range(1000)]
    for each in sent:
        each.wait_for_publish(LIMIT_S)
    assert [base64.b64decode(each["body"]) for each in hub.events_of(name)] == [str(n).encode() for n in range(1000)]


def test_a_method_answered_twice_or_by_another_counts_once(hub: AnyHub, name: str, connect: Connect) -> None:
    device, other = connect(name), connect(f"{name}-other")
    device.subscribe("$iothub/methods/POST/#")

    def call() -> Any:
        return hub.ok("POST", f"/twins/{name}/methods", {"methodName": "x"})

    def on_message(_client: Any, _data: Any, message: Any) -> None:
        rid = message.topic.split("$rid=")[1]
        other.publish(f"$iothub/methods/res/200/?$rid={rid}", "stolen", qos=1).wait_for_publish(LIMIT_S)
        device.publish("$iothub/methods/res/200/?$rid=nonsense", "wrong")
        device.publish(f"$iothub/methods/res/201/?$rid={rid}", "first")
        device.publish(f"$iothub/methods/res/202/?$rid={rid}", "second")

    device.client.on_message = on_message
    assert call() == {"status": 201, "payload": "first"}
    assert call() == {"status": 201, "payload": "first"}
