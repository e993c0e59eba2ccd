"""Messages as azure-eventhub has them <-> our values. Its texts are bytes or str, whichever type AMQP gave them."""

import math
from collections.abc import Mapping
from typing import Any

from azext_iotjobs.model.amqp import AmqpMessage
from azext_iotjobs.transport.amqp_library import AmqpLibrary

# AMQP 1.0 part 3.2.4, in its order.
PROPERTIES = (
    "message_id user_id to subject reply_to correlation_id content_type content_encoding absolute_expiry_time "
    "creation_time group_id group_sequence reply_to_group_id"
).split()


def decoded(message: Any) -> AmqpMessage:
    """A message that was received."""
    properties = dict(zip(PROPERTIES, message.properties or (), strict=False))
    return AmqpMessage(
        body=_body(message),
        properties={name: plain(value) for name, value in properties.items() if value is not None},
        application=plain(message.application_properties or {}),
        annotations=plain(message.message_annotations or {}),
    )


def encoded(library: AmqpLibrary, message: AmqpMessage) -> Any:
    """A message to send."""
    return library.message(
        properties=library.properties(**message.properties),
        application_properties=dict(message.application),
        data=[message.body],
    )


def plain(value: Any) -> Any:
    """A value of AMQP's as JSON has it: texts are str, what JSON does not have is its text."""
    if isinstance(value, Mapping):
        return {str(plain(name)): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, str | bool | int | float) else str(value)


def _body(message: Any) -> bytes:
    """What the sections of data hold together; a value or a sequence, which no device of a hub sends, as its text."""
    if message.data is not None:
        return b"".join(bytes(each) for each in message.data)
    rest = message.value if message.value is not None else message.sequence
    if rest is None:
        return b""
    return bytes(rest) if isinstance(rest, bytes | bytearray) else str(plain(rest)).encode()
