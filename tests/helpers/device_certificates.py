"""Certificates of devices and of the CAs above them, made for a test."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Made:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def thumbprint(self, name: str = "sha1") -> str:
        return hashlib.new(name, self.der).hexdigest()

    def key_pem(self, passphrase: str | None = None) -> bytes:
        how = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase.encode())
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)

    def files(self, folder: Path, *others: "Made", passphrase: str | None = None) -> tuple[str, str]:
        """Write the certificate, those above it, and the key; gives both paths."""
        stem = self.thumbprint()[:12]
        certificate, key = folder / f"{stem}.pem", folder / f"{stem}.key"
        certificate.write_text("".join(each.pem for each in (self, *others)))
        key.write_bytes(self.key_pem(passphrase))
        return str(certificate), str(key)


def make(
    name: str,
    issuer: Made | None = None,
    *,
    ca: bool | None = None,
    path_length: int | None = None,
    starts: timedelta = -DAY,
    ends: timedelta = DAY,
    now: datetime | None = None,
    more_names: tuple[str, ...] = (),
    extensions: tuple[tuple[Any, bool], ...] = (),
    key: ec.EllipticCurvePrivateKey | None = None,
) -> Made:
    """A certificate; self-signed without an issuer.

    ca: None leaves basic constraints out.  extensions: with whether they are critical.
    """
    now = now or datetime.now(timezone.utc)
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each) for each in (name, *more_names)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + starts)
        .not_valid_after(now + ends)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, path_length), critical=True)
    for extension, is_critical in extensions:
        builder = builder.add_extension(extension, critical=is_critical)
    return Made(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


def key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """With the two bits that matter here."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
