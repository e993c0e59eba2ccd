"""The CA and the server's certificate, as files and as TLS sees them."""

import json
import os
import socket
import ssl
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509

from azext_iotjobs.localhub.tls import certificates
from azext_iotjobs.localhub.tls.certificates import LIFE, Certificates, ensure_certificates
from azext_iotjobs.localhub.tls.context import HubContext
from azext_iotjobs.localhub.tls.issue import Pair, make_server

NOW = datetime.now(timezone.utc)
BIND = "127.0.0.1"


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def handshake(kept: Certificates, name: str, server: ssl.SSLContext | None = None) -> str | None:
    """Connect as a client that trusts our CA alone; gives the TLS version."""
    ours, theirs = socket.socketpair()
    accepting = threading.Thread(
        target=_accept, args=(server or HubContext(kept, wants_client_certificate=lambda: False), theirs)
    )
    accepting.start()
    try:
        client = ssl.create_default_context(cafile=str(kept.ca_file))
        with client.wrap_socket(ours, server_hostname=name) as secured:
            return secured.version()
    finally:
        ours.close()
        accepting.join()


def _accept(context: ssl.SSLContext, sock: socket.socket) -> None:
    try:
        context.wrap_socket(sock, server_side=True).close()
    except OSError:
        pass  # the client has turned away
    finally:
        sock.close()


@pytest.mark.parametrize(
    "name",
    [
        "localhost",
        "127.0.0.1",
        "::1",
        "127.0.0.9",
        "local-hub.localhost",
        "local-hub.device.localhost",
        "local-hub.service.localhost",
        "other.device.localhost",
    ],
)
def test_a_client_that_trusts_the_ca_connects(tmp_path: Path, name: str) -> None:
    kept = ensure_certificates(tmp_path, "127.0.0.9", (), NOW)
    assert handshake(kept, name) == "TLSv1.3"


def test_a_second_start_makes_nothing_new(tmp_path: Path) -> None:
    kept = ensure_certificates(tmp_path, BIND, (), NOW)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert ensure_certificates(tmp_path, BIND, (), NOW + timedelta(days=100)) == kept
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_another_address_gets_a_new_certificate_from_the_same_ca(tmp_path: Path) -> None:
    kept = ensure_certificates(tmp_path, BIND, (), NOW)
    ca = kept.ca_file.read_bytes()
    ensure_certificates(tmp_path, "127.0.0.7", (), NOW)
    assert kept.ca_file.read_bytes() == ca
    assert handshake(kept, "127.0.0.7") == "TLSv1.3"


def test_a_certificate_from_before_the_hub_had_three_names_is_made_anew_from_the_same_ca(tmp_path: Path) -> None:
    kept = ensure_certificates(tmp_path, BIND, (), NOW)
    ca, facts = kept.ca_file.read_bytes(), json.loads((tmp_path / "certificates.json").read_bytes())
    before = make_server(Pair(ca, kept.ca_key_file.read_bytes()), ["localhost"], [BIND], NOW, NOW + timedelta(days=300))
    kept.server_file.write_bytes(before.certificate)
    kept.server_key_file.write_bytes(before.key)
    (tmp_path / "certificates.json").write_text(json.dumps({**facts, "names": []}))
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(kept, "local-hub.device.localhost")
    assert ensure_certificates(tmp_path, BIND, (), NOW).ca_file.read_bytes() == ca
    assert handshake(kept, "local-hub.device.localhost") == "TLSv1.3"


def test_a_ca_near_its_end_is_made_anew(tmp_path: Path) -> None:
    kept = ensure_certificates(tmp_path, BIND, (), NOW - LIFE)
    old = kept.ca_file.read_bytes()
    ensure_certificates(tmp_path, BIND, (), NOW)
    assert kept.ca_file.read_bytes() != old
    assert handshake(kept, "localhost") == "TLSv1.3"


def test_keys_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    kept = ensure_certificates(tmp_path, BIND, (), NOW)
    assert {path.stat().st_mode & 0o777 for path in (kept.ca_key_file, kept.server_key_file)} == {0o600}


def test_the_ca_says_critically_that_it_is_good_for_loopback_only(tmp_path: Path) -> None:
    ca = certificate(ensure_certificates(tmp_path, BIND, (), NOW).ca_file)
    for kind in (x509.NameConstraints, x509.BasicConstraints, x509.KeyUsage):
        assert ca.extensions.get_extension_for_class(kind).critical
    permitted = ca.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees
    assert {str(each.value) for each in permitted or ()} == {"localhost", "127.0.0.0/8", "::1/128"}


