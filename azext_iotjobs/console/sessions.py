"""Who may use the console: the one-time token of its address, and the cookie that it is exchanged for.

A cookie is signed, not stored, with a secret in a file of its owner: it outlives a restart of the console at its port.
It names the port: a browser sends the cookies of 127.0.0.1 to every port of it.
"""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import StateUnusable

LIFE_S = 7 * 86_400
SECRET_FILE, SECRET_BYTES = "session-secret", 32
MAX_CHARACTERS = 200  # of a cookie or token that is looked at


class Sessions:
    """The sessions of a console at one port."""

    def __init__(self, secret: bytes, port: int, clock: Clock) -> None:
        """secret: SECRET_BYTES of it, the same after a restart."""
        self._secret = secret
        self._port = port
        self._clock = clock
        self._token: str | None = secrets.token_urlsafe(32)

    @property
    def cookie_name(self) -> str:
        """Of this port."""
        return f"iotjobs-console-{self._port}"

    @property
    def token(self) -> str:
        """The one-time token; "": it was used."""
        return self._token or ""

    def redeem(self, token: str) -> str | None:
        """A cookie's value for the one-time token, which is worth nothing afterwards; None: it is not that token."""
        if self._token is None or not _is_same(token, self._token):
            return None
        self._token = None
        body = f"{int(self._clock.now().timestamp()) + LIFE_S}.{secrets.token_urlsafe(16)}"
        return f"{body}.{self._signature(body)}"

    def is_valid(self, cookie: str) -> bool:
        """Whether a cookie's value was made with this secret, for this port, and has not expired."""
        body, _, signature = cookie[:MAX_CHARACTERS].rpartition(".")
        if not _is_same(signature, self._signature(body)):
            return False
        return int(body.partition(".")[0]) > self._clock.now().timestamp()

    def _signature(self, body: str) -> str:
        return hmac.new(self._secret, f"{self._port}.{body}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def secret_in(folder: Path) -> bytes:
    """The secret in a folder, which is made, with its file, for its owner alone. Raises StateUnusable."""
    file = folder / SECRET_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not file.exists():
            _write_new(file)
        secret = file.read_bytes()
    except OSError as err:
        raise StateUnusable(
            f"The console's secret {file} cannot be used: {err.strerror}.", hint="See who owns the folder."
        ) from err
    if len(secret) != SECRET_BYTES:
        raise StateUnusable(f"The console's secret {file} is damaged.", hint="Remove it: there will be a new one.")
    return secret


def _write_new(file: Path) -> None:
    """Write a new secret; where two consoles start at once, the one that was written last counts for both later."""
    partial = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as opened:
        opened.write(secrets.token_bytes(SECRET_BYTES))
    os.replace(partial, file)


def _is_same(one: str, other: str) -> bool:
    return hmac.compare_digest(one[:MAX_CHARACTERS].encode("utf-8", "replace"), other.encode())
