"""What was asked: parts of a request, read and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, GENERIC_BAD_REQUEST, PRECONDITION_FAILED, HubError
from azext_iotjobs.localhub.rules.jsonvalues import HALF_CHARACTER, parse_json


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request that was let in; header names are lower case."""

    path: Mapping[str, str]  # the parts that the route names, decoded
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def document(self) -> dict[str, Any]:
        """The body, which must be a JSON object. Raises HubError 400."""
        try:
            value = parse_json(self.body)
        except ValueError:
            raise HubError(GENERIC_BAD_REQUEST, "The body is not JSON.") from None
        if not isinstance(value, dict):
            raise HubError(GENERIC_BAD_REQUEST, "The body must be a JSON object.")
        return value

    def etag(self) -> str | None:
        """The If-Match header: an etag, * for any, None when there is none. Raises HubError 412."""
        header = self.headers.get("if-match")
        if header is None or header.strip() == "*":
            return header and "*"
        text = header.strip().removeprefix("W/")
        if len(text) < 2 or not (text[0] == text[-1] == '"'):
            raise HubError(PRECONDITION_FAILED, "Precondition failed: the ETag must be in quotes.")
        return text[1:-1]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is answered; a document of None is an empty body."""

    document: Any = None
    status: int = 200
    headers: Mapping[str, str] | None = None


def check_etag(asked: str | None, current: str) -> None:
    """Raise HubError 412 unless `asked` is None, * or the current etag."""
    if asked not in (None, "*", current):
        raise HubError(PRECONDITION_FAILED, "Precondition failed: the ETag is not the current one.")


def member(document: Mapping[str, Any], name: str, kind: type | tuple[type, ...], default: Any = None) -> Any:
    """A member of a document; absent and null are the default. Raises HubError 400 for a wrong type."""
    value = document.get(name)
    if value is None:
        return default
    # Python's true is a number too.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise HubError(ARGUMENT_INVALID, f"{name} has the wrong type.")
    if isinstance(value, str) and HALF_CHARACTER.search(value):
        raise HubError(ARGUMENT_INVALID, f"{name} is not valid Unicode.")
    return value


def seconds(document: Mapping[str, Any], name: str, default: int) -> int:
    """A number of seconds, which some clients send as text. Raises HubError 400."""
    value = member(document, name, (int, str), default)
    try:
        return int(value)
    except ValueError:
        raise HubError(ARGUMENT_INVALID, f"{name} is not a whole number.") from None
