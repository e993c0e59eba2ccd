"""The hub's own CA and server certificate: made once, kept in the data folder, made anew before they end.

Strategy: a small JSON file says how long they last and which names and addresses they cover, so that a start which has
nothing to make does not load `cryptography`.
"""

import json
import os
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from azext_iotjobs.localhub.clock import parse, render
from azext_iotjobs.localhub.files import write_private
from azext_iotjobs.localhub.host_names import CERTIFIED

LIFE = timedelta(days=365)
RENEW_BEFORE = timedelta(days=30)
ADDRESSES = ("127.0.0.1", "::1")


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """Where the files are."""

    ca_file: Path
    ca_key_file: Path
    server_file: Path
    server_key_file: Path
    bundle_file: Path  # this machine's roots and our CA


def ensure_certificates(folder: Path, bind: str, now: datetime) -> Certificates:
    """The certificates in `folder`, made or renewed when needed.

    bind: the address that the server certificate must cover.
    """
    kept = Certificates(
        ca_file=folder / "ca.pem",
        ca_key_file=folder / "ca-key.pem",
        server_file=folder / "server.pem",
        server_key_file=folder / "server-key.pem",
        bundle_file=folder / "ca-bundle.pem",
    )
    facts = _facts(folder)
    has_ca = _lasts(facts.get("caEnds"), now) and kept.ca_file.is_file() and kept.ca_key_file.is_file()
    covers_all = bind in facts.get("addresses", ()) and {*CERTIFIED} <= {*facts.get("names", ())}
    has_server = covers_all and kept.server_file.is_file() and kept.server_key_file.is_file()
    if not (has_ca and has_server):
        addresses = sorted({*ADDRESSES, bind, *facts.get("addresses", ())})
        ends = parse(facts["caEnds"]) if has_ca else now + LIFE
        _make(kept, addresses, now, ends, new_ca=not has_ca)
        facts = {"caEnds": render(ends), "addresses": addresses, "names": CERTIFIED}
        write_private(folder / "certificates.json", json.dumps(facts).encode())
    write_private(kept.bundle_file, _machine_roots(kept.bundle_file) + b"\n" + kept.ca_file.read_bytes())
    return kept


def _make(kept: Certificates, addresses: list[str], now: datetime, ends: datetime, *, new_ca: bool) -> None:
    from azext_iotjobs.localhub import certmaking

    if new_ca:
        ca = certmaking.make_ca(now, ends)
        write_private(kept.ca_key_file, ca.key)
        write_private(kept.ca_file, ca.certificate)
    else:
        ca = certmaking.Pair(kept.ca_file.read_bytes(), kept.ca_key_file.read_bytes())
    server = certmaking.make_server(ca, CERTIFIED, addresses, now, ends)
    write_private(kept.server_key_file, server.key)
    write_private(kept.server_file, server.certificate)


def _facts(folder: Path) -> dict[str, Any]:
    try:
        facts = json.loads((folder / "certificates.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _lasts(ends: Any, now: datetime) -> bool:
    return isinstance(ends, str) and parse(ends) - now > RENEW_BEFORE


def _machine_roots(own_bundle: Path) -> bytes:
    """What this machine trusts now: a bundle given to a client replaces its store, so it must hold that too."""
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
