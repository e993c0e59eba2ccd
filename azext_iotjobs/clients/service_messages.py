"""ServiceMessagesClient: what a service sends to devices, and the feedback about it, over one AMQP connection."""

from collections.abc import Callable, Iterator
from functools import partial

from azext_iotjobs.clients import feedback_codec as codec
from azext_iotjobs.clients.amqp_access import advised
from azext_iotjobs.model.amqp import AmqpEndpoint, AmqpLogin
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.entra import ServiceCredential
from azext_iotjobs.model.feedback import FeedbackRecord
from azext_iotjobs.model.message import NewC2dMessage
from azext_iotjobs.transport.amqp import AmqpConnection, AmqpLink, Delivery, Receiver
from azext_iotjobs.transport.amqp_login import hub_login

Connect = Callable[[AmqpEndpoint, AmqpLogin], AmqpLink]
DEVICEBOUND = "/messages/devicebound"
FEEDBACK = "/messages/servicebound/feedback"
CREDIT = 500  # feedback messages that are locked for us, those that we do not want included


class FeedbackMessage:
    """Records that the hub gave at once; it keeps them until they are accepted."""

    def __init__(self, receiver: Receiver, delivery: Delivery) -> None:
        """Raises HubFault for what is no feedback."""
        self.records: list[FeedbackRecord] = codec.parse_feedback(delivery.message)
        self._receiver = receiver
        self._delivery = delivery

    def accept(self) -> None:
        """Let the hub forget them. Raises LinkLost."""
        self._receiver.accept(self._delivery)


class ServiceMessagesClient:
    """One connection to a hub, as a service; closed after use."""

    def __init__(
        self, hub: AmqpEndpoint, credential: ServiceCredential, clock: Clock, connect: Connect = AmqpConnection
    ) -> None:
        """Connect and sign in.

        hub: where.  credential: with the right ServiceConnect.  clock: by which tokens end.
        connect: makes a connection.  Raises LinkError, HubAnswer.
        """
        self._advised = partial(advised, credential=credential, clock=clock, hub=hub)
        with self._advised(DEVICEBOUND):
            self._link = connect(hub, hub_login(hub.host, credential, clock))
        self._receiver: Receiver | None = None

    def send(self, message: NewC2dMessage, device_id: str) -> None:
        """Send a message to a device; the hub has it when this returns. Raises HubAnswer, LinkError."""
        with self._advised(DEVICEBOUND):
            self._link.send(DEVICEBOUND, codec.render_c2d_message(message, device_id))

    def follow_feedback(self) -> None:
        """Let feedback come. Raises HubAnswer, LinkError."""
        with self._advised(FEEDBACK):
            self._receiver = self._link.receiver(FEEDBACK, credit=CREDIT, settled=False)

    def feedback(self) -> Iterator[FeedbackMessage]:
        """The feedback that has come and was not taken yet, after a moment of waiting. Raises HubAnswer, LinkError."""
        if self._receiver is None:
            self.follow_feedback()
        with self._advised(FEEDBACK):
            self._link.wait()
        assert self._receiver is not None
        for delivery in self._receiver.take():
            yield FeedbackMessage(self._receiver, delivery)

    def close(self) -> None:
        """End the connection; feedback that was not accepted is there for the next who asks."""
        self._link.close()
