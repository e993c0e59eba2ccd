"""Between a simulated device and its connection: events happen to the device, actions are what it does."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import Enum
from typing import Any

from azext_iotjobs.model.late_dataclass import dataclass


@dataclass(frozen=True, kw_only=True)
class DeviceInfo:
    """What a device knows about itself."""

    device_id: str
    number: int = 0  # within its simulation, from 0
    tags: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Moment:
    """An instant, on both clocks."""

    at: float  # seconds on a monotonic clock
    wall: datetime  # aware UTC


# --- events: what happens to the device


@dataclass(frozen=True)
class Started:
    """The simulation begins."""


@dataclass(frozen=True)
class Due:
    """A task of its queue is due."""


@dataclass(frozen=True)
class Online:
    """The hub has accepted the connection."""


@dataclass(frozen=True)
class Subscribed:
    """The hub has acknowledged the subscriptions."""


@dataclass(frozen=True)
class Offline:
    """The connection has ended."""


@dataclass(frozen=True, kw_only=True)
class MethodCalled:
    """The hub calls a direct method."""

    rid: str
    name: str
    payload: Any


@dataclass(frozen=True)
class DesiredPatched:
    """Desired properties have changed; `patch` also holds `$version`."""

    patch: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class MessageArrived:
    """A cloud-to-device message."""

    properties: Mapping[str, str | None]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class ReportAnswered:
    """The hub's response to a change of reported properties, or its refusal of `FetchTwin`."""

    rid: str
    status: int


@dataclass(frozen=True, kw_only=True)
class TwinFetched:
    """The hub's response to `FetchTwin`; both objects also hold `$version`."""

    rid: str
    desired: Mapping[str, Any]
    reported: Mapping[str, Any]


@dataclass(frozen=True)
class Unreadable:
    """A message that cannot be read as any of these."""

    topic: str


Event = (
    Started
    | Due
    | Online
    | Subscribed
    | Offline
    | MethodCalled
    | DesiredPatched
    | MessageArrived
    | ReportAnswered
    | TwinFetched
    | Unreadable
)


# --- actions: what the device does


@dataclass(frozen=True)
class Connect:
    """Connect."""


@dataclass(frozen=True)
class Disconnect:
    """Disconnect, until `Connect`."""


@dataclass(frozen=True)
class Subscribe:
    """Subscribe to all that the hub sends to a device."""


@dataclass(frozen=True, kw_only=True)
class AnswerMethod:
    """Answer a method call."""

    rid: str
    status: int
    payload: Any


@dataclass(frozen=True, kw_only=True)
class Report:
    """Change reported properties."""

    rid: str
    patch: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class FetchTwin:
    """Request the desired and reported properties."""

    rid: str


@dataclass(frozen=True, kw_only=True)
class SendTelemetry:
    """Send a message to the hub."""

    properties: Mapping[str, str | None]
    body: bytes


class ActivityKind(Enum):
    """The kinds of activity; the values are the words in a file of events."""

    READY = "ready"
    METHOD = "method"
    ANSWER = "answer"
    UNANSWERED = "unanswered"
    DESIRED = "desired"
    MESSAGE = "message"
    REPORT_ACCEPTED = "report-accepted"
    REPORT_REFUSED = "report-refused"
    FETCH_REFUSED = "fetch-refused"
    ABSENT = "absent"  # it never connects, as its behaviour says
    UNREADABLE = "unreadable"
    SENT = "sent"  # this kind and those below come from the device's connection, not from its session
    ACKNOWLEDGED = "acknowledged"  # a message that was sent
    REPORT = "report"
    LEFT = "left"  # it disconnected, for example to connect again with a new token
    LOST = "lost"
    NOT_CONNECTED = "not-connected"
    REFUSED = "refused"
    DROPPED = "dropped"  # something was not sent, because too much is waiting for the hub


@dataclass(frozen=True, kw_only=True)
class Activity:
    """Something that a device received or did, for whoever observes the simulation."""

    kind: ActivityKind
    details: Mapping[str, Any] = field(default_factory=dict)  # by name
    arrived_at: float | None = None  # when it was received, if earlier than now; on the clock of `Moment.at`


Action = Connect | Disconnect | Subscribe | AnswerMethod | Report | FetchTwin | SendTelemetry | Activity
