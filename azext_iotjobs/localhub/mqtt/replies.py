"""What a device has published -> what the hub does about it, and the response."""

import logging
from collections.abc import Mapping

from azext_iotjobs.localhub.engine.event_log import OnStored
from azext_iotjobs.localhub.engine.links import Links, MethodResult
from azext_iotjobs.localhub.errors import (
    BAD_GATEWAY,
    SERVER_ERROR,
    SERVICE_UNAVAILABLE,
    HubError,
    StoreDamaged,
    StoreUnavailable,
)
from azext_iotjobs.localhub.mqtt import effects, packets, topics
from azext_iotjobs.localhub.mqtt.backend import DeviceBackend
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.event import DeviceMessage, Sender
from azext_iotjobs.localhub.rules.job import MAX_PAYLOAD_BYTES
from azext_iotjobs.localhub.rules.json_values import Json, dump_json, parse_json
from azext_iotjobs.localhub.rules.quota import Throttle

logger = logging.getLogger(__name__)

WILL_PROPERTY = ("iothub-MessageType", "Will")
RETAIN_PROPERTY = ("mqtt-retain", "true")
THROTTLES = {
    topics.Telemetry: Throttle.SENDS,
    topics.TwinGet: Throttle.TWIN_READS,
    topics.ReportedPatch: Throttle.TWIN_UPDATES,
}


def take_telemetry(
    hub: DeviceBackend, sender: Sender, topic: topics.Telemetry, publish: packets.Publish, on_stored: OnStored
) -> None:
    """Process a message that a device has published.

    topic: what its topic says.  on_stored: called once, when the message may be acknowledged or is not stored.
    Raises HubError for a message that the hub refuses.
    """
    retained = dict([RETAIN_PROPERTY]) if publish.retain else {}
    _take_message(hub, sender, topic, retained, publish.payload, on_stored)


def reply(hub: DeviceBackend, links: Links, address: Address, received: effects.Received) -> packets.Publish | None:
    """Process what a device has published, but for telemetry; gives the response to a twin request, if it is one."""
    publish = received.publish
    match received.topic:
        case topics.MethodResponse(status, rid):
            links.respond(address, rid, _method_result(status, publish.payload))
        case topics.TwinGet(rid):
            return _twin(hub, address, rid)
        case topics.ReportedPatch(rid):
            return _reported(hub, address, rid, publish.payload)
    return None


def throttled(received: effects.Received, err: HubError) -> packets.Publish | None:
    """The response to a twin request over the quota; None for a message, which MQTT 3.1.1 cannot refuse."""
    match received.topic:
        case topics.TwinGet(rid) | topics.ReportedPatch(rid):
            return _twin_error(rid, err)
    return None


def take_will(hub: DeviceBackend, sender: Sender, will: packets.Will) -> None:
    """Process the message that a device has left for the end of its connection. Raises HubError."""
    topic = topics.parse(sender.address, will.topic)
    assert isinstance(topic, topics.Telemetry)  # a CONNECT with any other will was refused
    # There is nobody left to tell that it is not stored; the store has logged why.
    _take_message(hub, sender, topic, dict([WILL_PROPERTY]), will.payload, lambda _: None)


def _take_message(
    hub: DeviceBackend,
    sender: Sender,
    topic: topics.Telemetry,
    more: Mapping[str, str | None],
    body: bytes,
    on_stored: OnStored,
) -> None:
    message = DeviceMessage(body=body, properties={**topic.properties, **more}, system=topic.system)
    hub.telemetry(sender, [message], on_stored)


def _method_result(status: int, payload: bytes) -> MethodResult | HubError:
    try:
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise ValueError(f"more than {MAX_PAYLOAD_BYTES} bytes")
        return MethodResult(status, parse_json(payload) if payload.strip() else None)
    except ValueError as err:
        return HubError(BAD_GATEWAY, f"The device's answer cannot be read: {err}.", info={})


def _twin(hub: DeviceBackend, address: Address, rid: str) -> packets.Publish:
    try:
        return _twin_response(200, rid, hub.twin_document(address))
    except (HubError, StoreUnavailable, StoreDamaged) as err:
        return _twin_error(rid, _as_hub_error(err))


def _reported(hub: DeviceBackend, address: Address, rid: str, payload: bytes) -> packets.Publish:
    try:
        version = hub.patch_reported(address, parse_json(payload))
    except ValueError:
        return _twin_response(400, rid, {"errorCode": 400000, "message": "The body is not JSON."})
    except (HubError, StoreUnavailable, StoreDamaged) as err:
        return _twin_error(rid, _as_hub_error(err))
    return packets.Publish(topics.twin_response_topic(204, rid, version), b"")


def _twin_error(rid: str, err: HubError) -> packets.Publish:
    return _twin_response(err.fault.http_status, rid, {"errorCode": err.fault.number, "message": err.text})


def _twin_response(status: int, rid: str, document: Json) -> packets.Publish:
    return packets.Publish(topics.twin_response_topic(status, rid), dump_json(document).encode())


def _as_hub_error(err: HubError | StoreUnavailable | StoreDamaged) -> HubError:
    match err:
        case HubError():
            return err
        case StoreUnavailable():
            return HubError(SERVICE_UNAVAILABLE, err.text)
        case StoreDamaged():
            logger.error("a twin request failed: %s", err.text)
            return HubError(SERVER_ERROR, err.text)
