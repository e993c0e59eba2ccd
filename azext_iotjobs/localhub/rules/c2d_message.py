"""Rules of cloud-to-device messages: limits, expiry, outcomes. Pure: `now` is an argument.

    waiting --take--> locked --complete--> gone (Success)
       ^                 |---reject-----> gone (Rejected)
       +--abandon, lock lost, connection lost; after the last delivery gone (DeliveryCountExceeded)
    waiting or locked, when it expires -> gone (Expired); the whole queue, when it is purged -> gone (Purged)

Source: IoT Hub devguide "send cloud-to-device messages" and quotas.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from urllib.parse import quote

from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, MESSAGE_TOO_LARGE, HubError
from azext_iotjobs.localhub.rules.json_values import LONE_SURROGATE

MAX_MESSAGE_BYTES = 64 * 1024  # body and properties
MAX_ENCODED_CHARACTERS = 64_000  # of its texts, percent-encoded: MQTT has them in a topic of 65,535 bytes
MAX_ID_CHARACTERS = 128
MAX_QUEUED = 50  # of one device
MAX_DELIVERIES = 10
DEFAULT_LIFE = timedelta(hours=1)
MAX_LIFE = timedelta(days=2)
LOCK_S = (5, 300)
DEFAULT_LOCK_S = 60


class Ack(Enum):
    """Which feedback the sender of a message requests; the value is the service's."""

    NONE = "none"
    POSITIVE = "positive"
    NEGATIVE = "negative"
    FULL = "full"


class MessageOutcome(Enum):
    """How the life of a message ended; the value is the service's."""

    SUCCESS = "Success"
    EXPIRED = "Expired"
    DELIVERY_COUNT_EXCEEDED = "DeliveryCountExceeded"
    REJECTED = "Rejected"
    PURGED = "Purged"


@dataclass(frozen=True, kw_only=True)
class NewMessage:
    """A message from its sender, checked."""

    body: bytes
    message_id: str
    correlation_id: str | None = None
    user_id: str | None = None
    content_type: str | None = None
    content_encoding: str | None = None
    properties: dict[str, str] = field(default_factory=dict)
    ack: Ack = Ack.NONE
    expires_at: datetime  # aware UTC
    has_expiry: bool = False  # given by its sender; devices do not see a default one

    def __post_init__(self) -> None:
        texts = [self.message_id, self.correlation_id, self.user_id, self.content_type, self.content_encoding]
        texts += [*self.properties, *self.properties.values()]
        if any(LONE_SURROGATE.search(text) for text in texts if text):
            raise HubError(ARGUMENT_INVALID, "A property of the message is not valid Unicode.")
        if not 1 <= len(self.message_id) <= MAX_ID_CHARACTERS:
            raise HubError(ARGUMENT_INVALID, f"A message id has 1 to {MAX_ID_CHARACTERS} characters.")
        if "" in self.properties:
            raise HubError(ARGUMENT_INVALID, "A property must have a name.")
        size = len(self.body) + sum(len(text.encode()) for text in texts if text)
        if size > MAX_MESSAGE_BYTES:
            raise HubError(MESSAGE_TOO_LARGE, f"The message has {size} bytes; at most {MAX_MESSAGE_BYTES} are allowed.")
        encoded = sum(len(quote(text, safe="")) + 1 for text in texts if text)
        if encoded > MAX_ENCODED_CHARACTERS:
            raise HubError(
                MESSAGE_TOO_LARGE,
                f"The message's properties have {encoded} characters once they are percent-encoded; at most "
                f"{MAX_ENCODED_CHARACTERS} fit into the topic in which devices are sent them.",
            )


def expiry(given: datetime | None, now: datetime) -> datetime:
    """When a message's life ends. Raises HubError 400 for an end that has passed or is too far away."""
    if given is None:
        return now + DEFAULT_LIFE
    if not now < given <= now + MAX_LIFE:
        raise HubError(ARGUMENT_INVALID, "A message must expire within the next two days.")
    return given


def read_ack(word: str) -> Ack:
    """The feedback that a sender requests, in any case. Raises HubError 400."""
    for each in Ack:
        if each.value == word.lower():
            return each
    raise HubError(ARGUMENT_INVALID, f"ack must be one of {', '.join(each.value for each in Ack)}.")


def check_lock(seconds: int) -> int:
    """`seconds`, when a message may be locked for so long. Raises HubError 400."""
    low, high = LOCK_S
    if not low <= seconds <= high:
        raise HubError(ARGUMENT_INVALID, f"The lock timeout is {seconds}; it must be from {low} to {high} seconds.")
    return seconds


def is_reported(ack: Ack, outcome: MessageOutcome) -> bool:
    """Whether the sender receives feedback on this outcome."""
    return ack is Ack.FULL or ack is (Ack.POSITIVE if outcome is MessageOutcome.SUCCESS else Ack.NEGATIVE)
