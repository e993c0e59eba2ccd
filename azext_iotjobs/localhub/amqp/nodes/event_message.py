"""Events -> AMQP messages, as an IoT hub's Event Hubs endpoint gives them. Pure.

Source: IoT Hub "device-to-cloud messages", message format; contract of telemetry's annotations.
"""

import json
from datetime import datetime
from typing import Any

from azext_iotjobs.localhub.amqp.wire.message import Message, Properties, encode_message
from azext_iotjobs.localhub.amqp.wire.types import Long, Timestamp
from azext_iotjobs.localhub.engine.event_log import PartitionState
from azext_iotjobs.localhub.rules.event import AuthMethod, DeviceEvent, Sender
from azext_iotjobs.localhub.store.events import EPOCH, MILLISECOND

CREATION_TIME = "iothub-creation-time-utc"
AUTH_TYPES = {  # type, issuer
    AuthMethod.DEVICE_KEY: ("sas", "iothub"),
    AuthMethod.POLICY_KEY: ("sas", "iothub"),
    AuthMethod.CERTIFICATE: ("x509", "external"),
}


def encode_event(event: DeviceEvent) -> bytes:
    """An event as a delivery's payload; all but its body is encoded once."""
    body = event.message.body
    if event.envelope is None:
        encoded = encode_message(_message(event))
        event.envelope = encoded[: len(encoded) - len(body)]
    return event.envelope + body


def encode_metrics(state: PartitionState, now: datetime) -> bytes:
    """What readers that ask for it are told of their partition, in front of an event."""
    annotations = {
        "last_enqueued_sequence_number": Long(state.last),
        "last_enqueued_offset": state.last_offset,
        "last_enqueued_time_utc": timestamp(state.last_enqueued_at),
        "runtime_info_retrieval_time_utc": timestamp(now),
    }
    return encode_message(Message(delivery_annotations=annotations))


def timestamp(at: datetime) -> Timestamp:
    """An instant, in milliseconds."""
    return Timestamp((at - EPOCH) // MILLISECOND)


def _message(event: DeviceEvent) -> Message:
    system = event.message.system
    properties = Properties(
        message_id=system.get("messageId"),
        user_id=system["userId"].encode() if "userId" in system else None,
        to=system.get("to"),
        correlation_id=system.get("correlationId"),
        content_type=system.get("contentType"),
        content_encoding=system.get("contentEncoding"),
    )
    application: dict[str, Any] = dict(event.message.properties)
    if "creationTimeUtc" in system:
        application.setdefault(CREATION_TIME, system["creationTimeUtc"])
    return Message(
        annotations=_annotations(event),
        properties=properties,
        application_properties=application,
        data=(event.message.body,),
    )


def _annotations(event: DeviceEvent) -> dict[str, Any]:
    sender, system = event.sender, event.message.system
    at = timestamp(event.enqueued_at)
    named = {
        "x-opt-sequence-number": Long(event.sequence_number),
        "x-opt-offset": event.offset,
        "x-opt-enqueued-time": at,
        "iothub-connection-device-id": sender.address.device_id,
        "iothub-connection-module-id": sender.address.module_id,
        "iothub-connection-auth-method": _auth_method(sender),
        "iothub-connection-auth-generation-id": sender.generation_id,
        "iothub-enqueuedtime": at,
        "iothub-message-source": event.source,
        "dt-dataschema": sender.model_id,
        "dt-subject": system.get("componentName"),
        "iothub-interface-id": system.get("interfaceId"),
    }
    return {name: value for name, value in named.items() if value is not None}


def _auth_method(sender: Sender) -> str:
    kind, issuer = AUTH_TYPES[sender.auth_method]
    scope = "device" if sender.address.module_id is None else "module"
    if sender.auth_method is AuthMethod.POLICY_KEY:
        scope = "hub"
    method = {"scope": scope, "type": kind, "issuer": issuer, "acceptingIpFilterRule": None}
    return json.dumps(method, separators=(",", ":"))
