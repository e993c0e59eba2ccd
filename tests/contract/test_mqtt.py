"""MQTT on the wire: who gets in, what ends a connection, what arrives."""

import base64
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
import pytest

from azext_iotjobs.localhub.mqtt import packets
from azext_iotjobs.localhub.mqtt.codec import encode
from tests.helpers.any_hub import AnyHub
from tests.helpers.hub_process import HubProcess, sas
from tests.helpers.mqtt_device import MqttDevice, wait_for_connection_state

Connect = Callable[..., MqttDevice]
OTHER_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


def key_of(hub: AnyHub, device: str, which: str = "primaryKey") -> str:
    return str(hub.ok("GET", f"/devices/{device}")["authentication"]["symmetricKey"][which])


def connack(hub: AnyHub, device: str, **other: Any) -> int:
    attempt = MqttDevice(hub, device, other.pop("key", OTHER_KEY), **other)
    try:
        return attempt.connect()
    finally:
        attempt.close()


def wait_for_event(hub: HubProcess, device: str) -> dict[str, Any]:
    deadline = time.monotonic() + 20
    while not (found := hub.events_of(device)):
        assert time.monotonic() < deadline, "no event"
        time.sleep(0.02)
    return found[-1]


def raw(hub: AnyHub) -> ssl.SSLSocket:
    """A TLS connection on which nothing was said yet."""
    context = ssl.create_default_context(cafile=hub.ca)
    sock = socket.create_connection((hub.host, hub.mqtt_port), timeout=20)
    return context.wrap_socket(sock, server_hostname=hub.host)


def ended(sock: ssl.SSLSocket) -> bool:
    """Whether the hub ends the connection, whatever it says before."""
    try:
        while sock.recv(4096):
            pass
    except (ConnectionError, ssl.SSLError):
        pass
    except TimeoutError:
        return False
    return True


# --- who gets in


@pytest.mark.parametrize("which", ["primaryKey", "secondaryKey"])
def test_both_keys_of_a_device_open(hub: AnyHub, name: str, which: str) -> None:
    hub.new_device(name)
    assert connack(hub, name, key=key_of(hub, name, which)) == 0


@pytest.mark.parametrize(
    "username",
    [
        "{host}/{id}/?api-version=2021-04-12",
        "{host}/{id}/?api-version=2019-10-01&DeviceClientType=py-azure-iot-device%2F2.14.0",
        "{host}/{id}/api-version=2016-11-14",
        "{host}/{id}",
        "{host}:8883/{id}/?api-version=2021-04-12",
    ],
)
def test_every_form_of_user_name_in_use_is_taken(hub: AnyHub, name: str, username: str) -> None:
    hub.new_device(name)
    host = username.replace("{host}:8883", f"{hub.host}:{hub.mqtt_port}").replace("{host}", hub.host.title())
    assert connack(hub, name, key=key_of(hub, name), username=host.replace("{id}", name)) == 0


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ({"password": "SharedAccessSignature sr=x&sig=y&se=1"}, 5),
        ({"password": ""}, 5),
        ({"life_s": -10}, 5),
        ({"key": OTHER_KEY}, 5),
        ({"username": "{host}/somebody-else/?api-version=2021-04-12"}, 5),
        ({"username": "other.azure-devices.net/{id}/?api-version=2021-04-12"}, 5),
        ({"username": "nonsense"}, 5),
        ({"protocol": paho.MQTTv31}, 1),
    ],
)
def test_a_refused_client_gets_a_code_and_stays_offline(
    hub: AnyHub, name: str, what: dict[str, Any], code: int
) -> None:
    hub.new_device(name)
    other = {"key": key_of(hub, name), **what}
    if "username" in other:
        other["username"] = other["username"].replace("{host}", hub.host).replace("{id}", name)
    assert connack(hub, name, **other) == code
    assert hub.ok("GET", f"/devices/{name}")["connectionState"] == "Disconnected"


