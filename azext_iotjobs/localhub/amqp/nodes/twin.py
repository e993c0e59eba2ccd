"""/devices/{id}/twin: a device reads its twin, reports properties, and follows desired ones.

A request says in annotations what it is about; its response has its correlation id. Source: Microsoft's device SDKs.
"""

from functools import partial

from azext_iotjobs.localhub.amqp.nodes.base import Delivery, InAmqpLink, OutAmqpLink
from azext_iotjobs.localhub.amqp.nodes.device_link import DeviceLink
from azext_iotjobs.localhub.amqp.nodes.throttled import MAX_WAITING, ThrottledWork, Work
from azext_iotjobs.localhub.amqp.nodes.twin_channel import TwinChannel
from azext_iotjobs.localhub.amqp.wire.message import MessageId, decode_message
from azext_iotjobs.localhub.amqp.wire.performatives import Accepted, DeliveryState
from azext_iotjobs.localhub.engine.device_requests import TwinResponse, patch_reported, read_twin, refused_twin
from azext_iotjobs.localhub.engine.device_service import DeviceService
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, GENERIC_BAD_REQUEST, HubError
from azext_iotjobs.localhub.rules.fault import Kind, Operation
from azext_iotjobs.localhub.rules.quota import Throttle

REPORTED, DESIRED_NEWS = "/properties/reported", "/notifications/twin/properties/desired"
MAX_BYTES = 256 * 1024  # a twin is smaller
_THROTTLES = {"GET": Throttle.TWIN_READS, "PATCH": Throttle.TWIN_UPDATES}


class TwinRequests:
    """Device -> hub."""

    def __init__(
        self, link: InAmqpLink, device: DeviceLink, channel: TwinChannel, devices: DeviceService, work: ThrottledWork
    ) -> None:
        self.link = link
        self._device = device
        self._channel = channel
        self._devices = devices
        self._work = work
        channel.requests = link

    def start(self) -> None:
        """Accept the link."""
        self.link.accept(credit=MAX_WAITING, max_message_bytes=MAX_BYTES)

    def receive(self, delivery: Delivery) -> None:
        """Process a request, and send the response on the other link. Raises DecodeError, HubError 400."""
        message = decode_message(delivery.payload)
        body, correlation_id = message.body, message.properties.correlation_id
        if correlation_id is None:
            raise HubError(ARGUMENT_INVALID, "The request has no correlation id.")
        operation, resource = (str(message.annotations.get(name) or "") for name in ("operation", "resource"))
        respond = partial(self._respond, delivery, correlation_id)
        delay_s, fault = (self._device.effect(Operation.TWIN) if operation in _THROTTLES else None) or (0.0, None)

        def process() -> None:
            if fault is None:
                respond(self._process(operation, resource, body))
            elif fault.kind is Kind.STATUS:
                respond(refused_twin(fault.refusal()))
            elif fault.kind is Kind.DROP:
                self._device.drop()
            else:  # there is no answer
                self.link.settle(delivery, Accepted())

        def refuse(err: HubError) -> None:
            respond(refused_twin(err))

        self._work.add(Work(_THROTTLES.get(operation), process, refuse, delay_s=delay_s))

    def _process(self, operation: str, resource: str, body: bytes) -> TwinResponse:
        if operation == "GET":
            return read_twin(self._devices, self._device.address)
        if operation == "PATCH" and resource == REPORTED:
            return patch_reported(self._devices, self._device.address, body)
        if operation in ("PUT", "DELETE") and resource == DESIRED_NEWS:
            self._channel.is_subscribed = operation == "PUT"
            return TwinResponse(200)
        text = f"A twin has no operation {operation[:20]!a} on {resource[:60]!a}."
        return refused_twin(HubError(GENERIC_BAD_REQUEST, text))

    def _respond(self, delivery: Delivery, correlation_id: MessageId, response: TwinResponse) -> None:
        self._channel.respond(correlation_id, response)
        self.link.settle(delivery, Accepted())

    def ended(self) -> None:
        """The device sends no more requests on this link."""
        self._work.end(is_dropped=self._device.is_ended)
        if self._channel.requests is self.link:
            self._channel.requests = None
        self._device.remove(self)


class TwinResponses:
    """Hub -> device. Everything goes out settled."""

    def __init__(self, link: OutAmqpLink, device: DeviceLink, channel: TwinChannel) -> None:
        self.link = link
        self._device = device
        self._channel = channel
        channel.responses = link

    def start(self) -> None:
        """Accept the link."""
        self.link.accept()

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
        self._device.remove(self)
