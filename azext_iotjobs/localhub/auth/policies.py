"""The five shared access policies that every new hub has, and their keys."""

import base64
import json
import secrets
import shlex
from enum import Flag, auto
from pathlib import Path
from typing import Any

from azext_iotjobs.localhub.process.private_files import write_private

OWNER = "iothubowner"


class Right(Flag):
    """The rights of policies."""

    REGISTRY_READ = auto()
    REGISTRY_WRITE = auto()
    SERVICE_CONNECT = auto()
    DEVICE_CONNECT = auto()


def named(rights: Right) -> str:
    """Any one of them, as Azure spells them: RegistryRead or ServiceConnect."""
    return " or ".join(str(each.name).title().replace("_", "") for each in Right if each & rights)


RIGHTS = {
    OWNER: Right.REGISTRY_READ | Right.REGISTRY_WRITE | Right.SERVICE_CONNECT | Right.DEVICE_CONNECT,
    "service": Right.SERVICE_CONNECT,
    "device": Right.DEVICE_CONNECT,
    "registryRead": Right.REGISTRY_READ,
    "registryReadWrite": Right.REGISTRY_READ | Right.REGISTRY_WRITE,
}


def new_key() -> str:
    """A fresh key, base64 of 32 random bytes."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


class PoliciesUnusable(Exception):
    """The file with the policies' keys exists and cannot be used; the text says why, and shows no key."""


def ensure_policies(folder: Path) -> dict[str, str]:
    """The policies' keys by name, created when `folder` has no file of them.

    An existing file is never replaced: it may contain keys that others use.
    Raises PoliciesUnusable, OSError when it cannot be written.
    """
    path = folder / "policies.json"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        made = {name: new_key() for name in RIGHTS}
        write_private(path, json.dumps(made).encode())
        return made
    except OSError as err:
        raise _unusable(path, f"it cannot be read: {err.strerror}") from err
    try:
        keys = json.loads(content)
    except (ValueError, RecursionError) as err:
        raise _unusable(path, "it is empty" if not content.strip() else "it is not JSON") from err
    if not isinstance(keys, dict) or keys.keys() != RIGHTS.keys():
        raise _unusable(path, f"it must have one key for each of {', '.join(RIGHTS)}, and no others")
    for name, key in keys.items():
        if not _is_key(key):
            raise _unusable(path, f"the key of {name} is not base64")
    return keys


def _is_key(key: Any) -> bool:
    try:
        return isinstance(key, str) and len(base64.b64decode(key, validate=True)) > 0
    except ValueError:  # binascii.Error is one
        return False


def _unusable(path: Path, why: str) -> PoliciesUnusable:
    return PoliciesUnusable(
        f"The policies' keys in {path} cannot be used: {why}. Correct it, or remove it, and new keys are made; "
        f"connection strings with the old ones then no longer work: rm {shlex.quote(str(path))}"
    )
