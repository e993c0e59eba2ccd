"""Devices that sign in with certificates, on both doors and under both TLS versions."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.helpers.device_certificates import DAY, Made, make
from tests.helpers.hub_process import HubProcess, sas
from tests.helpers.mqtt_device import MqttDevice

pytestmark = pytest.mark.local_hub("needs hubs of its own, with CAs that are added by the hub's own route")

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
WAYS = [(tls, websocket) for tls in VERSIONS for websocket in (False, True)]
CERTIFICATE_REQUEST, HELLO_DONE = 13, 14  # RFC 5246 7.4
ROOT = make("a root", ca=True)
MIDDLE = make("a middle", ROOT, ca=True)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub of its own: others must not be asked for certificates because of these devices."""
    process = HubProcess(tmp_path_factory.mktemp("x509"), "--in-memory")
    process.ok("PUT", "/_local/certificates/root", {"certificate": ROOT.pem})
    yield process
    assert process.stop() == 0


def self_signed(hub: HubProcess, device: str, primary: str, secondary: str | None = None) -> None:
    prints = {"primaryThumbprint": primary, "secondaryThumbprint": secondary}
    authentication = {"type": "selfSigned", "x509Thumbprint": prints}
    hub.ok("PUT", f"/devices/{device}", {"deviceId": device, "authentication": authentication})


def by_ca(hub: HubProcess, device: str) -> None:
    hub.ok("PUT", f"/devices/{device}", {"deviceId": device, "authentication": {"type": "certificateAuthority"}})


def connack(hub: HubProcess, device: str, folder: Path, *shown: Made, **other: Any) -> int:
    files = {"certificate": shown[0].files(folder, *shown[1:])} if shown else {}
    attempt = MqttDevice(hub, device, "", **{"password": None, **files, **other})
    try:
        return attempt.connect()
    finally:
        attempt.close()


@pytest.mark.parametrize(("tls", "websocket"), WAYS)
@pytest.mark.parametrize("digest", ["sha1", "sha256"])
@pytest.mark.parametrize("is_primary", [True, False])
def test_a_self_signed_certificate_opens_by_either_thumbprint(
    hub: HubProcess, name: str, tmp_path: Path, tls: ssl.TLSVersion, websocket: bool, digest: str, is_primary: bool
) -> None:
    own = make(name)
    prints = (own.thumbprint(digest).upper(), "ab" * 20)
    self_signed(hub, name, *(prints if is_primary else prints[::-1]))
    assert connack(hub, name, tmp_path, own, tls=tls, websocket=websocket) == 0
    assert connack(hub, name, tmp_path, own, tls=tls, websocket=websocket, password="") == 0


@pytest.mark.parametrize(("tls", "websocket"), WAYS)
def test_a_certificate_below_a_known_ca_opens_and_what_is_sent_along_is_used(
    hub: HubProcess, name: str, tmp_path: Path, tls: ssl.TLSVersion, websocket: bool
) -> None:
    by_ca(hub, name)
    way = {"tls": tls, "websocket": websocket}
    assert connack(hub, name, tmp_path, make(name, ROOT), **way) == 0
    assert connack(hub, name, tmp_path, make(name, MIDDLE), MIDDLE, **way) == 0
    assert connack(hub, name, tmp_path, make(name, MIDDLE), **way) == 5


@pytest.mark.parametrize("websocket", [False, True])
def test_a_device_with_a_certificate_does_all_that_others_do(
    hub: HubProcess, name: str, tmp_path: Path, websocket: bool
) -> None:
    by_ca(hub, name)
    files = make(name, ROOT).files(tmp_path)
    device = MqttDevice(hub, name, "", password=None, certificate=files, websocket=websocket)
    try:
        assert device.connect() == 0
        device.answer_methods(lambda _method, payload: (200, payload))
        call = {"methodName": "echo", "payload": "x" * 125_000, "responseTimeoutInSeconds": 30}
        for _ in range(5):
            assert hub.ok("POST", f"/twins/{name}/methods", call) == {"status": 200, "payload": "x" * 125_000}
        device.publish(f"devices/{name}/messages/events/", b"y" * 200_000, qos=1).wait_for_publish(20)
        assert hub.ok("GET", f"/devices/{name}")["connectionState"] == "Connected"
    finally:
        device.close()


def test_certificates_that_do_not_fit_are_refused(hub: HubProcess, name: str, tmp_path: Path) -> None:
    by_ca(hub, name)
    self_signed(hub, f"{name}-own", make("first").thumbprint())
    for shown in (
        (make(name),),
        (make("another", ROOT),),
        (make(name, ROOT, starts=-2 * DAY, ends=-DAY),),
        (make(name, ROOT, starts=DAY, ends=2 * DAY),),
        (make(name, make("a root", ca=True)),),
        (),
    ):
        assert connack(hub, name, tmp_path, *shown) == 5, shown
    expired = make("second", starts=-2 * DAY, ends=-DAY)
    self_signed(hub, f"{name}-old", expired.thumbprint())
    assert connack(hub, f"{name}-old", tmp_path, expired) == 5
    for shown in ((make("first"),), (make(f"{name}-own", ROOT),), ()):
        assert connack(hub, f"{name}-own", tmp_path, *shown) == 5, shown


