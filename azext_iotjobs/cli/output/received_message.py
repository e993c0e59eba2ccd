"""A cloud-to-device message, in the form in which commands print it."""

from collections.abc import Mapping
from typing import Any

from azext_iotjobs.model.message import ReceivedMessage

READABLE = ("utf-8", "utf8", "utf-16", "utf16", "utf-32", "utf32")
PRINTED_NAMES = {"ContentType": "content-type", "ContentEncoding": "content-encoding"}
NOT_READABLE = "{{non-decodable payload}}"  # the reference's words


def message_document(message: ReceivedMessage) -> dict[str, Any]:
    """A received message as the reference shows it."""
    properties: dict[str, Any] = {}
    if message.properties:
        properties["app"] = dict(message.properties)
    if message.system:
        properties["system"] = _with_printed_names(message.system)
    document: dict[str, Any] = {"etag": message.lock_token, "properties": properties}
    if message.body:
        document["data"] = _text(message)
    return document


def _with_printed_names(system: Mapping[str, str]) -> dict[str, str]:
    """System properties by the names that the reference prints since 0.26, whichever the hub sent."""
    renamed = {PRINTED_NAMES.get(name, name): value for name, value in system.items()}
    return {**renamed, **{name: value for name, value in system.items() if name not in PRINTED_NAMES}}


def _text(message: ReceivedMessage) -> str:
    encoding = (message.content_encoding or "utf-8").lower()
    try:
        return message.body.decode(encoding) if encoding in READABLE else NOT_READABLE
    except UnicodeDecodeError:
        return NOT_READABLE
