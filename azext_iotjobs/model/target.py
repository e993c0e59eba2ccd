"""Which hub, and with what we get in. Secrets never show in `repr`."""

import base64
import binascii
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import NamedTuple
from urllib.parse import parse_qsl

from azext_iotjobs.model.errors import BadValue, MissingChoice
from azext_iotjobs.model.host_names import (
    HostKind,
    HostNames,
    canonical_host,
    host_of_kind,
    is_loopback,
    kind_of,
    names_that_follow,
)
from azext_iotjobs.model.text import Text, command

HTTPS_PORT = 443
MQTT_PORT = 8883
SAS_SCHEME = "SharedAccessSignature "
LAST_SECOND = 253402300799  # of year 9999
NO_HOST = frozenset("/\\?#@%<>\"' ")
KNOWN_PARTS = {  # lower case -> the documented spelling; the service's and the SDKs' own forms
    name.lower(): name
    for name in (
        "HostName", "SharedAccessKeyName", "SharedAccessKey", "SharedAccessSignature", "DeviceId", "ModuleId",
        "GatewayHostName", "x509",
    )
}  # fmt: skip


class HubTarget(NamedTuple):
    """Where a hub is."""

    host: str  # without a port; that services call
    https_port: int = HTTPS_PORT
    mqtt_port: int = MQTT_PORT
    ca_file: str | None = None  # PEM file to trust; None: what this machine trusts
    is_local: bool = False
    device_host: str | None = None  # that devices connect to; None: the same
    known_names: HostNames | None = None  # by whoever knows what it is called; None: those that follow from `host`

    @classmethod
    def named(cls, host: str, https_port: int = HTTPS_PORT, ca_file: str | None = None) -> "HubTarget":
        """The hub that somebody calls `host`: one of three names leads to the other two, a classic one to itself."""
        service_host, device_host = _split(host)
        return cls(host=service_host, https_port=https_port, ca_file=ca_file, device_host=device_host)

    @property
    def for_devices(self) -> "HubTarget":
        """The same hub as devices see it."""
        return self if self.device_host is None else self._replace(host=self.device_host)

    @property
    def names(self) -> HostNames:
        """What it is called."""
        return self.known_names or names_that_follow(self.host)

    @property
    def canonical(self) -> str:
        """What it is known again by, under whatever name it was reached: a host, and the port that is not 443."""
        host = canonical_host(self.names.classic or self.host)
        return self._replace(host=host).authority

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine."""
        return is_loopback(self.host)

    @property
    def authority(self) -> str:
        """Host with the HTTPS port, when that is not 443."""
        return self.host if self.https_port == HTTPS_PORT else f"{self.host}:{self.https_port}"


@dataclass(frozen=True, kw_only=True)
class SasKey:
    """A shared access policy's key: makes service tokens."""

    policy: str
    key: str = field(repr=False)  # base64


@dataclass(frozen=True, kw_only=True)
class SasToken:
    """A finished service token that someone else made: used as it is, as long as it lasts."""

    policy: str
    expires_at: datetime  # aware UTC
    text: str = field(repr=False)  # the whole of it, "SharedAccessSignature " included


@dataclass(frozen=True, kw_only=True)
class DeviceKey:
    """The key that makes a device's tokens: its own, or that of a policy which may connect devices."""

    device_id: str
    key: str = field(repr=False)  # base64
    policy: str | None = None  # whose key it is; None: the device's own


@dataclass(frozen=True, kw_only=True)
class ConnectionString:
    """A parsed connection string; what it does not hold is None."""

    host: str
    https_port: int
    policy: str | None
    device_id: str | None
    module_id: str | None
    key: str | None = field(repr=False)
    token: SasToken | None = None

    @property
    def authority(self) -> str:
        """Host with the port, when that is not 443."""
        return HubTarget(host=self.host, https_port=self.https_port).authority

    @property
    def canonical(self) -> str:
        """What its hub is known again by; see HubTarget."""
        return HubTarget.named(self.host, self.https_port).canonical

    def sas_key(self) -> SasKey:
        """The policy key of a service connection string. Raises MissingChoice when it holds none."""
        if self.policy is None or self.key is None:
            raise MissingChoice("The connection string holds no SharedAccessKeyName and SharedAccessKey.")
        return SasKey(policy=self.policy, key=self.key)

    def credential(self) -> SasKey | SasToken:
        """What a service connection string lets in with. Raises MissingChoice when it holds neither key nor token."""
        return self.token or self.sas_key()


def _split(host: str) -> tuple[str, str | None]:
    """Where services and devices of the hub go that somebody calls `host`; None: to the same."""
    if kind_of(host) is HostKind.CLASSIC:
        return host, None
    return host_of_kind(host, HostKind.SERVICE) or host, host_of_kind(host, HostKind.DEVICE)


