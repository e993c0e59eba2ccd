"""What happens to a simulated device (events), and what it does (actions): the words between it and its connection."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Who:
    """Which device it is."""

    device_id: str
    number: int = 0  # within its fleet, from 0
    tags: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Moment:
    """When something happens."""

    at: float  # seconds on a clock that never goes back
    wall: datetime  # aware UTC


# --- events: what happens to the device


@dataclass(frozen=True)
class Started:
    """The simulation begins."""


@dataclass(frozen=True)
class Due:
    """What it wanted to do later is due."""


@dataclass(frozen=True)
class Online:
    """The hub took the connection."""


@dataclass(frozen=True)
class Subscribed:
    """The hub acknowledged the subscriptions."""


@dataclass(frozen=True)
class Offline:
    """The connection is gone."""


@dataclass(frozen=True, kw_only=True)
class MethodCalled:
    """The hub calls a direct method."""

    rid: str
    name: str
    payload: Any


@dataclass(frozen=True)
class DesiredPatched:
    """Desired properties changed; `patch` has `$version` beside them."""

    patch: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class MessageArrived:
    """A cloud-to-device message."""

    properties: Mapping[str, str | None]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class ReportAnswered:
    """The hub's answer to a change of reported properties, or its no to `FetchTwin`."""

    rid: str
    status: int


@dataclass(frozen=True, kw_only=True)
class TwinFetched:
    """The hub's answer to `FetchTwin`; both have `$version` beside their properties."""

    rid: str
    desired: Mapping[str, Any]
    reported: Mapping[str, Any]


@dataclass(frozen=True)
class Unreadable:
    """A message that is none of these."""

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
class Come:
    """Connect."""


@dataclass(frozen=True)
class Leave:
    """Disconnect, until `Come`."""


@dataclass(frozen=True)
class Listen:
    """Subscribe to everything a device is told."""


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
    """Ask the hub for desired and reported properties."""

    rid: str


@dataclass(frozen=True, kw_only=True)
class SendTelemetry:
    """Send a message to the hub."""

    properties: Mapping[str, str | None]
    body: bytes


class What(Enum):
    """The kinds of things that are worth telling a person."""

    READY = "ready"
    METHOD = "method"
    ANSWER = "answer"
    UNANSWERED = "unanswered"
    DESIRED = "desired"
    MESSAGE = "message"
    REPORT_ACCEPTED = "report-accepted"
    REPORT_REFUSED = "report-refused"
    FETCH_REFUSED = "fetch-refused"
    ABSENT = "absent"  # by its behaviour it never connects
    UNREADABLE = "unreadable"
    SENT = "sent"  # these are the connection's, told by the loop around the session
    ACKNOWLEDGED = "acknowledged"  # a message that was sent
    REPORT = "report"
    LEFT = "left"  # by its own will, or to come back with a new token
    LOST = "lost"
    NOT_CONNECTED = "not-connected"
    REFUSED = "refused"
    DROPPED = "dropped"  # something to send: too much waited for the hub already


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Something to tell a person; `details` is what there is to tell, by name."""

    what: What
    details: Mapping[str, Any] = field(default_factory=dict)
    since: float | None = None  # when it arrived, if that was before it was told; as `Moment.at`


Action = Come | Leave | Listen | AnswerMethod | Report | FetchTwin | SendTelemetry | Seen
