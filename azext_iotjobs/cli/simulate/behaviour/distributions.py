"""Lengths of time in a behaviour file: a text, or {uniform: …}, {normal: …}, {long-tail: …}."""

from azext_iotjobs.cli.input.durations import FORMS, parse_duration
from azext_iotjobs.cli.input.yaml_items import Item
from azext_iotjobs.simulator.durations import LONGEST_S, Duration, Fixed, LongTail, Normal, Uniform

KINDS = ("uniform", "normal", "long-tail")


def seconds_of(item: Item, least: float = 0.0) -> float:
    """A fixed length of time in seconds, at least `least`. Raises BadValue."""
    found = parse_duration(str(item.scalar())) if not item.is_object and not item.is_list else None
    if not isinstance(found, Fixed) or found.seconds < least:
        item.refuse(f"a time, {least:g} s or more and 7 days at most: {FORMS.partition(', or')[0]}")
    return found.seconds


def duration_of(item: Item) -> Duration:
    """A length of time, fixed or random. Raises BadValue."""
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
