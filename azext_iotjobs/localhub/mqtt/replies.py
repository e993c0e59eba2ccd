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
from azext_iotjobs.localhub.engine.event_log import OnStored
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.errors import HubError
from azext_iotjobs.localhub.mqtt import effects, packets, topics
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.event import DeviceMessage, Sender
from azext_iotjobs.localhub.rules.quota import Throttle

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
            links.respond(address, rid, method_result(status, publish.payload))
        case topics.TwinGet(rid):
            return _twin_publish(rid, read_twin(hub, address))
        case topics.ReportedPatch(rid):
            return _twin_publish(rid, patch_reported(hub, address, publish.payload))
    return None


def refused(received: effects.Received, err: HubError) -> packets.Publish | None:
    """The response to a twin request that is refused; None for a message, which MQTT 3.1.1 cannot refuse."""
    match received.topic:
        case topics.TwinGet(rid) | topics.ReportedPatch(rid):
            return _twin_publish(rid, refused_twin(err))
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


def _twin_publish(rid: str, response: TwinResponse) -> packets.Publish:
    return packets.Publish(topics.twin_response_topic(response.status, rid, response.version), response.body)
