"""Clients that call a hub by a name that it was asked to have, as other containers do: Microsoft's SDKs, curl, OpenSSL.

They look the name up in a hosts file of their own, which only a process of root can have.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from azext_iotjobs.localhub.testing.process import LocalHub
from tests.helpers.driven import Driven
from tests.helpers.hub_messages import wait_for_events
from tests.helpers.hub_process import sas
from tests.helpers.official_sdks import (
    AMQP_PORT,
    HTTPS_PORT,
    MQTT_PORT,
    NODE_MODULES,
    PROGRAMS,
    SDK_PYTHON,
    needs_amqp_port,
    needs_https_port,
    needs_mqtt_port,
    needs_node,
    needs_python_sdk,
    own_address,
)

ADDRESS, NAME = own_address(4), "iothub"
needs_own_hosts = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or shutil.which("unshare") is None,
    reason="only root of Linux can give a process a hosts file of its own (unshare --mount)",
)
pytestmark = [needs_https_port, needs_mqtt_port, needs_amqp_port]
Program = Callable[..., Driven]


@pytest.fixture(scope="module")
def hub() -> Iterator[LocalHub]:
    ports = ("--https-port", str(HTTPS_PORT), "--mqtt-port", str(MQTT_PORT), "--amqp-port", str(AMQP_PORT))
    with LocalHub("--bind", ADDRESS, "--dns-name", NAME, *ports) as hub:
        yield hub


@pytest.fixture
def program(hub: LocalHub, tmp_path: Path) -> Iterator[Program]:
    """Starts a program that finds the hub by its name, and trusts it; it is ended with the test."""
    hosts = tmp_path / "hosts"
    hosts.write_text(f"127.0.0.1 localhost\n{ADDRESS} {NAME}\n")
    own_hosts = ("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', str(hosts))
    environment = {
        **hub.environment(),
        "NODE_PATH": str(NODE_MODULES),
        "IOTJOBS_CONNECTION_STRING": hub.info["dnsNames"][0]["connectionString"],
    }
    started: list[Driven] = []

    def start(*words: str) -> Driven:
        started.append(Driven(*own_hosts, *words, environment=environment))
        return started[-1]

    yield start
    for each in started:
        each.close()


def device_string(hub: LocalHub, device: str) -> str:
    hub.create_device(device)
    return hub.device_connection_string(device).replace(f"HostName={ADDRESS};", f"HostName={NAME};")


@needs_own_hosts
@needs_python_sdk
@needs_node
@pytest.mark.parametrize("websocket", [False, True])
def test_a_service_on_node_calls_a_device_in_python(
    hub: LocalHub, program: Program, name: str, websocket: bool
) -> None:
    device = program(str(SDK_PYTHON), str(PROGRAMS / "device.py"))
    string = device_string(hub, name)
    device.do("open", {"connectionString": string, "ca": hub.ca_certificate_path, "webSocket": websocket})
    device.do("listen")
    service = program("node", str(PROGRAMS / "service.js"))
    called = service.do("invoke", name, {"methodName": "ping", "payload": {"a": 1}, "responseTimeoutInSeconds": 30})
    assert called["payload"] == {"echo": {"a": 1}}


@needs_own_hosts
@needs_python_sdk
@needs_node
def test_events_of_a_device_over_amqp_are_read_where_the_hub_says_under_the_same_name(
    hub: LocalHub, program: Program, name: str
) -> None:
    device = program("node", str(PROGRAMS / "device.js"), "amqp")
    device.do("open", {"connectionString": device_string(hub, name)})
    device.do("send", "hello", {})
    wait_for_events(hub, name)
    service = program(str(SDK_PYTHON), str(PROGRAMS / "service.py"), hub.ca_certificate_path)
    key = hub.connection_string.partition("SharedAccessKey=")[2]
    assert service.do("discover", NAME, sas(key, NAME, policy="iothubowner"))["hostname"] == NAME
    reader = program(str(SDK_PYTHON), str(PROGRAMS / "events.py"))
    string = hub.info["dnsNames"][0]["eventHubsConnectionString"]
    reader.do("open", "reader", {"connectionString": string, "ca": hub.ca_certificate_path})
    reader.do("receive", "reader", {"starting_position": "-1"})
    assert reader.event("event", lambda each: each["system"]["iothub-connection-device-id"] == name)["body"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_trusts_the_hub_by_its_name_and_by_no_other(hub: LocalHub) -> None:
    def curl(name: str) -> "subprocess.CompletedProcess[str]":
        words = ("--cacert", hub.ca_certificate_path, "--resolve", f"{name}:{HTTPS_PORT}:{ADDRESS}", "--noproxy", "*")
        url = f"https://{name}/_local/health"
        return subprocess.run(["curl", "-sS", *words, url], capture_output=True, text=True, timeout=60, check=False)

    assert curl(NAME).stdout == '{"status":"up"}'
    assert curl(f"x.{NAME}").returncode == 60, "the certificate is not for it"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("port", [MQTT_PORT, AMQP_PORT])
def test_openssl_verifies_it_at_the_ports_of_devices(hub: LocalHub, port: int) -> None:
    words = ("-connect", f"{ADDRESS}:{port}", "-servername", NAME, "-CAfile", hub.ca_certificate_path)
    checks = ("-verify_hostname", NAME, "-verify_return_error", "-brief")
    ran = subprocess.run(
        ["openssl", "s_client", *words, *checks], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0 and f"Verified peername: {NAME}" in ran.stderr, ran.stderr
