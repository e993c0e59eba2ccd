"""MqttTransport against the local hub, a real process: real TLS, real sockets, also inside WebSockets."""

import gc
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.device_credentials import DeviceCertificate, DeviceKey
from azext_iotjobs.model.errors import BadValue, CannotConnect
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.transport.device_tokens import device_password
from azext_iotjobs.transport.mqtt import MqttProtocol, MqttTransport
from azext_iotjobs.transport.mqtt_events import (
    Acknowledged,
    Arrived,
    Connected,
    Event,
    Failed,
    Lost,
    MqttLogin,
    Refused,
)
from azext_iotjobs.transport.mqtt_tls import tls_context
from tests.helpers.device_certificates import Made, make
from tests.helpers.hub_process import HubProcess
from tests.helpers.tls_server import answer_with, self_signed, serving
from tests.helpers.waiting import looks

LIMIT_S = 30
CLOCK = SystemClock()


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    hub = HubProcess(tmp_path_factory.mktemp("hub"), "--in-memory")
    yield hub
    hub.stop()


def target_of(hub: HubProcess, **changes: object) -> HubTarget:
    parts = {
        "host": "localhost",
        "https_port": hub.info["httpsPort"],
        "mqtt_port": hub.info["mqttPort"],
        "ca_file": hub.info["caCertificatePath"],
        **changes,
    }
    return HubTarget(**parts)


@pytest.fixture(params=list(MqttProtocol), ids=lambda protocol: protocol.name)
def protocol(request: pytest.FixtureRequest) -> MqttProtocol:
    chosen: MqttProtocol = request.param
    return chosen


@pytest.fixture
def transport(hub: HubProcess, protocol: MqttProtocol) -> Iterator[MqttTransport]:
    transport = MqttTransport(target_of(hub), CLOCK, protocol)
    yield transport
    transport.close()


def registered(hub: HubProcess, device: str) -> Any:
    found = hub.request("GET", f"/devices/{device}")
    return found.json() if found.ok else hub.new_device(device)


def login(hub: HubProcess, device: str, key: str | None = None) -> MqttLogin:
    """A login of a device, which is registered if no key is given."""
    key = key or registered(hub, device)["authentication"]["symmetricKey"]["primaryKey"]
    password = device_password(target_of(hub), DeviceKey(device_id=device, key=key), CLOCK.now(), 600)
    return MqttLogin(client_id=device, username=f"localhost/{device}/?api-version=2021-04-12", password=password.text)


def until(transport: MqttTransport, is_it: Callable[[Event], bool]) -> list[Event]:
    """Everything that happens up to and with the awaited event."""
    deadline, seen = time.monotonic() + LIMIT_S, list[Event]()
    while not any(is_it(event) for event in seen):
        assert time.monotonic() < deadline, seen
        seen += transport.receive(0.1)
    return seen


def subscribed(transport: MqttTransport, hub: HubProcess, device: str) -> None:
    transport.connect(device, login(hub, device))
    until(transport, lambda event: event == Connected(device))
    number = transport.subscribe(device, ["$iothub/twin/res/#", "$iothub/methods/POST/#"])
    until(transport, lambda event: event == Acknowledged(device, number))


def test_a_device_connects_asks_and_gets_its_answer(hub: HubProcess, transport: MqttTransport) -> None:
    subscribed(transport, hub, "asks")
    transport.publish("asks", "$iothub/twin/GET/?$rid=1", b"", qos=0)
    events = until(transport, lambda event: isinstance(event, Arrived))
    (arrived,) = (event for event in events if isinstance(event, Arrived))
    assert arrived.topic.startswith("$iothub/twin/res/200/?$rid=1")


def test_many_answers_at_once_are_all_read(hub: HubProcess, transport: MqttTransport) -> None:
    subscribed(transport, hub, "many")
    for number in range(200):
        transport.publish("many", f"$iothub/twin/GET/?$rid={number}", b"", qos=0)
    seen: list[Event] = []
    while sum(isinstance(event, Arrived) for event in seen) < 200:
        seen += until(transport, lambda event: isinstance(event, Arrived))
    assert sum(isinstance(event, Arrived) for event in seen) == 200


def test_a_message_larger_than_a_tls_record_goes_out_whole(hub: HubProcess, transport: MqttTransport) -> None:
    subscribed(transport, hub, "large")
    number = transport.publish("large", "devices/large/messages/events/", b"x" * 250_000, qos=1)
    assert number is not None
    until(transport, lambda event: event == Acknowledged("large", number))


def test_a_wrong_key_is_refused_and_tells_it_once(hub: HubProcess, transport: MqttTransport) -> None:
    registered(hub, "wrong")
    transport.connect("wrong", login(hub, "wrong", key="AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="))
    assert [
        event for event in until(transport, lambda event: isinstance(event, Refused)) if isinstance(event, Refused)
    ] == [Refused("wrong", 5)]


