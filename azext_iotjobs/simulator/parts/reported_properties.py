"""Reported properties on their way to the hub. Pure.

What is to be reported while the device is not ready is kept until it is; what the hub refuses for want of room or by a
fault of its own is sent again later, brought up to date with what was reported since. What is under way when a
connection ends is the connection's to deliver: it is sent with QoS 1.
"""

from collections.abc import Mapping
from typing import Any

from azext_iotjobs.simulator.events import Action, Moment, Report, ReportAnswered, Seen, What
from azext_iotjobs.simulator.merging import merged
from azext_iotjobs.simulator.parts.context import Core
from azext_iotjobs.simulator.rng import salt

RETRY_SALT = salt("retry")
FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 120.0
MOST_UNDER_WAY = 100  # a hub that never answers must not fill the memory
DONE = (200, 204)


class Reports:
    """One device's."""

    __slots__ = ("_core", "_count", "_held", "_is_pausing", "_refused", "_under_way")

    def __init__(self, core: Core) -> None:
        self._core = core
        self._count = 0
        self._held: dict[str, Any] | None = None
        self._under_way: dict[str, Mapping[str, Any]] = {}  # by request id, oldest first
        self._refused = 0  # in a row
        self._is_pausing = False

    def report(self, patch: Mapping[str, Any]) -> list[Action]:
        """Have the hub told of `patch`, now or as soon as that can be."""
        if self._core.is_ready and not self._is_pausing and self._held is None:
            return [self._sent(patch)]
        self._held = merged(self._held or {}, patch)
        return []

    def ready(self) -> list[Action]:
        """The device is ready: send what was kept."""
        if self._held is None or self._is_pausing or not self._core.is_ready:
            return []
        patch, self._held = self._held, None
        return [self._sent(patch)]

    def answered(self, answer: ReportAnswered, now: Moment) -> list[Action]:
        """The hub answered."""
        patch = self._under_way.pop(answer.rid, None)
        details = {"rid": answer.rid, "status": answer.status}
        if answer.status in DONE:
            self._refused = 0
            return [Seen(what=What.REPORT_ACCEPTED, details=details)]
        refused = Seen(what=What.REPORT_REFUSED, details=details)
        if patch is None or not (answer.status == 429 or answer.status >= 500):
            return [refused]
        # The hub answers in order: all that is still under way is newer.
        for newer in (*self._under_way.values(), self._held or {}):
            patch = merged(patch, newer)
        self._held = dict(patch)
        self._pause(now)
        return [refused]

    def _pause(self, now: Moment) -> None:
        if self._is_pausing:
            return
        self._is_pausing = True
        self._refused += 1
        longest = min(FIRST_PAUSE_S * 2 ** (self._refused - 1), LONGEST_PAUSE_S)
        pause_s = longest * self._core.dice.fork(RETRY_SALT, self._refused).between(0.5, 1.0)
        self._core.agenda.add(now.at + pause_s, self._go_on)

    def _go_on(self, _now: Moment) -> list[Action]:
        self._is_pausing = False
        return self.ready()

    def _sent(self, patch: Mapping[str, Any]) -> Report:
        self._count += 1
        rid = str(self._count)
        self._under_way[rid] = patch
        if len(self._under_way) > MOST_UNDER_WAY:
            del self._under_way[next(iter(self._under_way))]
        return Report(rid=rid, patch=patch)
