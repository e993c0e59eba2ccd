"""One length of time as it is typed for an option: 30, 30s, 5m, 12h, 30d."""

from azext_iotjobs.cli.input.durations import fixed_s
from azext_iotjobs.cli.input.scalars import shown
from azext_iotjobs.model.errors import BadValue

LONGEST_S = 3650 * 86_400.0


def span_s(text: str, option: str) -> float:
    """Seconds, 0 or more and ten years at most; a number without a unit is seconds. Raises BadValue."""
    seconds = fixed_s(text)
    if seconds is not None and seconds > LONGEST_S:
        raise BadValue(f"{option} {shown(text)}: give {LONGEST_S / 86_400:.0f}d at most.")
    if seconds is None:
        raise BadValue(f"{option} {shown(text)}: give a length of time such as 30s, 5m, 12h or 30d.")
    return seconds
