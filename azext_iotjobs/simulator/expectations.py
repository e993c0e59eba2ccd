"""Decides which expectations hold, and when a run ends. Pure.

A claim holds for a device from when it first happened; only `connected` holds no longer than it is true. An expectation
holds as soon as enough devices satisfy its claim; it fails at its deadline, at the end of the run, or when too few
devices are left.

A shard sees a part of the devices. Where not all of them are needed, others may make up for those that it lacks, or
need those that it has beyond its share: so it counts until the deadline, or until nothing more can come.
"""

import math
from collections import deque
from collections.abc import Collection, Mapping, Sequence, Set
from typing import Any

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.text import counted
from azext_iotjobs.simulator import claims
from azext_iotjobs.simulator.claims import Expectation, Until
from azext_iotjobs.simulator.events import Activity, ActivityKind, Moment
from azext_iotjobs.simulator.statistics import Statistics

MAX_OPEN_REPORTS = 16  # of one device that would satisfy a claim

DISCONNECTED = (ActivityKind.LOST, ActivityKind.NOT_CONNECTED, ActivityKind.REFUSED, ActivityKind.LEFT)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The result of an expectation."""

    expectation: Expectation
    came_true: bool
    after_s: float  # from the start to when it was decided
    reason: str  # why it did not come true; "" when it did
    needed_count: int
    held_count: int  # devices that satisfied the claim then
    missing: Sequence[str]  # those that did not, in the order of the simulation; [] when it came true
    missing_count: int  # of them; more than are listed where shards listed them


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How an expectation stands while a run goes on."""

    expectation: Expectation
    came_true: bool | None  # None: not yet decided
    after_s: float | None  # from the start to when it was decided
    reason: str  # why it did not come true; "" otherwise
    needed_count: int
    held_count: int  # devices that satisfy the claim


class _Progress:
    """One expectation, and the devices that satisfy its claim so far."""

    def __init__(self, expectation: Expectation, device_count: int, start: float, *, is_shard: bool) -> None:
        self.expectation = expectation
        self.needed_count = expectation.share.of(device_count)
        if self.needed_count > device_count:
            raise BadValue(
                f"{expectation.text!r} needs {counted(self.needed_count, 'device')}; this run has {device_count}.",
                hint='"on all" means all devices, however many there are.',
            )
        self.deadline_at = math.inf if expectation.within_s is None else start + expectation.within_s
        self._counts_all = is_shard and not expectation.share.is_all and expectation.within_s is not None
        self.wanted_count = device_count if self._counts_all else self.needed_count  # more are not waited for
        self.satisfied: set[str] = set()
        self.most_count = 0  # devices that satisfied the claim at the same time
        self.reached_at: float | None = None  # when those needed did
        self.decided_at: float | None = None
        self.reason = ""
        self._reports: dict[str, deque[str]] = {}  # by device: request ids of reports that would satisfy the claim

    def grew(self, at: float) -> None:
        """More devices than ever satisfy the claim."""
        self.most_count = len(self.satisfied)
        if self.most_count == self.needed_count:
            self.reached_at = at

    def decide(self, at: float, devices: int, failed: Set[str]) -> None:
        """Decide whether it has come true, is too late, or cannot come true any more.

        devices: how many there are.  failed: those that have failed, whether they satisfy the claim or not.
        """
        if self.most_count >= self.wanted_count:
            self.decided_at = self.reached_at
        elif at > self.deadline_at:
            self._end(self.deadline_at, "not in time")
        elif devices - len(failed - self.satisfied) < self._least_left:
            self._end(at, "too few devices are left")

    def end(self, at: float) -> None:
        """The run has ended before it was decided."""
        self._end(at, "not before the end")

    @property
    def held_count(self) -> int:
        """Devices that satisfied the claim when it was decided; where all are counted, at most at the same time."""
        return self.most_count if self._counts_all or not self.reason else len(self.satisfied)

    @property
    def _least_left(self) -> int:
        """As long as so many devices have not failed, something can still come."""
        return len(self.satisfied) + 1 if self._counts_all else self.needed_count

    def _end(self, at: float, reason: str) -> None:
        self.decided_at = at if self.reached_at is None else self.reached_at
        self.reason = reason if self.reached_at is None else ""

    def on(self, device: str, activity: Activity) -> None:
        match self.expectation.claim:
            case claims.Connected() if activity.kind is ActivityKind.READY:
                self.satisfied.add(device)
            case claims.Connected() if activity.kind in DISCONNECTED:
                self.satisfied.discard(device)
            case claims.Answered(name) if activity.kind is ActivityKind.ANSWER:
                if name in (claims.ANY_METHOD, activity.details["name"]):
                    self.satisfied.add(device)
            case claims.Received() if activity.kind is ActivityKind.MESSAGE:
                self.satisfied.add(device)
            case claims.Sent() if activity.kind is ActivityKind.ACKNOWLEDGED:
                self.satisfied.add(device)
            case claims.TwinHas(side="desired") as twin if activity.kind is ActivityKind.DESIRED:
                if _sets(activity.details["patch"], twin):
                    self.satisfied.add(device)
            case claims.TwinHas(side="reported") as twin:
                self._on_report(device, activity, twin)

    def _on_report(self, device: str, activity: Activity, twin: claims.TwinHas) -> None:
        """A report counts once the hub has accepted it."""
        kind, details = activity.kind, activity.details
        if kind is ActivityKind.REPORT and device not in self.satisfied and _sets(details["patch"], twin):
            self._reports.setdefault(device, deque(maxlen=MAX_OPEN_REPORTS)).append(details["rid"])
        elif kind is ActivityKind.REPORT_ACCEPTED and details["rid"] in self._reports.get(device, ()):
            self.satisfied.add(device)
            del self._reports[device]


