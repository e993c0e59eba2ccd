"""The five shared access policies that every hub is born with, and their keys."""

import base64
import json
import secrets
from enum import Flag, auto
from pathlib import Path

from azext_iotjobs.localhub.files import write_private

OWNER = "iothubowner"


class Right(Flag):
    """What a policy may allow."""

    REGISTRY_READ = auto()
    REGISTRY_WRITE = auto()
    SERVICE_CONNECT = auto()
    DEVICE_CONNECT = auto()


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


def ensure_policies(folder: Path) -> dict[str, str]:
    """The policies' keys by name, made at the first start and kept in `folder`."""
    path = folder / "policies.json"
    try:
        keys = json.loads(path.read_bytes())
    except (OSError, ValueError):
        keys = None
    if not isinstance(keys, dict) or keys.keys() != RIGHTS.keys():
        keys = {name: new_key() for name in RIGHTS}
        write_private(path, json.dumps(keys).encode())
    return {str(name): str(key) for name, key in keys.items()}
