"""Connection strings that are printed and that nobody can read back: said on stderr, the string stays as it is."""

from collections.abc import Mapping

from knack.log import get_logger

from azext_iotjobs.model.connection_string import parse_connection_string
from azext_iotjobs.model.errors import UserError
from azext_iotjobs.model.text import printable

logger = get_logger(__name__)

END_OF_PART = ";"


def say_if_unreadable(text: str, parts: Mapping[str, str | None]) -> None:
    """Warn when a connection string, read again, does not hold these parts.

    text: one of a hub, device or module.  parts: what was put into it, None for what was not.
    """
    if not _holds(text, parts):
        _warn(parts)


def say_if_split(parts: Mapping[str, str | None]) -> None:
    """Warn when a part cannot stand in any connection string: one that our own reader is not made for."""
    if any(END_OF_PART in (value or "") for value in parts.values()):
        _warn(parts)


def _holds(text: str, parts: Mapping[str, str | None]) -> bool:
    try:
        read = parse_connection_string(text)
    except UserError:
        return False
    found = {"DeviceId": read.device_id, "ModuleId": read.module_id, "SharedAccessKeyName": read.policy}
    return all(found[name] == value for name, value in parts.items())


def _warn(parts: Mapping[str, str | None]) -> None:
    name, value = next(((name, each) for name, each in parts.items() if END_OF_PART in (each or "")), ("", ""))
    which = f"{name} {printable(value)!r} holds a semicolon, which" if value else "a semicolon"
    logger.warning(
        "This connection string cannot be read back: %s ends a part of it. Programs and SDKs refuse it, or sign in as "
        "somebody else. Give them host, id and key one by one; az iot commands take the id with -d.",
        which,
    )
