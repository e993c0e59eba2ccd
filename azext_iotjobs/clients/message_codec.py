"""Messages as a local hub shows and takes them <-> values."""

import base64
from typing import Any

from azext_iotjobs.clients.response import json_object
from azext_iotjobs.model.clock import render_instant
from azext_iotjobs.model.message import HubEvent, HubEvents, NewC2dMessage


def render_c2d_message(message: NewC2dMessage) -> dict[str, Any]:
    """The body that sends a message through a local hub; what is absent is left out."""
    members: dict[str, Any] = {
        "body": base64.b64encode(message.body).decode(),
        "properties": dict(message.properties),
        "messageId": message.message_id,
        "correlationId": message.correlation_id,
        "userId": message.user_id,
        "contentType": message.content_type,
        "contentEncoding": message.content_encoding,
        "expiryTimeUtc": None if message.expires_at is None else render_instant(message.expires_at),
        "ack": None if message.ack is None else message.ack.value,
    }
    return {name: value for name, value in members.items() if value is not None}


def parse_events(document: Any) -> HubEvents:
    """Messages from devices, as a local hub gives them."""
    body = json_object(document)
    return HubEvents([_parse_event(each) for each in body["events"]], int(body["nextAfter"]))


def _parse_event(document: Any) -> HubEvent:
    body = json_object(document)
    return HubEvent(
        number=int(body["number"]),
        device_id=str(body["deviceId"]),
        body=base64.b64decode(body["body"]),
        document={name: value for name, value in body.items() if name != "body"},
    )
