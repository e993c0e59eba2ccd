"""Telemetry by rules: what is due when, and what is in it. Pure.

While a device is not ready, messages that are due are left out; its clock goes on.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from azext_iotjobs.simulator.behaviour import JSON_BODY, TelemetryRule
from azext_iotjobs.simulator.events import Action, Moment, SendTelemetry
from azext_iotjobs.simulator.generators import Sample
from azext_iotjobs.simulator.parts.context import Core
from azext_iotjobs.simulator.parts.step_runner import as_body, as_text
from azext_iotjobs.simulator.rng import Dice, salt

TELEMETRY_SALT = salt("telemetry")
SHORTEST_S = 0.01  # between two messages of a kind
FIRST = 0  # counts begin at 1: a key of its own for what comes before the first


class Readings:
    """One device's."""

    __slots__ = ("_core", "_idle", "_started_at")

    def __init__(self, rules: tuple[TelemetryRule, ...], core: Core) -> None:
        self._core = core
        self._started_at: float | None = None  # when the device was first ready
        # Those that wait for the device to be ready:
        self._idle = [_Row(rule, core.dice.fork(TELEMETRY_SALT, salt(rule.name))) for rule in rules]

    def ready(self, now: Moment) -> list[Action]:
        """The device is ready: go on."""
        if self._started_at is None:
            self._started_at = now.at
        idle, self._idle = self._idle, []
        for row in idle:
            first = row.rule.first
            dice = row.dice.fork(FIRST, row.count)
            if first is not None and row.count == 0:
                pause_s = first.draw(dice)
            else:  # by chance within the interval: a fleet that comes back does not speak with one voice
                pause_s = row.rule.every.draw(dice) * dice.throw()
            self._plan(row, now.at + pause_s)
        return []

    def _plan(self, row: "_Row", due_at: float) -> None:
        self._core.agenda.add(due_at, partial(self._send, row, due_at))

    def _send(self, row: "_Row", due_at: float, now: Moment) -> list[Action]:
        if not self._core.is_ready:
            self._idle.append(row)
            return []
        row.count += 1
        dice = row.dice.fork(row.count)
        message = self._message(row, dice, now)
        if row.rule.count is None or row.count < row.rule.count:
            pause_s = max(row.rule.every.draw(dice), SHORTEST_S)
            # From when it was due: a rate is kept. Late ones are not sent in a burst.
            self._plan(row, due_at + pause_s if due_at + pause_s > now.at else now.at + pause_s)
        return [message]

    def _message(self, row: "_Row", dice: Dice, now: Moment) -> SendTelemetry:
        elapsed_s = now.at - (self._started_at or 0.0)
        values = {
            name: generator.value(Sample(elapsed_s, row.count, dice, row.before.get(name)))
            for name, generator in row.rule.values.items()
        }
        row.before = values
        scope = self._core.scope(now, dice, {**values, "count": row.count})
        payload: Any = values if row.rule.payload is None else row.rule.payload.render(scope)
        properties: Mapping[str, str] = {key: as_text(each.render(scope)) for key, each in row.rule.properties.items()}
        return SendTelemetry(properties={**JSON_BODY, **properties}, body=as_body(payload))


class _Row:
    """One rule's state."""

    __slots__ = ("before", "count", "dice", "rule")

    def __init__(self, rule: TelemetryRule, dice: Dice) -> None:
        self.rule = rule
        self.dice = dice  # never thrown itself
        self.count = 0
        self.before: dict[str, Any] = {}  # the values of the last message
