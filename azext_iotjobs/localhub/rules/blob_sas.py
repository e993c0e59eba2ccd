"""Shared access signatures of blobs and containers: made, read and checked. Pure: `now` is an argument.

A signature covers what it is for (a blob, `sr=b`, or a container, `sr=c`), what it allows and how long, with the
account's key. Which lines are signed depends on its version, `sv`.
Source: Azure Storage "create a service SAS", sections on the string to sign, 2018-11-09 and later.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import NamedTuple
from urllib.parse import quote

ACCOUNT = "localhub"
VERSION = "2021-04-10"
OLDEST_VERSION, SCOPED_VERSION = "2018-11-09", "2020-12-06"  # from the second on an encryption scope is signed too
BLOB, CONTAINER = "b", "c"
READ, ADD, CREATE, WRITE, DELETE, LIST = "racwdl"
ALL_OF_CONTAINER = READ + ADD + CREATE + WRITE + DELETE + LIST
RESPONSE_HEADERS = {  # parameters that set a header of the response
    "rscc": "Cache-Control",
    "rscd": "Content-Disposition",
    "rsce": "Content-Encoding",
    "rscl": "Content-Language",
    "rsct": "Content-Type",
}


class Resource(NamedTuple):
    """A container, or a blob in it."""

    container: str
    blob: str | None = None

    @property
    def canonical(self) -> str:
        """As it is signed."""
        return f"/blob/{ACCOUNT}/{self.container}" + (f"/{self.blob}" if self.blob is not None else "")


class BadSas(Exception):
    """A signature that does not allow the request. is_denied: it is genuine, and lacks the permission."""

    def __init__(self, text: str, *, is_denied: bool = False) -> None:
        super().__init__(text)
        self.text = text
        self.is_denied = is_denied


@dataclass(frozen=True)
class StorageAccount:
    """The account of the hub's own blob endpoint: what its address is, and the key of its signatures."""

    host: str  # with its port, where that is not 443
    key: bytes

    def __repr__(self) -> str:
        return f"StorageAccount(host={self.host!r})"

    @property
    def port_suffix(self) -> str:
        """The port as a URL has it, with its colon; empty where it need not be given."""
        return "".join(self.host.rpartition(":")[1:]) if ":" in self.host else ""

    def uri(self, resource: Resource) -> str:
        """The address of a container or blob, without a signature."""
        blob = "" if resource.blob is None else f"/{quote(resource.blob, safe='/~')}"
        return f"https://{self.host}/{ACCOUNT}/{resource.container}{blob}"

    def sign(self, resource: Resource, permissions: str, expires_at: datetime) -> str:
        """A query with a signature, without its `?`."""
        kind = CONTAINER if resource.blob is None else BLOB
        expiry = expires_at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        fields = {"sv": VERSION, "sr": kind, "se": expiry, "sp": permissions, "spr": "https"}
        signature = self._signature(resource, fields)
        fields = {"sv": VERSION, "sr": kind, "sig": signature, "se": expiry, "sp": permissions, "spr": "https"}
        return "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items())

    def check(self, fields: Mapping[str, str], resource: Resource, any_of: str, now: datetime) -> None:
        """Raise BadSas unless a query's fields allow a request.

        fields: decoded.  resource: what the request is for.  any_of: permissions, one of which is enough.
        """
        missing = [name for name in ("sv", "sr", "sig", "se", "sp") if not fields.get(name)]
        if missing:
            raise BadSas(f"The signature is missing, or has no {', '.join(missing)}.")
        signed = Resource(resource.container) if fields["sr"] == CONTAINER else resource
        if fields["sr"] not in (BLOB, CONTAINER) or (fields["sr"] == BLOB and resource.blob is None):
            raise BadSas(f"The signature is for sr={fields['sr'][:10]!a}, and not for this resource.")
        if fields["sv"] < OLDEST_VERSION or fields.get("sip") or fields.get("si"):
            raise BadSas(f"Versions before {OLDEST_VERSION}, sip and si are not supported here.")
        expected = self._signature(signed, fields)
        if not hmac.compare_digest(expected.encode(), fields["sig"].replace(" ", "+").encode()):
            raise BadSas("The signature does not fit.")
        if fields.get("st") and now < _instant(fields["st"]):
            raise BadSas("The signature is not valid yet.")
        if now >= _instant(fields["se"]):
            raise BadSas("The signature has expired.")
        if not set(any_of) & set(fields["sp"]):
            raise BadSas(f"The signature allows {fields['sp'][:20]!a}; this needs {any_of}.", is_denied=True)

    def _signature(self, resource: Resource, fields: Mapping[str, str]) -> str:
        version = fields["sv"]
        lines = [
            *(fields.get(name, "") for name in ("sp", "st", "se")),
            resource.canonical,
            *(fields.get(name, "") for name in ("si", "sip", "spr", "sv", "sr")),
            fields.get("snapshot", ""),
            *([fields.get("ses", "")] if version >= SCOPED_VERSION else []),
            *(fields.get(name, "") for name in RESPONSE_HEADERS),
        ]
        mac = hmac.new(self.key, "\n".join(lines).encode("utf-8", "surrogatepass"), hashlib.sha256)
        return base64.b64encode(mac.digest()).decode()


def account_key(owner_key: str) -> bytes:
    """The account's key, made from that of iothubowner, so that it is as long-lived and as secret."""
    return hmac.new(base64.b64decode(owner_key), b"storage account of the local hub", hashlib.sha256).digest()


def _instant(text: str) -> datetime:
    """An instant of a signature: a date, or a date and time in UTC. Raises BadSas."""
    try:
        at = datetime.fromisoformat(text[:19].rstrip("Z"))
    except ValueError as err:
        raise BadSas("A date of the signature is not one.") from err
    return at.replace(tzinfo=timezone.utc)
