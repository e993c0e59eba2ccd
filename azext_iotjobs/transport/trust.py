"""Which authorities TLS trusts, and what is wrong with a certificate that is refused; for HTTPS and MQTT alike."""

import os
import ssl
from typing import NamedTuple

from azext_iotjobs.model.errors import NotTrusted
from azext_iotjobs.model.host_names import is_below_localhost
from azext_iotjobs.model.text import Text, command

BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # the first that is set counts, as for requests
KEY_LOG = "SSLKEYLOGFILE"
TRUST = Text.of(
    "Behind a proxy that inspects TLS, or with a private CA, set REQUESTS_CA_BUNDLE to a PEM file that holds that CA "
    "too. To trust a local hub, give {hub} localhost, in Python ca_file."
)
OTHER_NAME = 62
LOCAL_NAMES = (
    "A local hub's certificate names localhost, local-hub.localhost, and with any label LABEL.device.localhost and "
    "LABEL.service.localhost."
)
# OpenSSL's numbers, X509_V_ERR_…: what is wrong with a certificate, and what to do.
CERTIFICATE_FAULTS = {
    9: ("it is not valid yet", "Is this machine's clock right?"),
    10: ("it has expired", "Is this machine's clock right? Otherwise the hub's owner has to renew it."),
    18: ("it is self-signed", TRUST),
    19: ("the authority that signed it is not trusted here", TRUST),
    20: ("the authority that signed it is not trusted here", TRUST),
    OTHER_NAME: (
        "it is for another host name",
        Text("Check the hub's host name: ", command("iot hub show", hub="NAME")),
    ),
    64: ("it is for another address", "Give the hub's host name, not an address."),
}


class Bundle(NamedTuple):
    """Authorities to trust."""

    variable: str  # that names it; "" for one that was given otherwise
    path: str  # of a PEM file, or of a folder that OpenSSL's rehash has prepared

    def load_into(self, context: ssl.SSLContext) -> None:
        """Let a context trust them too. Raises OSError (ssl.SSLError is one)."""
        is_folder = os.path.isdir(self.path)
        context.load_verify_locations(None if is_folder else self.path, self.path if is_folder else None)

    def unusable(self, why: object) -> str:
        """Say that it cannot be used."""
        named = f"{self.variable}={self.path}" if self.variable else self.path
        return f"The CA file {named} cannot be used ({why})."

    def problem(self) -> str | None:
        """Why it cannot be used; None: it can."""
        try:
            self.load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        except OSError as err:
            return self.unusable(getattr(err, "reason", None) or err.strerror or err)
        return None


def ca_bundle() -> Bundle | None:
    """The authorities that the environment names."""
    return next((Bundle(name, os.environ[name]) for name in BUNDLE_VARIABLES if os.environ.get(name)), None)


def key_log_problem() -> str | None:
    """Why the log of TLS secrets that the environment names cannot be written; None: it can, or none is named."""
    path = os.environ.get(KEY_LOG)
    if not path:
        return None
    try:
        with open(os.path.expandvars(path), "ab"):
            return None
    except OSError as err:
        return (
            f"{KEY_LOG}={path}: no TLS secrets can be written there ({err.strerror}). Unset it, or name another file."
        )


def untrusted(where: str, err: ssl.SSLCertVerificationError) -> NotTrusted:
    """Our error for a certificate that was refused; `where` is the host it came from, with or without a port."""
    fault, hint = CERTIFICATE_FAULTS.get(err.verify_code, (err.verify_message, TRUST))
    if err.verify_code == OTHER_NAME and is_below_localhost(where.partition(":")[0]):
        hint = LOCAL_NAMES
    return NotTrusted(f"{where} is not trusted: its TLS certificate was refused, {fault}.", hint=hint)
