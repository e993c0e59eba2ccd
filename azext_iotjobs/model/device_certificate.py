"""The certificate with which a device signs in; apart from `target`, which every command imports."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class DeviceCertificate:
    """A device's certificate in PEM files, with which it signs in over TLS."""

    certificate_file: str  # its own certificate first; those above it may follow
    key_file: str
    passphrase: str | None = field(default=None, repr=False)  # of the key; None: it has none
