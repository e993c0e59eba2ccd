"""The log of a hub as a process: why connections ended, at the level that it has when nothing is said."""

import socket
import ssl
from pathlib import Path

import pytest

from tests.helpers.hub_process import HubProcess
from tests.helpers.mqtt_device import MqttDevice
from tests.helpers.waiting import wait_until

pytestmark = pytest.mark.local_hub("reads the hub's log")

START = "connection of a client that had not said who it is ended: its TLS handshake failed: "


@pytest.mark.parametrize("asks_for_certificates", [False, True])
@pytest.mark.parametrize("port", ["mqttPort", "httpsPort"])
def test_a_client_that_does_not_trust_the_hub_or_speaks_no_tls_is_logged(
    tmp_path: Path, port: str, asks_for_certificates: bool
) -> None:
    with HubProcess(tmp_path, "--in-memory") as hub:
        if asks_for_certificates:
            hub.new_device("by-certificate", authentication={"type": "certificateAuthority"})
        address = ("127.0.0.1", hub.info[port])
        with socket.create_connection(address, timeout=30) as plain, pytest.raises(ssl.SSLCertVerificationError):
            ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")
        wait_until("it is in the log", lambda: "it does not trust the hub's CA certificate" in hub.errors)
        with socket.create_connection(address, timeout=30) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            wait_until("it is in the log", lambda: "it does not speak TLS" in hub.errors)
        lines = hub.errors.splitlines()
        assert len(lines) == 2 and all(START in line for line in lines), lines


def test_a_wrong_key_and_a_filter_of_another_device_are_logged(tmp_path: Path) -> None:
    with HubProcess(tmp_path, "--in-memory") as hub:
        key = hub.new_device("pump-1")["authentication"]["symmetricKey"]["primaryKey"]
        stranger = MqttDevice(hub, "pump-1", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
        assert stranger.connect() == 5
        wait_until("it is in the log", lambda: "client 'pump-1' ended: it was not let in: " in hub.errors)
        device = MqttDevice(hub, "pump-1", key)
        assert device.connect() == 0
        device.client.subscribe("devices/pump-2/#")
        device.wait_for_loss()
        why = "client 'pump-1' ended: it subscribed to 'devices/pump-2/#', which covers none of its own topics"
        wait_until("it is in the log", lambda: why in hub.errors)
        stranger.close()
        device.close()
        assert len(hub.errors.splitlines()) == 2
        assert key not in hub.errors and "SharedAccessSignature" not in hub.errors


def test_what_goes_well_leaves_the_log_empty(tmp_path: Path) -> None:
    with HubProcess(tmp_path, "--in-memory") as hub:
        key = hub.new_device("pump-1")["authentication"]["symmetricKey"]["primaryKey"]
        device = MqttDevice(hub, "pump-1", key)
        assert device.connect() == 0
        device.subscribe("$iothub/methods/#")
        device.close()
        assert hub.refused("GET", "/devices/nobody")[0] == 404
        assert hub.stop() == 0
        assert hub.errors == ""
