"""/devices/{id}/messages, which devices use over HTTPS; and the services' routes for message queues and feedback."""

import asyncio
import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from azext_iotjobs.localhub.auth.sas import auth_method
from azext_iotjobs.localhub.engine.c2d_queue import C2dQueue
from azext_iotjobs.localhub.engine.device_service import DeviceService
from azext_iotjobs.localhub.engine.event_log import StoreError
from azext_iotjobs.localhub.engine.feedback_queue import feedback_document
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, GENERIC_BAD_REQUEST, MESSAGE_TOO_LARGE, HubError
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse, member
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.c2d_message import DEFAULT_LOCK_S, MessageOutcome, check_lock
from azext_iotjobs.localhub.rules.event import DeviceMessage
from azext_iotjobs.localhub.rules.json_values import LONE_SURROGATE
from azext_iotjobs.localhub.store.messages import Message

MAX_EVENT_BYTES = 256 * 1024
BATCH = "application/vnd.microsoft.iothub.json"
APP_PREFIX = "iothub-app-"
LOCK_TIMEOUT = "iothub-messagelocktimeout"
SYSTEM_HEADERS = {
    "iothub-messageid": "messageId",
    "iothub-correlationid": "correlationId",
    "iothub-userid": "userId",
    "iothub-contenttype": "contentType",
    "iothub-contentencoding": "contentEncoding",
    "iothub-creation-time-utc": "creationTimeUtc",
}
_PLAIN_IN_NAMES = "!#$%&'*+-.^_`|~"  # allowed in a header's name beside letters and digits, RFC 9110
_PLAIN_IN_VALUES = _PLAIN_IN_NAMES + '"(),/:;<=>?@[\\]{} '


class MessageRoutes:
    """Telemetry of devices, messages to them, and feedback."""

    def __init__(self, devices: DeviceService, c2d_queue: C2dQueue) -> None:
        self._devices = devices
        self._c2d_queue = c2d_queue

    async def send_event(self, request: HubRequest) -> HubResponse:
        """POST /devices/{id}/messages/events: one message, or a batch of them."""
        if len(request.body) > MAX_EVENT_BYTES:
            raise HubError(MESSAGE_TOO_LARGE, f"A message may have at most {MAX_EVENT_BYTES} bytes.")
        messages = _batch(request) if is_batch(request) else [_single(request)]
        sender = self._devices.sender(_device(request), auth_method(request.headers.get("authorization", "")))
        stored: asyncio.Future[StoreError | None] = asyncio.get_running_loop().create_future()
        self._devices.telemetry(sender, messages, partial(_settle, stored))
        if error := await stored:
            raise error
        return HubResponse(status=204)

    async def receive(self, request: HubRequest) -> HubResponse:
        """GET /devices/{id}/messages/deviceBound: locks the oldest message; 204 when there is none."""
        text = request.headers.get(LOCK_TIMEOUT, str(DEFAULT_LOCK_S))
        if not (text.isascii() and text.isdecimal() and len(text) < 10):
            raise HubError(ARGUMENT_INVALID, "IotHub-MessageLockTimeout is not a whole number of seconds.")
        message = self._c2d_queue.receive(_device(request), check_lock(int(text)))
        if message is None:
            return HubResponse(status=204)
        return HubResponse(body=message.sent.body, headers=_headers(message))

    async def settle(self, request: HubRequest) -> HubResponse:
        """DELETE /devices/{id}/messages/deviceBound/{token}[?reject]"""
        outcome = MessageOutcome.REJECTED if "reject" in request.query else MessageOutcome.SUCCESS
        self._c2d_queue.settle(_device(request), request.path["token"], outcome)
        return HubResponse(status=204)

    async def abandon(self, request: HubRequest) -> HubResponse:
        """POST /devices/{id}/messages/deviceBound/{token}/abandon"""
        self._c2d_queue.abandon(_device(request), request.path["token"])
        return HubResponse(status=204)

    async def purge(self, request: HubRequest) -> HubResponse:
        """DELETE /devices/{id}/commands"""
        purged = self._c2d_queue.purge(_device(request))
        return HubResponse(document={"deviceId": request.path["id"], "moduleId": None, "totalMessagesPurged": purged})

    async def feedback(self, _request: HubRequest) -> HubResponse:
        """GET /messages/serviceBound/feedback: locks a batch; 204 when there is none."""
        batch = self._c2d_queue.feedback()
        if batch is None:
            return HubResponse(status=204)
        return HubResponse(
            document=[feedback_document(each) for each in batch.records], headers={"ETag": f'"{batch.lock_token}"'}
        )

    async def complete_feedback(self, request: HubRequest) -> HubResponse:
        """DELETE /messages/serviceBound/feedback/{token}"""
        self._c2d_queue.complete_feedback(request.path["token"])
        return HubResponse(status=204)

    async def abandon_feedback(self, request: HubRequest) -> HubResponse:
        """POST /messages/serviceBound/feedback/{token}/abandon"""
        self._c2d_queue.abandon_feedback(request.path["token"])
        return HubResponse(status=204)


