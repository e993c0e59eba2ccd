"""Issues device certificates from a test CA. Imported only when needed: az's `cryptography` loads slowly."""

from datetime import datetime, timedelta, timezone
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from azext_iotjobs.model.errors import BadValue

VALID = timedelta(days=30)  # longer than a simulation, shorter than a mistake
CLOCK_SKEW = timedelta(minutes=5)
WITHOUT_DIGEST = (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey)
SIGNING_KEYS = (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey, *WITHOUT_DIGEST)


class Issuer:
    """A CA with its key."""

    def __init__(self, ca_pem: bytes, key_pem: bytes, passphrase: str | None) -> None:
        """ca_pem: the CA's certificate, followed by those above it.  key_pem: its private key.

        Raises BadValue when they do not fit together; the error shows nothing of the key.
        """
        try:
            self._chain = x509.load_pem_x509_certificates(ca_pem)
        except ValueError:
            raise BadValue("--issue-from-ca: the file holds no certificate in PEM form.") from None
        try:
            key = serialization.load_pem_private_key(key_pem, passphrase.encode() if passphrase else None)
        except TypeError:
            what = (
                "encrypted: --passphrase is missing" if passphrase is None else "not encrypted: leave --passphrase out"
            )
            raise BadValue(f"The key of --issue-from-ca is {what}.") from None
        except (ValueError, UnsupportedAlgorithm):
            raise BadValue(
                "The key of --issue-from-ca cannot be read, or --passphrase is wrong.",
                hint="--ca-key names a PEM file with it; without --ca-key the CA's own file has to hold it.",
            ) from None
        if not isinstance(key, SIGNING_KEYS):
            raise BadValue("The key of --issue-from-ca is of a kind that signs no certificates.")
        if _public(key.public_key()) != _public(self._chain[0].public_key()):
            raise BadValue("--ca-key is not the key of the certificate in --issue-from-ca.")
        self._key = key

    def issue(self, device_id: str) -> bytes:
        """A new key, its certificate with the device's id as common name, and those of the CA, as PEM."""
        own = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(timezone.utc)
        ca = self._chain[0]
        ca_key: Any = ca.public_key()
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device_id)]))
            .issuer_name(ca.subject)
            .public_key(own.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(max(now - CLOCK_SKEW, ca.not_valid_before_utc))
            .not_valid_after(min(now + VALID, ca.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key), critical=False)
            .sign(self._key, None if isinstance(self._key, WITHOUT_DIGEST) else hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        private = own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return private + b"".join(each.public_bytes(pem) for each in (certificate, *self._chain))


def _public(key: Any) -> bytes:
    public: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return public
