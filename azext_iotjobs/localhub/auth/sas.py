"""Verifies shared access signature tokens.

The signature covers the `sr` text exactly as it was sent: clients differ in the case of percent-encoding.
Source: IoT Hub "control access with shared access signatures"; observed codes: 401002 for a wrong key or a missing
right, 401003 for no header or an expired token.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from urllib.parse import unquote, unquote_plus

from azext_iotjobs.localhub.errors import UNAUTHORIZED, UNAUTHORIZED_ACCESS, HubError
from azext_iotjobs.localhub.rules.event import AuthMethod

SCHEME = "SharedAccessSignature "
MAX_TOKEN_CHARACTERS = 4096
CACHED_TOKENS = 256  # parsed: a client sends the same one with every request
MAX_EXPIRY = 253402300799  # the last second of year 9999
LATEST_EXPIRY = datetime.fromtimestamp(MAX_EXPIRY, tz=timezone.utc)
_URL_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")  # Event Hubs clients sign sb://host/path


@dataclass(frozen=True)
class Token:
    """A parsed token; nothing is verified yet."""

    signed_text: bytes
    resource: tuple[str, ...]  # host, lower case, then path segments
    signature: bytes
    expires_at: datetime  # aware UTC
    policy: str | None

    def __repr__(self) -> str:
        return f"Token(resource={self.resource!r}, policy={self.policy!r})"


@lru_cache(maxsize=CACHED_TOKENS)
def parse_token(text: str) -> Token:
    """Parse a token. Raises HubError 401003 for any other text."""
    if not text.startswith(SCHEME) or len(text) > MAX_TOKEN_CHARACTERS:
        raise HubError(UNAUTHORIZED, "The token is not a shared access signature.")
    fields = dict(part.partition("=")[::2] for part in text[len(SCHEME) :].strip().split("&"))
    try:
        raw_resource, raw_expiry = fields["sr"], fields["se"]
        expiry = min(int(raw_expiry), MAX_EXPIRY)
        return Token(
            signed_text=f"{raw_resource}\n{raw_expiry}".encode(),
            resource=_segments(unquote_plus(raw_resource)),
            signature=base64.b64decode(unquote(fields["sig"]), validate=True),
            expires_at=datetime.fromtimestamp(expiry, tz=timezone.utc),
            policy=unquote_plus(fields["skn"]) if fields.get("skn") else None,
        )
    except (KeyError, ValueError, OverflowError, OSError, binascii.Error) as err:
        raise HubError(UNAUTHORIZED, "The token is not well-formed.") from err


def auth_method(text: str) -> AuthMethod:
    """How a device that was let in with a token has proved who it is; without one it was by its certificate."""
    if not text:
        return AuthMethod.CERTIFICATE
    return AuthMethod.DEVICE_KEY if parse_token(text).policy is None else AuthMethod.POLICY_KEY


def check_key(token: Token, keys: Iterable[str]) -> None:
    """Raise HubError 401002 unless the token was signed with one of `keys` (base64)."""
    # All keys are tried: the duration does not show how close a guess was.
    matches = [_is_signed(token, base64.b64decode(key)) for key in keys]
    if not any(matches):
        raise HubError(UNAUTHORIZED_ACCESS, "The token's signature does not fit.")


def is_signed_for_event_hubs(token: Token, key: str) -> bool:
    """Whether the token was signed with the text of a key (base64), as Event Hubs clients do.

    Source: Event Hubs "authenticate with shared access signatures"; IoT Hub's own tokens use the key's bytes.
    """
    return _is_signed(token, key.encode())


def _is_signed(token: Token, secret: bytes) -> bool:
    return hmac.compare_digest(hmac.new(secret, token.signed_text, hashlib.sha256).digest(), token.signature)


def check_host(token: Token, hosts: Container[str]) -> None:
    """Raise HubError 401003 unless the token is for one of `hosts`."""
    if token.resource[0] not in hosts:
        raise HubError(UNAUTHORIZED, "The token is for another resource.")


def check_expiry(token: Token, now: datetime) -> None:
    """Raise HubError 401003 for an expired token."""
    if now >= token.expires_at:
        raise HubError(UNAUTHORIZED, "The token has expired.")


def _segments(resource: str) -> tuple[str, ...]:
    host, *path = _URL_SCHEME.sub("", resource, count=1).strip("/").split("/")
    return (host.lower(), *path)
