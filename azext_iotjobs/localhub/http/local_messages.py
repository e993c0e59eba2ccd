"""/_local/events and /_local/devices/{id}/messages: telemetry and messages to devices, which on the service use AMQP.

Only for callers with iothubowner's key.
"""

import base64
import binascii
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from azext_iotjobs.localhub.clock import HubClock, render
from azext_iotjobs.localhub.engine.c2d_queue import C2dQueue
from azext_iotjobs.localhub.engine.event_log import EventLog
from azext_iotjobs.localhub.engine.shown_events import RESPONSE_BYTES, SHOWN_EVENTS
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, HubError
from azext_iotjobs.localhub.http.documents import event_document
from azext_iotjobs.localhub.http.log_pages import log_form, respond
from azext_iotjobs.localhub.http.own_request import Answer, OwnForm
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse, instant
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.c2d_message import MAX_ID_CHARACTERS, Ack, NewMessage, expiry
from azext_iotjobs.localhub.rules.own_document import Member, shown

BASE64_EXAMPLE, INSTANT_EXAMPLE = "eyJ2YWx2ZSI6MX0=", "2026-12-01T12:00:00Z"

TEXTS = Member(kind=str)
EVENT = Member(
    kind=dict,
    title="Event",
    members={
        "number": Member(kind=int, is_required=True, what="counts the hub's events"),
        "deviceId": Member(kind=str, is_required=True),
        "moduleId": Member(kind=str, what="of an event of a module"),
        "enqueuedTime": Member(kind=str, is_required=True, text_format="date-time"),
        "systemProperties": Member(kind=dict, is_required=True, each=TEXTS, what="such as contentType"),
        "properties": Member(kind=dict, is_required=True, each=TEXTS, what="of the application"),
        "body": Member(kind=str, is_required=True, text_format="byte"),
    },
)
EVENTS = log_form(
    "events",
    "The events, the oldest first",
    EVENT,
    f"The newest {SHOWN_EVENTS:,} are here, and at most {RESPONSE_BYTES // 1024**2} MB of them at once.",
)
MESSAGE = {
    "body": Member(kind=str, default="", text_format="byte", example=BASE64_EXAMPLE),
    "messageId": Member(
        kind=str, least=1, most=MAX_ID_CHARACTERS, what="the hub makes one where it is absent", example="m-1"
    ),
    "correlationId": Member(kind=str, example="c-1"),
    "userId": Member(kind=str, example="operator-1"),
    "contentType": Member(kind=str, what="such as application/json", example="application/json"),
    "contentEncoding": Member(kind=str, what="such as utf-8", example="utf-8"),
    "properties": Member(
        kind=dict, each=Member(kind=str, example="north"), what="of the application", example={"site": "north"}
    ),
    "ack": Member(
        kind=str,
        one_of=tuple(each.value for each in Ack),
        default=Ack.NONE.value,
        what="which feedback the hub sends on what becomes of it",
    ),
    "expiryTimeUtc": Member(
        kind=str,
        text_format="date-time",
        what="within the next two days; in one hour where it is absent",
        example=INSTANT_EXAMPLE,
    ),
}
SEND = OwnForm(
    body=MESSAGE,
    example={"body": BASE64_EXAMPLE, "properties": {"site": "north"}},
    answers={
        201: Answer(
            what="The message is in the device's queue.",
            document=Member(
                kind=dict,
                members={
                    "messageId": Member(kind=str, is_required=True),
                    "sequenceNumber": Member(kind=int, is_required=True),
                },
            ),
        ),
        403: Answer(what="The device's queue is full."),
        404: Answer(what="There is no such device."),
        413: Answer(what="The message has more than 64 KiB."),
    },
)


class LocalMessageRoutes:
    """Read what devices sent, and send them messages."""

    def __init__(self, events: EventLog, c2d_queue: C2dQueue, clock: HubClock) -> None:
        self._events = events
        self._c2d_queue = c2d_queue
        self._clock = clock

    async def events(self, request: HubRequest) -> HubResponse:
        """GET /_local/events: what devices sent."""
        return await respond(request, "events", self._events.shown, event_document)

    async def send(self, request: HubRequest) -> HubResponse:
        """POST /_local/devices/{id}/messages: queue a message for a device."""
        message = self._message(request.members)
        number = self._c2d_queue.send(Address(request.path["id"]), message)
        return HubResponse(document={"messageId": message.message_id, "sequenceNumber": number}, status=201)

    def _message(self, members: Mapping[str, Any]) -> NewMessage:
        expires = members.get("expiryTimeUtc")
        now = self._clock.now()
        return NewMessage(
            body=_bytes(members["body"]),
            message_id=members.get("messageId") or str(uuid.uuid4()),
            correlation_id=members.get("correlationId"),
            user_id=members.get("userId"),
            content_type=members.get("contentType"),
            content_encoding=members.get("contentEncoding"),
            properties=members.get("properties", {}),
            ack=Ack(members["ack"]),
            expires_at=_expiry(expires, now),
            has_expiry=expires is not None,
        )


def _expiry(text: str | None, now: datetime) -> datetime:
    try:
        return expiry(None if text is None else instant(text, "The text"), now)
    except HubError as err:
        example = render(now + timedelta(hours=1))
        raise HubError(
            ARGUMENT_INVALID,
            f'expiryTimeUtc: {shown(text)} is not allowed. {err.text} By the hub\'s clock, "{example}" is in an hour.',
        ) from err


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise HubError(
            ARGUMENT_INVALID, f'body: {shown(text)} is not allowed. It is base64, such as "{BASE64_EXAMPLE}".'
        ) from None
