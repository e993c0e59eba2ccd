"""Telemetry by rules: which message is due when, and what is in it. Pure.

While a device is not ready, messages that are due are skipped; the intervals continue.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from azext_iotjobs.simulator.behaviour import JSON_BODY, TelemetryRule
from azext_iotjobs.simulator.events import Action, Moment, SendTelemetry
from azext_iotjobs.simulator.generators import Sample
from azext_iotjobs.simulator.parts.context import SessionContext
from azext_iotjobs.simulator.rng import Rng, stream_key
from azext_iotjobs.simulator.template import as_body, as_text

TELEMETRY_STREAM = stream_key("telemetry")
SHORTEST_S = 0.01  # between two messages of a rule
FIRST = 0  # message counts begin at 1: this key is for the pause before a message


class TelemetrySender:
    """Sends the messages of one device's rules."""

    __slots__ = ("_context", "_idle", "_started_at")

    def __init__(self, rules: tuple[TelemetryRule, ...], context: SessionContext) -> None:
        self._context = context
        self._started_at: float | None = None  # when the device was first ready
        # Rules that wait for the device to be ready:
        self._idle = [_RuleState(rule, context.rng.fork(TELEMETRY_STREAM, stream_key(rule.name))) for rule in rules]

    def on_ready(self, now: Moment) -> list[Action]:
        """The device is ready: plan the next message of each rule."""
        if self._started_at is None:
            self._started_at = now.at
        idle, self._idle = self._idle, []
        for state in idle:
            first = state.rule.first
            rng = state.rng.fork(FIRST, state.count)
            if first is not None and state.count == 0:
                pause_s = first.draw(rng)
            else:  # at random within the interval: devices that return together do not send together
                pause_s = state.rule.every.draw(rng) * rng.random()
            self._plan(state, now.at + pause_s)
        return []

    def _plan(self, state: "_RuleState", due_at: float) -> None:
        self._context.tasks.add(due_at, partial(self._send, state, due_at))

    def _send(self, state: "_RuleState", due_at: float, now: Moment) -> list[Action]:
        if not self._context.is_ready:
            self._idle.append(state)
            return []
        state.count += 1
        rng = state.rng.fork(state.count)
        message = self._message(state, rng, now)
        if state.rule.count is None or state.count < state.rule.count:
            pause_s = max(state.rule.every.draw(rng), SHORTEST_S)
            # Counted from when this one was due, which keeps the rate; late messages are not sent in a burst.
            self._plan(state, due_at + pause_s if due_at + pause_s > now.at else now.at + pause_s)
        return [message]

    def _message(self, state: "_RuleState", rng: Rng, now: Moment) -> SendTelemetry:
        elapsed_s = now.at - (self._started_at or 0.0)
        values = {
            name: generator.value(Sample(elapsed_s, state.count, rng, state.last_values.get(name)))
            for name, generator in state.rule.values.items()
        }
        state.last_values = values
        scope = self._context.scope(now, rng, {**values, "count": state.count})
        payload: Any = values if state.rule.payload is None else state.rule.payload.render(scope)
        properties: Mapping[str, str] = {
            key: as_text(each.render(scope)) for key, each in state.rule.properties.items()
        }
        return SendTelemetry(properties={**JSON_BODY, **properties}, body=as_body(payload))


class _RuleState:
    """How far the messages of one rule have got."""

    __slots__ = ("count", "last_values", "rng", "rule")

    def __init__(self, rule: TelemetryRule, rng: Rng) -> None:
        self.rule = rule
        self.rng = rng  # only forked
        self.count = 0  # messages sent
        self.last_values: dict[str, Any] = {}  # of the last message
