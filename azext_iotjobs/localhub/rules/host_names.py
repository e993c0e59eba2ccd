"""The host names under which a hub answers, and which clients use which of them. Pure.

A hub on a newer gateway has three names: `{hub}.azure-devices.net`, `{hub}.device.azure-devices.net` for devices and
`{hub}.service.azure-devices.net` for services. Here they end in `localhost`, whose subdomains all mean this machine.
The service's documentation says whom each of the two is for, not that it refuses the other clients. This hub does
refuse them, so that a client that uses the wrong name is noticed.
Source: IoT Hub "hostnames of a hub with gateway v2"; RFC 6761 6.3 for `localhost`.
"""

import re
from enum import Enum

from azext_iotjobs.localhub.errors import UNAUTHORIZED_ACCESS, HubError

DEFAULT_BIND = "127.0.0.1"
HTTPS_PORT = 443  # the one that a host name stands for when it has no port
HUB_NAME = "local-hub"  # any other works too, where the certificate need not list it: `{hub}.localhost`
EVENT_HUB_NAME = HUB_NAME  # of the built-in endpoint
CERTIFIED = tuple(f"localhost {HUB_NAME}.localhost *.localhost *.device.localhost *.service.localhost".split())
_SUBDOMAIN = re.compile(r"[a-z0-9-]+\.(?:(?P<kind>device|service)\.)?localhost")


class ClientKind(Enum):
    """Which clients a host name is for."""

    DEVICE = "device"
    SERVICE = "service"


class HostNames:
    """Every name under which one hub may be addressed, with and without a port."""

    def __init__(self, bind: str, *ports: int) -> None:
        self._fixed = (bind, "localhost", "127.0.0.1", "::1", "[::1]") if bind == DEFAULT_BIND else (bind,)
        self._ports = tuple(f":{port}" for port in ports)

    def __contains__(self, host: object) -> bool:
        name = self._without_port(str(host))
        return name in self._fixed or _SUBDOMAIN.fullmatch(name) is not None

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
        port = next((each for each in self._ports if lower.endswith(each)), "")
        return lower.removesuffix(port) if port else lower


def host_name(bind: str, https_port: int) -> str:
    """The hub's name in service connection strings; it includes the port unless that is 443."""
    return with_port(amqp_host_name(bind), https_port)


def amqp_host_name(bind: str) -> str:
    """The hub's name without a port, as AMQP clients give it."""
    return "localhost" if bind == DEFAULT_BIND else bind


def subdomain_names(bind: str, https_port: int) -> dict[ClientKind, str | None]:
    """The name for each kind of client; None where subdomains of localhost do not lead to the hub's address."""
    if bind != DEFAULT_BIND:
        return dict.fromkeys(ClientKind)
    return {kind: with_port(f"{HUB_NAME}.{kind.value}.localhost", https_port) for kind in ClientKind}


def with_port(name: str, https_port: int) -> str:
    """A host name as it is written in a URL."""
    return name if https_port == HTTPS_PORT else f"{name}:{https_port}"
