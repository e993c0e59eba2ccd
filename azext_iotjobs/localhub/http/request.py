"""Requests and responses as handlers see them, and readers for members of JSON documents."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, GENERIC_BAD_REQUEST, PRECONDITION_FAILED, HubError
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.json_values import LONE_SURROGATE, parse_json

MAX_DIGITS = 18  # of a number in a path or header: what fits into 64 bits


@dataclass(frozen=True, kw_only=True)
class HubRequest:
    """An authenticated request; header names are lower case."""

    path: Mapping[str, str]  # the variable parts of the route, decoded
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    spelled: Mapping[str, str] = field(default_factory=dict)  # header names in lower case -> as the client wrote them
    is_gone: Callable[[], bool] = lambda: False  # whether nobody waits for the response any more
    # Of the hub's own routes, read by their forms:
    parameters: Mapping[str, Any] = field(default_factory=dict)  # of the query
    members: Mapping[str, Any] = field(default_factory=dict)  # of the body

    def document(self) -> dict[str, Any]:
        """The body, which must be a JSON object. Raises HubError 400."""
        value = self._json()
        if not isinstance(value, dict):
            raise HubError(GENERIC_BAD_REQUEST, "The body must be a JSON object.")
        return value

    def documents(self) -> list[dict[str, Any]]:
        """The body, which must be a JSON array of objects. Raises HubError 400."""
        value = self._json()
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise HubError(GENERIC_BAD_REQUEST, "The body must be a JSON array of objects.")
        return value

    def value(self) -> Any:
        """The body, any JSON; None when it is empty. Raises HubError 400."""
        return self._json() if self.body.strip() else None

    def address(self) -> Address:
        """The device or module that the path names."""
        return Address(self.path["id"], self.path.get("module"))

    def etag(self) -> str | None:
        """The If-Match header: an etag, * for any; None when it is absent. Raises HubError 412."""
        header = self.headers.get("if-match")
        if header is None or header.strip() == "*":
            return header and "*"
        text = header.strip().removeprefix("W/")
        if len(text) < 2 or not (text[0] == text[-1] == '"'):
            raise HubError(PRECONDITION_FAILED, "Precondition failed: the ETag must be in quotes.")
        return text[1:-1]

    def etag_if_good(self) -> str | None:
        """As `etag`, but a header that is not in quotes is ignored, as the service does for a twin's patch."""
        try:
            return self.etag()
        except HubError:
            return None

    def _json(self) -> Any:
        try:
            return parse_json(self.body)
        except ValueError:
            raise HubError(GENERIC_BAD_REQUEST, "The body is not JSON.") from None


@dataclass(frozen=True, kw_only=True)
class HubResponse:
    """A response: a document as JSON, or `body` as it is; without either it is empty."""

    document: Any = None
    body: bytes | None = None
    status: int = 200
    headers: Mapping[str, str] | None = None


def check_etag(request: str | None, current: str) -> None:
    """Raise HubError 412 unless `request` is None, * or the current etag."""
    if request not in (None, "*", current):
        raise HubError(PRECONDITION_FAILED, "Precondition failed: the ETag is not the current one.")


def member(document: Mapping[str, Any], name: str, kind: type | tuple[type, ...], default: Any = None) -> Any:
    """A member of a document; the default if it is absent or null. Raises HubError 400 for a wrong type."""
    value = document.get(name)
    if value is None:
        return default
    # In Python, True is a number too.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise HubError(ARGUMENT_INVALID, f"{name} has the wrong type.")
    if isinstance(value, str) and LONE_SURROGATE.search(value):
        raise HubError(ARGUMENT_INVALID, f"{name} is not valid Unicode.")
    return value


def instant(text: str, name: str) -> datetime:
    """An ISO 8601 instant, aware UTC; without an offset it is UTC. Raises HubError 400."""
    try:
        at = datetime.fromisoformat(_six_digits(text))
        return at.replace(tzinfo=timezone.utc) if at.tzinfo is None else at.astimezone(timezone.utc)
    except (ValueError, OverflowError):  # an offset may lead beyond the years 1 to 9999
        raise HubError(GENERIC_BAD_REQUEST, f"{name} is not an ISO 8601 instant.") from None


def _six_digits(text: str) -> str:
    """An instant as Python 3.10 reads it: an offset instead of Z, six fraction digits instead of any."""
    plain = text.strip().replace("Z", "+00:00").replace("z", "+00:00")
    whole, dot, rest = plain.partition(".")
    if not dot:
        return plain
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    return f"{whole}.{digits[:6].ljust(6, '0')}{rest[len(digits) :]}"


def whole_number(text: str) -> int | None:
    """A number of at most MAX_DIGITS plain digits; None for any other text."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS else None


def seconds(document: Mapping[str, Any], name: str, default: int) -> int:
    """A number of seconds, which some clients send as text. Raises HubError 400."""
    value: int | str = member(document, name, (int, str), default)
    number = whole_number(value) if isinstance(value, str) else value
    if number is None or abs(number) >= 10**MAX_DIGITS:
        raise HubError(ARGUMENT_INVALID, f"{name} is not a whole number of at most {MAX_DIGITS} digits.")
    return number
