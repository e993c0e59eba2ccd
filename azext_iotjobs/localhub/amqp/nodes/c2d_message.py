"""Cloud-to-device messages as services send them: AMQP messages -> the hub's messages. Pure.

Source: IoT Hub devguide "send cloud-to-device messages"; Microsoft's service SDKs.
"""

import uuid
from datetime import datetime
from typing import Any

from azext_iotjobs.localhub.amqp.addresses import match_pattern, segments_of
from azext_iotjobs.localhub.amqp.nodes.base import Match
from azext_iotjobs.localhub.amqp.nodes.values import as_text, instant
from azext_iotjobs.localhub.amqp.wire.message import Message
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, HubError
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.c2d_message import Ack, NewMessage, expiry, read_ack

ACK = "iothub-ack"
TO = ("/devices/{device}/messages/devicebound", "/devices/{device}/modules/{module}/messages/devicebound")


def read_c2d_message(message: Message, now: datetime) -> tuple[Address, NewMessage]:
    """Whom a message is for, and the message. Raises HubError 400004, 413001, DecodeError.

    now: aware UTC; its expiry is checked against it.
    """
    given = message.properties
    properties = {name: as_text(value) or "" for name, value in message.application_properties.items()}
    expires_at = None if given.absolute_expiry_time is None else instant(given.absolute_expiry_time)
    return _address(given.to), NewMessage(
        body=message.body,
        message_id=as_text(given.message_id) or str(uuid.uuid4()),
        correlation_id=as_text(given.correlation_id),
        user_id=None if given.user_id is None else _utf8(given.user_id),
        content_type=given.content_type,
        content_encoding=given.content_encoding,
        ack=read_ack(properties.pop(ACK, Ack.NONE.value)),
        properties=properties,
        expires_at=expiry(expires_at, now),
        has_expiry=expires_at is not None,
    )


def _address(to: str | None) -> Address:
    segments = segments_of(to or "")
    for pattern in TO:
        ids = match_pattern(pattern, segments)
        if ids is not None:
            return Match(ids, segments).address
    raise HubError(ARGUMENT_INVALID, f"The property to of a message must be {' or '.join(TO)}.")


def _utf8(data: Any) -> str:
    try:
        return bytes(data).decode()
    except UnicodeDecodeError:
        raise HubError(ARGUMENT_INVALID, "The user id of a message is not UTF-8.") from None
