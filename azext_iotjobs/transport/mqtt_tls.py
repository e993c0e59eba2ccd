"""TLS of a device's connection: whom it trusts, and the certificate that it shows."""

import os
import ssl
from pathlib import Path

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.target import DeviceCertificate


def tls_context(ca_file: str | None, certificate: DeviceCertificate | None = None) -> ssl.SSLContext:
    """What a device trusts and shows.

    ca_file: trusted alone; None: this machine's roots and those of REQUESTS_CA_BUNDLE.
    Raises BadValue when a file cannot be used.
    """
    bundle = ca_file or os.environ.get("REQUESTS_CA_BUNDLE")
    try:
        context = ssl.create_default_context(cafile=ca_file)
        if ca_file is None and bundle:
            context.load_verify_locations(cafile=bundle)
    except (OSError, ssl.SSLError) as err:
        raise BadValue(f"The CA file {bundle} cannot be used ({err}).") from err
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None:
        _load(context, certificate)
    return context


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
        return f"The key in {own.key_file} is encrypted, and its passphrase {what}."
    return f"{own.certificate_file} and {own.key_file} do not hold a certificate and its key in PEM form."
