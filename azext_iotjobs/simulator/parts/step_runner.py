"""Steps, one after the other, for as many at once as there are: after a method, after a desired change. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from azext_iotjobs.simulator.behaviour import (
    JSON_BODY,
    ChanceStep,
    OfflineStep,
    ReportStep,
    SendStep,
    Steps,
    WaitStep,
)
from azext_iotjobs.simulator.events import Action, Moment, SendTelemetry
from azext_iotjobs.simulator.parts.context import Core
from azext_iotjobs.simulator.parts.presence import Stay
from azext_iotjobs.simulator.parts.reported_properties import Reports
from azext_iotjobs.simulator.rng import Dice


class Walker:
    """One device's; keeps what goes on when the device is ready."""

    __slots__ = ("_core", "_parked", "_reports", "_stay")

    def __init__(self, core: Core, reports: Reports, stay: Stay) -> None:
        self._core = core
        self._reports = reports
        self._stay = stay
        self._parked: list[_Walk] = []

    def begin(self, steps: Steps, dice: Dice, names: Mapping[str, Any], now: Moment) -> list[Action]:
        """Take the first steps, up to one that takes time; the others follow.

        names: what their templates may use.
        """
        return self._go_on(_Walk(steps, dice, names), now) if steps else []

    def ready(self, now: Moment) -> list[Action]:
        """The device is ready: those that were off line go on."""
        parked, self._parked = self._parked, []
        return [action for walk in parked for action in self._go_on(walk, now)]

    def _go_on(self, walk: "_Walk", now: Moment) -> list[Action]:
        actions: list[Action] = []
        while walk.at < len(walk.steps):
            step = walk.steps[walk.at]
            pause_s = 0.0
            match step:
                case ReportStep():
                    actions += self._report(walk, step, now)
                    if walk.times:  # more of the same to come
                        pause_s = step.every.draw(walk.dice)
                case WaitStep(duration):
                    walk.at += 1
                    pause_s = duration.draw(walk.dice)
                case OfflineStep(duration):
                    walk.at += 1
                    self._parked.append(walk)
                    return actions + self._stay.leave_for(duration.draw(walk.dice), now)
                case SendStep():
                    walk.at += 1
                    actions += self._send(walk, step, now)
                case ChanceStep():
                    walk.at += 1
                    if walk.dice.throw() < step.rate:
                        walk.steps, walk.at = step.instead, 0
            if pause_s > 0:
                self._core.agenda.add(now.at + pause_s, lambda then: self._go_on(walk, then))
                return actions
        return actions

    def _report(self, walk: "_Walk", step: ReportStep, now: Moment) -> list[Action]:
        walk.times += 1
        names = {**walk.names, "progress": 100 * walk.times // step.times}
        patch = step.patch.render(self._core.scope(now, walk.dice, names))
        if walk.times >= step.times:
            walk.at, walk.times = walk.at + 1, 0
        return self._reports.report(patch)

    def _send(self, walk: "_Walk", step: SendStep, now: Moment) -> list[Action]:
        if not self._core.is_ready:
            return []
        scope = self._core.scope(now, walk.dice, walk.names)
        properties = {key: as_text(each.render(scope)) for key, each in step.properties.items()}
        return [SendTelemetry(properties={**JSON_BODY, **properties}, body=as_body(step.payload.render(scope)))]


class _Walk:
    """How far one is."""

    __slots__ = ("at", "dice", "names", "steps", "times")

    def __init__(self, steps: Steps, dice: Dice, names: Mapping[str, Any]) -> None:
        self.steps = steps
        self.dice = dice
        self.names = names
        self.at = 0
        self.times = 0  # that the step at `at` has been done


def as_body(value: Any) -> bytes:
    """A JSON value as the body of a message."""
    # What has no UTF-8 form is written as JSON writes it too.
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")


def as_text(value: Any) -> str:
    """A JSON value as the value of a message's property."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
