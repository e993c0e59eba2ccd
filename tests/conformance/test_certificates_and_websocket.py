"""Microsoft's device SDKs over WebSocket, and signing in with certificates; the Python one speaks TLS 1.2 alone."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.localhub.isolated import LocalHub
from tests.conformance.conftest import Open
from tests.helpers.device_certificates import Made, make
from tests.helpers.driven import ClientError, Driven
from tests.helpers.official_sdks import (
    needs_https_port,
    needs_mqtt_port,
    needs_node,
    needs_python_sdk,
    node_program,
    python_device,
)
from tests.helpers.seen import wait_for_events

pytestmark = needs_mqtt_port
ROOT = make("root", ca=True)
MIDDLE = make("middle", ROOT, ca=True)
LARGE = "x" * 120_000

SDKS = [pytest.param("Python", marks=needs_python_sdk), pytest.param("Node.js", marks=needs_node)]


def answers_a_large_method(hub: LocalHub, device: str, program: Driven, sdk: str) -> bool:
    program.do("listen", *(["echo"] if sdk == "Node.js" else []))
    asked = {"methodName": "echo", "payload": LARGE, "connectTimeoutInSeconds": 30, "responseTimeoutInSeconds": 60}
    return bool(hub.request("POST", f"/twins/{device}/methods", asked) == {"status": 202, "payload": {"echo": LARGE}})


@needs_https_port
@pytest.mark.parametrize("sdk", SDKS)
def test_a_device_does_over_websocket_what_it_does_over_mqtt(
    hub: LocalHub, name: str, sdk: str, request: pytest.FixtureRequest
) -> None:
    open_device: Open = request.getfixturevalue("open_python" if sdk == "Python" else "open_node")
    device = open_device(name, webSocket=True)
    device.do("send", "hello", {"a": "b"})
    (event,) = wait_for_events(hub, name)
    assert (event["body"], event["properties"]) == ("hello", {"a": "b"})
    assert "desired" in device.do("twin")
    assert answers_a_large_method(hub, name, device, sdk)


@pytest.fixture
def begin() -> Iterator[Callable[[LocalHub, str], Driven]]:
    """Begins a program of an SDK; it is closed at the end."""
    begun: list[Driven] = []

    def begin(hub: LocalHub, sdk: str) -> Driven:
        begun.append(python_device() if sdk == "Python" else node_program(hub, "device.js"))
        return begun[-1]

    yield begin
    for each in begun:
        each.close()


def signed_in(hub: LocalHub, device: str, folder: Path, shown: tuple[Made, ...], **more: Any) -> dict[str, Any]:
    certificate, key = shown[0].files(folder, *shown[1:])
    return {
        "hostName": hub.device_host_name,
        "deviceId": device,
        "connectionString": hub.device_connection_string(device),
        "certificate": certificate,
        "key": key,
        "ca": hub.ca_certificate_path,
        **more,
    }


@pytest.mark.parametrize("sdk", SDKS)
@pytest.mark.parametrize("web_socket", [False, pytest.param(True, marks=needs_https_port)], ids=["MQTT", "WebSocket"])
@pytest.mark.parametrize("kind", ["selfSigned", "certificateAuthority"])
def test_a_certificate_signs_in(
    hub: LocalHub,
    name: str,
    tmp_path: Path,
    begin: Callable[[LocalHub, str], Driven],
    sdk: str,
    web_socket: bool,
    kind: str,
) -> None:
    hub.request("PUT", "/_local/certificates/root", {"certificate": ROOT.pem})
    shown = (make(name),) if kind == "selfSigned" else (make(name, MIDDLE), MIDDLE)
    prints = {"x509Thumbprint": {"primaryThumbprint": shown[0].thumbprint()}} if kind == "selfSigned" else {}
    hub.create_device(name, authentication={"type": kind, **prints})
    device = begin(hub, sdk)
    device.do("open", signed_in(hub, name, tmp_path, shown, webSocket=web_socket))
    assert answers_a_large_method(hub, name, device, sdk)
    device.do("close")
    other = begin(hub, sdk)
    with pytest.raises(ClientError):
        other.do("open", signed_in(hub, name, tmp_path, (make(name),), webSocket=web_socket))
