"""Runs steps one after another, after a method or a desired change; several sequences may run at a time. Pure."""

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
from azext_iotjobs.simulator.parts.context import SessionContext
from azext_iotjobs.simulator.parts.presence import Presence
from azext_iotjobs.simulator.parts.reported_properties import ReportedProperties
from azext_iotjobs.simulator.rng import Rng
from azext_iotjobs.simulator.template import as_body, as_text


class StepRunner:
    """Runs the steps of one device; a sequence that went off line waits until the device is ready again."""

    __slots__ = ("_context", "_presence", "_reports", "_waiting")

    def __init__(self, context: SessionContext, reports: ReportedProperties, presence: Presence) -> None:
        self._context = context
        self._reports = reports
        self._presence = presence
        self._waiting: list[_Sequence] = []  # for the device to be ready

    def start(self, steps: Steps, rng: Rng, names: Mapping[str, Any], now: Moment) -> list[Action]:
        """Run the first steps, up to one that takes time; the rest follow as tasks.

        rng: the stream of this sequence.  names: what its templates may use.
        """
        return self._run(_Sequence(steps, rng, names), now) if steps else []

    def on_ready(self, now: Moment) -> list[Action]:
        """The device is ready: sequences that went off line continue."""
        waiting, self._waiting = self._waiting, []
        return [action for sequence in waiting for action in self._run(sequence, now)]

    def _run(self, sequence: "_Sequence", now: Moment) -> list[Action]:
        actions: list[Action] = []
        while sequence.index < len(sequence.steps):
            step = sequence.steps[sequence.index]
            pause_s = 0.0
            match step:
                case ReportStep():
                    actions += self._report(sequence, step, now)
                    if sequence.repeat_count:  # the same step again
                        pause_s = step.every.draw(sequence.rng)
                case WaitStep(duration):
                    sequence.index += 1
                    pause_s = duration.draw(sequence.rng)
                case OfflineStep(duration):
                    sequence.index += 1
                    self._waiting.append(sequence)
                    return actions + self._presence.go_offline_for(duration.draw(sequence.rng), now)
                case SendStep():
                    sequence.index += 1
                    actions += self._send(sequence, step, now)
                case ChanceStep():
                    sequence.index += 1
                    if sequence.rng.random() < step.rate:
                        sequence.steps, sequence.index = step.instead, 0
            if pause_s > 0:
                self._context.tasks.add(now.at + pause_s, lambda then: self._run(sequence, then))
                return actions
        return actions

    def _report(self, sequence: "_Sequence", step: ReportStep, now: Moment) -> list[Action]:
        sequence.repeat_count += 1
        names = {**sequence.names, "progress": 100 * sequence.repeat_count // step.times}
        patch = step.patch.render(self._context.scope(now, sequence.rng, names))
        if sequence.repeat_count >= step.times:
            sequence.index, sequence.repeat_count = sequence.index + 1, 0
        return self._reports.report(patch)

    def _send(self, sequence: "_Sequence", step: SendStep, now: Moment) -> list[Action]:
        if not self._context.is_ready:
            return []
        scope = self._context.scope(now, sequence.rng, sequence.names)
        properties = {key: as_text(each.render(scope)) for key, each in step.properties.items()}
        return [SendTelemetry(properties={**JSON_BODY, **properties}, body=as_body(step.payload.render(scope)))]


class _Sequence:
    """One sequence of steps, and how far it has run."""

    __slots__ = ("index", "names", "repeat_count", "rng", "steps")

    def __init__(self, steps: Steps, rng: Rng, names: Mapping[str, Any]) -> None:
        self.steps = steps
        self.rng = rng
        self.names = names
        self.index = 0  # of the next step
        self.repeat_count = 0  # how often that step has run
