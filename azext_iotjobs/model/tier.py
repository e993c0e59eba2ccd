"""A hub's tier, what it allows a second, and who had better operate its devices. Pure.

Source: IoT Hub quotas and throttling. Calls count 4 KB of payload at least; what this machine manages is our own guess.
"""

import json
from math import ceil

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.fleet_job import Action, ActionKind, Driver
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.text import counted

OUR_CALLS_A_SECOND = 300.0  # from one process, over TLS
METER_BYTES = 4 * 1024
METHOD_BYTES_A_SECOND = {"1": 160 * 1024, "2": 480 * 1024, "3": 24 * 1024 * 1024}  # per unit
MOST_UNITS = {"F1": 1, "B3": 10, "S3": 10}  # of the other tiers 200
JOB_SLOTS = {"1": 1, "2": 5, "3": 10}
QUERIES_A_MINUTE = {"1": 20, "2": 20, "3": 1_000}  # per unit
REGISTRY_A_MINUTE = {"1": 100, "2": 100, "3": 5_000}  # per unit; a bulk request counts each device
UNLIMITED = "unlimited"  # a local hub without a tier: nothing of it is paced


@dataclass(frozen=True)
class TierFacts:
    """What a hub was bought as. Raises BadValue for a tier that we do not know."""

    sku: str  # F1, B1..B3, S1..S3; or UNLIMITED
    units: int = 1

    def __post_init__(self) -> None:
        if self.is_unlimited and self.units == 1:
            return
        if len(self.sku) != 2 or self.sku[0] not in "FBS" or self.sku[1] not in "123" or self.units < 1:
            raise BadValue(
                f"Tier {self.sku[:20]!r} with {counted(self.units, 'unit')} is not known: give F1, B1 to B3 or S1 to "
                "S3, and 1 unit or more."
            )
        if self.units > (most := MOST_UNITS.get(self.sku, 200)):
            raise BadValue(f"{counted(self.units, 'unit')}: a hub of tier {self.sku} has {most} at most.")

    def __str__(self) -> str:
        if self.is_unlimited:
            return "a hub without a tier"
        return f"{self.sku} with {counted(self.units, 'unit')}"

    @property
    def is_unlimited(self) -> bool:
        """Whether it has no quotas at all."""
        return self.sku == UNLIMITED

    @property
    def job_operations_a_second(self) -> float:
        """Devices that the hub's jobs operate, together; not of a hub without a tier."""
        return {"1": 10.0, "2": max(10.0, 1.0 * self.units), "3": 50.0 * self.units}[self.sku[1]]

    @property
    def job_slots(self) -> int:
        """Jobs that can be there at a time."""
        return JOB_SLOTS[self.sku[1]]

    @property
    def queries_a_minute(self) -> int:
        """Queries that the hub accepts from all its clients together, each page of one counted."""
        return QUERIES_A_MINUTE[self.sku[1]] * self.units

    @property
    def registry_operations_a_minute(self) -> int:
        """Devices that the hub registers, changes or reads for all its clients together; not of one without a tier."""
        return REGISTRY_A_MINUTE[self.sku[1]] * self.units

    def calls_a_second(self, action: Action) -> float:
        """Calls that the hub accepts from all its clients together."""
        if action.kind is ActionKind.METHOD:
            assert action.method is not None
            return METHOD_BYTES_A_SECOND[self.sku[1]] * self.units / (_blocks(action.method) * METER_BYTES)
        if action.kind is ActionKind.TWIN:
            return {"1": 50.0, "2": max(50.0, 5.0 * self.units), "3": 250.0 * self.units}[self.sku[1]]
        return 1.67 * self.units if self.sku[1] != "3" else 83.33 * self.units  # counted as registry operations


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A driver, and why."""

    driver: Driver  # JOBS or CALLS
    reason: str


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """How long devices take by one driver, and what that uses of the hub's quota."""

    driver: Driver
    seconds: float | None  # at least; None: the tier is not known
    limit: str  # which limit of the hub's counts, in words
    operations: int  # that count against it


def estimates(tier: TierFacts | None, action: Action, device_count: int) -> list[Estimate]:
    """What each driver that can do it would take at least; pauses and slow devices come on top."""
    paced_by = None if tier is None or tier.is_unlimited else tier
    a_second = None if paced_by is None else min(OUR_CALLS_A_SECOND, paced_by.calls_a_second(action))
    names = {ActionKind.METHOD: "direct methods", ActionKind.TWIN: "twin updates", ActionKind.CONTENT: "registry"}
    by_calls = Estimate(
        driver=Driver.CALLS,
        seconds=None if a_second is None else device_count / a_second,
        limit=f"{names[action.kind]}{'' if a_second is None else f', {a_second:g} a second'}",
        operations=device_count * (_blocks(action.method) if action.method is not None else 1),
    )
    if action.job_type is None:
        return [by_calls]
    per_second = None if paced_by is None else paced_by.job_operations_a_second
    by_jobs = Estimate(
        driver=Driver.JOBS,
        seconds=None if per_second is None else device_count / per_second,
        limit=f"jobs device operations{'' if per_second is None else f', {per_second:g} a second'}",
        operations=device_count,
    )
    return [by_calls, by_jobs]


def choose_driver(wanted: Driver, tier: TierFacts | None, action: Action, device_count: int) -> Choice:
    """Who operates the devices. A tie is for calls: they can be stopped, and failures are seen as they come."""
    if wanted is not Driver.AUTO:
        return Choice(driver=wanted, reason=f"{wanted.value}: as chosen.")
    found = estimates(tier, action, device_count)
    if len(found) == 1:
        return Choice(driver=Driver.CALLS, reason="calls: the hub has no job for configuration content.")
    by_calls, by_jobs = found
    if tier is not None and tier.is_unlimited:
        return Choice(
            driver=Driver.CALLS,
            reason="calls: the hub has no tier, and so no quotas; calls can be stopped at any device.",
        )
    if tier is None or by_calls.seconds is None or by_jobs.seconds is None:
        return Choice(
            driver=Driver.CALLS,
            reason="calls: the hub's tier is neither known nor given; on most tiers calls are faster than jobs, and "
            "they can be stopped at any device.",
        )
    calls_win = by_calls.seconds <= by_jobs.seconds
    winner, other = (by_calls, by_jobs) if calls_win else (by_jobs, by_calls)
    return Choice(
        driver=winner.driver,
        reason=f"{winner.driver.value}: {counted(device_count, 'device takes', 'devices take')} about "
        f"{_about(winner)} or more ({winner.limit}, {tier}); by {other.driver.value} {_about(other)} ({other.limit}).",
    )


def _about(estimate: Estimate) -> str:
    seconds = estimate.seconds or 0.0
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1g} s"


def _blocks(method: MethodCall) -> int:
    """How many calls one call counts for."""
    return max(1, ceil(len(json.dumps(method.payload).encode()) / METER_BYTES))
