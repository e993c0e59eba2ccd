"""One simulated device's mind: events in, actions out. Pure: time and chance are given to it.

    OFFLINE --Online--> LISTENING --Subscribed--> READY
       ^                    |                       |
       +---Offline, Leave---+-----------------------+

What it wants to do later it keeps, and says when: `next_at`; the loop around it sends `Due` then. It comes and goes by
its own will: the loop connects it on `Come` and disconnects it on `Leave`, and tells it of both as of any connection.
Only a READY device sends and reports; one that is asked anything answers, whatever its state: the hub would not have
asked a device that does not listen.

The table is here. What each row means is in `parts`: methods, the twin, telemetry, whether it wants to be there.
"""

from collections.abc import Mapping
from typing import Any

from azext_iotjobs.simulator.behaviour import Behaviour
from azext_iotjobs.simulator.events import (
    Action,
    DesiredPatched,
    Due,
    Event,
    Leave,
    Listen,
    MessageArrived,
    MethodCalled,
    Moment,
    Offline,
    Online,
    ReportAnswered,
    Seen,
    Started,
    Subscribed,
    TwinFetched,
    Unreadable,
    What,
    Who,
)
from azext_iotjobs.simulator.parts.context import Core, State
from azext_iotjobs.simulator.parts.desired_properties import Twin
from azext_iotjobs.simulator.parts.methods import Methods
from azext_iotjobs.simulator.parts.presence import Stay
from azext_iotjobs.simulator.parts.reported_properties import Reports
from azext_iotjobs.simulator.parts.step_runner import Walker
from azext_iotjobs.simulator.parts.telemetry_rules import Readings
from azext_iotjobs.simulator.rng import Dice, salt

FIRST_SALT = salt("first")


class Session:
    """The mind of one device."""

    __slots__ = (
        "_behaviour",
        "_core",
        "_has_reported",
        "_methods",
        "_readings",
        "_reports",
        "_stay",
        "_twin",
        "_walker",
    )

    def __init__(self, behaviour: Behaviour, who: Who, dice: Dice) -> None:
        self._behaviour = behaviour
        self._core = Core(who, dice)
        self._reports = Reports(self._core)
        self._stay = Stay(behaviour.presence, self._core)
        self._walker = Walker(self._core, self._reports, self._stay)
        self._methods = Methods(behaviour, self._core, self._walker)
        rules = behaviour.twin
        self._twin = None if rules is None else Twin(rules, self._core, self._reports, self._walker)
        self._readings = Readings(behaviour.telemetry, self._core) if behaviour.telemetry else None
        self._has_reported = behaviour.first_reported is None

    @property
    def state(self) -> State:
        """Where its connection stands."""
        return self._core.state

    @property
    def next_at(self) -> float:
        """When it wants to be told `Due`, as `Moment.at` has it; inf: not before something else happens."""
        return self._core.agenda.next_at

    def on(self, event: Event, now: Moment) -> list[Action]:
        """What the device does when `event` happens."""
        match event:
            case Started():
                return self._stay.started(now)
            case Due():
                return self._core.agenda.due(now)
            case Online():
                return self._online()
            case Offline():
                self._core.gone()
                return []
            case Subscribed():
                return self._subscribed(now)
            case MethodCalled():
                return self._methods.called(event, now)
            case DesiredPatched(patch):
                return self._echoed(patch) if self._twin is None else self._twin.patched(patch, now)
            case TwinFetched():
                return [] if self._twin is None else self._twin.fetched(event, now)
            case MessageArrived():
                return [Seen(what=What.MESSAGE, details={"properties": event.properties, "body": event.body})]
            case ReportAnswered():
                return self._answered(event, now)
            case Unreadable(topic):
                return [Seen(what=What.UNREADABLE, details={"topic": topic})]

    def _online(self) -> list[Action]:
        if not self._stay.is_wanted:  # the handshake was under way when it wished to leave
            return [Leave()]
        self._core.state = State.LISTENING
        return [Listen()]

    def _subscribed(self, now: Moment) -> list[Action]:
        if self._core.state is not State.LISTENING:  # a late acknowledgement of a connection that is gone
            return []
        self._core.state = State.READY
        actions: list[Action] = [Seen(what=What.READY), *self._first_report(now), *self._reports.ready()]
        if self._twin is not None:
            actions += self._twin.ready()
        if self._readings is not None:
            actions += self._readings.ready(now)
        return actions + self._walker.ready(now)

    def _first_report(self, now: Moment) -> list[Action]:
        first = self._behaviour.first_reported
        if self._has_reported or first is None:
            return []
        self._has_reported = True
        return self._reports.report(first.render(self._core.scope(now, self._core.dice.fork(FIRST_SALT), {})))

    def _echoed(self, patch: Mapping[str, Any]) -> list[Action]:
        changed = {key: value for key, value in patch.items() if not key.startswith("$")}
        if not changed:
            return []
        return [Seen(what=What.DESIRED, details={"patch": changed}), *self._reports.report(changed)]

    def _answered(self, answer: ReportAnswered, now: Moment) -> list[Action]:
        if self._twin is not None and self._twin.is_fetch(answer):
            return self._twin.not_fetched(answer, now)
        return self._reports.answered(answer, now)
