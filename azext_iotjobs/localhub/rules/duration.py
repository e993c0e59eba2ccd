"""Durations as people write them: 90, 0.5s, 500ms, 2m, 12h, 30d. Pure."""

import re
from datetime import timedelta

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_FORM = re.compile(rf"(\d{{1,12}}(?:\.\d{{1,12}})?)\s*({'|'.join(UNITS)})?", re.ASCII)


def read_duration(text: str) -> timedelta | None:
    """A duration, without a unit in seconds; None for another text, and for one that is below zero."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        return None
    try:
        return timedelta(seconds=float(found[1]) * UNITS[found[2] or "s"])
    except OverflowError:
        return None
