"""One simulated device's mind: events in, actions out. Pure: time and chance are given to it.

    OFFLINE --Online--> LISTENING --Subscribed--> READY
       ^                    |                       |
       +-------Offline------+-----------------------+

What it wants to do later it keeps, and says when: `next_at`; the loop around it sends `Due` then. It comes and goes by
its own will: the loop connects it on `Come` and disconnects it on `Leave`, and tells it of both as of any connection.
Only a READY device sends and reports; one that is asked anything answers, whatever its state: the hub would not have
asked a device that does not listen.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from azext_iotjobs.simulator.dice import Dice

DEFAULT_STATUS = 200


class State(Enum):
    """Where a device's connection stands."""

    OFFLINE = "offline"
    LISTENING = "listening"  # connected; its subscriptions are not yet acknowledged
    READY = "ready"


class Unset(Enum):
    """Stands for "not given" where None is a value of its own."""

    UNSET = "unset"


UNSET = Unset.UNSET


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How a device answers."""

    status: int = DEFAULT_STATUS  # of every method
    payload: Any = UNSET  # of every method, any JSON value; UNSET: tell what was called
    first_reported: Mapping[str, Any] | None = None  # reported once, when the device is first ready


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
    """The hub's answer to a change of reported properties."""

    rid: str
    status: int


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
class SendTelemetry:
    """Send a message to the hub."""

    properties: Mapping[str, str | None]
    body: bytes


class What(Enum):
    """The kinds of things that are worth telling a person."""

    READY = "ready"
    METHOD = "method"
    ANSWER = "answer"
    DESIRED = "desired"
    MESSAGE = "message"
    REPORT_ACCEPTED = "report-accepted"
    REPORT_REFUSED = "report-refused"
    UNREADABLE = "unreadable"
    SENT = "sent"  # these are the connection's, told by the loop around the session
    ACKNOWLEDGED = "acknowledged"  # a message that was sent
    REPORT = "report"
    LEFT = "left"  # by its own will, or to come back with a new token
    LOST = "lost"
    NOT_CONNECTED = "not-connected"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Something to tell a person; `details` is what there is to tell, by name."""

    what: What
    details: Mapping[str, Any] = field(default_factory=dict)


Action = Come | Leave | Listen | AnswerMethod | Report | SendTelemetry | Seen


class Session:
    """The mind of one device."""

    def __init__(self, behaviour: Behaviour, who: Who, dice: Dice) -> None:
        self._behaviour = behaviour
        self._who = who
        self._dice = dice
        self._first_reported = behaviour.first_reported
        self._reports = 0
        self.state = State.OFFLINE

    @property
    def next_at(self) -> float:
        """When it wants to be told `Due`, as `Moment.at` has it; inf: not before something else happens."""
        return math.inf

    def on(self, event: Event, now: Moment) -> list[Action]:
        """What the device does when `event` happens."""
        match event:
            case Started():
                return [Come()]
            case Due():
                return []
            case Online():
                self.state = State.LISTENING
                return [Listen()]
            case Offline():
                self.state = State.OFFLINE
                return []
            case Subscribed():
                return self._subscribed()
            case MethodCalled():
                return self._called(event)
            case DesiredPatched(patch):
                return self._patched(patch)
            case MessageArrived():
                return [Seen(what=What.MESSAGE, details={"properties": event.properties, "body": event.body})]
            case ReportAnswered():
                return self._report_answered(event)
            case Unreadable(topic):
                return [Seen(what=What.UNREADABLE, details={"topic": topic})]

    def _subscribed(self) -> list[Action]:
        if self.state is not State.LISTENING:  # a late acknowledgement of a connection that is gone
            return []
        self.state = State.READY
        actions: list[Action] = [Seen(what=What.READY)]
        if self._first_reported is not None:
            actions.append(self._report(self._first_reported))
            self._first_reported = None
        return actions

    def _called(self, call: MethodCalled) -> list[Action]:
        payload = self._behaviour.payload
        if payload is UNSET:
            payload = {"methodName": call.name, "methodRequestId": call.rid, "methodRequestPayload": call.payload}
        status = self._behaviour.status
        return [
            Seen(what=What.METHOD, details={"rid": call.rid, "name": call.name, "payload": call.payload}),
            AnswerMethod(rid=call.rid, status=status, payload=payload),
            Seen(
                what=What.ANSWER,
                details={"rid": call.rid, "name": call.name, "status": status, "payload": payload},
            ),
        ]

    def _patched(self, patch: Mapping[str, Any]) -> list[Action]:
        changed = {key: value for key, value in patch.items() if not key.startswith("$")}
        if not changed:
            return []
        return [Seen(what=What.DESIRED, details={"patch": changed}), self._report(changed)]

    def _report(self, patch: Mapping[str, Any]) -> Report:
        self._reports += 1
        return Report(rid=str(self._reports), patch=patch)

    def _report_answered(self, answer: ReportAnswered) -> list[Action]:
        what = What.REPORT_ACCEPTED if answer.status in (200, 204) else What.REPORT_REFUSED
        return [Seen(what=what, details={"rid": answer.rid, "status": answer.status})]
