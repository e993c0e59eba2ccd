"""How long something takes, as text: 0.5, 500ms, 2m, 0.1-2, 100-500ms."""

import re

from azext_iotjobs.simulator.durations import LONGEST_S, Duration, Fixed, Uniform

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_PIECE = r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?"
_SPAN = re.compile(_PIECE)
_RANGE = re.compile(rf"{_PIECE}\s*-\s*{_PIECE}")
FORMS = "seconds such as 0.5, with a unit such as 500ms, 2m or 1h, or a range such as 0.1-2"


def parse_duration(text: str) -> Duration | None:
    """The duration that a text means; None when it means none, or one that is too long."""
    text = text.strip()
    if (seconds := fixed_s(text)) is not None:
        return Fixed(seconds) if seconds <= LONGEST_S else None
    if (found := _RANGE.fullmatch(text)) is None:
        return None
    # 100-500ms: a unit that only the end has is meant for both.
    least, most = _seconds(found[1], found[2] or found[4]), _seconds(found[3], found[4])
    return Uniform(least, most) if least <= most <= LONGEST_S else None


def fixed_s(text: str) -> float | None:
    """The seconds of one length of time, such as 30, 500ms or 30d, however long; None when a text means none."""
    found = _SPAN.fullmatch(text.strip())
    return None if found is None else _seconds(found[1], found[2])


def _seconds(number: str, unit: str | None) -> float:
    return float(number) * UNITS[unit or "s"]
