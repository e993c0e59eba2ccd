"""What is wrong with a hub's certificate, and what to do about it; for HTTPS and MQTT alike."""

import ssl

from azext_iotjobs.model.errors import NotTrusted
from azext_iotjobs.model.host_names import is_below_localhost
from azext_iotjobs.model.text import Text, command

TRUST = Text.of(
    "Behind a proxy that inspects TLS, or with a private CA, set REQUESTS_CA_BUNDLE to a PEM file that holds that CA "
    "too. A local hub is trusted with {hub} localhost, in Python with ca_file."
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


def untrusted(where: str, err: ssl.SSLCertVerificationError) -> NotTrusted:
    """Our error for a certificate that was refused; `where` is the host it came from, with or without a port."""
    fault, hint = CERTIFICATE_FAULTS.get(err.verify_code, (err.verify_message, TRUST))
    if err.verify_code == OTHER_NAME and is_below_localhost(where.partition(":")[0]):
        hint = LOCAL_NAMES
    return NotTrusted(f"{where} is not trusted: its TLS certificate was refused, {fault}.", hint=hint)
