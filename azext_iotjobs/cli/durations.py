"""How long something takes, as it is typed: 0.5, 500ms, 0.1-2, 1m-5m, {normal: …}, {long-tail: …}."""

import re

from azext_iotjobs.cli.yaml_items import Item
from azext_iotjobs.simulator.durations import LONGEST_S, Duration, Fixed, LongTail, Normal, Uniform

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
PIECE = r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?"
SPAN = re.compile(PIECE)
RANGE = re.compile(rf"{PIECE}\s*-\s*{PIECE}")
FORMS = "seconds such as 0.5, with a unit such as 500ms, 2m or 1h, or a range such as 0.1-2"
KINDS = ("uniform", "normal", "long-tail")


def parse_duration(text: str) -> Duration | None:
    """The duration that a text means; None when it means none, or one that is too long."""
    text = text.strip()
    if (found := SPAN.fullmatch(text)) is not None:
        seconds = _seconds(found[1], found[2])
        return Fixed(seconds) if seconds <= LONGEST_S else None
    if (found := RANGE.fullmatch(text)) is None:
        return None
    # 100-500ms: a unit that only the end has is meant for both.
    least, most = _seconds(found[1], found[2] or found[4]), _seconds(found[3], found[4])
    return Uniform(least, most) if least <= most <= LONGEST_S else None


def seconds_of(item: Item, least: float = 0.0) -> float:
    """A fixed time, in seconds. Raises BadValue."""
    found = parse_duration(str(item.scalar())) if not item.is_object and not item.is_list else None
    if not isinstance(found, Fixed) or found.seconds < least:
        item.refuse(f"a time, {least:g} s or more and 7 days at most: {FORMS.partition(', or')[0]}")
    return found.seconds


def duration_of(item: Item) -> Duration:
    """A time, fixed or by chance. Raises BadValue."""
    if item.is_object:
        return _distribution(item)
    found = parse_duration(str(item.scalar())) if not item.is_list else None
    if found is None:
        item.refuse(f"{FORMS}, or an object of {', '.join(KINDS)}; 7 days at most")
    return found


def _distribution(item: Item) -> Duration:
    members = item.members(allowed=KINDS)
    if len(members) != 1:
        item.refuse(f"one of {', '.join(KINDS)}")
    ((kind, inner),) = members.items()
    if kind == "uniform":
        bounds = inner.items()
        if len(bounds) != 2 or seconds_of(bounds[0]) > seconds_of(bounds[1]):
            inner.refuse("two times, the shorter one first: [0.1, 2]")
        return Uniform(seconds_of(bounds[0]), seconds_of(bounds[1]))
    if kind == "normal":
        given = inner.members(allowed=("mean", "deviation"))
        if len(given) != 2:
            inner.refuse("mean and deviation")
        return Normal(seconds_of(given["mean"]), seconds_of(given["deviation"]))
    given = inner.members(allowed=("median", "p99", "at-most"))
    if not {"median", "p99"} <= set(given):
        inner.refuse("median and p99, and at-most if wanted")
    median = seconds_of(given["median"], least=0.001)
    p99 = seconds_of(given["p99"], least=0.001)
    most = seconds_of(given["at-most"]) if "at-most" in given else LONGEST_S
    if not median < p99 <= most:
        inner.refuse("a median that is less than p99, and at-most not less than p99")
    return LongTail(median, p99, most)


def _seconds(number: str, unit: str | None) -> float:
    return float(number) * UNITS[unit or "s"]
