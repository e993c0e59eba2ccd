"""Durations as text: 30, 0.5, 500ms, 2m, 12h, 30d; where a range is allowed, 0.1-2 or 100-500ms."""

import re

from azext_iotjobs.cli.input.scalars import shown
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.simulator import durations as simulated
from azext_iotjobs.simulator.durations import Duration, Fixed, Uniform

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
LONGEST_S = 3650 * 86_400.0  # of an option: far beyond every limit of the hub's
FORMS = "seconds such as 0.5, with a unit such as 500ms, 2m or 1h, or a range such as 0.1-2"

_PIECE = r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)?"
_FIXED = re.compile(_PIECE)
_RANGE = re.compile(rf"{_PIECE}\s*-\s*{_PIECE}")


def duration_s(text: str, option: str) -> float:
    """The seconds of an option's value, 0 to LONGEST_S; a number without a unit is seconds. Raises BadValue."""
    seconds = _fixed_s(text)
    if seconds is None:
        raise BadValue(f"{option} {shown(text)}: give a duration such as 30s, 5m, 12h or 30d.")
    if seconds > LONGEST_S:
        raise BadValue(f"{option} {shown(text)}: give at most {LONGEST_S / UNITS['d']:.0f}d.")
    return seconds


def with_unit_s(text: str) -> float | None:
    """The seconds, more than 0, of a text that has a unit, such as 60s, 1.5 h or 5min; None for another text.

    For where a number alone means something else, such as devices.
    """
    found = _FIXED.fullmatch(text.strip())
    if found is None or found[2] is None:
        return None
    seconds = _seconds(found[1], found[2])
    return seconds if 0 < seconds <= LONGEST_S else None


def parse_duration(text: str) -> Duration | None:
    """A duration or a range, for a simulated device; None for another text, and for one that is too long for it."""
    text = text.strip()
    if (seconds := _fixed_s(text)) is not None:
        return Fixed(seconds) if seconds <= simulated.LONGEST_S else None
    if (found := _RANGE.fullmatch(text)) is None:
        return None
    # 100-500ms: a unit at the end alone counts for both numbers.
    least, most = _seconds(found[1], found[2] or found[4]), _seconds(found[3], found[4])
    return Uniform(least, most) if least <= most <= simulated.LONGEST_S else None


def _fixed_s(text: str) -> float | None:
    found = _FIXED.fullmatch(text.strip())
    return None if found is None else _seconds(found[1], found[2])


def _seconds(number: str, unit: str | None) -> float:
    return float(number) * UNITS[unit or "s"]
