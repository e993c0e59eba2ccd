"""What an event's body means, by its content type and encoding. Pure: problems are given back, not raised."""

import json
from typing import Any, NamedTuple

from azext_iotjobs.cli.input.strict_json import NotAllowed, check_depth, finite, whole

ENCODINGS = ("utf-8", "utf8", "utf-16", "utf16", "utf-32", "utf32")
DEFAULT_ENCODING = "utf-8"
JSON_TYPE = "application/json"
NOT_READABLE = "{{non-decodable payload}}"  # the reference's words
SHOWN_CHARACTERS = 60


class Payload(NamedTuple):
    """A body as it is shown."""

    value: Any  # JSON's value, or text
    problem: str | None = None  # why it is not what its content type says


def read_payload(body: bytes, content_type: str, encoding: str) -> Payload:
    """A body as JSON if its content type says so, else as text.

    content_type, encoding: as the device gave them; "" for none, which means text in UTF-8.
    """
    named = encoding.strip().lower() or DEFAULT_ENCODING
    if named not in ENCODINGS:
        return Payload(NOT_READABLE, f"its content encoding is {_shown(encoding)}, none of {', '.join(ENCODINGS)}")
    try:
        text = body.decode(named)
    except UnicodeDecodeError:
        return Payload(NOT_READABLE, f"its body is not text in {named}")
    if JSON_TYPE not in content_type.lower():
        return Payload(text)
    try:
        return Payload(_json_value(text))
    except NotAllowed as err:  # it could not be written as JSON or YAML again
        return Payload(text, f"its body is shown as text: {err}")
    except (ValueError, RecursionError):
        return Payload(text, f"its content type is {JSON_TYPE}, and its body is not JSON")


def _json_value(text: str) -> Any:
    """JSON's value; of a key that an object has twice the last one. Raises ValueError, NotAllowed, RecursionError."""
    value = json.loads(text, parse_constant=_no_constant, parse_float=finite, parse_int=whole)
    check_depth(value)
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _shown(text: str) -> str:
    shown = ascii(text)
    return shown if len(shown) <= SHOWN_CHARACTERS else f"{shown[:SHOWN_CHARACTERS]}…"
