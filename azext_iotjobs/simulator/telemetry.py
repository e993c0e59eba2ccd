"""The messages that a device sends by a plan, without rules: how many, how often, and which is due. Pure."""

import json
import math
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime

from azext_iotjobs.model.late_dataclass import dataclass


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
        """When the simulation ends: an interval after the last message."""
        return start + self.count * self.interval_s


class PlannedMessages:
    """How far one device has got with its plan.

    While the device is not ready nothing is sent; then the rest of the plan moves, so that no burst follows.
    """

    __slots__ = ("_plan", "_started_at", "sent_count")

    def __init__(self, plan: TelemetryPlan) -> None:
        self._plan = plan
        self._started_at: float | None = None  # when the first message was due, moved by what came late
        self.sent_count = 0

    @property
    def count(self) -> int:
        """How many messages there are in all."""
        return self._plan.count

    @property
    def properties(self) -> Mapping[str, str]:
        """The properties of each message."""
        return self._plan.properties

    @property
    def next_at(self) -> float:
        """When the next message is due; inf when there is none, or when the device was never ready."""
        if self._started_at is None or self.sent_count >= self._plan.count:
            return math.inf
        return self._plan.due_at(self.sent_count + 1, self._started_at)

    @property
    def end_at(self) -> float:
        """When the plan ends; inf while messages are to come."""
        if self._started_at is None or self.sent_count < self._plan.count:
            return math.inf
        return self._plan.ends_at(self._started_at)

    def on_ready(self, now: float) -> None:
        """The device is ready: begin, or go on with what is overdue now and the rest at its intervals."""
        if self._started_at is None:
            self._started_at = now
        self._started_at += max(0.0, now - self.next_at)

    def next_body(self, message_id: str, now: datetime) -> bytes:
        """The body of the next message, which counts as sent."""
        self.sent_count += 1
        return body(self._plan, self.sent_count, message_id, now)


def body(plan: TelemetryPlan, number: int, message_id: str, now: datetime) -> bytes:
    """The body of message `number` (from 1) as JSON: the plan's text with the number, an id and the time."""
    return json.dumps({"id": message_id, "timestamp": str(now), "data": f"{plan.text} #{number}"}).encode()
