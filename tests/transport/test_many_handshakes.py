"""Handshakes of many devices at once, with a hub that is far away, and with one that says nothing to some."""

import gc
import select
import socket
import ssl
import struct
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.device_credentials import DeviceCertificate, DeviceKey
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.transport.device_tokens import device_password
from azext_iotjobs.transport.handshake import READ, WRITE, Handshake
from azext_iotjobs.transport.mqtt import MqttProtocol, MqttTransport
from azext_iotjobs.transport.mqtt_events import Connected, Event, Failed, MqttLogin
from azext_iotjobs.transport.mqtt_tls import tls_context
from tests.helpers.device_certificates import make
from tests.helpers.far_hub import far_hub
from tests.helpers.hub_process import HubProcess
from tests.helpers.waiting import looks

CLOCK = SystemClock()
DEVICES = [f"far-{number}" for number in range(150)]
ROUND_TRIP_S = 0.4  # four times as far as a hub on the same continent: a pool of 32 threads would need 10 s and more
LIMIT_S = 8.0


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    hub = HubProcess(tmp_path_factory.mktemp("hub"), "--in-memory")
    for first in range(0, len(DEVICES), 100):
        hub.ok("POST", "/devices", [{"id": each, "importMode": "create"} for each in DEVICES[first : first + 100]])
    yield hub
    hub.stop()


def target(hub: HubProcess, port: int) -> HubTarget:
    return HubTarget(host="localhost", https_port=port, mqtt_port=port, ca_file=hub.ca)


def login(hub: HubProcess, device: str) -> MqttLogin:
    policy = DeviceKey(device_id=device, key=hub.key(), policy="iothubowner")
    password = device_password(target(hub, 1), policy, CLOCK.now(), 600)
    username = f"localhost/{device}/?api-version=2021-04-12"
    return MqttLogin(client_id=device, username=username, password=password.text)


def first_events(transport: MqttTransport) -> list[Event]:
    """The first that come."""
    return next(seen for _ in looks("an event") if (seen := transport.receive(5)))


def until_connected(transport: MqttTransport, count: int, limit_s: float) -> list[Event]:
    deadline, seen = time.monotonic() + limit_s, list[Event]()
    while sum(isinstance(each, Connected) for each in seen) < count and time.monotonic() < deadline:
        seen += transport.receive(0.1)
    return seen


@pytest.mark.parametrize("protocol", MqttProtocol)
def test_a_hub_far_away_and_silent_guests_delay_nobody(hub: HubProcess, protocol: MqttProtocol) -> None:
    port = hub.ports[1] if protocol is MqttProtocol.TLS else hub.ports[0]
    with far_hub(port, ROUND_TRIP_S, lambda number: number % 15 == 0) as far:
        transport = MqttTransport(target(hub, far.port), CLOCK, protocol)
        try:
            for device in DEVICES:
                transport.connect(device, login(hub, device))
            seen = until_connected(transport, 140, LIMIT_S)
            assert sum(isinstance(each, Connected) for each in seen) == 140
            assert len(seen) == 140, "the silent ones are still waited for"
            assert far.at_once == 150
        finally:
            transport.close()


def test_a_hub_that_takes_tcp_and_says_nothing_is_given_up_in_time(hub: HubProcess) -> None:
    with far_hub(hub.ports[1], 0.0, lambda number: True) as silent:
        transport = MqttTransport(target(hub, silent.port), CLOCK, connect_timeout_s=0.5)
        try:
            transport.connect("far-0", login(hub, "far-0"))
            before = time.monotonic()
            seen = first_events(transport)
            assert 0.4 < time.monotonic() - before < 3
            (failed,) = seen
            assert isinstance(failed, Failed) and "no answer" in str(failed.error)
        finally:
            transport.close()


