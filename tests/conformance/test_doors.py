"""Every door that Microsoft's device SDKs know: WebSocket beside TLS, AMQP beside MQTT, certificates beside keys."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.localhub.testing.process import LocalHub
from tests.helpers.device_certificates import Made, make
from tests.helpers.driven import ClientError, Driven
from tests.helpers.hub_messages import send_message, wait_for_events
from tests.helpers.official_sdks import (
    ADDRESS,
    needs_amqp_port,
    needs_https_port,
    needs_mqtt_port,
    needs_node,
    needs_python_sdk,
    node_program,
    python_device,
)
from tests.helpers.waiting import wait_until

pytestmark = [needs_mqtt_port, needs_https_port]

Start = Callable[[LocalHub], Driven]
FACTORY = make("factory", ca=True)
LINE = make("line 1 of the factory", FACTORY, ca=True)
LARGE = "x" * 120_000  # more than one TLS record, WebSocket frame or read


def start_python(_hub: LocalHub) -> Driven:
    return python_device()


def start_node(hub: LocalHub) -> Driven:
    return node_program(hub, "device.js")


def start_amqp(hub: LocalHub) -> Driven:
    return node_program(hub, "device.js", "amqp")


OVER_MQTT = [
    pytest.param(start_python, marks=needs_python_sdk, id="python"),
    pytest.param(start_node, marks=needs_node, id="node"),
]
OVER_AMQP = pytest.param(start_amqp, marks=[needs_node, needs_amqp_port], id="node over AMQP")
over_mqtt = pytest.mark.parametrize("start", OVER_MQTT)
over_both = pytest.mark.parametrize("start", [*OVER_MQTT, OVER_AMQP])


@pytest.fixture(scope="module")
def factory(hub: LocalHub) -> Iterator[LocalHub]:
    """The hub, which knows the factory's CA."""
    hub.request("PUT", "/_local/certificates/factory", {"certificate": FACTORY.pem})
    yield hub
    hub.request("DELETE", "/_local/certificates/factory")


def key_options(hub: LocalHub, device: str) -> dict[str, Any]:
    hub.create_device(device)
    return {"connectionString": hub.device_connection_string(device), "ca": hub.ca_certificate_path}


def certificate_options(
    hub: LocalHub, device: str, folder: Path, kind: str, made: Made, *above: Made
) -> dict[str, Any]:
    thumbprints = {"primaryThumbprint": made.thumbprint(), "secondaryThumbprint": made.thumbprint("sha256")}
    authentication = {"type": kind, **({"x509Thumbprint": thumbprints} if kind == "selfSigned" else {})}
    hub.create_device(device, authentication=authentication)
    certificate, key = made.files(folder, *above)
    return {
        "connectionString": hub.device_connection_string(device),
        "hostName": ADDRESS,
        "deviceId": device,
        "ca": hub.ca_certificate_path,
        "certificate": certificate,
        "key": key,
    }


def does_all_that_devices_do(hub: LocalHub, name: str, device: Driven) -> None:
    device.do("listen")
    device.do("send", "hello", {"a": "b"})
    (event,) = wait_for_events(hub, name)
    assert (event["body"], event["properties"]) == ("hello", {"a": "b"})
    call = {"methodName": "ping", "payload": LARGE}
    assert hub.request("POST", f"/twins/{name}/methods", call)["payload"] == {"echo": LARGE}
    hub.request("PATCH", f"/twins/{name}", {"properties": {"desired": {"speed": 7}}})
    device.event("desired", lambda each: each["patch"].get("speed") == 7)
    wait_until(
        "what it reports is in its twin",
        lambda: hub.request("GET", f"/twins/{name}")["properties"]["reported"].get("speed") == 7,
    )
    device.do("listenForMessages")
    send_message(hub, name, "from the cloud")
    assert device.event("message")["body"] == "from the cloud"
    assert hub.request("GET", f"/devices/{name}")["connectionState"] == "Connected"


@over_both
def test_over_websocket_with_a_key(hub: LocalHub, name: str, start: Start) -> None:
    with start(hub) as device:
        device.do("open", {**key_options(hub, name), "webSocket": True})
        does_all_that_devices_do(hub, name, device)


@over_both
@pytest.mark.parametrize("web_socket", [False, True])
def test_with_a_certificate_of_its_own(
    hub: LocalHub, name: str, start: Start, web_socket: bool, tmp_path: Path
) -> None:
    options = certificate_options(hub, name, tmp_path, "selfSigned", make(name))
    with start(hub) as device:
        device.do("open", {**options, "webSocket": web_socket})
        does_all_that_devices_do(hub, name, device)


@over_both
@pytest.mark.parametrize("web_socket", [False, True])
def test_with_a_certificate_of_the_factory_s(
    factory: LocalHub, name: str, start: Start, web_socket: bool, tmp_path: Path
) -> None:
    options = certificate_options(factory, name, tmp_path, "certificateAuthority", make(name, LINE), LINE)
    with start(factory) as device:
        device.do("open", {**options, "webSocket": web_socket})
        does_all_that_devices_do(factory, name, device)


@over_mqtt
@pytest.mark.parametrize("web_socket", [False, True])
def test_with_another_s_certificate_nobody_comes_in(
    hub: LocalHub, name: str, start: Start, web_socket: bool, tmp_path: Path
) -> None:
    options = certificate_options(hub, name, tmp_path, "selfSigned", make(name))
    stolen = make(name)
    certificate, key = stolen.files(tmp_path)
    with start(hub) as device:
        with pytest.raises(ClientError) as refusal:
            device.do("open", {**options, "certificate": certificate, "key": key, "webSocket": web_socket})
    assert refusal.value.name in ("CredentialError", "UnauthorizedError")
    assert hub.request("GET", f"/devices/{name}")["connectionState"] == "Disconnected"


@over_both
def test_a_wrong_key_over_websocket_is_refused(hub: LocalHub, name: str, start: Start) -> None:
    options = key_options(hub, name)
    wrong = f"HostName={ADDRESS};DeviceId={name};SharedAccessKey=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    with start(hub) as device:
        with pytest.raises(ClientError) as refusal:
            device.do("open", {**options, "connectionString": wrong, "webSocket": True})
    assert refusal.value.name in ("CredentialError", "UnauthorizedError")
