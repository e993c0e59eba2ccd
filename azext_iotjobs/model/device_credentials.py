"""What a device signs in with: a key or a certificate. Secrets never show in `repr`."""

from dataclasses import field

from azext_iotjobs.model.late_dataclass import dataclass


@dataclass(frozen=True, kw_only=True)
class DeviceKey:
    """The key that makes a device's tokens: its own, or that of a policy which may connect devices."""

    device_id: str
    key: str = field(repr=False)  # base64
    policy: str | None = None  # whose key it is; None: the device's own


@dataclass(frozen=True, kw_only=True)
class DeviceCertificate:
    """A device's own certificate, in PEM files: signs it in where it is connected by TLS."""

    certificate_file: str  # its own first; any above it may follow
    key_file: str
    passphrase: str | None = field(default=None, repr=False)  # of the key; None: it has none