def is_batch(request: HubRequest) -> bool:
    """Whether a request holds several messages."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == BATCH


def _settle(stored: "asyncio.Future[StoreError | None]", error: StoreError | None) -> None:
    if not stored.done():  # the client may have gone
        stored.set_result(error)


def _device(request: HubRequest) -> Address:
    return Address(request.path["id"])


def _single(request: HubRequest) -> DeviceMessage:
    given = {request.spelled.get(name, name): value for name, value in request.headers.items()}
    message = _message(request.body, given)
    plain = {
        "contentType": request.headers.get("content-type"),
        "contentEncoding": request.headers.get("content-encoding"),
    }
    described = {name: value for name, value in plain.items() if value is not None}
    return DeviceMessage(body=message.body, properties=message.properties, system={**described, **message.system})


def _batch(request: HubRequest) -> list[DeviceMessage]:
    """The messages of a batch; all are read before the first one is processed. Raises HubError 400."""
    return [_message(_body(item), _texts(member(item, "properties", dict, {}))) for item in request.documents()]


def _body(item: dict[str, Any]) -> bytes:
    text = member(item, "body", str, "")
    if not member(item, "base64Encoded", bool, True):
        return str(text).encode()
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise HubError(GENERIC_BAD_REQUEST, "The body of a message in a batch is not base64.") from None


def _texts(properties: dict[str, Any]) -> dict[str, str]:
    given = {str(name): value for name, value in properties.items() if isinstance(value, str)}
    if len(given) < len(properties) or any(LONE_SURROGATE.search(text) for pair in given.items() for text in pair):
        raise HubError(GENERIC_BAD_REQUEST, "The properties of a message in a batch must be texts.")
    return given


def _message(body: bytes, named: Mapping[str, str]) -> DeviceMessage:
    """A message whose properties have the names that headers have. Raises HubError 400 for one that is not text."""
    app = {
        name[len(APP_PREFIX) :]: value
        for name, value in named.items()
        if name.lower().startswith(APP_PREFIX) and len(name) > len(APP_PREFIX)
    }
    system = {SYSTEM_HEADERS[name.lower()]: value for name, value in named.items() if name.lower() in SYSTEM_HEADERS}
    if any(LONE_SURROGATE.search(text) for text in (*app.values(), *system.values())):  # bytes that are no UTF-8
        raise HubError(ARGUMENT_INVALID, "A property of the message is not valid Unicode.")
    return DeviceMessage(body=body, properties=app, system=system)


def _headers(message: Message) -> dict[str, str]:
    sent = message.sent
    named = {
        "ETag": f'"{message.lock_token}"',
        "iothub-messageid": sent.message_id,
        "iothub-correlationid": sent.correlation_id or "",
        "iothub-userid": sent.user_id or "",
        "iothub-to": f"/devices/{message.address.device_id}/messages/devicebound",
        "iothub-sequencenumber": str(message.sequence_number),
        "iothub-enqueuedtime": _american(message.enqueued_at),
        "iothub-expiry": _american(sent.expires_at) if sent.has_expiry else "",
        "iothub-deliverycount": str(message.delivery_count - 1),  # those before this one
        "iothub-ack": sent.ack.value,
        **{f"{APP_PREFIX}{quote(name, safe=_PLAIN_IN_NAMES)}": value for name, value in sent.properties.items()},
        **({} if sent.content_type is None else {"Content-Type": sent.content_type}),
        **({} if sent.content_encoding is None else {"Content-Encoding": sent.content_encoding}),
    }
    # What is not printable ASCII is percent-encoded: a header carries nothing else.
    return {name: quote(value, safe=_PLAIN_IN_VALUES) for name, value in named.items()}


def _american(at: datetime) -> str:
    return at.strftime("%m/%d/%Y %I:%M:%S %p")
