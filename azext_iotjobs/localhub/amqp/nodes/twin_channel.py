"""The two twin links of a device that belong together: its requests, and the hub's responses and notifications."""

from collections import deque

from azext_iotjobs.localhub.amqp.nodes.base import InAmqpLink, OutAmqpLink
from azext_iotjobs.localhub.amqp.wire.conditions import RESOURCE_LIMIT_EXCEEDED
from azext_iotjobs.localhub.amqp.wire.message import Message, MessageId, Properties, encode_message
from azext_iotjobs.localhub.amqp.wire.performatives import AmqpError
from azext_iotjobs.localhub.amqp.wire.types import Long
from azext_iotjobs.localhub.engine.device_requests import TwinResponse
from azext_iotjobs.localhub.rules.json_values import Json, dump_json

MAX_WAITING = 100  # messages for which the device has given no credit
DESIRED = "/properties/desired"


class TwinChannel:
    """What goes to a device about its twin, in order; what it has no credit for waits."""

    def __init__(self) -> None:
        self.requests: InAmqpLink | None = None
        self.responses: OutAmqpLink | None = None
        self.is_subscribed = False  # to changes of desired properties
        self._waiting: deque[bytes] = deque()

    @property
    def is_unused(self) -> bool:
        """Whether both links have ended."""
        return self.requests is None and self.responses is None

    def respond(self, correlation_id: MessageId, response: TwinResponse) -> None:
        """Send the response to the request of this id."""
        # Over AMQP a change of reported properties is answered with 200, and MQTT has 204.
        # Source: azure-iot-sdk-c issue 1386, a trace of a live hub.
        annotations: dict[str, object] = {"status": 200 if response.status == 204 else response.status}
        if response.version is not None:
            annotations["version"] = Long(response.version)
        properties = Properties(correlation_id=correlation_id)
        self._send(Message(annotations=annotations, properties=properties, data=(response.body,)))

    def notify(self, patch: Json, version: int) -> None:
        """Send a change of desired properties, if the device has subscribed to them."""
        if self.is_subscribed:
            body = dump_json({**patch, "$version": version}).encode()
            self._send(Message(annotations={"resource": DESIRED, "version": Long(version)}, data=(body,)))

    def send_waiting(self) -> None:
        """Send what the device has credit for."""
        while self._waiting and self.responses is not None and self.responses.credit > 0:
            self.responses.send(self._waiting.popleft(), is_settled=True)

    def end_responses(self) -> None:
        """The link to the device has ended: nothing waits for another one."""
        self.responses = None
        self.is_subscribed = False
        self._waiting.clear()

    def _send(self, message: Message) -> None:
        if len(self._waiting) >= MAX_WAITING:
            error = AmqpError(RESOURCE_LIMIT_EXCEEDED, f"{MAX_WAITING} messages wait for credit on this link.")
            for link in (self.requests, self.responses):
                if link is not None:
                    link.detach(error)
            return
        self._waiting.append(encode_message(message))
        self.send_waiting()
