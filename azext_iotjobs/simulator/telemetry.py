"""The telemetry that a simulated device sends. Pure: ids and instants are arguments."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class TelemetryPlan:
    """What to send, how often, how many times."""

    text: str
    count: int  # 1 or more
    interval_s: float  # more than 0
    properties: Mapping[str, str] = field(default_factory=dict)  # system properties as $.ct, $.mid, …

    def due_at(self, number: int, start: float) -> float:
        """When message `number` (from 1) is due, on the clock that `start` was read from."""
        return start + (number - 1) * self.interval_s

    def ends_at(self, start: float) -> float:
        """When the simulation is over: an interval after the last message."""
        return start + self.count * self.interval_s


def body(plan: TelemetryPlan, number: int, message_id: str, now: datetime) -> bytes:
    """Message `number` (from 1): the plan's text with its counter, an id and the time, as JSON."""
    return json.dumps({"id": message_id, "timestamp": str(now), "data": f"{plan.text} #{number}"}).encode()
