"""The host names of one hub. Newer gateways have three: the classic one, one for devices, one for services. Pure.

Strategy: the three differ by one label behind the hub's name, `{hub}.azure-devices.net`,
`{hub}.device.azure-devices.net`, `{hub}.service.azure-devices.net`, so that each follows from each. Only names that end
as hubs' names end are taken apart: `api.service.consul` is somebody's proxy.
"""

import re
from enum import Enum
from typing import NamedTuple

LOCALHOST = "localhost"
LOOPBACK_NAMES = (LOCALHOST, "127.0.0.1", "::1", "[::1]")
KINDS = ("device", "service")
END = "azure-devices"  # every cloud has its own end, private ones too: azure-devices.net, .cn, .us
END_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
# Not compiled here, and names are taken apart without `re`: each command does that, and compiling takes milliseconds.
_LOOPBACK_V4 = r"127(\.[0-9]{1,3}){3}"


class HostKind(Enum):
    """What a host name of a hub is for."""

    CLASSIC = "classic"  # everything; the only one of older gateways
    DEVICE = "device"
    SERVICE = "service"


class HostNames(NamedTuple):
    """What a hub is called; None: it has no such name."""

    classic: str | None
    device: str | None
    service: str | None

    def of(self, kind: HostKind) -> str | None:
        """The name of one kind."""
        return {HostKind.CLASSIC: self.classic, HostKind.DEVICE: self.device, HostKind.SERVICE: self.service}[kind]


class _Name(NamedTuple):
    hub: str
    kind: HostKind
    end: str


def _taken_apart(host: str) -> _Name | None:
    """The parts of a hub's host name; None of any other."""
    hub, _, end = host.partition(".")
    label, _, behind = end.partition(".")
    kind = HostKind(label.lower()) if behind and label.lower() in KINDS else HostKind.CLASSIC
    end = end if kind is HostKind.CLASSIC else behind
    has_hub = bool(hub) and not any(map(str.isspace, hub))
    return _Name(hub, kind, end) if has_hub and _ends_hubs_names(end.lower()) else None


def _ends_hubs_names(end: str) -> bool:
    """Whether hubs' names end so; `localhost` is where local hubs are."""
    first, *labels = end.split(".")
    is_azure = first == END or (first.startswith(f"{END}-") and first != f"{END}-")
    return end == LOCALHOST or (
        is_azure and bool(labels) and all(each and END_CHARACTERS.issuperset(each) for each in (first, *labels))
    )


def kind_of(host: str) -> HostKind:
    """What a host name is for; one that has no form of a hub's is for everything."""
    found = _taken_apart(host)
    return HostKind.CLASSIC if found is None else found.kind


def host_of_kind(host: str, kind: HostKind) -> str | None:
    """The same hub's name of another kind, with the end that `host` has; None where no other follows from it."""
    found = _taken_apart(host)
    if kind is (HostKind.CLASSIC if found is None else found.kind):
        return host
    if found is None:
        return None
    label = "" if kind is HostKind.CLASSIC else f"{kind.value}."
    return f"{found.hub}.{label}{found.end}"


def names_that_follow(host: str) -> HostNames:
    """All names of the hub that is called `host`, as far as they follow from it."""
    return HostNames(*(host_of_kind(host, kind) for kind in HostKind))


def is_loopback(host: str) -> bool:
    """Whether a host name means this machine."""
    return host.lower() in LOOPBACK_NAMES or is_below_localhost(host) or re.fullmatch(_LOOPBACK_V4, host) is not None


def is_below_localhost(host: str) -> bool:
    """Whether it is a name below `localhost`. All of them mean this machine, RFC 6761 6.3."""
    return host.lower().endswith(f".{LOCALHOST}")


def name_to_look_up(host: str) -> str:
    """The name whose addresses are `host`'s: not every system's look-up knows the names below `localhost`."""
    return LOCALHOST if is_below_localhost(host) else host


def canonical_host(host: str) -> str:
    """One name for all that one hub may be called, lower case: what a hub is known again by."""
    lower = host.lower()
    if lower in LOOPBACK_NAMES or is_below_localhost(lower):
        return LOCALHOST
    return host_of_kind(lower, HostKind.CLASSIC) or lower


def canonical_authority(text: str) -> str:
    """The same of a host that may have a port behind it."""
    host, colon, port = text.rpartition(":")
    return f"{canonical_host(host)}:{port}" if colon and not host.endswith(":") else canonical_host(text)


def is_name_of(name: str, host: str) -> bool:
    """Whether `name`, bare or whole, and `host` are names of one hub."""
    asked, given = canonical_host(name), canonical_host(host)
    # A bare name means the hub whose host name begins with it, whatever the cloud's suffix.
    return asked == given or ("." not in asked and asked == given.split(".")[0])
