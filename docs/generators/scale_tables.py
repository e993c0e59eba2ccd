"""Compute every number of docs/scale.md: from the quotas that the local hub enforces, and what pods are given.

`make docs` calls this; a test keeps the page equal to what it produces. What is not made stays as it was written.
"""

import re
from math import ceil
from pathlib import Path
from typing import NamedTuple

from azext_iotjobs.cli.simulate.simulation_job import (
    BASE_MIB,
    DEVICES_PER_SHARD,
    KIB_PER_DEVICE,
    largest_shard,
    memory_mib,
    shards_for,
)
from azext_iotjobs.clients.paging import MAX_PAGE_ITEMS
from azext_iotjobs.localhub.rules.quota import TABLE, UNIT_LIMITS, Sku, Throttle, job_slots, quotas
from azext_iotjobs.model.query_pace import SHARE
from azext_iotjobs.model.share import MAX_DEVICES
from azext_iotjobs.model.tier import OUR_CALLS_A_SECOND

PAGE = Path(__file__).parents[1] / "scale.md"
DAY_S = 86_400
# IoT Hub pricing: messages a day and unit, each of 4 KB at most.
MESSAGES_A_DAY = {Sku.S1: 400_000, Sku.S2: 6_000_000, Sku.S3: 300_000_000}
# IoT Hub billing: the call of a method, and its answer if that has a payload; one for a change of a twin.
METHOD_MESSAGES, TWIN_MESSAGES = 2, 1
FLEETS = (10_000, 100_000, 1_000_000)
SKUS = (Sku.S1, Sku.S2, Sku.S3)
SHOWN = (
    Throttle.METHODS,
    Throttle.TWIN_UPDATES,
    Throttle.JOB_DEVICES,
    Throttle.JOBS,
    Throttle.QUERIES,
    Throttle.CONNECTIONS,
    Throttle.SENDS,
    Throttle.REGISTRY,
)


class Hub(NamedTuple):
    """What was bought."""

    sku: Sku
    units: int

    def __str__(self) -> str:
        return f"{self.sku.value}, {self.units} {'unit' if self.units == 1 else 'units'}"

    def a_second(self, throttle: Throttle) -> float:
        """What the hub allows all its clients together."""
        return quotas(self.sku, self.units)[throttle].rate

    @property
    def messages_a_day(self) -> int:
        return MESSAGES_A_DAY[self.sku] * self.units


HUBS = (Hub(Sku.S1, 1), Hub(Sku.S1, 10), Hub(Sku.S2, 1), Hub(Sku.S2, 20), Hub(Sku.S3, 1), Hub(Sku.S3, 10))


def parts() -> dict[str, str]:
    """The generated parts of the page, by their names."""
    return {
        "quotas": _quotas(),
        "rollouts": _rollouts(),
        "days": _days(),
        "checks": _checks(),
        "simulators": _simulators(),
        "constants": _constants(),
        "examples": "".join(_example(count, hub) for count, hub in zip(FLEETS, EXAMPLES, strict=True)),
    }


EXAMPLES = (Hub(Sku.S1, 1), Hub(Sku.S2, 4), Hub(Sku.S3, 2))


def page(written: str) -> str:
    """The page with its generated parts renewed."""
    for name, text in parts().items():
        part = rf"(?<=<!-- made: {name} -->\n).*?(?=<!-- end -->)"
        written, count = re.subn(part, text.replace("\\", r"\\"), written, flags=re.DOTALL)
        if count != 1:
            raise ValueError(f"{PAGE.name} must have one part that is marked as made: {name}")
    return written


def write() -> None:
    """Bring the page up to date."""
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")


def seconds_of(count: int, hub: Hub, throttle: Throttle) -> float:
    """How long so many take at the hub's quota."""
    return count / hub.a_second(throttle)


def look_s(count: int, hub: Hub) -> float:
    """How long it takes to read so many twins once, by pages, in the share of the queries that a run takes."""
    return ceil(count / MAX_PAGE_ITEMS) / (hub.a_second(Throttle.QUERIES) / SHARE)


def duration(seconds: float) -> str:
    """For people."""
    if seconds < 120:
        return f"{max(1, round(seconds))} s"
    if seconds < 2 * 3600:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h" if seconds < 2 * DAY_S else f"{seconds / DAY_S:.1f} days"


def memory(mib: float) -> str:
    """For people."""
    return f"{mib:,.0f} MiB" if mib < 2048 else f"{mib / 1024:.1f} GiB"


def _table(*rows: tuple[object, ...]) -> str:
    head, *others = ["| " + " | ".join(map(str, row)) + " |\n" for row in rows]
    return head + "|" + "---|" * len(rows[0]) + "\n" + "".join(others)


def _quotas() -> str:
    def shown(throttle: Throttle, column: int) -> str:
        grant = TABLE[throttle][column]
        found = []
        if grant.per_unit:
            found.append(f"{grant.per_unit:,.0f} a unit")
        if grant.least:
            found.append(f"{grant.least:,.0f} a hub" if not grant.per_unit else f"at least {grant.least:,.0f}")
        return ", ".join(found)

    def row(throttle: Throttle) -> tuple[object, ...]:
        period = "second" if TABLE[throttle][0].period_s == 1 else "minute"
        return (f"{throttle.value}, a {period}", *(shown(throttle, column) for column in range(3)))

    return _table(
        ("", *(sku.value for sku in SKUS)),
        *map(row, SHOWN),
        ("jobs at a time, those included that wait for their start", *map(job_slots, SKUS)),
        ("messages of 4 KB a day", *(f"{MESSAGES_A_DAY[sku]:,} a unit" for sku in SKUS)),
        ("units at most", *(UNIT_LIMITS[sku.value] for sku in SKUS)),
    )


