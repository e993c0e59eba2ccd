"""Which hub, and what a service signs in with. Secrets never show in `repr`."""

import base64
import binascii
from dataclasses import field
from datetime import datetime
from typing import NamedTuple

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.host_names import (
    HostKind,
    HostNames,
    canonical_host,
    host_of_kind,
    is_loopback,
    kind_of,
    names_that_follow,
)
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.text import Text

HTTPS_PORT = 443
MQTT_PORT = 8883
AMQP_PORT = 5671
MIN_KEY_BYTES = 16  # of what the hub takes as a key
NO_HOST = frozenset("/\\?#@%<>\"' ")


class HubTarget(NamedTuple):
    """Where a hub is."""

    host: str  # without a port; that services call
    https_port: int = HTTPS_PORT
    mqtt_port: int = MQTT_PORT
    ca_file: str | None = None  # PEM file to trust; None: what this machine trusts
    is_local: bool = False
    device_host: str | None = None  # that devices connect to; None: the same
    known_names: HostNames | None = None  # by whoever knows what it is called; None: those that follow from `host`
    amqp_port: int = AMQP_PORT

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


def check_key(key: str, name: str) -> None:
    """Raise BadValue unless `key` is base64; the error shows the name, not the key."""
    try:
        if base64.b64decode(key, validate=True):
            return
    except (binascii.Error, ValueError):
        pass
    raise BadValue(Text(name, " is not base64."), hint="Copy the key whole: it often ends in '='.")


def looks_like_key(text: str) -> bool:
    """Whether a text has the form that keys usually have: base64 of 16 bytes or more, with = at its end."""
    try:
        return text.endswith("=") and len(base64.b64decode(text, validate=True)) >= MIN_KEY_BYTES
    except (binascii.Error, ValueError):
        return False


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


def _split(host: str) -> tuple[str, str | None]:
    """Where services and devices of the hub go that somebody calls `host`; None: to the same."""
    if kind_of(host) is HostKind.CLASSIC:
        return host, None
    return host_of_kind(host, HostKind.SERVICE) or host, host_of_kind(host, HostKind.DEVICE)
