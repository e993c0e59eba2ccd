"""The hub's CA and server certificate: created once, stored in the data folder, renewed before they expire.

Strategy: a small JSON file says when they expire and which names and addresses they cover, so that a start that creates
nothing does not load `cryptography`.
"""

import contextlib
import json
import logging
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from azext_iotjobs.localhub.clock import parse, render
from azext_iotjobs.localhub.process.private_files import write_private
from azext_iotjobs.localhub.rules.dns_names import beyond_localhost
from azext_iotjobs.localhub.rules.host_names import CERTIFIED, is_loopback

LIFE = timedelta(days=365)
RENEW_BEFORE = timedelta(days=30)
ADDRESSES = ("127.0.0.1", "::1")
FACTS = "certificates.json"
MAIN_NAME = "localhost"
CA_NAME = "iotjobs local hub CA"
NO_CHECK_TIME = 0x200000  # OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which `ssl` has no name for

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """The paths of the files."""

    ca_file: Path
    ca_key_file: Path
    server_file: Path
    server_key_file: Path
    bundle_file: Path  # this machine's roots and our CA

    @property
    def own_files(self) -> tuple[Path, ...]:
        """The files that are of no use without each other."""
        return self.ca_file, self.ca_key_file, self.server_file, self.server_key_file


@dataclass(frozen=True, kw_only=True)
class Covered:
    """What the certificates are for."""

    addresses: Sequence[str]
    names: Sequence[str]
    ca_names: Sequence[str]  # what the CA may certify beside the names and addresses of this machine

    @property
    def document(self) -> dict[str, Sequence[str]]:
        """Its members in FACTS."""
        return {"addresses": self.addresses, "names": self.names, "caNames": self.ca_names}


class CertificatesUnusable(Exception):
    """Existing certificates cannot be used; the text says which file, and why."""


def ensure_certificates(folder: Path, bind: str, dns_names: Sequence[str], now: datetime) -> Certificates:
    """The certificates in `folder`, created or renewed when needed.

    bind: the address to listen at; a loopback one is covered by the server certificate.
    dns_names: names that it has to cover beside those of this machine. A CA that may not certify one of them is
    replaced, and clients have to trust the new one.
    Damaged files are never replaced: clients may trust them.
    Raises CertificatesUnusable, OSError when they cannot be written.
    """
    files = _files(folder)
    facts = _facts(folder / FACTS, any(each.exists() for each in files.own_files))
    names, addresses = (*CERTIFIED, *dns_names), {*ADDRESSES, *([bind] if is_loopback(bind) else [])}
    has_ca = _lasts(facts.get("caEnds"), now) and {*beyond_localhost(dns_names)} <= {*facts.get("caNames", ())}
    if has_ca:
        _check_there(files.ca_file, files.ca_key_file)  # no client would trust a new CA
    covers_all = addresses <= {*facts.get("addresses", ())} and {*names} == {*facts.get("names", ())}
    has_server = covers_all and files.server_file.is_file() and files.server_key_file.is_file()
    if not (has_ca and has_server):
        if not has_ca and files.ca_file.exists():
            logger.warning("%s is a new CA: clients that trusted the one before have to trust it anew", files.ca_file)
        covered = Covered(
            addresses=sorted({*addresses, *facts.get("addresses", ())}),
            names=names,
            ca_names=facts["caNames"] if has_ca else beyond_localhost(dns_names),
        )
        if not has_ca:  # what is interrupted now begins from nothing at the next start, whatever names that has
            (folder / FACTS).unlink(missing_ok=True)
        ends = parse(facts["caEnds"]) if has_ca else now + LIFE
        _make(files, covered, now, ends, new_ca=not has_ca)
        write_private(folder / FACTS, json.dumps({"caEnds": render(ends), **covered.document}).encode())
    _check(files, bind if is_loopback(bind) else MAIN_NAME, *dns_names)
    write_private(files.bundle_file, _machine_roots(files.bundle_file) + b"\n" + files.ca_file.read_bytes())
    return files


def ca_certificate(files: Certificates) -> bytes:
    """The CA's certificate alone, PEM, whatever else its file may hold."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(files.ca_file)
    return "".join(map(ssl.DER_cert_to_PEM_cert, context.get_ca_certs(binary_form=True))).encode()


def is_of_local_hub(path: Path) -> bool:
    """Whether a file holds the certificate of a local hub's CA, and nothing else. Raises OSError."""
    if not path.is_file() or path.read_bytes().count(b"-----BEGIN") != 1:
        return False
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(path)
    except ssl.SSLError:
        return False
    return any((("commonName", CA_NAME),) in each["subject"] for each in context.get_ca_certs())


def all_files(folder: Path) -> tuple[Path, ...]:
    """Every file that must be removed to have new certificates created."""
    return (*_files(folder).own_files, folder / FACTS)


