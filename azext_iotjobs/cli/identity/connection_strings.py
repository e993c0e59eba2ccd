"""Connection strings of hubs, devices and modules: which host name and key they have, and whether they can be read."""

from collections.abc import Mapping

from knack.log import get_logger

from azext_iotjobs.model.connection_string import parse_connection_string
from azext_iotjobs.model.errors import BadValue, UserError
from azext_iotjobs.model.host_names import HostKind, HostNames
from azext_iotjobs.model.identity import Identity, SignIn
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.model.text import printable

logger = get_logger(__name__)

AUTO = "auto"  # of --hostname-type
SEPARATOR = ";"  # between the parts of a connection string


def connection_string(host: str, identity: Identity, key_type: str) -> dict[str, str]:
    """The connection string with which a device or module signs in, as a command's result.

    host: without a port.  key_type: primary or secondary.
    Warns when no program can read the string. Raises BadValue when the identity has no such key.
    """
    # Without a port: devices dial fixed ports, and their SDKs refuse a HostName that has one.
    start = f"HostName={host};DeviceId={identity.device_id}"
    if identity.module_id is not None:
        start += f";ModuleId={identity.module_id}"
    if identity.sign_in in (SignIn.THUMBPRINT.value, SignIn.CA.value):
        text = f"{start};x509=true"
    else:
        text = f"{start};SharedAccessKey={key_of(identity, key_type)}"
    warn_if_unreadable(text, {"DeviceId": identity.device_id, "ModuleId": identity.module_id})
    return {"connectionString": text}


def key_of(identity: Identity, key_type: str) -> str:
    """The primary or secondary key of a device or module. Raises BadValue when it has none."""
    key = identity.primary_key if key_type == "primary" else identity.secondary_key
    if key is None:
        raise BadValue(f"The {identity.address} has no {key_type} key: it signs in by {identity.sign_in}.")
    return key


def host_for(target: HubTarget, hostname_type: str, *, automatic: str) -> str:
    """The host name of a hub that --hostname-type selects.

    hostname_type: as typed.  automatic: the name for `auto`.
    Raises BadValue when the hub is not known to have a name of that type.
    """
    return automatic if hostname_type == AUTO else name_of_type(target.names, hostname_type)


def device_host_for(target: HubTarget, hostname_type: str) -> str:
    """The host name in the connection string of a device or module. Raises BadValue."""
    if hostname_type == HostKind.SERVICE.value:
        raise BadValue(
            "--hostname-type service: devices and modules do not connect there.",
            hint="Give device or classic, or leave it out.",
        )
    return host_for(target, hostname_type, automatic=target.for_devices.host)


def name_of_type(names: HostNames, hostname_type: str) -> str:
    """The name of this type out of a hub's names. Raises BadValue when it is not known to have one."""
    found = names.of(HostKind(hostname_type))
    if found is None:
        known = ", ".join(filter(None, names))
        raise BadValue(
            f"--hostname-type {hostname_type}: this hub has no {hostname_type} host name; it is called {known}.",
            hint="Hubs on newer gateways have one for devices and one for services. Leave --hostname-type out.",
        )
    return found


def warn_if_unreadable(text: str, parts: Mapping[str, str | None]) -> None:
    """Warn when a connection string does not have these parts once it is read again.

    text: one of a hub, device or module.  parts: what it was made of; None for a part that it does not have.
    """
    if not _has(text, parts):
        _warn(parts)


def warn_if_split(parts: Mapping[str, str | None]) -> None:
    """Warn when a part cannot stand in any connection string; for strings that our own reader does not read."""
    if any(SEPARATOR in (value or "") for value in parts.values()):
        _warn(parts)


def _has(text: str, parts: Mapping[str, str | None]) -> bool:
    try:
        read = parse_connection_string(text)
    except UserError:
        return False
    found = {"DeviceId": read.device_id, "ModuleId": read.module_id, "SharedAccessKeyName": read.policy}
    return all(found[name] == value for name, value in parts.items())


def _warn(parts: Mapping[str, str | None]) -> None:
    name, value = next(((name, each) for name, each in parts.items() if SEPARATOR in (each or "")), ("", ""))
    which = f"{name} {printable(value)!r} holds a semicolon, which" if value else "a semicolon"
    logger.warning(
        "This connection string cannot be read back: %s ends a part of it. Programs and SDKs refuse it, or sign in as "
        "another device, module or policy. Give them host, id and key one by one; az iot commands take the id with -d.",
        which,
    )
