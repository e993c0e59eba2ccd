"""Creates the CA and the server certificate. Imported only when one is created: `cryptography` loads slowly.

A critical extension restricts the CA to loopback names, and to those that a hub was asked to have: whoever trusts it
trusts it for nothing else.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BACKDATE = timedelta(minutes=5)  # clients' clocks differ
PERMITTED_NAMES: tuple[x509.GeneralName, ...] = (
    x509.DNSName("localhost"),
    x509.IPAddress(ipaddress.ip_network("127.0.0.0/8")),
    x509.IPAddress(ipaddress.ip_network("::1/128")),
)


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, PEM."""

    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        return "Pair(…)"


def make_ca(common_name: str, dns_names: Sequence[str], now: datetime, ends: datetime) -> Pair:
    """A new CA, valid until `ends`. dns_names: what it may certify beside the names and addresses of this machine."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = (
        _builder(key, name, now, ends)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(_constraints(dns_names), critical=True)
    )
    return _pair(builder.sign(key, hashes.SHA256()), key)


def _constraints(dns_names: Sequence[str]) -> x509.NameConstraints:
    """A permitted name includes those below it, which are excluded here again, as far as clients know a leading dot.

    Source: RFC 5280 4.2.1.10; OpenSSL, Go, Java and others take a leading dot as they do for URIs.
    """
    permitted = [*PERMITTED_NAMES, *map(x509.DNSName, dns_names)]
    return x509.NameConstraints(permitted, [x509.DNSName(f".{each}") for each in dns_names] or None)


def make_server(ca: Pair, hosts: Sequence[str], addresses: Sequence[str], now: datetime, ends: datetime) -> Pair:
    """A new certificate for `hosts` and `addresses` (IP addresses), signed by `ca`."""
    authority = x509.load_pem_x509_certificate(ca.certificate)
    authority_key = load_pem_private_key(ca.key, None)
    assert isinstance(authority_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())  # P-256: the handshake is what limits how fast devices connect
    names = [*map(x509.DNSName, hosts), *(x509.IPAddress(ipaddress.ip_address(each)) for each in addresses)]
    builder = (
        _builder(key, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), now, ends)
        .issuer_name(authority.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
    )
    return _pair(builder.sign(authority_key, hashes.SHA256()), key)


def _builder(
    key: ec.EllipticCurvePrivateKey, subject: x509.Name, now: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    return Pair(
        certificate.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )
