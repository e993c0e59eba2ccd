"""The faults that were requested of a hub, and how often each has happened. None outlives the hub or a reset."""

import itertools
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from azext_iotjobs.localhub.clock import HubClock
from azext_iotjobs.localhub.rules.fault import InjectedFault, Kind, Operation

MAX_LISTED = 1000  # those that are over included


class TooManyFaults(Exception):
    """There are as many faults as there may be, and none of them is over."""


class Effect(NamedTuple):
    """What happens to an operation: a delay, and then a fault of another kind than LATENCY; None: nothing else."""

    delay_s: float
    fault: InjectedFault | None


class ListedFault:
    """One fault, and what has become of it."""

    __slots__ = ("_random", "applied", "created_at", "ends_at", "fault", "fault_id")

    def __init__(self, fault_id: str, fault: InjectedFault, created_at: datetime) -> None:
        self.fault_id = fault_id
        self.fault = fault
        self.created_at = created_at
        self.ends_at = None if fault.for_s is None else created_at + timedelta(seconds=fault.for_s)
        self.applied = 0  # how often it has happened
        self._random = Random(fault.seed)

    def is_over(self, now: datetime) -> bool:
        """Whether it will not happen again."""
        is_used_up = self.fault.times is not None and self.applied >= self.fault.times
        return is_used_up or (self.ends_at is not None and now >= self.ends_at)

    def draws(self) -> bool:
        """Whether the next operation that it concerns belongs to its share."""
        return self.fault.percent is None or self.fault.is_drawn(self._random.random())


class Faults:
    """The list. Whoever carries out an operation looks at `active` first: mostly it is empty."""

    def __init__(self, clock: HubClock) -> None:
        self.active: tuple[ListedFault, ...] = ()
        self._clock = clock
        self._listed: dict[str, ListedFault] = {}
        self._ids = map(str, itertools.count(1))

    def add(self, fault: InjectedFault) -> ListedFault:
        """Request a fault. Raises TooManyFaults."""
        now = self._clock.now()
        self._end_those_over(now)
        if len(self._listed) >= MAX_LISTED:
            over = next((each for each in self._listed.values() if each.is_over(now)), None)
            if over is None:
                raise TooManyFaults
            del self._listed[over.fault_id]
        listed = ListedFault(next(self._ids), fault, now)
        self._listed[listed.fault_id] = listed
        self.active += (listed,)
        return listed

    def all(self) -> list[ListedFault]:
        """Every fault that was not cleared, the oldest first; those that are over too."""
        return list(self._listed.values())

    def current(self) -> tuple[ListedFault, ...]:
        """Those that may still happen."""
        self._end_those_over(self._clock.now())
        return self.active

    def get(self, fault_id: str) -> ListedFault | None:
        """One of them."""
        return self._listed.get(fault_id)

    def clear(self, fault_id: str | None = None) -> None:
        """Remove one, or all; one that is not there is as good as removed."""
        if fault_id is None:
            self._listed.clear()
        else:
            self._listed.pop(fault_id, None)
        self.active = tuple(each for each in self.active if each.fault_id in self._listed)

    def effect(self, operation: Operation, device: str | None, name: str | None = None) -> Effect | None:
        """What happens to an operation, as `InjectedFault.concerns` has them; it is counted now. None: nothing.

        Delays add up; of the others the oldest happens.
        """
        delay_s, outcome = 0.0, None
        for each in self._applying(operation, device, name):
            if each.fault.kind is Kind.LATENCY:
                delay_s += each.fault.delay_s
            elif outcome is None:
                outcome = each.fault
            else:
                continue
            each.applied += 1
        return Effect(delay_s, outcome) if delay_s or outcome else None

    def clock_skew(self, device: str | None) -> timedelta:
        """How far the clock is ahead by which a token is judged. device: whose it is; None: of a policy."""
        effect = self.effect(Operation.TOKEN, device) if self.active else None
        return timedelta(seconds=effect.fault.skew_s if effect is not None and effect.fault is not None else 0.0)

    def _applying(self, operation: Operation, device: str | None, name: str | None) -> list[ListedFault]:
        return [each for each in self.current() if each.fault.concerns(operation, device, name) and each.draws()]

    def _end_those_over(self, now: datetime) -> None:
        if any(each.is_over(now) for each in self.active):
            self.active = tuple(each for each in self.active if not each.is_over(now))