def _rollouts() -> str:
    kinds = {
        "a method, by calls": Throttle.METHODS,
        "twins, by calls": Throttle.TWIN_UPDATES,
        "either, by jobs": Throttle.JOB_DEVICES,
    }
    return _table(
        ("devices", "hub", *kinds),
        *(
            (f"{count:,}", hub, *(duration(seconds_of(count, hub, throttle)) for throttle in kinds.values()))
            for count in FLEETS
            for hub in HUBS
        ),
    )


def _days() -> str:
    def times(hub: Hub, throttle: Throttle, messages: int) -> str:
        by_rate = hub.a_second(throttle) * DAY_S
        by_messages = hub.messages_a_day / messages
        least, why = min((by_rate, "rate"), (by_messages, "messages"))
        return f"{least:,.0f} ({why})"

    return _table(
        ("hub", "methods by calls", "twin updates by calls", "devices of twin jobs"),
        *(
            (
                hub,
                times(hub, Throttle.METHODS, METHOD_MESSAGES),
                times(hub, Throttle.TWIN_UPDATES, TWIN_MESSAGES),
                times(hub, Throttle.JOB_DEVICES, TWIN_MESSAGES),
            )
            for hub in HUBS
        ),
    )


def _checks() -> str:
    return _table(
        ("devices", "hub", "register", "connect", "read all twins once"),
        *(
            (
                f"{count:,}",
                hub,
                duration(seconds_of(count, hub, Throttle.REGISTRY)),
                duration(seconds_of(count, hub, Throttle.CONNECTIONS)),
                duration(look_s(count, hub)),
            )
            for count in FLEETS
            for hub in HUBS
        ),
    )


def _simulators() -> str:
    def row(count: int) -> tuple[object, ...]:
        shards = shards_for(count)
        largest = largest_shard(count, shards)
        mib = memory_mib(largest)
        ramps = [_rate(hub.a_second(Throttle.CONNECTIONS) / shards) for hub in map(_one_unit, SKUS)]
        return (f"{count:,}", shards, f"{largest:,}", memory(mib), memory(mib * shards), *ramps)

    ramps = [f"`--ramp` on {sku.value}, 1 unit" for sku in SKUS]
    heads = ("devices", "pods", "devices of the largest pod, at most", "memory of each", "of all", *ramps)
    return _table(heads, *map(row, FLEETS))


def _rate(a_second: float) -> str:
    return f"{a_second:,.0f}/s" if a_second >= 10 else f"{a_second:.1f}/s"


def _one_unit(sku: Sku) -> Hub:
    return Hub(sku, 1)


def _constants() -> str:
    return (
        f"- A shard for each {DEVICES_PER_SHARD:,} devices; {BASE_MIB} MiB, and {KIB_PER_DEVICE} KiB for each device.\n"
        f"- A query gives {MAX_PAGE_ITEMS} devices at most. A run takes one of {SHARE} queries that its hub allows.\n"
        f"- A method costs {METHOD_MESSAGES} messages, of the call and of an answer with a payload; a change of a twin "
        f"{TWIN_MESSAGES}.\n"
        f"- A hub has {MAX_DEVICES:,} devices at most.\n"
        f"- Fleet jobs reckon with {OUR_CALLS_A_SECOND:,.0f} calls a second of one process when they estimate.\n"
    )


def _example(count: int, hub: Hub) -> str:
    by_calls, by_jobs = seconds_of(count, hub, Throttle.METHODS), seconds_of(count, hub, Throttle.JOB_DEVICES)
    messages = count * METHOD_MESSAGES
    ours = max(by_calls, count / OUR_CALLS_A_SECOND)
    shards = shards_for(count)
    mib = memory_mib(largest_shard(count, shards))
    share = messages / hub.messages_a_day
    first = "calls" if by_calls <= by_jobs else "jobs"
    return (
        f"**{count:,} devices on {hub}.** A method on all takes {duration(by_calls)} by calls, at "
        f"{hub.a_second(Throttle.METHODS):,.0f} a second, and {duration(by_jobs)} by jobs, at "
        f"{hub.a_second(Throttle.JOB_DEVICES):,.0f}: {first} are faster. One process that makes "
        f"{OUR_CALLS_A_SECOND:,.0f} calls a second needs {duration(ours)}. It costs {messages:,} messages, "
        f"{share:.1%} of the day's. To read all twins once, for a check, takes {duration(look_s(count, hub))}. To "
        f"connect all devices takes {duration(seconds_of(count, hub, Throttle.CONNECTIONS))}, to register them "
        f"{duration(seconds_of(count, hub, Throttle.REGISTRY))}. To simulate them: {shards} "
        f"{'pod' if shards == 1 else 'pods'} of {memory(mib)}, {memory(mib * shards)} in all.\n\n"
    )