def test_unknown_and_disabled_devices_look_alike(hub: AnyHub, name: str) -> None:
    device = hub.new_device(name)
    hub.ok("PUT", f"/devices/{name}", {**device, "status": "disabled"}, headers={"If-Match": "*"})
    assert connack(hub, name, key=key_of(hub, name)) == 5
    assert connack(hub, "nobody-at-all") == 5


def test_a_token_of_another_device_does_not_open(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    stolen = sas(key_of(hub, name), f"{hub.host}/devices/other")
    assert connack(hub, name, password=stolen) == 5
    whole_hub = sas(key_of(hub, name), hub.host)
    assert connack(hub, name, password=whole_hub) == 5


@pytest.mark.local_hub("needs the keys of all policies")
def test_a_policy_with_device_connect_opens_for_any_device_and_others_do_not(hub: HubProcess, name: str) -> None:
    hub.new_device(name)
    for policy, code in (("iothubowner", 0), ("device", 0), ("service", 5), ("registryReadWrite", 5)):
        token = sas(hub.policies[policy], f"{hub.host}/devices/{name}", policy=policy)
        assert connack(hub, name, password=token) == code, policy


def test_a_longer_signed_path_below_the_device_is_taken(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    token = sas(key_of(hub, name), f"{hub.host}/devices/{name}/api-version=2016-11-14")
    assert connack(hub, name, password=token) == 0


# --- what ends a connection


def test_a_second_connection_of_a_device_ends_the_first(hub: AnyHub, name: str, connect: Connect) -> None:
    first = connect(name)
    second = connect(name)
    first.wait_for_loss()
    second.answer_methods(lambda _method, _value: (200, "second"))
    answer = hub.ok("POST", f"/twins/{name}/methods", {"methodName": "x"})
    assert answer["payload"] == "second"
    assert hub.ok("GET", f"/devices/{name}")["connectionState"] == "Connected"


@pytest.mark.parametrize(
    "topic",
    ["devices/other/messages/events/", "anything", "$iothub/methods/res/200/", "$iothub/twin/GET/", "devices/{id}"],
)
def test_publishing_where_one_may_not_ends_the_connection(hub: AnyHub, name: str, connect: Connect, topic: str) -> None:
    device = connect(name)
    device.publish(topic.replace("{id}", name))
    device.wait_for_loss()


@pytest.mark.parametrize(
    "topic", ["+/other/#", "devices/other/#", "devices/other/messages/devicebound/#", "$SYS/#", "$iothub/other/#"]
)
def test_subscribing_to_what_one_may_not_ends_the_connection(
    hub: AnyHub, name: str, connect: Connect, topic: str
) -> None:
    device = connect(name)
    device.client.subscribe(topic)
    device.wait_for_loss()


@pytest.mark.local_hub("reads what devices sent, which other hubs give over AMQP alone")
def test_qos_2_ends_the_connection_and_is_granted_as_1(hub: HubProcess, name: str, connect: Connect) -> None:
    device = connect(name)
    assert device.subscribe("$iothub/methods/POST/#", "$iothub/twin/res/#", qos=2) == [1, 1]
    device.publish(f"devices/{name}/messages/events/", qos=2)
    device.wait_for_loss()
    assert hub.events_of(name) == []


def test_a_device_that_is_deleted_is_disconnected(hub: AnyHub, name: str, connect: Connect) -> None:
    device = connect(name)
    hub.request("DELETE", f"/devices/{name}", headers={"If-Match": "*"})
    device.wait_for_loss()


def test_the_end_of_a_token_is_the_end_of_the_connection(hub: AnyHub, name: str, connect: Connect) -> None:
    hub.new_device(name)
    device = connect(name, life_s=2)
    device.wait_for_loss()
    wait_for_connection_state(hub, name, "Disconnected")


def test_silence_beyond_the_keep_alive_ends_the_connection(hub: AnyHub, name: str) -> None:
    key = hub.new_device(name)["authentication"]["symmetricKey"]["primaryKey"]
    password = sas(key, f"{hub.host}/devices/{name}").encode()
    hello = packets.Connect(
        client_id=name, keep_alive_s=1, username=f"{hub.host}/{name}/?api-version=2021-04-12", password=password
    )
    with raw(hub) as sock:
        sock.sendall(encode(hello))
        assert sock.recv(4) == encode(packets.Connack(False, 0))
        assert ended(sock)
    wait_for_connection_state(hub, name, "Disconnected")


@pytest.mark.local_hub("sends odd packets, byte by byte")
@pytest.mark.parametrize(
    "said",
    [
        encode(packets.Pingreq()),
        encode(packets.Publish("a", b"")),
        b"\x00\x00",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x10\xff\xff\xff\x7f",
        bytes(range(256)),
    ],
)
def test_a_client_that_does_not_begin_with_connect_is_dropped(hub: HubProcess, said: bytes) -> None:
    with raw(hub) as sock:
        sock.sendall(said)
        assert ended(sock)


def test_a_second_connect_packet_ends_the_connection(hub: AnyHub, name: str) -> None:
    key = hub.new_device(name)["authentication"]["symmetricKey"]["primaryKey"]
    hello = encode(
        packets.Connect(
            client_id=name,
            username=f"{hub.host}/{name}/?api-version=2021-04-12",
            password=sas(key, f"{hub.host}/devices/{name}").encode(),
        )
    )
    with raw(hub) as sock:
        sock.sendall(hello)
        assert sock.recv(4) == encode(packets.Connack(False, 0))
        sock.sendall(hello)
        assert ended(sock)


# --- what arrives


@pytest.mark.local_hub("reads what devices sent, which other hubs give over AMQP alone")
def test_telemetry_arrives_with_its_properties(hub: HubProcess, name: str, connect: Connect) -> None:
    device = connect(name)
    topic = f"devices/{name}/messages/events/$.ct=application%2Fjson&site=a%2Bb%20c&empty=&none"
    device.publish(topic, {"t": 21}, qos=1).wait_for_publish(10)
    event = wait_for_event(hub, name)
    assert base64.b64decode(event["body"]) == b'{"t": 21}'
    assert event["properties"] == {"site": "a+b c", "empty": "", "none": None}
    assert event["systemProperties"] == {"contentType": "application/json"}
    assert not hub.ok("GET", f"/devices/{name}")["lastActivityTime"].startswith("0001")


@pytest.mark.local_hub("reads what devices sent, which other hubs give over AMQP alone")
def test_retain_is_passed_on_as_a_property(hub: HubProcess, name: str, connect: Connect) -> None:
    connect(name).publish(f"devices/{name}/messages/events/", b"x", qos=1, retain=True).wait_for_publish(10)
    assert wait_for_event(hub, name)["properties"] == {"mqtt-retain": "true"}


@pytest.mark.local_hub("reads what devices sent, which other hubs give over AMQP alone")
def test_a_will_is_sent_without_disconnect_and_not_after_it(hub: HubProcess, name: str, connect: Connect) -> None:
    will = (f"devices/{name}/messages/events/why=gone", b"bye", 0, False)
    polite = connect(name, will=will)
    polite.close()
    wait_for_connection_state(hub, name, "Disconnected")
    assert hub.events_of(name) == []
    rude = connect(name, will=will)
    connection: Any = rude.client.socket()
    connection.shutdown(socket.SHUT_RDWR)
    event = wait_for_event(hub, name)
    assert base64.b64decode(event["body"]) == b"bye"
    assert event["properties"] == {"why": "gone", "iothub-MessageType": "Will"}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_offered_and_nothing_older(hub: AnyHub, version: ssl.TLSVersion) -> None:
    context = ssl.create_default_context(cafile=hub.ca)
    context.minimum_version = context.maximum_version = version
    for port in (hub.mqtt_port, hub.https_port):
        with socket.create_connection((hub.host, port), timeout=20) as sock:
            with context.wrap_socket(sock, server_hostname=hub.host) as secure:
                assert secure.version() == version.name.replace("_", ".")
