"""/devices/{id}/methods/devicebound: calls of a device's methods, and its responses.

A call and its response have the same correlation id. The call goes out settled: its response is the acknowledgement.
"""

from collections import deque

from azext_iotjobs.localhub.amqp.nodes.base import Delivery, InAmqpLink, OutAmqpLink
from azext_iotjobs.localhub.amqp.nodes.device_link import DeviceLink
from azext_iotjobs.localhub.amqp.wire.message import Message, Properties, decode_message, encode_message
from azext_iotjobs.localhub.amqp.wire.performatives import Accepted, DeliveryState
from azext_iotjobs.localhub.engine.device_requests import method_result
from azext_iotjobs.localhub.engine.links import Links, MethodResult
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, BAD_GATEWAY, HubError
from azext_iotjobs.localhub.rules.job import MAX_PAYLOAD_BYTES
from azext_iotjobs.localhub.rules.methods import MAX_IN_FLIGHT

NAME, STATUS = "IoThub-methodname", "IoThub-status"
CREDIT = 100  # responses; no more than MAX_IN_FLIGHT are waited for
MAX_BYTES = 2 * MAX_PAYLOAD_BYTES  # so that a caller learns that a response is too large


class MethodCalls:
    """Hub -> device. A call for which the device has given no credit waits for it, as long as its caller does."""

    def __init__(self, link: OutAmqpLink, device: DeviceLink, links: Links) -> None:
        self.link = link
        self._device = device
        self._links = links
        self._waiting: deque[tuple[str, bytes]] = deque()  # request id, encoded message

    def start(self) -> None:
        """Accept the link; calls go to the newest one."""
        self.link.accept()
        self._device.end_others(self)
        self._device.receive_methods(self)

    def pull(self) -> None:
        """Send the calls that wait."""
        while self._waiting and self.link.credit > 0:
            rid, payload = self._waiting.popleft()
            if self._links.is_called(self._device.address, rid):
                self.link.send(payload, is_settled=True)
        self.link.end_drain()

    def call(self, rid: str, name: str, payload: str) -> None:
        """Send a call."""
        properties = Properties(correlation_id=self._device.call_ids.uuid_of(rid))
        message = Message(properties=properties, application_properties={NAME: name}, data=(payload.encode(),))
        if len(self._waiting) >= MAX_IN_FLIGHT:  # some have no caller any more
            address = self._device.address
            self._waiting = deque(each for each in self._waiting if self._links.is_called(address, each[0]))
        self._waiting.append((rid, encode_message(message)))
        self.pull()

    def settled(self, _tag: bytes, _outcome: DeliveryState | None) -> None:
        """Calls are sent settled."""

    def ended(self) -> None:
        """The device receives no more calls on this link."""
        self._waiting.clear()
        self._device.stop_methods(self)
        self._device.remove(self)


class MethodResponses:
    """Device -> hub."""

    def __init__(self, link: InAmqpLink, device: DeviceLink, links: Links) -> None:
        self.link = link
        self._device = device
        self._links = links

    def start(self) -> None:
        """Accept the link."""
        self.link.accept(credit=CREDIT, max_message_bytes=MAX_BYTES)

    def receive(self, delivery: Delivery) -> None:
        """Pass a response to its caller; nothing happens when nobody waits for it. Raises DecodeError, HubError 400."""
        message = decode_message(delivery.payload)
        body = message.body
        if message.properties.correlation_id is None:
            raise HubError(ARGUMENT_INVALID, "The response has no correlation id.")
        rid = self._device.call_ids.rid_of(message.properties.correlation_id)
        if rid is not None:
            self._links.respond(self._device.address, rid, _result(message, body))
        self.link.settle(delivery, Accepted())

    def ended(self) -> None:
        """The device sends no more responses on this link."""
        self._device.remove(self)


def _result(message: Message, body: bytes) -> MethodResult | HubError:
    status = message.application_properties.get(STATUS)
    if not isinstance(status, int) or isinstance(status, bool):
        return HubError(BAD_GATEWAY, f"The device's answer cannot be read: it has no {STATUS}.", info={})
    return method_result(int(status), body)
