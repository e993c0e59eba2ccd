"""Messages to devices and feedback about them <-> AMQP messages. Pure.

Source: IoT Hub devguide "send cloud-to-device messages": properties, `iothub-ack`, the body of feedback messages.
"""

import json
from typing import Any

from azext_iotjobs.model.amqp import AmqpMessage
from azext_iotjobs.model.errors import HubFault
from azext_iotjobs.model.feedback import FeedbackRecord
from azext_iotjobs.model.message import NewC2dMessage

ACK, NO_ACK = "iothub-ack", "none"


def render_c2d_message(message: NewC2dMessage, device_id: str) -> AmqpMessage:
    """A message to a device."""
    expires = None if message.expires_at is None else round(message.expires_at.timestamp() * 1000)
    properties = {
        "message_id": message.message_id,
        "to": f"/devices/{device_id}/messages/devicebound",
        "correlation_id": message.correlation_id,
        "user_id": message.user_id,
        "content_type": message.content_type,
        "content_encoding": message.content_encoding,
        "absolute_expiry_time": expires,
    }
    return AmqpMessage(
        body=message.body,
        properties={name: value for name, value in properties.items() if value is not None},
        application={**message.properties, ACK: NO_ACK if message.ack is None else message.ack.value},
    )


def parse_feedback(message: AmqpMessage) -> list[FeedbackRecord]:
    """The records of a feedback message. Raises HubFault for what is none."""
    try:
        records = json.loads(message.body)
    except (ValueError, RecursionError) as err:
        raise HubFault("The hub sent feedback that is not JSON.", status=500) from err
    if not isinstance(records, list) or not all(isinstance(each, dict) for each in records):
        raise HubFault("The hub sent feedback that is not a list of records.", status=500)
    return [_record(each) for each in records]


def _record(document: dict[str, Any]) -> FeedbackRecord:
    return FeedbackRecord(
        message_id=str(document.get("originalMessageId") or ""),
        device_id=str(document.get("deviceId") or ""),
        status=str(document.get("statusCode") or document.get("description") or ""),
        document=document,
    )
