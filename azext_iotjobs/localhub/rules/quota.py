"""The quotas of a hub's tier: the table of throttles, and the meter of one throttle. Pure: `now` is an argument.

Strategy: a meter has one number, the instant at which everything that passed would be done at the quota's rate. Above
the rate a burst passes at once, further requests are delayed, and those that would be delayed too long are refused.
Whether and when a request passes does not depend on its own cost; later requests wait for that. Otherwise large ones
would never pass.
Source: IoT Hub devguide "quotas and throttling", with units per tier from the service's limits. How long the burst and
the queue are is not published: docs/explanation/local-hub-differences.md says what was chosen, and why.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

QUEUE_S = 10.0  # the longest delay; also what the service tells refused clients to wait
METHOD_BLOCK_BYTES = 4096  # a method call is metered in these
UNIT_LIMITS = {"F1": 1, "S1": 200, "S2": 200, "S3": 10}


class Sku(Enum):
    """A hub's tier and size; the value is the service's."""

    F1 = "F1"
    S1 = "S1"
    S2 = "S2"
    S3 = "S3"
    UNLIMITED = "unlimited"  # ours: nothing is metered


class Throttle(Enum):
    """What is metered; the value is for people."""

    REGISTRY = "registry operations"
    CONNECTIONS = "new device connections"
    SENDS = "telemetry sends"
    MESSAGE_SENDS = "cloud-to-device sends"
    MESSAGE_RECEIVES = "cloud-to-device receives"  # over HTTPS
    QUERIES = "queries"
    METHODS = "direct methods"  # blocks of METHOD_BLOCK_BYTES
    TWIN_READS = "twin reads"
    TWIN_UPDATES = "twin updates"
    JOBS = "jobs operations"
    JOB_DEVICES = "jobs device operations"
    CONFIGURATIONS = "configuration operations"
    FILE_UPLOADS = "file upload initiations"


@dataclass(frozen=True)
class Quota:
    """The limit of one meter."""

    rate: float  # > 0; a second
    burst: float  # >= 1; what passes at once after a pause
    queue_s: float = QUEUE_S  # >= 0; a longer delay is a refusal


@dataclass(frozen=True)
class Grant:
    """What a tier allows in a period: `per_unit` times the units, or `least` for the whole hub if that is more."""

    per_unit: float = 0.0
    least: float = 0.0
    period_s: float = 1.0  # as it is published

    def quota(self, units: int) -> Quota:
        """The quota of a hub with this many units."""
        amount = max(self.least, self.per_unit * units)
        return Quota(rate=amount / self.period_s, burst=amount)


def _a_minute(per_unit: float) -> Grant:
    return Grant(per_unit, period_s=60.0)


TABLE: Mapping[Throttle, tuple[Grant, Grant, Grant]] = {
    #                           F1, S1                    S2                        S3
    Throttle.REGISTRY: (_a_minute(100), _a_minute(100), _a_minute(5_000)),
    Throttle.CONNECTIONS: (Grant(12, least=100), Grant(120), Grant(6_000)),
    Throttle.SENDS: (Grant(12, least=100), Grant(120), Grant(6_000)),
    Throttle.MESSAGE_SENDS: (_a_minute(100), _a_minute(100), _a_minute(5_000)),
    Throttle.MESSAGE_RECEIVES: (_a_minute(1_000), _a_minute(1_000), _a_minute(50_000)),
    Throttle.QUERIES: (_a_minute(20), _a_minute(20), _a_minute(1_000)),
    # 160 KB, 480 KB and 24 MB a second
    Throttle.METHODS: (Grant(40), Grant(120), Grant(6_000)),
    Throttle.TWIN_READS: (Grant(least=100), Grant(10, least=100), Grant(500)),
    Throttle.TWIN_UPDATES: (Grant(least=50), Grant(5, least=50), Grant(250)),
    Throttle.JOBS: (_a_minute(100), _a_minute(100), _a_minute(5_000)),
    Throttle.JOB_DEVICES: (Grant(least=10), Grant(1, least=10), Grant(50)),
    Throttle.CONFIGURATIONS: (_a_minute(20), _a_minute(20), _a_minute(20)),
    Throttle.FILE_UPLOADS: (_a_minute(100), _a_minute(100), _a_minute(5_000)),
}
_COLUMNS = {Sku.F1: 0, Sku.S1: 0, Sku.S2: 1, Sku.S3: 2}
_JOB_SLOTS = {Sku.F1: 1, Sku.S1: 1, Sku.S2: 5, Sku.S3: 10}


def quotas(sku: Sku, units: int) -> dict[Throttle, Quota]:
    """The quotas of a hub; none for one without limits."""
    if sku is Sku.UNLIMITED:
        return {}
    granted = {throttle: row[_COLUMNS[sku]].quota(units) for throttle, row in TABLE.items()}
    # The hub makes these operations itself, at an even rate: none is refused. A burst of two, so that one that is late,
    # as timers are, does not delay the next one.
    return {**granted, Throttle.JOB_DEVICES: Quota(granted[Throttle.JOB_DEVICES].rate, burst=2, queue_s=math.inf)}


def job_slots(sku: Sku) -> int | None:
    """How many jobs may be active at once, scheduled ones included; None: any number."""
    return _JOB_SLOTS.get(sku)


def method_blocks(payload_bytes: int) -> int:
    """What a method call with such a payload costs."""
    return max(1, math.ceil(payload_bytes / METHOD_BLOCK_BYTES))


class Meter:
    """Applies one quota, and counts."""

    __slots__ = ("_last_request_at", "_free_at", "counted", "delayed", "passed", "quota", "refused")

    def __init__(self, quota: Quota) -> None:
        self.quota = quota
        self._free_at = 0.0  # when everything that passed is done at the rate
        self._last_request_at = 0.0
        self.passed = 0  # requests, delayed ones included
        self.delayed = 0  # of these
        self.refused = 0
        self.counted = 0  # the cost of those that passed

    def request(self, now: float, cost: int = 1) -> float | None:
        """Seconds until a request may pass; 0: now. None: it is refused, and costs nothing.

        now: seconds since any instant; when it goes back, the remaining delay stays the same.  cost: 1 or more.
        """
        if now < self._last_request_at:
            self._free_at -= self._last_request_at - now
        self._last_request_at = now
        quota = self.quota
        owed_s = max(0.0, self._free_at - now)
        wait_s = max(0.0, owed_s - (quota.burst - 1) / quota.rate)
        if wait_s > quota.queue_s:
            self.refused += 1
            return None
        self._free_at = now + owed_s + cost / quota.rate
        self.passed += 1
        self.delayed += wait_s > 0
        self.counted += cost
        return wait_s
