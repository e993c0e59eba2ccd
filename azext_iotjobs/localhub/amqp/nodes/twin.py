"""/devices/{id}/twin: a device reads its twin, reports properties, and follows desired ones.

Source: Microsoft's device SDKs; a request says in annotations what it is about, and its response has its correlation id.
"""

from functools import partial

from azext_iotjobs.localhub.amqp.nodes.device_link import DeviceLink
from azext_iotjobs.localhub.amqp.nodes.throttled import ThrottledWork, Work
from azext_iotjobs.localhub.amqp.nodes.twin_channel import TwinChannel
from azext_iotjobs.localhub.amqp.protocol.events import Delivery
from azext_iotjobs.localhub.amqp.protocol.in_link import InLink
from azext_iotjobs.localhub.amqp.protocol.out_link import OutLink
from azext_iotjobs.localhub.amqp.wire.conditions import ARGUMENT_ERROR, DECODE_ERROR
from azext_iotjobs.localhub.amqp.wire.message import Message, MessageId, decode_message
from azext_iotjobs.localhub.amqp.wire.performatives import Accepted, AmqpError, DeliveryState, Rejected
from azext_iotjobs.localhub.amqp.wire.types import DecodeError
from azext_iotjobs.localhub.engine.device_requests import TwinResponse, patch_reported, read_twin, refused_twin
from azext_iotjobs.localhub.engine.device_service import DeviceService
from azext_iotjobs.localhub.errors import GENERIC_BAD_REQUEST, HubError
from azext_iotjobs.localhub.rules.quota import Throttle

REPORTED, DESIRED_NEWS = "/properties/reported", "/notifications/twin/properties/desired"
_THROTTLES = {"GET": Throttle.TWIN_READS, "PATCH": Throttle.TWIN_UPDATES}


class TwinRequests:
    """Device -> hub."""

    def __init__(
        self, link: InLink, device: DeviceLink, name: str, devices: DeviceService, work: ThrottledWork
    ) -> None:
        """name: the correlation id of the device's two links."""
        self.link = link
        self._device = device
        self._name = name
        self._devices = devices
        self._work = work
        self._channel: TwinChannel = device.channel(name)
        self._channel.requests = link

    def receive(self, delivery: Delivery) -> None:
        """Process a request, and send the response on the other link."""
        try:
            message = decode_message(delivery.payload)
            body = message.body
        except DecodeError as err:
            self.link.settle(delivery, Rejected(AmqpError(DECODE_ERROR, f"The request cannot be read: {err}.")))
            return
        correlation_id = message.properties.correlation_id
        if correlation_id is None:
            self.link.settle(delivery, Rejected(AmqpError(ARGUMENT_ERROR, "The request has no correlation id.")))
            return
        self.link.settle(delivery, Accepted())
        operation = str(message.annotations.get("operation"))
        process = partial(self._process, correlation_id, operation, _resource(message), body)
        self._work.add(Work(_THROTTLES.get(operation), process, partial(self._refuse, correlation_id)))

    def _process(self, correlation_id: MessageId, operation: str, resource: str, body: bytes) -> None:
        address = self._device.address
        match operation, resource:
            case "GET", _:
                response = read_twin(self._devices, address)
            case "PATCH", "/properties/reported":
                response = patch_reported(self._devices, address, body)
            case ("PUT" | "DELETE"), "/notifications/twin/properties/desired":
                self._channel.is_subscribed = operation == "PUT"
                response = TwinResponse(200)
            case _:
                text = f"A twin has no operation {operation[:20]!a} on {resource[:60]!a}."
                response = refused_twin(HubError(GENERIC_BAD_REQUEST, text))
        self._channel.respond(correlation_id, response)

    def _refuse(self, correlation_id: MessageId, err: HubError) -> None:
        self._channel.respond(correlation_id, refused_twin(err))

    def ended(self) -> None:
        """The device sends no more requests on this link."""
        self._work.end(is_dropped=self._device.is_ended)
        if self._channel.requests is self.link:
            self._channel.requests = None
        self._device.end_channel(self._name)
        self._device.remove(self)


class TwinResponses:
    """Hub -> device. Everything goes out settled."""

    def __init__(self, link: OutLink, device: DeviceLink, name: str) -> None:
        """name: the correlation id of the device's two links."""
        self.link = link
        self._device = device
        self._name = name
        self._channel = device.channel(name)
        self._channel.responses = link

    def pull(self) -> None:
        """Send what waits."""
        self._channel.send_waiting()
        self.link.end_drain()

    def settled(self, _tag: bytes, _outcome: DeliveryState | None) -> None:
        """What is sent is settled already."""

    def ended(self) -> None:
        """The device receives nothing more about its twin on this link."""
        if self._channel.responses is self.link:
            self._channel.end_responses()
        self._device.end_channel(self._name)
        self._device.remove(self)


def _resource(message: Message) -> str:
    return str(message.annotations.get("resource") or "")