def constraints(ca: Path) -> tuple[set[str], set[str]]:
    """What a CA may certify by name, and what of that it may not."""
    found = certificate(ca).extensions.get_extension_for_class(x509.NameConstraints)
    assert found.critical
    permitted, excluded = found.value.permitted_subtrees or (), found.value.excluded_subtrees or ()
    return {each.value for each in permitted if isinstance(each, x509.DNSName)}, {each.value for each in excluded}


def test_a_name_by_request_is_in_the_certificate_and_all_that_the_ca_may_certify_beside_this_machine(
    tmp_path: Path,
) -> None:
    kept = ensure_certificates(tmp_path, "0.0.0.0", ("iothub", "my.localhost"), NOW)
    assert constraints(kept.ca_file) == ({"localhost", "iothub"}, {".iothub"})
    for name in ("iothub", "my.localhost", "localhost", "127.0.0.1", "::1"):
        assert handshake(kept, name) == "TLSv1.3"
    for name in ("0.0.0.0", "x.iothub", "other.test"):
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(kept, name)


def test_what_is_below_a_name_by_request_is_not_trusted_even_when_the_ca_has_signed_it(tmp_path: Path) -> None:
    kept = ensure_certificates(tmp_path, BIND, ("iothub",), NOW)
    ca = Pair(kept.ca_file.read_bytes(), kept.ca_key_file.read_bytes())
    stolen = make_server(ca, ["login.iothub"], [], NOW, NOW + timedelta(days=1))
    kept.server_file.write_bytes(stolen.certificate)
    kept.server_key_file.write_bytes(stolen.key)
    with pytest.raises(ssl.SSLCertVerificationError, match="subtree"):
        handshake(kept, "login.iothub")


def test_a_ca_is_replaced_with_a_warning_when_it_may_not_certify_a_name_and_else_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def start(*names: str) -> bytes:
        return ensure_certificates(tmp_path, BIND, names, NOW).ca_file.read_bytes()

    first = start()
    assert start("my.localhost") == first and caplog.messages == []
    second = start("iothub", "hub.test")
    assert second != first and [f"{tmp_path / 'ca.pem'} is a new CA" in each for each in caplog.messages] == [True]
    assert start("hub.test", "iothub") == start("iothub") == start() == second
    third = start("other")
    assert third != second and constraints(tmp_path / "ca.pem") == ({"localhost", "other"}, {".other"})
    assert len(caplog.messages) == 2


def test_a_start_that_was_ended_while_it_replaced_the_ca_leaves_nothing_that_stops_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure_certificates(tmp_path, BIND, (), NOW)
    written: list[Path] = []

    def write_the_key_alone(path: Path, content: bytes) -> None:
        if written:
            raise KeyboardInterrupt
        path.write_bytes(content)
        written.append(path)

    with monkeypatch.context() as interrupted, pytest.raises(KeyboardInterrupt):
        interrupted.setattr(certificates, "write_private", write_the_key_alone)
        ensure_certificates(tmp_path, BIND, ("iothub",), NOW)
    assert handshake(ensure_certificates(tmp_path, BIND, (), NOW), "localhost") == "TLSv1.3"


def test_a_name_that_is_no_longer_asked_for_is_no_longer_in_the_certificate(tmp_path: Path) -> None:
    ensure_certificates(tmp_path, BIND, ("iothub", "hub.test"), NOW)
    kept = ensure_certificates(tmp_path, BIND, ("hub.test",), NOW)
    assert handshake(kept, "hub.test") == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(kept, "iothub")


def test_a_certificate_that_the_ca_may_not_give_is_refused_by_clients(tmp_path: Path) -> None:
    kept = ensure_certificates(tmp_path, BIND, (), NOW)
    ca = Pair(kept.ca_file.read_bytes(), kept.ca_key_file.read_bytes())
    stolen = make_server(ca, [], ["10.0.0.1"], NOW, NOW + timedelta(days=1))
    kept.server_file.write_bytes(stolen.certificate)
    kept.server_key_file.write_bytes(stolen.key)
    with pytest.raises(ssl.SSLCertVerificationError, match="subtree"):
        handshake(kept, "10.0.0.1")


def test_a_client_without_tls_1_2_is_refused(tmp_path: Path) -> None:
    assert (
        HubContext(ensure_certificates(tmp_path, BIND, (), NOW), wants_client_certificate=lambda: False).minimum_version
        is ssl.TLSVersion.TLSv1_2
    )


def test_the_bundle_holds_the_machines_roots_and_ours_and_never_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = ensure_certificates(tmp_path, BIND, (), NOW)
    once = kept.bundle_file.read_bytes()
    assert kept.ca_file.read_bytes() in once
    monkeypatch.setitem(os.environ, "REQUESTS_CA_BUNDLE", str(kept.bundle_file))
    ensure_certificates(tmp_path, BIND, (), NOW)
    assert kept.bundle_file.read_bytes().count(kept.ca_file.read_bytes()) == 1
