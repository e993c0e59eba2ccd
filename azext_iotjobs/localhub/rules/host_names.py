"""The host names under which a hub answers, and which clients use which of them. Pure.

A hub on a newer gateway has three names: `{hub}.azure-devices.net`, `{hub}.device.azure-devices.net` for devices and
`{hub}.service.azure-devices.net` for services. Here they end in `localhost`, whose subdomains all mean this machine.
The service's documentation says whom each of the two is for, not that it refuses the other clients. This hub does
refuse them, so that a client that uses the wrong name is noticed. A hub may have other names by request; each is for
both, and for clients that are elsewhere: on this machine it is `localhost` too.
Source: IoT Hub "hostnames of a hub with gateway v2"; RFC 6761 6.3 for `localhost`.
"""

import ipaddress
import re
from collections.abc import Sequence
from enum import Enum

from azext_iotjobs.localhub.errors import UNAUTHORIZED_ACCESS, HubError

DEFAULT_BIND, ALL_ADDRESSES = "127.0.0.1", "0.0.0.0"
HTTPS_PORT = 443  # the one that a host name stands for when it has no port
HUB_NAME = "local-hub"  # any other works too, where the certificate need not list it: `{hub}.localhost`
EVENT_HUB_NAME = HUB_NAME  # of the built-in endpoint
CERTIFIED = tuple(f"localhost {HUB_NAME}.localhost *.localhost *.device.localhost *.service.localhost".split())
_PORT = re.compile(r"(?<!:):\d{1,5}$")  # not the last part of ::1
_SUBDOMAIN = re.compile(r"[a-z0-9-]+\.(?:(?P<kind>device|service)\.)?localhost")


class ClientKind(Enum):
    """Which clients a host name is for."""

    DEVICE = "device"
    SERVICE = "service"


class HostNames:
    """Every name under which one hub may be addressed, with and without a port."""

    def __init__(self, bind: str, *ports: int, dns_names: Sequence[str] = ()) -> None:
        """dns_names: those that it has by request, in lower case."""
        self._main = amqp_host_name(bind)
        self._fixed = ("localhost", "127.0.0.1", "::1", "[::1]") if is_localhost(bind) else (bind,)
        self._dns_names = frozenset(dns_names)
        self._ports = tuple(f":{port}" for port in ports)

    def __contains__(self, host: object) -> bool:
        name = self._without_port(str(host))
        return name in self._fixed or name in self._dns_names or _SUBDOMAIN.fullmatch(name) is not None

    def known_to(self, host: str | None) -> str:
        """A name of the hub, without a port, that leads to it from where a client is that calls it `host`."""
        name = self._without_port(host or "")
        return name if name in self._dns_names else self._main

    def check_client(self, host: str, client: ClientKind) -> None:
        """Raise HubError 401002 when `host` is the name for the other kind of client."""
        found = _SUBDOMAIN.fullmatch(self._without_port(host))
        if found is None or found["kind"] in (None, client.value):
            return
        hub, _, _ = found[0].partition(".")
        raise HubError(
            UNAUTHORIZED_ACCESS,
            f"{found[0]} is for {found['kind']}s; {client.value}s call {hub}.{client.value}.localhost.",
        )

    def _without_port(self, host: str) -> str:
        lower = host.lower()
        if self._dns_names:  # a container's ports may have any other numbers outside
            return _PORT.sub("", lower)
        port = next((each for each in self._ports if lower.endswith(each)), "")
        return lower.removesuffix(port) if port else lower


def is_loopback(bind: str) -> bool:
    """Whether only this machine reaches an address."""
    return ipaddress.IPv4Address(bind).is_loopback


def is_localhost(bind: str) -> bool:
    """Whether a hub is reached at `localhost`: at the default address, and wherever others reach it too."""
    return bind == DEFAULT_BIND or not is_loopback(bind)


def host_name(bind: str, https_port: int) -> str:
    """The hub's name in service connection strings; it includes the port unless that is 443."""
    return with_port(amqp_host_name(bind), https_port)


def amqp_host_name(bind: str) -> str:
    """The hub's name without a port, as AMQP clients give it."""
    return "localhost" if is_localhost(bind) else bind


def subdomain_names(bind: str, https_port: int) -> dict[ClientKind, str | None]:
    """The name for each kind of client; None where subdomains of localhost do not lead to the hub's address."""
    if not is_localhost(bind):
        return dict.fromkeys(ClientKind)
    return {kind: with_port(f"{HUB_NAME}.{kind.value}.localhost", https_port) for kind in ClientKind}


def with_port(name: str, https_port: int) -> str:
    """A host name as it is written in a URL."""
    return name if https_port == HTTPS_PORT else f"{name}:{https_port}"