def test_a_device_that_leaves_while_its_handshake_is_under_way_is_not_connected(hub: HubProcess) -> None:
    with far_hub(hub.ports[1], 0.2) as far:
        transport = MqttTransport(target(hub, far.port), CLOCK)
        try:
            for device in DEVICES[:2]:
                transport.connect(device, login(hub, device))
            transport.receive(0.3)
            transport.drop(DEVICES[0])
            assert until_connected(transport, 2, 2.0) == [Connected(DEVICES[1])]
            transport.connect(DEVICES[0], login(hub, DEVICES[0]))
            assert until_connected(transport, 1, 5.0) == [Connected(DEVICES[0])]
        finally:
            transport.close()


def test_an_address_where_nobody_listens_gives_way_to_the_next_one(hub: HubProcess) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        dead = free.getsockname()
    addresses = [(socket.AF_INET, 0, dead), (socket.AF_INET, 0, ("127.0.0.1", hub.ports[1]))]
    handshake = Handshake(addresses, lambda: tls_context(hub.ca), "localhost", None)
    number, wanted = handshake.begin(), WRITE
    for _ in looks("the end of the handshake"):
        if not wanted:
            break
        select.select([number] if wanted == READ else [], [number] if wanted == WRITE else [], [], 5)
        try:
            wanted = handshake.advance()
        except ConnectionError:
            assert handshake.can_try_next
            number, wanted = handshake.begin(), WRITE
    assert handshake.address == addresses[1]
    handshake.take().close()


def test_a_side_that_is_gone_again_before_tls_leaves_no_socket_open() -> None:
    def gone_meanwhile() -> ssl.SSLContext:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # as a killed process does
        taken.close()
        return ssl.create_default_context()

    with socket.create_server(("127.0.0.1", 0)) as server:
        where = (socket.AF_INET, socket.IPPROTO_TCP, server.getsockname())
        handshake = Handshake([where], gone_meanwhile, "localhost", None)
        number = handshake.begin()
        assert select.select([], [number], [], 5)[1]
        taken, _ = server.accept()
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            with pytest.raises(OSError):
                handshake.advance()
            handshake.close()
            gc.collect()
    assert [str(each.message) for each in told] == []


def test_a_host_without_a_name_is_told_as_an_event(hub: HubProcess) -> None:
    nowhere = HubTarget(host="no-such-hub.invalid", mqtt_port=8883, ca_file=hub.ca)
    transport = MqttTransport(nowhere, CLOCK)
    try:
        transport.connect("far-0", login(hub, "far-0"))
        seen = first_events(transport)
        (failed,) = seen
        assert isinstance(failed, Failed) and "was not reached" in str(failed.error)
    finally:
        transport.close()


def test_each_device_shows_its_own_certificate_whatever_is_under_way_beside_it(hub: HubProcess, tmp_path: Path) -> None:
    logins = {}
    for number in range(12):
        key: Any = rsa.generate_private_key(65537, 2048) if number % 3 == 0 else None
        device, own = f"x509-{number}", make("x", key=key)
        thumbprint = {"primaryThumbprint": own.thumbprint()}
        hub.new_device(device, authentication={"type": "selfSigned", "x509Thumbprint": thumbprint})
        certificate_file, key_file = own.files(tmp_path)
        certificate = DeviceCertificate(certificate_file=certificate_file, key_file=key_file)
        username = f"localhost/{device}/?api-version=2021-04-12"
        logins[device] = MqttLogin(client_id=device, username=username, password=None, certificate=certificate)
    logins[DEVICES[0]] = login(hub, DEVICES[0])
    with far_hub(hub.ports[1], 0.1) as far:
        transport = MqttTransport(target(hub, far.port), CLOCK)
        try:
            for _ in range(2):
                for device, each in logins.items():
                    transport.connect(device, each)
                assert {each.device for each in until_connected(transport, 13, LIMIT_S)} == set(logins)
                for device in logins:
                    transport.drop(device)
            gone = "x509-1"
            signs_in_with = logins[gone].certificate
            assert signs_in_with is not None
            Path(signs_in_with.key_file).unlink()
            transport.connect(gone, logins[gone])
            seen = first_events(transport)
            (failed,) = seen
            assert isinstance(failed, Failed) and "cannot be read" in str(failed.error)
        finally:
            transport.close()