def test_a_second_connection_of_the_same_device_ends_the_first(
    hub: HubProcess, transport: MqttTransport, protocol: MqttProtocol
) -> None:
    entry = login(hub, "twice")
    transport.connect("twice", entry)
    until(transport, lambda event: event == Connected("twice"))
    other = MqttTransport(target_of(hub), CLOCK, protocol)
    try:
        other.connect("twice", entry)
        until(other, lambda event: event == Connected("twice"))
        until(transport, lambda event: event == Lost("twice"))
    finally:
        other.close()


def test_a_drop_is_no_loss_and_the_device_can_come_back(hub: HubProcess, transport: MqttTransport) -> None:
    entry = login(hub, "drops")
    transport.connect("drops", entry)
    until(transport, lambda event: event == Connected("drops"))
    transport.drop("drops")
    transport.connect("drops", entry)
    assert Lost("drops") not in until(transport, lambda event: event == Connected("drops"))


def test_what_was_not_acknowledged_is_sent_again_after_a_reconnect(hub: HubProcess, transport: MqttTransport) -> None:
    entry = login(hub, "again")
    transport.connect("again", entry)
    until(transport, lambda event: event == Connected("again"))
    transport.drop("again")
    number = transport.publish("again", "devices/again/messages/events/", b"{}", qos=1)
    assert number is not None
    transport.connect("again", entry)
    until(transport, lambda event: event == Acknowledged("again", number))


def test_a_hub_that_is_not_there_is_told_as_an_event(hub: HubProcess, protocol: MqttProtocol) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    transport = MqttTransport(target_of(hub, mqtt_port=port, https_port=port), CLOCK, protocol)
    try:
        transport.connect("d", MqttLogin(client_id="d", username="u", password="p"))
        (event,) = until(transport, lambda event: isinstance(event, Failed))
    finally:
        transport.close()
    assert isinstance(event, Failed)
    assert isinstance(event.error, CannotConnect)
    assert str(port) in str(event.error)


def test_a_hub_that_is_not_trusted_never_sees_the_password(hub: HubProcess, protocol: MqttProtocol) -> None:
    transport = MqttTransport(target_of(hub, ca_file=None), CLOCK, protocol)
    try:
        transport.connect("d", MqttLogin(client_id="d", username="u", password="p"))
        (event,) = until(transport, lambda event: isinstance(event, Failed))
    finally:
        transport.close()
    assert isinstance(event, Failed)
    assert "not trusted" in str(event.error)


def test_a_handshake_that_hangs_delays_nobody_not_even_the_end(hub: HubProcess, protocol: MqttProtocol) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        transport = MqttTransport(target_of(hub, mqtt_port=port, https_port=port), CLOCK, protocol)
        transport.connect("d", MqttLogin(client_id="d", username="u", password="p"))
        for _ in looks("the connection"):
            if select.select([silent], [], [], 0)[0]:
                break
            assert transport.receive(0.05) == []
        accepted, _ = silent.accept()
        before = time.monotonic()
        for _ in range(5):
            assert transport.receive(0.0) == []
        transport.close()
        assert time.monotonic() - before < LIMIT_S / 3
        accepted.close()


CONNACK = bytes.fromhex("20020000")
NO_PACKETS = {
    "a topic without UTF-8 form": "30050002fffe41",
    "a topic longer than its packet": "3003000941",
    "a message without a topic": "300100",
    "a message of QoS 1 without a number": "3203000141",
    "QoS 3": "36050001410001",
    "a short SUBACK": "900100",
    "an empty PUBACK": "4000",
    "a long PINGRESP": "d00100",
    "packet type 0": "0000",
    "packet type 15": "f000",
    "a length that never ends": "30ffffffffff",
    "a CONNACK of one byte": "200100",
}


@pytest.mark.parametrize("packet", NO_PACKETS.values(), ids=NO_PACKETS)
def test_a_packet_that_is_none_ends_its_connection_and_nothing_else(tmp_path: Path, packet: str) -> None:
    certificate, key = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def serve() -> None:
        with context.wrap_socket(listener.accept()[0], server_side=True) as device:
            device.recv(1000)  # CONNECT
            device.sendall(CONNACK)
            device.sendall(bytes.fromhex(packet))
            device.settimeout(LIMIT_S)
            with suppress(OSError):  # until it has left
                while device.recv(1000):
                    pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        target = HubTarget(host="localhost", mqtt_port=listener.getsockname()[1], ca_file=str(certificate))
        transport = MqttTransport(target, CLOCK)
        transport.connect("d", MqttLogin(client_id="d", username="u", password="p"))
        seen = until(transport, lambda event: isinstance(event, Lost))
        transport.close()
        thread.join(LIMIT_S)
    assert not thread.is_alive()
    assert seen == [Connected("d"), Lost("d")]


