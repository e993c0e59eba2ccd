"""Make a self-signed device certificate. Imported only when one is made: az's `cryptography` loads slowly."""

import os
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from azext_iotjobs.model.errors import BadValue


class WrittenFiles(NamedTuple):
    """A certificate and its key, in files of their own."""

    thumbprint: str  # SHA-1 in hexadecimal, which is what the registry takes
    paths: tuple[Path, ...]

    def remove(self) -> None:
        """Delete the files again: the certificate was not registered."""
        for path in self.paths:
            path.unlink(missing_ok=True)


def write_self_signed(device: str, valid_days: int, folder: Path) -> WrittenFiles:
    """Write <device>-cert.pem and <device>-key.pem (readable by the owner alone) into `folder`.

    device: its id, or device/module.  valid_days: 1 or more.  folder: an existing one.
    Raises BadValue when a file exists already or cannot be written: no key is overwritten, or left without its
    certificate.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device[:64])])  # RFC 5280 upper bound
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))  # clocks differ
        .not_valid_after(now + timedelta(days=valid_days))
        .sign(key, hashes.SHA256())
    )
    no_passphrase = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_passphrase)
    stem = re.sub(r"[^A-Za-z0-9._-]", "_", device)  # ids may contain characters that file names may not
    key_path, certificate_path = folder / f"{stem}-key.pem", folder / f"{stem}-cert.pem"
    _write(key_path, private, 0o600)
    try:
        _write(certificate_path, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    except BadValue:
        key_path.unlink(missing_ok=True)
        raise
    return WrittenFiles(certificate.fingerprint(hashes.SHA1()).hex().upper(), (key_path, certificate_path))


def _write(path: Path, content: bytes, mode: int) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
    except OSError as err:
        raise BadValue(f"{path} cannot be written: {err.strerror}.") from err
