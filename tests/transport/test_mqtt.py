"""MqttTransport against the local hub, a real process: real TLS, real sockets."""

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import BadValue, CannotConnect
from azext_iotjobs.model.target import DeviceKey, HubTarget
from azext_iotjobs.transport.auth import device_password
from azext_iotjobs.transport.mqtt import MqttTransport, tls_context
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
from tests.helpers.hub_process import HubProcess

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
        "mqtt_port": hub.info["mqttPort"],
        "ca_file": hub.info["caCertificatePath"],
        **changes,
    }
    return HubTarget(**parts)  # type: ignore[arg-type]


@pytest.fixture
def transport(hub: HubProcess) -> Iterator[MqttTransport]:
    transport = MqttTransport(target_of(hub), CLOCK)
    yield transport
    transport.close()


def login(hub: HubProcess, device: str, key: str | None = None) -> MqttLogin:
    """A login of a device, which is registered if no key is given."""
    key = key or hub.new_device(device)["authentication"]["symmetricKey"]["primaryKey"]
    password = device_password(target_of(hub), DeviceKey(device_id=device, key=key), CLOCK.now(), 600)
    return MqttLogin(
        client_id=device, username=f"localhost/{device}/?api-version=2021-04-12", password=password.text
    )  # fmt: skip


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
    until(transport, lambda event: event == Acknowledged("large", number))


def test_a_wrong_key_is_refused_and_tells_it_once(hub: HubProcess, transport: MqttTransport) -> None:
    hub.new_device("wrong")
    transport.connect("wrong", login(hub, "wrong", key="AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="))
    assert [
        event for event in until(transport, lambda event: isinstance(event, Refused)) if isinstance(event, Refused)
    ] == [Refused("wrong", 5)]


def test_a_second_connection_of_the_same_device_ends_the_first(hub: HubProcess, transport: MqttTransport) -> None:
    entry = login(hub, "twice")
    transport.connect("twice", entry)
    until(transport, lambda event: event == Connected("twice"))
    other = MqttTransport(target_of(hub), CLOCK)
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
    transport.connect("again", entry)
    until(transport, lambda event: event == Acknowledged("again", number))


def test_a_hub_that_is_not_there_is_told_as_an_event(hub: HubProcess) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    transport = MqttTransport(target_of(hub, mqtt_port=port), CLOCK)
    try:
        transport.connect("d", MqttLogin(client_id="d", username="u", password="p"))
        (event,) = until(transport, lambda event: isinstance(event, Failed))
    finally:
        transport.close()
    assert isinstance(event, Failed)
    assert isinstance(event.error, CannotConnect)
    assert str(port) in str(event.error)


def test_a_hub_that_is_not_trusted_never_sees_the_password(hub: HubProcess) -> None:
    transport = MqttTransport(target_of(hub, ca_file=None), CLOCK)
    try:
        transport.connect("d", MqttLogin(client_id="d", username="u", password="p"))
        (event,) = until(transport, lambda event: isinstance(event, Failed))
    finally:
        transport.close()
    assert isinstance(event, Failed)
    assert "not trusted" in str(event.error)


def test_a_handshake_that_hangs_delays_nobody_not_even_the_end(hub: HubProcess) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        transport = MqttTransport(target_of(hub, mqtt_port=silent.getsockname()[1]), CLOCK)
        transport.connect("d", MqttLogin(client_id="d", username="u", password="p"))
        accepted, _ = silent.accept()
        before = time.monotonic()
        assert transport.receive(0.0) == []
        transport.close()
        assert time.monotonic() - before < LIMIT_S / 3
        accepted.close()


def test_a_ca_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for path in (tmp_path / "ca.pem", tmp_path / "nowhere.pem"):
        with pytest.raises(BadValue, match="CA file"):
            tls_context(str(path))
