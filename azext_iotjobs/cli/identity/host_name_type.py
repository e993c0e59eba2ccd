"""--hostname-type: under which of its host names a hub is shown, or a token is made."""

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.host_names import HostKind, HostNames
from azext_iotjobs.model.target import HubTarget

AUTO = "auto"


def host_for(target: HubTarget, typed: str, *, automatic: str) -> str:
    """The host name that was asked for.

    automatic: the one that `auto` stands for.
    Raises BadValue where the hub has none of that kind, as far as is known.
    """
    return automatic if typed == AUTO else named_as(target.names, typed)


def device_host_for(target: HubTarget, typed: str) -> str:
    """The host name in the connection string of a device or module. Raises BadValue."""
    if typed == HostKind.SERVICE.value:
        raise BadValue(
            "--hostname-type service: devices and modules do not connect there.",
            hint="Give device or classic, or leave it out.",
        )
    return host_for(target, typed, automatic=target.for_devices.host)


def named_as(names: HostNames, typed: str) -> str:
    """One of a hub's names. Raises BadValue where it has none of that kind, as far as is known."""
    found = names.of(HostKind(typed))
    if found is None:
        there = ", ".join(filter(None, names))
        raise BadValue(
            f"--hostname-type {typed}: this hub has no {typed} host name; it is called {there}.",
            hint="Hubs on newer gateways have one for devices and one for services. Leave --hostname-type out.",
        )
    return found
