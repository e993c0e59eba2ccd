"""The certificate with which a device signs in."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class DeviceCertificate:
    """A device's own certificate, in PEM files: signs it in where it is connected by TLS."""

    certificate_file: str  # its own first; any above it may follow
    key_file: str
    passphrase: str | None = field(default=None, repr=False)  # of the key; None: it has none
