"""/_local/events and /_local/devices/{id}/messages: telemetry and messages to devices, which on the service use AMQP.

Only for callers with iothubowner's key.
"""

import base64
import binascii
import uuid
from typing import Any

from azext_iotjobs.localhub.clock import HubClock
from azext_iotjobs.localhub.engine.c2d_queue import C2dQueue
from azext_iotjobs.localhub.engine.event_log import EventLog
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, HubError
from azext_iotjobs.localhub.http.documents import event_document
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse, instant, member, whole_number
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.c2d_message import Ack, NewMessage, expiry, read_ack

MAX_EVENTS = 100
MAX_WAIT_S = 30  # shorter than clients' time limits


class LocalMessageRoutes:
    """Read what devices sent, and send them messages."""

    def __init__(self, events: EventLog, c2d_queue: C2dQueue, clock: HubClock) -> None:
        self._events = events
        self._c2d_queue = c2d_queue
        self._clock = clock

    async def events(self, request: HubRequest) -> HubResponse:
        """GET /_local/events?after=&wait=: what devices sent; waits up to `wait` seconds for the first."""
        after, wait_s = _number(request, "after"), min(_number(request, "wait"), MAX_WAIT_S)
        found = self._events.after(after, MAX_EVENTS)
        if not found and wait_s:
            await self._events.next(wait_s)
            found = self._events.after(after, MAX_EVENTS)
        return HubResponse(document=[event_document(event) for event in found])

    async def send(self, request: HubRequest) -> HubResponse:
        """POST /_local/devices/{id}/messages: queue a message for a device."""
        message = self._message(request.document())
        number = self._c2d_queue.send(Address(request.path["id"]), message)
        return HubResponse(document={"messageId": message.message_id, "sequenceNumber": number}, status=201)

    def _message(self, document: dict[str, Any]) -> NewMessage:
        expires = member(document, "expiryTimeUtc", str)
        now = self._clock.now()
        return NewMessage(
            body=_body(document),
            message_id=member(document, "messageId", str) or str(uuid.uuid4()),
            correlation_id=member(document, "correlationId", str),
            user_id=member(document, "userId", str),
            content_type=member(document, "contentType", str),
            content_encoding=member(document, "contentEncoding", str),
            properties=_properties(document),
            ack=read_ack(str(member(document, "ack", str, Ack.NONE.value))),
            expires_at=expiry(None if expires is None else instant(expires, "expiryTimeUtc"), now),
            has_expiry=expires is not None,
        )


def _number(request: HubRequest, name: str) -> int:
    return whole_number(request.query.get(name, "")) or 0


def _body(document: dict[str, Any]) -> bytes:
    try:
        return base64.b64decode(member(document, "body", str, ""), validate=True)
    except (ValueError, binascii.Error):
        raise HubError(ARGUMENT_INVALID, "body must be base64.") from None


def _properties(document: dict[str, Any]) -> dict[str, str]:
    properties: dict[str, Any] = member(document, "properties", dict, {})
    if not all(isinstance(value, str) for value in properties.values()):
        raise HubError(ARGUMENT_INVALID, "properties must be texts.")
    return properties
