"""What devices sent, as tests see it, and what they may ask of it. Pure."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

JSON = "json"  # in content types: application/json, application/vnd.example+json
DEFAULT_ENCODING = "utf-8"
TELEMETRY = "Telemetry"  # the source of events that devices send themselves
SOURCE = "iothub-message-source"
SHOWN_CHARACTERS = 300

Match = Callable[[Any], bool] | Any  # a predicate, or what has to be contained


@dataclass(frozen=True, kw_only=True)
class Telemetry:
    """A message from a device."""

    device_id: str  # of the device that sent it
    module_id: str | None  # None: the device itself
    body: Any  # a JSON value, a text, or bytes that are neither
    properties: Mapping[str, str]  # of the application
    system_properties: Mapping[str, str]  # by the service's names, such as contentType and messageId
    enqueued_at: str  # ISO 8601, UTC
    number: int  # counts the hub's messages up

    @property
    def is_sent(self) -> bool:
        """Whether the device has sent it itself."""
        return self.system_properties.get(SOURCE, TELEMETRY) == TELEMETRY

    def __str__(self) -> str:
        sender = self.device_id if self.module_id is None else f"{self.device_id}/{self.module_id}"
        properties = f" {dict(self.properties)}" if self.properties else ""
        return f"{self.number} from {sender}: {shown(self.body)}{properties}"


def telemetry(document: Mapping[str, Any]) -> Telemetry:
    """Read a message from the hub's own document of it."""
    system = document["systemProperties"]
    body = base64.b64decode(document["body"])
    return Telemetry(
        device_id=document["deviceId"],
        module_id=document.get("moduleId"),
        body=decoded(body, system.get("contentType"), system.get("contentEncoding")),
        properties=document["properties"],
        system_properties=system,
        enqueued_at=document["enqueuedTime"],
        number=document["number"],
    )


def decoded(body: bytes, content_type: str | None, encoding: str | None) -> Any:
    """A message's body: a JSON value or a text as its sender says; bytes where it is neither.

    content_type, encoding: None where the sender says nothing; then a JSON object or array is taken as such.
    """
    try:
        text = body.decode(encoding or DEFAULT_ENCODING)
    except (LookupError, UnicodeDecodeError):
        return body
    says_json = content_type is not None and JSON in content_type.lower()
    if not says_json and (content_type or text.lstrip()[:1] not in ("{", "[")):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def matches(value: Any, match: Match) -> bool:
    """Whether a value is what is looked for.

    match: a predicate; or an equal value; of an object, a part: members that it has, however deep, beside others.
    """
    return bool(match(value)) if callable(match) else _contains(value, match)


def _contains(value: Any, part: Any) -> bool:
    if isinstance(part, Mapping):
        return isinstance(value, Mapping) and all(
            name in value and _contains(value[name], each) for name, each in part.items()
        )
    if isinstance(value, bool) is not isinstance(part, bool):
        return False  # to Python, True is 1
    return bool(value == part)


def shown(value: Any) -> str:
    """A value for an error's text, which has one line of some length at most."""
    text = repr(value) if isinstance(value, bytes) else json.dumps(value, default=repr)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def shown_match(match: Match) -> str:
    """What is looked for, for an error's text."""
    return getattr(match, "__qualname__", repr(match)) if callable(match) else shown(match)