def test_keys_and_certificates_do_not_stand_in_for_each_other(hub: HubProcess, name: str, tmp_path: Path) -> None:
    key = hub.new_device(name)["authentication"]["symmetricKey"]["primaryKey"]
    own = make(name, ROOT)
    assert connack(hub, name, tmp_path, own) == 5
    assert connack(hub, name, tmp_path, own, password=sas(key, f"localhost/devices/{name}")) == 0
    assert connack(hub, name, tmp_path, password=sas(key, f"localhost/devices/{name}")) == 0
    by_ca(hub, f"{name}-ca")
    resource = f"localhost/devices/{name}-ca"
    assert connack(hub, f"{name}-ca", tmp_path, password=sas(key, resource)) == 5
    policy = sas(hub.policies["device"], resource, policy="device")
    assert connack(hub, f"{name}-ca", tmp_path, password=policy) == 0
    # A token that is wrong is not made good by a certificate that would be right without it.
    assert connack(hub, f"{name}-ca", tmp_path, make(f"{name}-ca", ROOT), password=sas(key, resource)) == 5


@pytest.mark.parametrize(("kind", "code"), [("own", 204), ("another's", 401), ("none", 401)])
def test_https_takes_a_certificate_in_the_place_of_a_token(
    hub: HubProcess, name: str, tmp_path: Path, kind: str, code: int
) -> None:
    by_ca(hub, name)
    with requests.Session() as session:
        if kind != "none":
            session.cert = make(name if kind == "own" else "another", ROOT).files(tmp_path)
        sent = hub.request("POST", f"/devices/{name}/messages/events", body=b"x", token="", session=session)
    assert sent.status_code == code


def test_a_certificate_does_not_authenticate_a_service(hub: HubProcess, name: str, tmp_path: Path) -> None:
    by_ca(hub, name)
    with requests.Session() as session:
        session.cert = make(name, ROOT).files(tmp_path)
        assert hub.request("GET", f"/twins/{name}", token="", session=session).status_code == 401


def test_a_module_has_a_certificate_of_its_own(hub: HubProcess, name: str, tmp_path: Path) -> None:
    hub.new_device(name)
    module, client = f"/devices/{name}/modules/m", f"{name}/m"
    own = make("a module")
    prints = {"type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": own.thumbprint()}}
    hub.ok("PUT", module, {"deviceId": name, "moduleId": "m", "authentication": prints})
    named = {"client_id": client, "username": f"localhost/{client}/?api-version=2021-04-12"}
    assert connack(hub, name, tmp_path, own, **named) == 0
    assert connack(hub, name, tmp_path, own) == 5  # the device itself has keys
    by_authority = {"deviceId": name, "moduleId": "m", "authentication": {"type": "certificateAuthority"}}
    hub.ok("PUT", module, by_authority, headers={"If-Match": "*"})
    assert connack(hub, name, tmp_path, make(client, ROOT), **named) == 0
    assert connack(hub, name, tmp_path, make(name, ROOT), **named) == 5
    assert connack(hub, name, tmp_path, own, **named) == 5


def test_a_disabled_device_is_refused_with_the_right_certificate(hub: HubProcess, name: str, tmp_path: Path) -> None:
    by_ca(hub, name)
    authentication = {"type": "certificateAuthority"}
    hub.ok(
        "PUT",
        f"/devices/{name}",
        {"deviceId": name, "status": "disabled", "authentication": authentication},
        headers={"If-Match": "*"},
    )
    assert connack(hub, name, tmp_path, make(name, ROOT)) == 5


def test_a_ca_that_is_forgotten_opens_no_more(hub: HubProcess, name: str, tmp_path: Path) -> None:
    other = make("other root", ca=True)
    by_ca(hub, name)
    assert connack(hub, name, tmp_path, make(name, other)) == 5
    hub.ok("PUT", "/_local/certificates/other", {"certificate": other.pem})
    assert connack(hub, name, tmp_path, make(name, other)) == 0
    hub.ok("DELETE", "/_local/certificates/other")
    assert connack(hub, name, tmp_path, make(name, other)) == 5


def test_certificates_are_requested_from_the_first_such_device_to_the_last(tmp_path: Path) -> None:
    hub = HubProcess(tmp_path, "--in-memory")
    try:
        assert not is_asked(hub)
        device = MqttDevice(hub, "plain", hub.new_device("plain")["authentication"]["symmetricKey"]["primaryKey"])
        assert device.connect() == 0
        own = make("own")
        self_signed(hub, "own", own.thumbprint())
        assert is_asked(hub)
        assert connack(hub, "own", tmp_path, own) == 0
        device.answer_methods(lambda _method, _payload: (200, None))  # who was there before goes on
        assert hub.ok("POST", "/twins/plain/methods", {"methodName": "m"})["status"] == 200
        device.close()
        hub.ok("DELETE", "/devices/own", headers={"If-Match": "*"})
        assert not is_asked(hub)
    finally:
        assert hub.stop() == 0


def is_asked(hub: HubProcess) -> bool:
    """Whether a new connection is asked for a certificate, on both doors alike."""
    asked = {CERTIFICATE_REQUEST in first_flight(hub, hub.info[port]) for port in ("mqttPort", "httpsPort")}
    assert len(asked) == 1
    return asked.pop()


def first_flight(hub: HubProcess, port: int) -> list[int]:
    """The kinds of the messages with which the hub answers a TLS 1.2 hello; they are in clear."""
    context = ssl.create_default_context(cafile=hub.info["caCertificatePath"])
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    outgoing = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    with socket.create_connection(("localhost", port), timeout=20) as sock, sock.makefile("rb") as stream:
        sock.sendall(outgoing.read())
        messages = b""
        kinds: list[int] = []
        while HELLO_DONE not in kinds:
            head = stream.read(5)
            assert len(head) == 5, f"the hub has ended the connection after messages of kinds {kinds}"
            messages += stream.read(int.from_bytes(head[3:], "big"))
            while len(messages) >= 4 and len(messages) >= (size := 4 + int.from_bytes(messages[1:4], "big")):
                kinds.append(messages[0])
                messages = messages[size:]
    return kinds