def _files(folder: Path) -> Certificates:
    return Certificates(
        ca_file=folder / "ca.pem",
        ca_key_file=folder / "ca-key.pem",
        server_file=folder / "server.pem",
        server_key_file=folder / "server-key.pem",
        bundle_file=folder / "ca-bundle.pem",
    )


def _make(files: Certificates, covered: Covered, now: datetime, ends: datetime, *, new_ca: bool) -> None:
    from azext_iotjobs.localhub.tls import issue

    if new_ca:
        ca = issue.make_ca(CA_NAME, covered.ca_names, now, ends)
        write_private(files.ca_key_file, ca.key)
        write_private(files.ca_file, ca.certificate)
    else:
        ca = issue.Pair(files.ca_file.read_bytes(), files.ca_key_file.read_bytes())
        _check_pair(files.ca_file, files.ca_key_file)
    try:
        server = issue.make_server(ca, covered.names, covered.addresses, now, ends)
    except ValueError as err:  # `cryptography` is stricter than OpenSSL
        raise CertificatesUnusable(f"{files.ca_file} or {files.ca_key_file.name} cannot be used ({err})") from err
    write_private(files.server_key_file, server.key)
    write_private(files.server_file, server.certificate)


def _facts(path: Path, has_certificates: bool) -> dict[str, Any]:
    """What is known of the certificates; {} before the first start, or after one that was interrupted."""
    try:
        facts = json.loads(path.read_bytes())
        parse(facts["caEnds"])
        # Absent: made by a version that certified localhost alone, or no name by request.
        names, ca_names = facts.get("names", []), facts.get("caNames", [])
        if not all(isinstance(each, str) for each in (*facts["addresses"], *names, *ca_names)):
            raise TypeError("addresses or names that are not texts")
    except FileNotFoundError:
        return {}
    except OSError as err:
        raise CertificatesUnusable(f"{path} cannot be read: {err.strerror}") from err
    except (ValueError, TypeError, LookupError, RecursionError) as err:
        if not has_certificates:
            return {}
        raise CertificatesUnusable(f"{path} does not say how long the CA lasts, and for which addresses") from err
    return {"caEnds": facts["caEnds"], "addresses": facts["addresses"], "names": names, "caNames": ca_names}


def _lasts(ends: Any, now: datetime) -> bool:
    return isinstance(ends, str) and parse(ends) - now > RENEW_BEFORE


def _check(files: Certificates, *hosts: str) -> None:
    """Raise CertificatesUnusable unless a client that trusts the CA accepts the server's certificate at these hosts."""
    _check_pair(files.ca_file, files.ca_key_file)
    _check_pair(files.server_file, files.server_key_file)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.server_file, files.server_key_file)
    client = ssl.create_default_context(cafile=str(files.ca_file))
    client.verify_flags |= NO_CHECK_TIME
    for host in hosts:
        _shake_hands(files, client, server, host)


def _shake_hands(files: Certificates, client: ssl.SSLContext, server: ssl.SSLContext, host: str) -> None:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(to_client, to_server, server_hostname=host)
    answering = server.wrap_bio(to_server, to_client, server_side=True)
    try:
        for side in (asking, answering, asking):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    except ssl.SSLError as err:
        why = getattr(err, "verify_message", "") or err.reason or str(err)
        text = f"{files.server_file} is not one that {files.ca_file.name} vouches for ({why})"
        raise CertificatesUnusable(text) from err


def _check_there(*paths: Path) -> None:
    for path in paths:
        if not path.is_file():
            raise CertificatesUnusable(f"{path} is missing, or not a file")


def _check_pair(certificate: Path, key: Path) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(certificate)
    except OSError as err:  # ssl.SSLError is one
        raise CertificatesUnusable(f"{certificate} is not a certificate in PEM ({_why(err)})") from err
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: b"")
    except OSError as err:
        raise CertificatesUnusable(f"{key} is not the key of {certificate.name} ({_why(err)})") from err


def _why(err: OSError) -> str:
    return (err.reason if isinstance(err, ssl.SSLError) else err.strerror) or str(err)


def _machine_roots(own_bundle: Path) -> bytes:
    """The roots that this machine trusts: a client uses a bundle instead of them, so it must include them."""
    for path in (os.environ.get("REQUESTS_CA_BUNDLE"), os.environ.get("SSL_CERT_FILE"), _openssl_roots(), _certifi()):
        if path and os.path.isfile(path) and Path(path).resolve() != own_bundle.resolve():
            return Path(path).read_bytes()
    return b""


def _openssl_roots() -> str | None:
    return ssl.get_default_verify_paths().cafile


def _certifi() -> str | None:
    try:
        import certifi  # az's own, by way of requests
    except ImportError:
        return None
    return str(certifi.where())
