"""/devices/{id}/messages: the HTTPS side that devices use; and the service's queues of messages and of feedback."""

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from azext_iotjobs.localhub.engine.c2d_queue import Mailbox
from azext_iotjobs.localhub.engine.device_service import DeviceDesk
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, GENERIC_BAD_REQUEST, MESSAGE_TOO_LARGE, HubError
from azext_iotjobs.localhub.http.documents import feedback_document
from azext_iotjobs.localhub.http.request import Answer, Asked, member
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.json_values import HALF_CHARACTER
from azext_iotjobs.localhub.rules.message import DEFAULT_LOCK_S, Fate, check_lock
from azext_iotjobs.localhub.store.events import DeviceMessage
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
_PLAIN_IN_NAMES = "!#$%&'*+-.^_`|~"  # what a header's name may hold beside letters and digits, RFC 9110
_PLAIN_IN_VALUES = _PLAIN_IN_NAMES + '"(),/:;<=>?@[\\]{} '


class MessageRoutes:
    """Take what devices send, hand out what is sent to them."""

    def __init__(self, devices: DeviceDesk, mailbox: Mailbox) -> None:
        self._devices = devices
        self._mailbox = mailbox

    async def send_event(self, asked: Asked) -> Answer:
        """POST /devices/{id}/messages/events: one message, or a batch of them."""
        if len(asked.body) > MAX_EVENT_BYTES:
            raise HubError(MESSAGE_TOO_LARGE, f"A message may have at most {MAX_EVENT_BYTES} bytes.")
        for message in _batch(asked) if is_batch(asked) else [_single(asked)]:
            self._devices.telemetry(_device(asked), message)
        return Answer(status=204)

    async def receive(self, asked: Asked) -> Answer:
        """GET /devices/{id}/messages/deviceBound: the oldest message, locked; 204 when there is none."""
        text = asked.headers.get(LOCK_TIMEOUT, str(DEFAULT_LOCK_S))
        if not (text.isascii() and text.isdecimal() and len(text) < 10):
            raise HubError(ARGUMENT_INVALID, "IotHub-MessageLockTimeout is not a whole number of seconds.")
        message = self._mailbox.receive(_device(asked), check_lock(int(text)))
        if message is None:
            return Answer(status=204)
        return Answer(body=message.sent.body, headers=_headers(message))

    async def settle(self, asked: Asked) -> Answer:
        """DELETE /devices/{id}/messages/deviceBound/{token}[?reject]"""
        fate = Fate.REJECTED if "reject" in asked.query else Fate.SUCCESS
        self._mailbox.settle(_device(asked), asked.path["token"], fate)
        return Answer(status=204)

    async def abandon(self, asked: Asked) -> Answer:
        """POST /devices/{id}/messages/deviceBound/{token}/abandon"""
        self._mailbox.abandon(_device(asked), asked.path["token"])
        return Answer(status=204)

    async def purge(self, asked: Asked) -> Answer:
        """DELETE /devices/{id}/commands"""
        purged = self._mailbox.purge(_device(asked))
        return Answer(document={"deviceId": asked.path["id"], "moduleId": None, "totalMessagesPurged": purged})

    async def feedback(self, _asked: Asked) -> Answer:
        """GET /messages/serviceBound/feedback: a batch, locked; 204 when there is none."""
        batch = self._mailbox.feedback()
        if batch is None:
            return Answer(status=204)
        return Answer(
            document=[feedback_document(each) for each in batch.records], headers={"ETag": f'"{batch.lock_token}"'}
        )

    async def complete_feedback(self, asked: Asked) -> Answer:
        """DELETE /messages/serviceBound/feedback/{token}"""
        self._mailbox.complete_feedback(asked.path["token"])
        return Answer(status=204)

    async def abandon_feedback(self, asked: Asked) -> Answer:
        """POST /messages/serviceBound/feedback/{token}/abandon"""
        self._mailbox.abandon_feedback(asked.path["token"])
        return Answer(status=204)


def is_batch(asked: Asked) -> bool:
    """Whether a device sends several messages in one request."""
    return asked.headers.get("content-type", "").partition(";")[0].strip().lower() == BATCH


def _device(asked: Asked) -> Address:
    return Address(asked.path["id"])


def _single(asked: Asked) -> DeviceMessage:
    given = {asked.spelled.get(name, name): value for name, value in asked.headers.items()}
    message = _message(asked.body, given)
    plain = {
        "contentType": asked.headers.get("content-type"),
        "contentEncoding": asked.headers.get("content-encoding"),
    }
    described = {name: value for name, value in plain.items() if value is not None}
    return DeviceMessage(body=message.body, properties=message.properties, system={**described, **message.system})


def _batch(asked: Asked) -> list[DeviceMessage]:
    """The messages of a batch; all are read before the first is taken. Raises HubError 400."""
    return [_message(_body(item), _texts(member(item, "properties", dict, {}))) for item in asked.documents()]


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
    if len(given) < len(properties) or any(HALF_CHARACTER.search(text) for pair in given.items() for text in pair):
        raise HubError(GENERIC_BAD_REQUEST, "The properties of a message in a batch must be texts.")
    return given


def _message(body: bytes, named: Mapping[str, str]) -> DeviceMessage:
    """A message whose properties have the names that headers have. Raises HubError 400 for one that is no text."""
    app = {
        name[len(APP_PREFIX) :]: value
        for name, value in named.items()
        if name.lower().startswith(APP_PREFIX) and len(name) > len(APP_PREFIX)
    }
    system = {SYSTEM_HEADERS[name.lower()]: value for name, value in named.items() if name.lower() in SYSTEM_HEADERS}
    if any(HALF_CHARACTER.search(text) for text in (*app.values(), *system.values())):  # bytes that are no UTF-8
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
        "iothub-expiry": _american(sent.expires_at) if sent.is_expiry_asked else "",
        "iothub-deliverycount": str(message.delivery_count - 1),  # those before this one
        "iothub-ack": sent.ack.value,
        **{f"{APP_PREFIX}{quote(name, safe=_PLAIN_IN_NAMES)}": value for name, value in sent.properties.items()},
        **({} if sent.content_type is None else {"Content-Type": sent.content_type}),
        **({} if sent.content_encoding is None else {"Content-Encoding": sent.content_encoding}),
    }
    # What is no printable ASCII is percent-encoded: a header carries nothing else.
    return {name: quote(value, safe=_PLAIN_IN_VALUES) for name, value in named.items()}


def _american(at: datetime) -> str:
    return at.strftime("%m/%d/%Y %I:%M:%S %p")
