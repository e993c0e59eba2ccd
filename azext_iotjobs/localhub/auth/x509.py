"""Verifies certificates: thumbprints, chains, and CAs of devices. Pure: `now` is an argument.

Imported only when there is a certificate: `cryptography` loads slowly.
Strategy: chains are searched breadth first, each certificate once. A verifier for web servers would require names that
devices' certificates do not have.
Source: RFC 5280 section 6, without policies and name constraints: a certificate that makes those critical is refused.
"""

import hashlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, UNAUTHORIZED, Fault, HubError

MAX_SHOWN = 10  # certificates of one client; a chain has three or four, and each one costs time
UNDERSTOOD = (x509.BasicConstraints, x509.KeyUsage, x509.ExtendedKeyUsage, x509.SubjectAlternativeName)
UNREADABLE = (
    ValueError,
    TypeError,
    InvalidSignature,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


@dataclass(frozen=True, kw_only=True)
class Authority:
    """What is stored of a CA certificate for devices."""

    der: bytes
    subject: str  # RFC 4514
    thumbprint: str  # SHA-1, upper-case hex, as the service shows it
    ends_at: datetime  # aware UTC


def check_thumbprint(certificate: bytes, thumbprints: Iterable[str], now: datetime) -> datetime:
    """The end of a certificate that is known by its thumbprint.

    certificate: DER.  thumbprints: SHA-1 or SHA-256, hex of any case.
    Raises HubError 401003 for another certificate, or one out of its time.
    """
    own = {hashlib.new(name, certificate).hexdigest() for name in ("sha1", "sha256")}
    if own.isdisjoint(each.lower() for each in thumbprints):
        raise HubError(UNAUTHORIZED, "The certificate's thumbprint is not the device's.")
    with _readable(UNAUTHORIZED):
        return _checked_end(x509.load_der_x509_certificate(certificate), now)


def check_chain(shown: Sequence[bytes], authorities: Iterable[bytes], name: str, now: datetime) -> datetime:
    """The end of a chain from a client's certificate to one of `authorities`: that of whichever ends first.

    shown: DER, the client's own first, then any others in any order; at least one.
    authorities: DER.  name: the required common name.
    Raises HubError 401003 when there is no such chain, when the certificate is another's, or out of its time.
    """
    if len(shown) > MAX_SHOWN:
        raise HubError(UNAUTHORIZED, f"More than {MAX_SHOWN} certificates were sent.")
    with _readable(UNAUTHORIZED):
        own, *others = (x509.load_der_x509_certificate(each) for each in shown)
        anchors = [x509.load_der_x509_certificate(each) for each in authorities]
        if [each.value for each in own.subject.get_attributes_for_oid(NameOID.COMMON_NAME)] != [name]:
            raise HubError(UNAUTHORIZED, "The certificate's common name is not the device's id.")
        if not _understands(own) or not _is_for_clients(own):
            raise HubError(UNAUTHORIZED, "The certificate is for another use.")
        return _end_of_path(own, others, anchors, now)


def read_authority(pem: str, now: datetime) -> Authority:
    """A CA certificate for devices. Raises HubError 400004 for any other text."""
    with _readable(ARGUMENT_INVALID):
        certificates = x509.load_pem_x509_certificates(pem.encode())
        if len(certificates) != 1:
            raise HubError(ARGUMENT_INVALID, "Give one certificate, not several.")
        [certificate] = certificates
        if not _may_sign(certificate, 0):
            raise HubError(
                ARGUMENT_INVALID,
                "The certificate is not a CA's, or has critical extensions that this hub does not know.",
            )
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise HubError(ARGUMENT_INVALID, "The certificate is not valid now.")
        der = certificate.public_bytes(Encoding.DER)
        return Authority(
            der=der,
            subject=certificate.subject.rfc4514_string(),
            thumbprint=hashlib.sha1(der, usedforsecurity=False).hexdigest().upper(),
            ends_at=certificate.not_valid_after_utc,
        )


@contextmanager
def _readable(fault: Fault) -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about odd certificates of clients: they would fill the hub's log
        try:
            yield
        except UNREADABLE as err:
            raise HubError(fault, "The certificate cannot be read.") from err


def _checked_end(certificate: x509.Certificate, now: datetime) -> datetime:
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise HubError(UNAUTHORIZED, "The certificate has expired, or is not valid yet.")
    return certificate.not_valid_after_utc


def _end_of_path(
    own: x509.Certificate, others: list[x509.Certificate], anchors: list[x509.Certificate], now: datetime
) -> datetime:
    reached = [(own, _checked_end(own, now))]
    depth = 0  # certificates between those reached and the client's own, which is not counted
    while reached:
        above: list[tuple[x509.Certificate, datetime]] = []
        for certificate, end in reached:
            signs = _signer_of(certificate, depth, now)
            for anchor in filter(signs, anchors):
                return min(end, anchor.not_valid_after_utc)
            found = list(filter(signs, others))
            others = [each for each in others if each not in found]
            above += [(each, min(end, each.not_valid_after_utc)) for each in found]
        reached = above
        depth += 1
    raise HubError(UNAUTHORIZED, "The certificate does not lead to a CA that this hub knows.")


def _signer_of(certificate: x509.Certificate, depth: int, now: datetime) -> Callable[[x509.Certificate], bool]:
    def signs(issuer: x509.Certificate) -> bool:
        return (
            issuer.subject == certificate.issuer
            and issuer.not_valid_before_utc <= now <= issuer.not_valid_after_utc
            and _may_sign(issuer, depth)
            and _has_signed(issuer, certificate)
        )

    return signs


def _may_sign(certificate: x509.Certificate, depth: int) -> bool:
    """Whether it is a CA's that may have `depth` CAs below it."""
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return False
    try:
        may = certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        may = True
    is_deep_enough = basic.path_length is None or depth <= basic.path_length
    return basic.ca and may and is_deep_enough and _understands(certificate)


def _has_signed(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _understands(certificate: x509.Certificate) -> bool:
    """Whether we know all of its critical extensions [RFC 5280 4.2]."""
    return all(isinstance(each.value, UNDERSTOOD) for each in certificate.extensions if each.critical)


def _is_for_clients(certificate: x509.Certificate) -> bool:
    try:
        uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return ExtendedKeyUsageOID.CLIENT_AUTH in uses or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in uses
