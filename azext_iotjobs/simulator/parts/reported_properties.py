"""Reported properties on their way to the hub. Pure.

What is reported while the device is not ready waits until it is. What the hub refuses because of throttling or a fault
of its own is sent again later, updated with what was reported since. What is unanswered when a connection ends is left
to the connection, which delivers it with QoS 1.
"""

from collections.abc import Mapping
from typing import Any

from azext_iotjobs.simulator.events import Action, Activity, ActivityKind, Moment, Report, ReportAnswered
from azext_iotjobs.simulator.merging import merged
from azext_iotjobs.simulator.parts.context import SessionContext
from azext_iotjobs.simulator.rng import stream_key

RETRY_STREAM = stream_key("retry")
FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 120.0
MAX_UNANSWERED = 100  # a hub that never answers must not fill the memory
ACCEPTED = (200, 204)


def longest_pause_s(doublings: int) -> float:
    """Seconds to wait at most after the hub has refused something. doublings: of the first pause, 0 or more."""
    return min(FIRST_PAUSE_S * 2.0 ** min(doublings, 10), LONGEST_PAUSE_S)  # a thousand doublings are no float


class ReportedProperties:
    """Reports the changes of one device's reported properties."""

    __slots__ = ("_context", "_count", "_is_pausing", "_refused_count", "_unanswered", "_waiting")

    def __init__(self, context: SessionContext) -> None:
        self._context = context
        self._count = 0
        self._waiting: dict[str, Any] | None = None  # a patch that cannot be sent yet
        self._unanswered: dict[str, Mapping[str, Any]] = {}  # by request id, oldest first
        self._refused_count = 0  # in a row
        self._is_pausing = False

    def report(self, patch: Mapping[str, Any]) -> list[Action]:
        """Report `patch` now, or as soon as possible."""
        if self._context.is_ready and not self._is_pausing and self._waiting is None:
            return [self._send(patch)]
        self._waiting = merged(self._waiting or {}, patch)
        return []

    def on_ready(self) -> list[Action]:
        """The device is ready: send what is waiting."""
        if self._waiting is None or self._is_pausing or not self._context.is_ready:
            return []
        patch, self._waiting = self._waiting, None
        return [self._send(patch)]

    def on_response(self, response: ReportAnswered, now: Moment) -> list[Action]:
        """The hub has answered a report."""
        patch = self._unanswered.pop(response.rid, None)
        details = {"rid": response.rid, "status": response.status}
        if response.status in ACCEPTED:
            self._refused_count = 0
            return [Activity(kind=ActivityKind.REPORT_ACCEPTED, details=details)]
        refused = Activity(kind=ActivityKind.REPORT_REFUSED, details=details)
        if patch is None or not (response.status == 429 or response.status >= 500):
            return [refused]
        # The hub answers in order: all that is still unanswered is newer.
        for newer in (*self._unanswered.values(), self._waiting or {}):
            patch = merged(patch, newer)
        self._waiting = dict(patch)
        self._pause(now)
        return [refused]

    def _pause(self, now: Moment) -> None:
        if self._is_pausing:
            return
        self._is_pausing = True
        self._refused_count += 1
        longest_s = longest_pause_s(self._refused_count - 1)
        pause_s = longest_s * self._context.rng.fork(RETRY_STREAM, self._refused_count).uniform(0.5, 1.0)
        self._context.tasks.add(now.at + pause_s, self._resume)

    def _resume(self, _now: Moment) -> list[Action]:
        self._is_pausing = False
        return self.on_ready()

    def _send(self, patch: Mapping[str, Any]) -> Report:
        self._count += 1
        rid = str(self._count)
        self._unanswered[rid] = patch
        if len(self._unanswered) > MAX_UNANSWERED:
            del self._unanswered[next(iter(self._unanswered))]
        return Report(rid=rid, patch=patch)