@pytest.mark.parametrize(
    "topic", ["devices/a+b/messages/events/", "devices/a#/messages/events/", "x" * 70_000, "", "a\ud800"]
)
def test_what_mqtt_cannot_carry_is_an_error_of_ours(hub: HubProcess, transport: MqttTransport, topic: str) -> None:
    subscribed(transport, hub, "asks")
    with pytest.raises(BadValue, match="MQTT cannot carry") as raised:
        transport.publish("asks", topic, b"x", qos=1)
    assert len(str(raised.value)) < 400
    with pytest.raises(BadValue, match="MQTT cannot carry"):
        transport.subscribe("asks", [f"a+/{topic}"])
    assert transport.publish("asks", "devices/asks/messages/events/", b"x", qos=1), "the connection goes on"


def test_a_ca_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for path in (tmp_path / "ca.pem", tmp_path / "nowhere.pem"):
        with pytest.raises(BadValue, match="CA file"):
            tls_context(str(path))


def test_a_server_that_speaks_no_websocket_is_told_as_an_event_and_its_socket_is_closed(tmp_path: Path) -> None:
    with serving(tmp_path, answer_with(400)) as server:
        target = HubTarget(host="localhost", https_port=server.port, ca_file=str(server.ca_file))
        transport = MqttTransport(target, CLOCK, MqttProtocol.WEBSOCKET)
        try:
            transport.connect("d", MqttLogin(client_id="d", username="u", password="p"))
            (event,) = until(transport, lambda event: isinstance(event, Failed))
        finally:
            transport.close()
    gc.collect()  # a socket that is left open warns, and a warning fails the test
    assert isinstance(event, Failed)
    assert "443" in str(event.error.hint)
    (seen,) = server.seen
    assert (seen.method, seen.path, seen.headers["sec-websocket-protocol"]) == ("GET", "/$iothub/websocket", "mqtt")


def test_a_certificate_signs_in_and_no_password_is_sent(
    hub: HubProcess, transport: MqttTransport, tmp_path: Path, protocol: MqttProtocol
) -> None:
    device, own = f"x509-{protocol.name}", make("x")
    authentication = {"type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": own.thumbprint()}}
    hub.new_device(device, authentication=authentication)
    transport.connect(device, by_certificate(device, own, tmp_path))
    until(transport, lambda event: event == Connected(device))
    number = transport.subscribe(device, ["$iothub/twin/res/#"])
    until(transport, lambda event: event == Acknowledged(device, number))
    other = f"{device}-other"
    hub.new_device(other, authentication=authentication)
    transport.connect(other, by_certificate(other, make("y"), tmp_path))
    until(transport, lambda event: event == Refused(other, 5))


def by_certificate(device: str, own: Made, folder: Path) -> MqttLogin:
    certificate, key = own.files(folder)
    shown = DeviceCertificate(certificate_file=certificate, key_file=key)
    username = f"localhost/{device}/?api-version=2021-04-12"
    return MqttLogin(client_id=device, username=username, password=None, certificate=shown)


def test_an_encrypted_key_opens_with_its_passphrase(tmp_path: Path) -> None:
    certificate, key = make("x").files(tmp_path, passphrase="let me in")
    tls_context(None, DeviceCertificate(certificate_file=certificate, key_file=key, passphrase="let me in"))


@pytest.mark.parametrize(
    ("passphrase", "said"),
    [
        (None, "passphrase is missing"),
        ("", "passphrase is wrong"),
        ("x-secret", "passphrase is wrong"),
        ("x-secret" * 200, "passphrase is wrong"),
    ],
)
def test_a_passphrase_that_does_not_fit_is_said_and_not_shown(
    tmp_path: Path, passphrase: str | None, said: str
) -> None:
    certificate, key = make("x").files(tmp_path, passphrase="let me in")
    own = DeviceCertificate(certificate_file=certificate, key_file=key, passphrase=passphrase)
    with pytest.raises(BadValue, match=said) as caught:
        tls_context(None, own)
    assert "x-secret" not in f"{caught.value} {own!r}"


def test_files_that_do_not_fit_are_said(tmp_path: Path) -> None:
    certificate, key = make("x").files(tmp_path)
    other_certificate, _ = make("x").files(tmp_path)
    (tmp_path / "text.pem").write_text("no certificate")
    text, nowhere = str(tmp_path / "text.pem"), str(tmp_path / "nowhere.pem")
    for certificate_file, key_file, said in (
        (other_certificate, key, "is not the one"),
        (nowhere, key, "nowhere.pem cannot be read"),
        (certificate, nowhere, "nowhere.pem cannot be read"),
        (str(tmp_path), key, "cannot be read"),
        ("a\0b", key, "cannot be read"),
        (text, key, "PEM"),
        (certificate, text, "PEM"),
        (key, certificate, "PEM"),
    ):
        with pytest.raises(BadValue, match=said):
            tls_context(None, DeviceCertificate(certificate_file=certificate_file, key_file=key_file))
