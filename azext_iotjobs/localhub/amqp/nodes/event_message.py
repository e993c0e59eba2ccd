"""Events -> AMQP messages, as an IoT hub's Event Hubs endpoint gives them. Pure.

Strategy: the sections are put together from pieces, of which those that recur (names, what the hub knows of a sender)
are encoded once: one reader takes tens of thousands of events a second, and the general encoder takes several times as
long.
Source: IoT Hub "device-to-cloud messages", message format; contract of telemetry's annotations.
"""

import json
import struct
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

from azext_iotjobs.localhub.amqp.nodes.values import timestamp
from azext_iotjobs.localhub.amqp.wire.encoder import encode
from azext_iotjobs.localhub.amqp.wire.message import (
    ANNOTATIONS,
    APPLICATION_PROPERTIES,
    DATA,
    PROPERTIES,
    Message,
    encode_message,
)
from azext_iotjobs.localhub.amqp.wire.types import Long, Symbol
from azext_iotjobs.localhub.engine.event_log import PartitionState
from azext_iotjobs.localhub.rules.event import AuthMethod, DeviceEvent, Sender

CREATION_TIME = "iothub-creation-time-utc"
AUTH_TYPES = {  # type, issuer
    AuthMethod.DEVICE_KEY: ("sas", "iothub"),
    AuthMethod.POLICY_KEY: ("sas", "iothub"),
    AuthMethod.CERTIFICATE: ("x509", "external"),
}
CACHED_PIECES, CACHED_CHARACTERS = 8192, 64
NULL = encode(None)
MAP, LIST = 0xD1, 0xD0  # with sizes of four bytes
_SEQUENCE_NUMBER, _OFFSET, _ENQUEUED, _HUB_ENQUEUED = (
    encode(Symbol(name))
    for name in ("x-opt-sequence-number", "x-opt-offset", "x-opt-enqueued-time", "iothub-enqueuedtime")
)
_FROM_SYSTEM = {"componentName": encode(Symbol("dt-subject")), "interfaceId": encode(Symbol("iothub-interface-id"))}
_long = struct.Struct(">Bq").pack
_compound = struct.Struct(">BBBBII").pack  # descriptor, type, size, count


def encode_event(event: DeviceEvent) -> bytes:
    """An event as a delivery's payload; all but its body is encoded once."""
    if event.envelope is None:
        event.envelope = _envelope(event)
    return event.envelope + event.message.body


def encode_metrics(state: PartitionState, now: datetime) -> bytes:
    """What readers that ask for it are told of their partition, in front of an event."""
    annotations = {
        "last_enqueued_sequence_number": Long(state.last),
        "last_enqueued_offset": state.last_offset,
        "last_enqueued_time_utc": timestamp(state.last_enqueued_at),
        "runtime_info_retrieval_time_utc": timestamp(now),
    }
    return encode_message(Message(delivery_annotations=annotations))


def _envelope(event: DeviceEvent) -> bytes:
    """The sections of a message, up to the first byte of its body."""
    message = event.message
    return b"".join(
        (
            _annotations(event),
            _properties(message.system),
            _application_properties(message.properties, message.system.get("creationTimeUtc")),
            struct.pack(">BBBBI", 0, 0x53, DATA, 0xB0, len(message.body)),
        )
    )


def _annotations(event: DeviceEvent) -> bytes:
    system = event.message.system
    enqueued = encode(timestamp(event.enqueued_at))
    pieces = [
        _SEQUENCE_NUMBER + _long(0x81, event.sequence_number),
        _OFFSET + encode(event.offset),
        _ENQUEUED + enqueued,
        _HUB_ENQUEUED + enqueued,
        *_sender_annotations(event.sender, event.source),
    ]
    for name, annotation in _FROM_SYSTEM.items():
        if name in system:
            pieces.append(annotation + _text(system[name]))
    return _section(ANNOTATIONS, MAP, 2 * len(pieces), b"".join(pieces))


@lru_cache(maxsize=CACHED_PIECES)
def _sender_annotations(sender: Sender, source: str) -> tuple[bytes, ...]:
    """The annotations that say who has sent an event."""
    named = {
        "iothub-connection-device-id": sender.address.device_id,
        "iothub-connection-module-id": sender.address.module_id,
        "iothub-connection-auth-method": _auth_method(sender),
        "iothub-connection-auth-generation-id": sender.generation_id,
        "iothub-message-source": source,
        "dt-dataschema": sender.model_id,
    }
    return tuple(encode(Symbol(name)) + encode(value) for name, value in named.items() if value is not None)


def _auth_method(sender: Sender) -> str:
    kind, issuer = AUTH_TYPES[sender.auth_method]
    scope = "device" if sender.address.module_id is None else "module"
    if sender.auth_method is AuthMethod.POLICY_KEY:
        scope = "hub"
    method = {"scope": scope, "type": kind, "issuer": issuer, "acceptingIpFilterRule": None}
    return json.dumps(method, separators=(",", ":"))


def _properties(system: Mapping[str, str]) -> bytes:
    if not system:
        return b""
    fields = (
        _text(system.get("messageId")),
        encode(system["userId"].encode()) if "userId" in system else NULL,
        _text(system.get("to")),
        NULL,  # subject
        NULL,  # reply-to
        _text(system.get("correlationId")),
        _symbol(system.get("contentType")),
        _symbol(system.get("contentEncoding")),
    )
    return _section(PROPERTIES, LIST, len(fields), b"".join(fields))


def _application_properties(properties: Mapping[str, str | None], created_at: str | None) -> bytes:
    given = dict(properties)
    if created_at is not None:
        given.setdefault(CREATION_TIME, created_at)
    if not given:
        return b""
    pieces = [_text(name) + _text(value) for name, value in given.items()]
    return _section(APPLICATION_PROPERTIES, MAP, 2 * len(pieces), b"".join(pieces))


def _section(code: int, kind: int, count: int, content: bytes) -> bytes:
    return _compound(0, 0x53, code, kind, len(content) + 4, count) + content


def _text(value: str | None) -> bytes:
    return _short_text(value) if value is None or len(value) <= CACHED_CHARACTERS else encode(value)


def _symbol(value: str | None) -> bytes:
    if value is None or not value.isascii():
        return _text(value)
    return _text(Symbol(value))


@lru_cache(maxsize=CACHED_PIECES, typed=True)
def _short_text(value: str | None) -> bytes:
    return encode(value)
