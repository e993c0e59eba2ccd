"""One simulated device's decisions: events in, actions out. Pure: time and random numbers are given to it.

    OFFLINE --Online--> LISTENING --Subscribed--> READY
       ^                    |                       |
       +---Offline, Disconnect----------------------+

What it has to do later it keeps as tasks. `next_at` says when the first is due; the loop around it sends `Due` then.
It decides itself when to be connected: the loop connects it on `Connect`, disconnects it on `Disconnect`, and reports
both as it reports any connection. Only a READY device sends and reports. A method call is answered in any state: the
hub calls only a device that has subscribed.

This is the state table. What each row does is in `parts`: methods, desired properties, telemetry, presence.
"""

from collections.abc import Mapping
from typing import Any

from azext_iotjobs.simulator.behaviour import Behaviour
from azext_iotjobs.simulator.events import (
    Action,
    Activity,
    ActivityKind,
    DesiredPatched,
    DeviceInfo,
    Disconnect,
    Due,
    Event,
    MessageArrived,
    MethodCalled,
    Moment,
    Offline,
    Online,
    ReportAnswered,
    Started,
    Subscribe,
    Subscribed,
    TwinFetched,
    Unreadable,
)
from azext_iotjobs.simulator.parts.context import ConnectionState, SessionContext
from azext_iotjobs.simulator.parts.desired_properties import DesiredProperties
from azext_iotjobs.simulator.parts.methods import MethodHandler
from azext_iotjobs.simulator.parts.presence import Presence
from azext_iotjobs.simulator.parts.reported_properties import ReportedProperties
from azext_iotjobs.simulator.parts.step_runner import StepRunner
from azext_iotjobs.simulator.parts.telemetry_rules import TelemetrySender
from azext_iotjobs.simulator.rng import Rng, stream_key

FIRST_REPORT_STREAM = stream_key("first")


class Session:
    """The decisions of one device."""

    __slots__ = (
        "_behaviour",
        "_context",
        "_desired",
        "_has_reported",
        "_methods",
        "_presence",
        "_reports",
        "_steps",
        "_telemetry",
    )

    def __init__(self, behaviour: Behaviour, device: DeviceInfo, rng: Rng) -> None:
        """rng: the device's stream, from which nothing is drawn elsewhere."""
        self._behaviour = behaviour
        self._context = SessionContext(device, rng)
        self._reports = ReportedProperties(self._context)
        self._presence = Presence(behaviour.presence, self._context)
        self._steps = StepRunner(self._context, self._reports, self._presence)
        self._methods = MethodHandler(behaviour, self._context, self._steps)
        rules = behaviour.twin
        self._desired = None if rules is None else DesiredProperties(rules, self._context, self._reports, self._steps)
        self._telemetry = TelemetrySender(behaviour.telemetry, self._context) if behaviour.telemetry else None
        self._has_reported = behaviour.first_reported is None

    @property
    def state(self) -> ConnectionState:
        """The state of its connection."""
        return self._context.state

    @property
    def next_at(self) -> float:
        """When it needs `Due`, on the clock of `Moment.at`; inf: not before something else happens."""
        return self._context.tasks.next_at

    def on(self, event: Event, now: Moment) -> list[Action]:
        """What the device does when `event` happens."""
        match event:
            case Started():
                return self._presence.on_started(now)
            case Due():
                return self._context.tasks.run_due(now)
            case Online():
                return self._on_online()
            case Offline():
                self._context.disconnected()
                return []
            case Subscribed():
                return self._on_subscribed(now)
            case MethodCalled():
                return self._methods.on_call(event, now)
            case DesiredPatched(patch):
                return self._echo(patch) if self._desired is None else self._desired.on_patch(patch, now)
            case TwinFetched():
                return [] if self._desired is None else self._desired.on_fetched(event, now)
            case MessageArrived():
                details = {"properties": event.properties, "body": event.body}
                return [Activity(kind=ActivityKind.MESSAGE, details=details)]
            case ReportAnswered():
                return self._on_response(event, now)
            case Unreadable(topic):
                return [Activity(kind=ActivityKind.UNREADABLE, details={"topic": topic})]

    def _on_online(self) -> list[Action]:
        if not self._presence.is_wanted:  # it decided to disconnect while it was connecting
            return [Disconnect()]
        self._context.state = ConnectionState.LISTENING
        return [Subscribe()]

    def _on_subscribed(self, now: Moment) -> list[Action]:
        if self._context.state is not ConnectionState.LISTENING:  # a late acknowledgement of an earlier connection
            return []
        self._context.state = ConnectionState.READY
        actions: list[Action] = [Activity(kind=ActivityKind.READY), *self._first_report(now), *self._reports.on_ready()]
        if self._desired is not None:
            actions += self._desired.on_ready()
        if self._telemetry is not None:
            actions += self._telemetry.on_ready(now)
        return actions + self._steps.on_ready(now)

    def _first_report(self, now: Moment) -> list[Action]:
        first = self._behaviour.first_reported
        if self._has_reported or first is None:
            return []
        self._has_reported = True
        scope = self._context.scope(now, self._context.rng.fork(FIRST_REPORT_STREAM), {})
        return self._reports.report(first.render(scope))

    def _echo(self, patch: Mapping[str, Any]) -> list[Action]:
        changed = {key: value for key, value in patch.items() if not key.startswith("$")}
        if not changed:
            return []
        return [Activity(kind=ActivityKind.DESIRED, details={"patch": changed}), *self._reports.report(changed)]

    def _on_response(self, response: ReportAnswered, now: Moment) -> list[Action]:
        if self._desired is not None and self._desired.is_fetch(response):
            return self._desired.on_fetch_refused(response, now)
        return self._reports.on_response(response, now)
