"""TLS of devices' connections: whom they trust, and the certificate that each shows.

A context that trusts this machine's roots takes 0.8 MB and 40 ms, so thousands of devices cannot each have one. OpenSSL
copies what a context shows when a connection begins: devices whose keys are of one kind share a context, into which
each loads its certificate before its connection begins. Of one kind, as a context has a place for each kind of key, and
would go on to show what an earlier device left in another place.
"""

import ssl
from pathlib import Path

from azext_iotjobs.model.device_credentials import DeviceCertificate
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.transport.trust import Bundle, ca_bundle, key_log_problem

KEY_KINDS = (  # of the public key in a certificate: DER of its algorithm's identifier. RFC 3279 2.3, RFC 8410 3
    bytes.fromhex("06092a864886f70d010101"),  # RSA
    bytes.fromhex("06072a8648ce3d0201"),  # elliptic curve
)


class TlsContexts:
    """Contexts for the devices of one hub. For one thread."""

    def __init__(self, ca_file: str | None) -> None:
        """ca_file: trusted alone; None: this machine's roots and those of the environment. Raises BadValue."""
        self._ca_file = ca_file
        self._without = tls_context(ca_file)
        self._by_kind: dict[bytes, ssl.SSLContext] = {}

    def fitting(self, certificate: DeviceCertificate | None) -> ssl.SSLContext:
        """The context with which a connection is to begin before the next call.

        Raises BadValue when a file cannot be used.
        """
        if certificate is None:
            return self._without
        kind = _key_kind(certificate)
        if kind is None:
            return tls_context(self._ca_file, certificate)
        if kind not in self._by_kind:
            self._by_kind[kind] = tls_context(self._ca_file)
        _load(self._by_kind[kind], certificate)
        return self._by_kind[kind]


def tls_context(ca_file: str | None, certificate: DeviceCertificate | None = None) -> ssl.SSLContext:
    """What a device trusts and shows.

    ca_file: trusted alone; None: this machine's roots and those of the environment.
    Raises BadValue when a file cannot be used.
    """
    if (problem := key_log_problem()) is not None:
        raise BadValue(problem)
    bundle = Bundle("", ca_file) if ca_file else ca_bundle()
    try:
        context = ssl.create_default_context(cafile=ca_file)
        if ca_file is None and bundle is not None:
            bundle.load_into(context)
    except OSError as err:  # ssl.SSLError is one
        raise BadValue(f"{err}" if bundle is None else bundle.unusable(err)) from err
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None:
        _load(context, certificate)
    return context


def _key_kind(own: DeviceCertificate) -> bytes | None:
    """None: not known for certain; `_load` says what is wrong with a file that is none."""
    try:
        text = Path(own.certificate_file).read_text(encoding="latin-1")
        start, end = text.index(ssl.PEM_HEADER), text.index(ssl.PEM_FOOTER) + len(ssl.PEM_FOOTER)
        der = ssl.PEM_cert_to_DER_cert(text[start:end])
    except (OSError, ValueError):
        return None
    found = [kind for kind in KEY_KINDS if kind in der]
    return found[0] if len(found) == 1 else None


def _load(context: ssl.SSLContext, own: DeviceCertificate) -> None:
    for path in (own.certificate_file, own.key_file):
        try:
            with open(path, "rb"):
                pass
        except (OSError, ValueError) as err:  # `ssl` does not say which of the two it was
            raise BadValue(f"{path} cannot be read: {getattr(err, 'strerror', None) or err}.") from err
    try:
        # Never None: OpenSSL would ask on the terminal.
        context.load_cert_chain(own.certificate_file, own.key_file, password=own.passphrase or "")
    except (ssl.SSLError, ValueError) as err:
        raise BadValue(_why_not(own, getattr(err, "reason", None))) from err


def _why_not(own: DeviceCertificate, reason: str | None) -> str:
    if reason == "KEY_VALUES_MISMATCH":
        return f"The key in {own.key_file} is not the one of the certificate in {own.certificate_file}."
    if b"ENCRYPTED" in Path(own.key_file).read_bytes():
        what = "is missing" if own.passphrase is None else "is wrong"
        return f"The key in {own.key_file} is encrypted, and the passphrase {what}."
    return f"{own.certificate_file} and {own.key_file} do not hold a certificate and its key in PEM form."
