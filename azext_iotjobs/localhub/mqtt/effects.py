"""What a session has its connection do."""

from dataclasses import dataclass, field

from azext_iotjobs.localhub.mqtt import packets, topics
from azext_iotjobs.localhub.rules.address import Address


@dataclass(frozen=True, slots=True)
class Send:
    """Send a packet."""

    packet: packets.Packet


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Check whether the device may connect; then call the session's `accept`, `refuse` or `defer`."""

    address: Address
    host: str
    token: str = field(repr=False)
    model_id: str | None = None  # that the device announces


@dataclass(frozen=True, slots=True)
class SubscriptionsChanged:
    """The device has subscribed or unsubscribed."""


@dataclass(frozen=True, slots=True)
class Received:
    """The device published something; once it is processed, do what the session's `acknowledge` gives."""

    topic: topics.ParsedTopic
    publish: packets.Publish


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The device has acknowledged the message that was delivered under this lock token."""

    token: str


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection; `reason` is for the log."""

    reason: str
    is_client_error: bool = True


Effect = Send | Authenticate | SubscriptionsChanged | Received | Acknowledged | Close
