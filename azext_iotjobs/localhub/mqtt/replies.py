"""What a device has published -> what the hub does about it, and the response."""

from collections.abc import Mapping

from azext_iotjobs.localhub.engine.device_backend import DeviceBackend
from azext_iotjobs.localhub.engine.device_requests import (
    TwinResponse,
    method_result,
    patch_reported,
    read_twin,
    refused_twin,
)
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.errors import HubError
from azext_iotjobs.localhub.mqtt import effects, packets, topics
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.quota import Throttle
from azext_iotjobs.localhub.store.events import DeviceMessage

WILL_PROPERTY = ("iothub-MessageType", "Will")
RETAIN_PROPERTY = ("mqtt-retain", "true")
THROTTLES = {
    topics.Telemetry: Throttle.SENDS,
    topics.TwinGet: Throttle.TWIN_READS,
    topics.ReportedPatch: Throttle.TWIN_UPDATES,
}


def reply(hub: DeviceBackend, links: Links, address: Address, received: effects.Received) -> packets.Publish | None:
    """Process what a device has published; gives the response to a twin request, None for anything else.

    Raises HubError for a message that the hub refuses.
    """
    publish = received.publish
    match received.topic:
        case topics.Telemetry():
            retained = dict([RETAIN_PROPERTY]) if publish.retain else {}
            _take_message(hub, address, received.topic, retained, publish.payload)
        case topics.MethodResponse(status, rid):
            links.respond(address, rid, method_result(status, publish.payload))
        case topics.TwinGet(rid):
            return _twin_publish(rid, read_twin(hub, address))
        case topics.ReportedPatch(rid):
            return _twin_publish(rid, patch_reported(hub, address, publish.payload))
    return None


def throttled(received: effects.Received, err: HubError) -> packets.Publish | None:
    """The response to a twin request over the quota; None for a message, which MQTT 3.1.1 cannot refuse."""
    match received.topic:
        case topics.TwinGet(rid) | topics.ReportedPatch(rid):
            return _twin_publish(rid, refused_twin(err))
    return None


def take_will(hub: DeviceBackend, address: Address, will: packets.Will) -> None:
    """Process the message that a device has left for the end of its connection. Raises HubError."""
    topic = topics.parse(address, will.topic)
    assert isinstance(topic, topics.Telemetry)  # a CONNECT with any other will was refused
    _take_message(hub, address, topic, dict([WILL_PROPERTY]), will.payload)


def _take_message(
    hub: DeviceBackend, address: Address, topic: topics.Telemetry, more: Mapping[str, str | None], body: bytes
) -> None:
    message = DeviceMessage(body=body, properties={**topic.properties, **more}, system=topic.system)
    hub.telemetry(address, message)


def _twin_publish(rid: str, response: TwinResponse) -> packets.Publish:
    return packets.Publish(topics.twin_response_topic(response.status, rid, response.version), response.body)
