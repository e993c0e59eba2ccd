"""Judges what is expected of a fleet, and when its run has come to its end. Pure.

A claim is true of a device from the moment at which it happened, and stays so; but `connected` is true only as long as
it is. An expectation has come true as soon as enough devices make it so; it is lost at its deadline, at the end of the
run, or when too few devices are left.
"""

import math
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.simulator import claims
from azext_iotjobs.simulator.claims import Expectation, Until
from azext_iotjobs.simulator.events import Moment, Seen, What
from azext_iotjobs.simulator.statistics import Statistics

MAX_OPEN_REPORTS = 16  # of one device that would make a claim true

GONE = (What.LOST, What.NOT_CONNECTED, What.REFUSED, What.LEFT)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What an expectation came to."""

    expectation: Expectation
    came_true: bool
    after_s: float  # from the start to when it was decided
    reason: str  # why it did not come true; "" when it did
    needed_count: int
    held_count: int  # devices of which it was true then
    missing: Sequence[str]  # those of which it was not, in the fleet's order; [] when it came true


class _Tally:
    """One expectation and the devices of which it is true."""

    def __init__(self, expectation: Expectation, device_count: int, start: float) -> None:
        self.expectation = expectation
        self.needed = expectation.share.of(device_count)
        if self.needed > device_count:
            raise BadValue(
                f"{expectation.text!r} wants {self.needed} devices; there are {device_count}.",
                hint='"on all" stands for as many as there are.',
            )
        self.deadline = math.inf if expectation.within_s is None else start + expectation.within_s
        self.holders: set[str] = set()
        self.decided_at: float | None = None
        self.reason = ""
        self._reports: dict[str, deque[str]] = {}  # by device: rids of reports that would make the claim true

    def on(self, device: str, seen: Seen) -> None:
        match self.expectation.claim:
            case claims.Connected() if seen.what is What.READY:
                self.holders.add(device)
            case claims.Connected() if seen.what in GONE:
                self.holders.discard(device)
            case claims.Answered(name) if seen.what is What.ANSWER and name in (
                claims.ANY_METHOD,
                seen.details["name"],
            ):
                self.holders.add(device)
            case claims.Received() if seen.what is What.MESSAGE:
                self.holders.add(device)
            case claims.Sent() if seen.what is What.ACKNOWLEDGED:
                self.holders.add(device)
            case claims.Told(side="desired") as told if seen.what is What.DESIRED:
                if _says(seen.details["patch"], told):
                    self.holders.add(device)
            case claims.Told(side="reported") as told:
                self._reported(device, seen, told)

    def _reported(self, device: str, seen: Seen, told: claims.Told) -> None:
        if seen.what is What.REPORT and device not in self.holders and _says(seen.details["patch"], told):
            self._reports.setdefault(device, deque(maxlen=MAX_OPEN_REPORTS)).append(seen.details["rid"])
        elif seen.what is What.REPORT_ACCEPTED and seen.details["rid"] in self._reports.get(device, ()):
            self.holders.add(device)
            del self._reports[device]


class Judge:
    """Told of everything that happens, it knows which expectations came true."""

    def __init__(self, expectations: Sequence[Expectation], devices: Collection[str], start: float) -> None:
        """devices: every id of the fleet.  start: when durations begin, as `Moment.at` has it.

        Raises BadValue for an expectation of more devices than there are.
        """
        self._devices = devices
        self._start = start
        self._out: set[str] = set()
        self._tallies = [_Tally(each, len(devices), start) for each in expectations]
        self._open = list(self._tallies)

    @property
    def is_decided(self) -> bool:
        """Whether nothing is left to wait for."""
        return not self._open

    def on(self, device: str, seen: Seen, now: Moment) -> None:
        """Take in what `device` saw or did."""
        if not self._open:
            return
        is_closing = seen.what in _OUT
        if is_closing:
            self._out.add(device)
        elif seen.what is What.READY:
            self._out.discard(device)
        for tally in self._open:
            if now.at <= tally.deadline:
                tally.on(device, seen)
                is_closing = is_closing or len(tally.holders) >= tally.needed
        if is_closing:
            self.decide(now)

    def decide(self, now: Moment) -> None:
        """Close what came true, what is too late, and what cannot come true any more."""
        for tally in self._open:
            if len(tally.holders) >= tally.needed:
                tally.decided_at = now.at
            elif now.at > tally.deadline:
                tally.decided_at, tally.reason = tally.deadline, "not in time"
            elif len(self._devices) - len(self._out - tally.holders) < tally.needed:
                tally.decided_at, tally.reason = now.at, "too few devices are left"
        self._open = [tally for tally in self._open if tally.decided_at is None]

    def end(self, now: Moment) -> list[Verdict]:
        """The run is over: the verdicts, in the order of the expectations."""
        self.decide(now)
        for tally in self._open:
            tally.decided_at, tally.reason = now.at, "not before the end"
        self._open = []
        return [self._verdict(tally) for tally in self._tallies]

    def came_true(self) -> list[Expectation]:
        """Those that have, so far."""
        return [tally.expectation for tally in self._tallies if tally.decided_at is not None and not tally.reason]

    def _verdict(self, tally: _Tally) -> Verdict:
        assert tally.decided_at is not None
        missing = [device for device in self._devices if device not in tally.holders] if tally.reason else []
        return Verdict(
            expectation=tally.expectation,
            came_true=not tally.reason,
            after_s=tally.decided_at - self._start,
            reason=tally.reason,
            needed_count=tally.needed,
            held_count=len(tally.holders),
            missing=missing,
        )


class Ending:
    """Knows when a run is over: at the first of several conditions."""

    def __init__(self, conditions: Sequence[Until], devices: Collection[str], start: float) -> None:
        """Raises BadValue for a condition on more devices than there are."""
        self._conditions = conditions
        self._start = start
        self._judge = Judge([each for each in conditions if isinstance(each, Expectation)], devices, start)

    def on(self, device: str, seen: Seen, now: Moment) -> None:
        """Take in what `device` saw or did."""
        self._judge.on(device, seen, now)

    def reached(self, statistics: Statistics, now: Moment) -> str | None:
        """The condition that holds, as it was typed; None: not yet."""
        true_claims = self._judge.came_true()
        for each in self._conditions:
            match each:
                case claims.After(text, seconds) if now.at - self._start >= seconds:
                    return text
                case claims.Count(text, what, number) if statistics.counts[_COUNTED[what]] >= number:
                    return text
                case Expectation() if each in true_claims:
                    return each.text
        return None


_OUT = (What.REFUSED, What.ABSENT)
_COUNTED = {"messages": What.ACKNOWLEDGED, "methods": What.ANSWER}


def _says(patch: Any, told: claims.Told) -> bool:
    """Whether a patch sets the value; numbers are compared as numbers, but true is not 1."""
    value: Any = patch
    for name in told.path:
        if not isinstance(value, Mapping) or name not in value:
            return False
        value = value[name]
    return _same(value, told.value)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)
