"""Which devices a fleet has: ids by number, and the share of one machine. Pure."""

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.selection import DEVICE_ID


def numbered_ids(prefix: str, count: int) -> tuple[str, ...]:
    """The ids of a fleet: the prefix and a number from 1, with as many digits as `count` has.

    Raises BadValue for a count below 1 and for ids that no device can have.
    """
    if count < 1:
        raise BadValue(f"--count {count}: give 1 or more.")
    width = len(str(count))
    if not DEVICE_ID.fullmatch(f"{prefix}{count}"):
        raise BadValue(
            f"--prefix {prefix[:60]!r}: {prefix[:60]}{count} is no device id.",
            hint="A device id has 1 to 128 of A-Z, a-z, 0-9 and - : ; . + % _ # * ? ! ( ) , = @ $ '",
        )
    return tuple(f"{prefix}{number:0{width}}" for number in range(1, count + 1))