def parse_connection_string(text: str) -> ConnectionString:
    """Read a service or device connection string.

    text: `Name=value` parts separated by semicolons; names in any case, values may hold "=". Quotes and white space
    around the whole are dropped, as shells and files leave them.
    Raises BadValue or MissingChoice; the error names parts, never their values.
    """
    parts = _parts(text.strip().strip("\"'").strip())
    if not parts.get("HostName"):
        raise MissingChoice(
            "The connection string has no HostName.",
            hint="It reads HostName=…;SharedAccessKeyName=…;SharedAccessKey=…; quote it, or the shell cuts it at ';'.",
        )
    host, port = host_and_port(parts["HostName"])
    key = parts.get("SharedAccessKey")
    if key is not None:
        check_key(key, "SharedAccessKey")
    signature = parts.get("SharedAccessSignature")
    token = None
    if key is not None and signature is not None:
        raise BadValue("The connection string has a SharedAccessKey and a SharedAccessSignature: give one of them.")
    if signature is not None:
        host, token = _service_token(signature, host)
    return ConnectionString(
        host=host,
        https_port=port,
        policy=parts.get("SharedAccessKeyName"),
        device_id=parts.get("DeviceId"),
        module_id=parts.get("ModuleId"),
        key=key,
        token=token,
    )


def looks_like_connection_string(text: str) -> bool:
    """Whether a text is meant as a connection string, be it a broken one: then it may hold a key, and is not shown."""
    lower = text.lower()
    return "sharedaccess" in lower or ("hostname=" in lower and ";" in lower)


def check_key(key: str, name: str) -> None:
    """Raise BadValue unless `key` is base64; the error shows the name, not the key."""
    try:
        if base64.b64decode(key, validate=True):
            return
    except (binascii.Error, ValueError):
        pass
    raise BadValue(Text(name, " is not base64."), hint="Copy the key whole: it often ends in '='.")


def _service_token(text: str, host: str) -> tuple[str, SasToken | None]:
    """A policy's token for this hub, and the one of its names that it is for; no token for a device's own.

    A device's own names no policy.
    """
    fields = dict(parse_qsl(text.removeprefix(SAS_SCHEME).strip().replace("+", "%2B")))
    is_header = text.isascii() and text.isprintable()
    if (
        not is_header
        or not text.startswith(SAS_SCHEME)
        or not {"sr", "sig", "se"} <= fields.keys()
        or not fields["se"].isdecimal()
    ):
        raise BadValue(
            "SharedAccessSignature is no shared access signature.",
            hint="It reads SharedAccessSignature sr=…&sig=…&se=…&skn=…; copy it whole.",
        )
    resource = fields["sr"].split("/")[0]
    if _classic(resource) != _classic(host):
        # Sent there, it would tell a stranger how to get into the hub that it is for.
        raise BadValue(f"SharedAccessSignature is for {resource!r}, not for HostName {host}.")
    if "skn" not in fields:
        return host, None
    if kind_of(resource) is HostKind.DEVICE:
        # It cannot be made anew here, and whoever is called under another name than it says need not take it.
        raise BadValue(
            f"SharedAccessSignature is for {resource}, which devices call; services call "
            f"{host_of_kind(resource, HostKind.SERVICE)}.",
            hint=Text("Make one for that: ", command("iot hub generate-sas-token", hostname_type="service")),
        )
    ends = datetime.fromtimestamp(min(int(fields["se"]), LAST_SECOND), tz=timezone.utc)
    return resource, SasToken(policy=fields["skn"], expires_at=ends, text=text)


def _classic(host: str) -> str:
    return (host_of_kind(host, HostKind.CLASSIC) or host).lower()


def _parts(text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for piece in filter(None, (each.strip() for each in text.split(";"))):
        name, equals, value = piece.partition("=")
        known = KNOWN_PARTS.get(name.strip().lower())
        if not equals or known is None:
            # Not shown: a piece that does not parse may well be a key.
            raise BadValue(
                "The connection string has a part that is none of " + ", ".join(KNOWN_PARTS.values()) + ".",
                hint="It reads HostName=…;SharedAccessKeyName=…;SharedAccessKey=…",
            )
        if known in parts:
            raise BadValue(f"The connection string has {known} twice.")
        parts[known] = value.strip()
    return parts


def host_and_port(text: str) -> tuple[str, int]:
    """ "myhub.azure-devices.net" or "localhost:8443" -> host and HTTPS port. Raises BadValue."""
    if any(sign in NO_HOST or not sign.isprintable() for sign in text):
        # In a URL it would end the host: the rest would be a path, or the host another one.
        raise BadValue(f"HostName={text[:60]!r}: give a host name, such as myhub.azure-devices.net, and nothing else.")
    host, colon, port = text.rpartition(":")
    if not colon:
        return text, HTTPS_PORT
    if not host or not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65536:
        raise BadValue(f"HostName={text}: give a host name, or host:port with a port from 1 to 65535.")
    return host, int(port)
