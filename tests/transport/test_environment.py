"""What the HTTP and TLS libraries read of the environment: what counts for us, and what does not."""

import base64
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from azext_iotjobs.model.errors import BadValue, CannotConnect
from azext_iotjobs.model.target import HubTarget, SasKey
from azext_iotjobs.transport.http import HttpTransport, Request
from azext_iotjobs.transport.mqtt_tls import tls_context
from tests.helpers.clock_double import ClockDouble
from tests.helpers.proxy import proxy_to
from tests.helpers.tls_server import TlsServer, answer_with, serving

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
GET = Request(method="GET", path="/devices/d1", may_repeat=True)
FAR = "hub.example"  # no name of this machine: proxies count for it
PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "HTTP_PROXY")
TRUST_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE", "NETRC")


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXY_VARIABLES, *TRUST_VARIABLES):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TlsServer]:
    with serving(tmp_path, answer_with(200, Set_Cookie="who=stranger; Path=/"), names=("localhost", FAR)) as server:
        yield server


def transport_to(server: TlsServer, host: str = "localhost", *, ca_file: str | None = "own") -> HttpTransport:
    chosen = str(server.ca_file) if ca_file == "own" else ca_file
    target = HubTarget(host=host, https_port=server.port, ca_file=chosen)
    return HttpTransport(target, SasKey(policy="iothubowner", key=KEY), ClockDouble())


@pytest.mark.parametrize("machine", ["default", "machine localhost"])
def test_a_netrc_named_by_the_environment_does_not_replace_our_header(
    server: TlsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: str
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"{machine} login someone password not-for-this-hub\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert transport_to(server).send(GET).status == 200
    assert server.seen[0].headers["authorization"].startswith("SharedAccessSignature sr=localhost&sig=")


@pytest.mark.parametrize("name", [".netrc", "_netrc"])
def test_a_netrc_at_home_does_not_replace_our_header(
    server: TlsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    netrc = tmp_path / name
    netrc.write_text("default login someone password not-for-this-hub\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    transport_to(server).send(GET)
    assert server.seen[0].headers["authorization"].startswith("SharedAccessSignature sr=localhost&sig=")


def test_a_cookie_that_a_hub_sets_is_not_sent_back(server: TlsServer) -> None:
    transport = transport_to(server)
    transport.send(GET)
    transport.send(GET)
    assert [seen.headers.get("cookie") for seen in server.seen] == [None, None]


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_proxy_and_its_credentials_go_on_working(
    server: TlsServer, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    transport = transport_to(server, FAR)
    with proxy_to(server.port) as (port, heads):
        monkeypatch.setenv(variable, f"http://user:p%40ss@127.0.0.1:{port}")
        assert [transport.send(GET).status for _ in range(3)] == [200] * 3
        transport.close()
    (head,) = heads
    assert head.startswith(f"CONNECT {FAR}:{server.port} ")
    assert f"Proxy-Authorization: Basic {base64.b64encode(b'user:p@ss').decode()}" in head
    assert "SharedAccessSignature" not in head, "the hub's header is for the hub"
    for seen in server.seen:
        assert "proxy-authorization" not in seen.headers, "the proxy's password is for the proxy"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("socks5://user:secret@127.0.0.1:9", "SOCKS"),
        ("http://user:secret@", "is not a URL"),
        ("http://user:secret@bad host", "is not a URL"),
        ("http://user:secret@proxy:notaport", "is not a URL"),
        ("ftp://user:secret@proxy", "begins with none of"),
    ],
)
def test_a_proxy_setting_that_cannot_be_used_is_what_the_error_names(
    server: TlsServer, monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    with pytest.raises(CannotConnect, match=said) as raised:
        transport_to(server, FAR).send(GET)
    assert "HTTPS_PROXY" in f"{raised.value} {raised.value.hint}"
    assert "secret" not in f"{raised.value} {raised.value.hint}"


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_bundle_of_the_environment_is_trusted_over_https(
    server: TlsServer, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(server.ca_file))
    assert transport_to(server, ca_file=None).send(GET).status == 200


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_bundle_that_the_environment_names_later_counts_for_the_next_request(
    server: TlsServer, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(server.ca_file))
    transport = transport_to(server, ca_file=None)
    assert [transport.send(GET).status for _ in range(2)] == [200, 200]
    monkeypatch.delenv(variable)
    with pytest.raises(CannotConnect, match="not trusted"):
        transport.send(GET)


def test_a_proxy_that_the_environment_names_later_is_asked_for_the_next_request(
    server: TlsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = transport_to(server, FAR)
    with proxy_to(server.port) as one, proxy_to(server.port) as other:
        for port, heads in (one, other):
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
            assert [transport.send(GET).status for _ in range(2)] == [200, 200]
            assert len(heads) == 1
        transport.close()


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_bundle_of_the_environment_is_trusted_over_mqtt(
    server: TlsServer, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(server.ca_file))
    _shake_hands(server)


def test_a_folder_of_certificates_is_trusted_over_mqtt_as_over_https(
    server: TlsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "trusted"
    folder.mkdir()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(folder))
    assert tls_context(None) is not None, "requests takes a folder, so MQTT must"


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_bundle_that_cannot_be_used_is_named_with_its_variable(
    server: TlsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, content: str | None
) -> None:
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_text(content)
    monkeypatch.setenv(variable, str(bundle))
    with pytest.raises(CannotConnect) as over_https:
        transport_to(server, ca_file=None).send(GET)
    with pytest.raises(BadValue) as over_mqtt:
        tls_context(None)
    for error in (over_https.value, over_mqtt.value):
        assert str(bundle) in str(error)
        assert variable in str(error)


def test_a_log_of_tls_secrets_is_written_as_every_tls_program_does(
    server: TlsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "keys.log"
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    transport_to(server).send(GET)
    assert "CLIENT_TRAFFIC_SECRET_0" in log.read_text()


def test_a_log_of_tls_secrets_that_cannot_be_written_is_what_the_error_names(
    server: TlsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "nowhere" / "keys.log"))
    with pytest.raises(CannotConnect, match="SSLKEYLOGFILE"):
        transport_to(server).send(GET)
    with pytest.raises(BadValue, match="SSLKEYLOGFILE"):
        tls_context(str(server.ca_file))


def _shake_hands(server: TlsServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as plain:
        with tls_context(None).wrap_socket(plain, server_hostname="localhost") as secured:
            assert secured.version() is not None
