"""What reaches a device from here: a call of a method, and a message."""

import json
from datetime import datetime
from typing import Any
from uuid import uuid4

from aiohttp import web

from azext_iotjobs.console.api.device import address_of
from azext_iotjobs.console.parts import body_of, parts_of
from azext_iotjobs.model.clock import parse_millis_or_instant
from azext_iotjobs.model.errors import BadValue, MissingChoice
from azext_iotjobs.model.message import Ack, NewC2dMessage
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.operations.method.invoke import invoke

MAX_MESSAGE_BYTES = 64 * 1024  # IoT Hub "quotas and throttling": cloud-to-device messages


async def call_method(request: web.Request) -> web.Response:
    """POST …/method {"name", "payload", "responseTimeout", "connectTimeout"}: payload: a JSON text.

    Gives {"status", "payload", "seconds"}.
    """
    parts, address = parts_of(request), address_of(request)
    body = await body_of(request, name=str, payload=str, responseTimeout=int, connectTimeout=int)
    text = body.get("payload", "").strip()
    call = MethodCall(
        name=body.get("name", ""),
        payload=_json_value(text, "The payload") if text else None,
        response_timeout_s=body.get("responseTimeout", 30),
        connect_timeout_s=body.get("connectTimeout", 0),
    )
    began_at = parts.clock.monotonic()
    answer = await parts.workers.hub(lambda client: invoke(client, address.device_id, call, address.module_id))
    seconds = round(parts.clock.monotonic() - began_at, 3)
    return web.json_response({"status": answer.status, "payload": answer.payload, "seconds": seconds})


async def send_message(request: web.Request) -> web.Response:
    """POST …/message {"body", "contentType", "properties", "messageId", "ack", "expiry"}; gives the message's id.

    expiry: milliseconds since 1970, after which the hub forgets it; without one, the hub's own time applies.
    """
    parts, address = parts_of(request), address_of(request)
    body = await body_of(request, body=str, contentType=str, properties=dict, messageId=str, ack=str, expiry=int)
    message = _message(body, parts.clock.now())
    open_messages = parts.context.open_messages
    if open_messages is None:
        raise MissingChoice("The console was started without a hub that messages can be sent through.")

    def work() -> None:
        client = open_messages()
        try:
            client.send(message, address.device_id)
        finally:
            client.close()

    await parts.workers.wait(work)
    return web.json_response({"messageId": message.message_id})


def _message(body: dict[str, Any], now: datetime) -> NewC2dMessage:
    content, content_type = body.get("body", "").encode(), body.get("contentType", "").strip()
    if len(content) > MAX_MESSAGE_BYTES:
        raise BadValue(f"The message has {len(content)} bytes; a hub takes {MAX_MESSAGE_BYTES}.")
    if "application/json" in content_type.lower():
        _json_value(body.get("body", ""), "The message")
    properties = body.get("properties", {})
    if not all(isinstance(each, str) for each in properties.values()):
        raise BadValue("The message's properties have to be texts.")
    return NewC2dMessage(
        body=content,
        properties=properties,
        message_id=body.get("messageId", "").strip() or str(uuid4()),
        content_type=content_type or None,
        content_encoding="utf-8",
        ack=_ack(body.get("ack", "")),
        expires_at=_expires_at(body["expiry"], now) if "expiry" in body else None,
    )


def _expires_at(expiry_ms: int, now: datetime) -> datetime:
    at = parse_millis_or_instant(str(expiry_ms), "expiry")
    if at <= now:
        raise BadValue("The message would expire before it is sent; nothing was sent.")
    return at


def _ack(word: str) -> Ack | None:
    try:
        return Ack(word) if word else None
    except ValueError as err:
        raise BadValue(f"ack {word[:40]!r} is none of {', '.join(each.value for each in Ack)}.") from err


def _json_value(text: str, what: str) -> Any:
    """The JSON value of a text. Raises BadValue, saying where it is wrong."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as err:
        raise BadValue(f"{what} is not JSON: {err.msg} (line {err.lineno}, column {err.colno}).") from err
    except (ValueError, RecursionError) as err:
        raise BadValue(f"{what} is not JSON that can be sent.") from err


def _no_constant(name: str) -> Any:
    raise ValueError(name)
