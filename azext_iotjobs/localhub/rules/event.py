"""What devices send: messages, and the events that they become in the hub's log. Pure.

Source: IoT Hub "device-to-cloud messages"; Event Hubs "features and terminology".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from zlib import crc32

from azext_iotjobs.localhub.rules.address import Address

TELEMETRY = "Telemetry"  # iothub-message-source of what a device sent
EVENT_BYTES = 1792  # the overhead of one event in memory, with what consumers get beside its body
OFFSET_STEP = 256  # offsets are multiples of it: one that is taken for a sequence number, or the reverse, is noticed
DEFAULT_PARTITIONS, MIN_PARTITIONS, MAX_PARTITIONS = 4, 2, 32  # IoT Hub "built-in endpoint"
DEFAULT_GROUP = "$Default"  # the consumer group that is always there


class AuthMethod(Enum):
    """How a device has proved who it is; the value is stored."""

    DEVICE_KEY = "device key"
    POLICY_KEY = "policy key"  # the hub's, which may connect any device
    CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A device or module that sends, as the hub knows it while it is connected."""

    address: Address
    auth_method: AuthMethod
    generation_id: str
    model_id: str | None = None  # that it has announced


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceMessage:
    """One message from a device, as it sent it."""

    body: bytes = field(repr=False)
    properties: Mapping[str, str | None]  # the application's; None: a name without a value
    system: Mapping[str, str]  # by the service's names: contentType, messageId...


@dataclass(slots=True, kw_only=True)
class DeviceEvent:
    """A message, as the hub took it."""

    number: int  # counts all events, from 1
    partition: int
    sequence_number: int  # counts those of the partition, from 0
    enqueued_at: datetime
    sender: Sender
    message: DeviceMessage
    source: str = TELEMETRY
    size_bytes: int = field(init=False)  # approximately how much memory it takes
    envelope: bytes | None = field(init=False, default=None, repr=False)  # all but the body, once a consumer read it

    def __post_init__(self) -> None:
        texts = (*self.message.properties.items(), *self.message.system.items())
        self.size_bytes = EVENT_BYTES + len(self.message.body) + sum(len(text or "") for pair in texts for text in pair)

    @property
    def offset(self) -> str:
        """Its place in the partition, as clients store it."""
        return offset_of(self.sequence_number)


def offset_of(sequence_number: int) -> str:
    """The offset of an event."""
    return str(sequence_number * OFFSET_STEP)


def partition_of(device_id: str, partition_count: int) -> int:
    """The partition of a device's events, the same in every run: all of them are in one, in their order."""
    return crc32(device_id.encode()) % partition_count
