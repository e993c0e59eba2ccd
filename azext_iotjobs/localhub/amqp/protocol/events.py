"""What a connection's protocol reports to whoever runs it."""

from dataclasses import dataclass

from azext_iotjobs.localhub.amqp.protocol.delivery import Delivery
from azext_iotjobs.localhub.amqp.protocol.in_link import InLink
from azext_iotjobs.localhub.amqp.protocol.out_link import OutLink
from azext_iotjobs.localhub.amqp.wire.performatives import AmqpError, DeliveryState


@dataclass(frozen=True)
class SaslReceived:
    """The client authenticates; answered by `AmqpConnection.finish_sasl`."""

    mechanism: str  # one of sasl.MECHANISMS
    response: bytes
    hostname: str | None

    def __repr__(self) -> str:  # the response has a secret
        return f"SaslReceived(mechanism={self.mechanism!r}, hostname={self.hostname!r})"


@dataclass(frozen=True)
class Opened:
    """The client has opened the connection, and so has the hub."""

    container_id: str
    hostname: str | None


@dataclass(frozen=True)
class LinkRequested:
    """The client attaches a link; answered by `accept` or `refuse` of it, unless it is not open any more."""

    link: OutLink | InLink


@dataclass(frozen=True)
class MessageReceived:
    """A whole message has come."""

    link: InLink
    delivery: Delivery


@dataclass(frozen=True)
class CreditChanged:
    """More may be sent on a link, or the client wants what there is now (`wants_drain`)."""

    link: OutLink


@dataclass(frozen=True)
class DeliverySettled:
    """The client tells the outcome of a delivery.

    outcome: None when it has settled the delivery without one.
    is_settled: False: the client waits until the hub settles it, by `link.confirm`.
    """

    link: OutLink
    tag: bytes
    outcome: DeliveryState | None
    is_settled: bool


@dataclass(frozen=True)
class LinkDetached:
    """A link has ended, whoever ended it: the client, the hub, or with its session or connection. Reported once."""

    link: OutLink | InLink
    error: AmqpError | None


@dataclass(frozen=True)
class Closed:
    """The connection has ended. error: of the client's Close, or what the hub tells the client."""

    error: AmqpError | None
    is_by_client: bool


Event = (
    SaslReceived | Opened | LinkRequested | MessageReceived | CreditChanged | DeliverySettled | LinkDetached | Closed
)
