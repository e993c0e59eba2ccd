"""What a device sends as telemetry: AMQP messages -> the hub's messages. Pure.

A message's properties are texts here, as they are over MQTT and HTTPS.
Source: IoT Hub devguide "create and read messages"; Microsoft's device SDKs.
"""

from collections.abc import Mapping
from typing import Any

from azext_iotjobs.localhub.amqp.nodes.values import as_text, instant
from azext_iotjobs.localhub.amqp.wire.message import Message, Properties, decode_message
from azext_iotjobs.localhub.amqp.wire.types import DecodeError
from azext_iotjobs.localhub.clock import render
from azext_iotjobs.localhub.rules.event import DeviceMessage

BATCH_FORMAT = 0x80013700  # each data section holds one encoded message
_PROPERTIES = {
    "message_id": "messageId",
    "user_id": "userId",
    "to": "to",
    "correlation_id": "correlationId",
    "content_type": "contentType",
    "content_encoding": "contentEncoding",
    "absolute_expiry_time": "expiryTimeUtc",
    "creation_time": "creationTimeUtc",
}
_TIMES = ("absolute_expiry_time", "creation_time")
_ANNOTATIONS = {"iothub-interface-id": "interfaceId", "dt-subject": "componentName"}
_APPLICATION_PROPERTIES = {"iothub-outputname": "outputName", "iothub-creation-time-utc": "creationTimeUtc"}


def read_telemetry(message_format: int, payload: bytes) -> list[DeviceMessage]:
    """The messages of one delivery: one, or those of a batch. Raises DecodeError, also when one of a batch is wrong.

    message_format: as the delivery says; BATCH_FORMAT for a batch.
    """
    message = decode_message(payload)
    if message_format != BATCH_FORMAT:
        return [_device_message(message)]
    if not message.data:
        raise DecodeError("a batch has no messages")
    return [_device_message(decode_message(data)) for data in message.data]


def _device_message(message: Message) -> DeviceMessage:
    application = message.application_properties
    system = {
        **_described(message.properties),
        **_named(_ANNOTATIONS, message.annotations),
        **_named(_APPLICATION_PROPERTIES, application),
    }
    properties = {
        name: value if type(value) is str else as_text(value)
        for name, value in application.items()
        if name not in _APPLICATION_PROPERTIES
    }
    return DeviceMessage(body=message.body, properties=properties, system=system)


def _described(properties: Properties) -> dict[str, str]:
    found = {}
    for field, name in _PROPERTIES.items():
        value = getattr(properties, field)
        if value is not None:
            found[name] = value if type(value) is str else _property_text(field, value)
    return found


def _property_text(field: str, value: Any) -> str:
    if field in _TIMES:
        return render(instant(value))
    if field == "user_id":  # SDKs write a text there
        return bytes(value).decode("utf-8", "backslashreplace")
    return as_text(value) or ""


def _named(names: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, str]:
    return {name: as_text(given[key]) or "" for key, name in names.items() if key in given}