class ExpectationTracker:
    """Follows all activities, and knows which expectations have come true."""

    def __init__(
        self,
        expectations: Sequence[Expectation],
        devices: Collection[str],
        start: float,
        *,
        is_shard: bool = False,
    ) -> None:
        """devices: the ids of all simulated devices.  start: when durations begin, on the clock of `Moment.at`.

        is_shard: whether others simulate further devices of the same simulation.
        Raises BadValue for an expectation on more devices than there are.
        """
        self._devices = devices
        self._start = start
        self._failed: set[str] = set()
        self._all = [_Progress(each, len(devices), start, is_shard=is_shard) for each in expectations]
        self._open = list(self._all)

    @property
    def is_decided(self) -> bool:
        """Whether nothing is left to wait for."""
        return not self._open

    def on(self, device: str, activity: Activity, now: Moment) -> None:
        """Take an activity of `device` into account."""
        if not self._open:
            return
        is_closing = activity.kind in _FAILED
        if is_closing:
            self._failed.add(device)
        elif activity.kind is ActivityKind.READY:
            self._failed.discard(device)
        for each in self._open:
            if now.at <= each.deadline_at:
                each.on(device, activity)
                if len(each.satisfied) > each.most_count:
                    each.grew(now.at)
                    is_closing = is_closing or each.most_count >= each.wanted_count
        if is_closing:
            self.decide(now)

    def decide(self, now: Moment) -> None:
        """Decide what has come true, what is too late, and what cannot come true any more."""
        for each in self._open:
            each.decide(now.at, len(self._devices), self._failed)
        self._open = [each for each in self._open if each.decided_at is None]

    def end(self, now: Moment) -> list[Verdict]:
        """The run has ended. Gives the verdicts, in the order of the expectations."""
        self.decide(now)
        for each in self._open:
            each.end(now.at)
        self._open = []
        return [self._verdict(each) for each in self._all]

    def came_true(self) -> list[Expectation]:
        """The expectations that have come true so far."""
        return [each.expectation for each in self._all if each.decided_at is not None and not each.reason]

    def standings(self) -> list[Standing]:
        """How each expectation stands, in their order."""
        return [
            Standing(
                expectation=each.expectation,
                came_true=None if each.decided_at is None else not each.reason,
                after_s=None if each.decided_at is None else each.decided_at - self._start,
                reason=each.reason,
                needed_count=each.needed_count,
                held_count=len(each.satisfied),
            )
            for each in self._all
        ]

    def _verdict(self, progress: _Progress) -> Verdict:
        assert progress.decided_at is not None
        satisfied = progress.satisfied
        missing = [device for device in self._devices if device not in satisfied] if progress.reason else []
        return Verdict(
            expectation=progress.expectation,
            came_true=not progress.reason,
            after_s=progress.decided_at - self._start,
            reason=progress.reason,
            needed_count=progress.needed_count,
            held_count=progress.held_count,
            missing=missing,
            missing_count=len(missing),
        )


class EndConditions:
    """Several conditions, of which the first that holds ends a run."""

    def __init__(self, conditions: Sequence[Until], devices: Collection[str], start: float) -> None:
        """Raises BadValue for a condition on more devices than there are."""
        self._conditions = conditions
        self._start = start
        expectations = [each for each in conditions if isinstance(each, Expectation)]
        self._expectations = ExpectationTracker(expectations, devices, start)

    def on(self, device: str, activity: Activity, now: Moment) -> None:
        """Take an activity of `device` into account."""
        self._expectations.on(device, activity, now)

    def reached(self, statistics: Statistics, now: Moment) -> str | None:
        """The condition that holds, as it was typed; None: not yet."""
        true_claims = self._expectations.came_true()
        for each in self._conditions:
            match each:
                case claims.After(text, seconds) if now.at - self._start >= seconds:
                    return text
                case claims.Count(text, what, number) if statistics.counts[_COUNTED[what]] >= number:
                    return text
                case Expectation() if each in true_claims:
                    return each.text
        return None


_FAILED = (ActivityKind.REFUSED, ActivityKind.ABSENT)
_COUNTED = {"messages": ActivityKind.ACKNOWLEDGED, "methods": ActivityKind.ANSWER}


def _sets(patch: Any, twin: claims.TwinHas) -> bool:
    """Whether a patch sets the value; numbers are compared as numbers, but true is not 1."""
    value: Any = patch
    for name in twin.path:
        if not isinstance(value, Mapping) or name not in value:
            return False
        value = value[name]
    return _same(value, twin.value)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)
