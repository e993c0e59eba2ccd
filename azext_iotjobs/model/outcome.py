"""What a command came to, beyond "it ran": the exit codes that are ours. Pure.

0 is success; 1, 2 and 3 are az's own: an error, a command line that does not parse, something that does not exist.
"""

import re
from collections.abc import Iterable
from enum import IntEnum

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.text import Field, Text

STATUS = Field("success_status")
DEFAULT_SUCCESS_STATUS = "200-399"
_RANGE = r"\s*(-?\d{1,10})\s*(?:-\s*(-?\d{1,10})\s*)?"


class Outcome(IntEnum):
    """What a command came to; the value is its exit code."""

    SUCCESS = 0
    DEVICES_FAILED = 4  # some or all, as the hub or their method status says
    JOB_FAILED = 5  # or was cancelled
    STOPPED = 6  # can be resumed
    WAIT_OVER = 7  # ran out or was ended early; what was waited for continues
    NO_DEVICE = 8  # matched
    RUN_UNFINISHED = 9  # another run of the fleet job has not ended, or somebody else carries it on
    MISSED = 10  # an occurrence of a schedule was missed or skipped


# Where several hold, the one that says most about what to do next.
PRECEDENCE = (
    Outcome.STOPPED,
    Outcome.WAIT_OVER,
    Outcome.JOB_FAILED,
    Outcome.NO_DEVICE,
    Outcome.DEVICES_FAILED,
    Outcome.MISSED,
)


def weightiest(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome that counts where several hold; SUCCESS for none."""
    held = set(outcomes)
    return next((each for each in PRECEDENCE if each in held), Outcome.SUCCESS)


@dataclass(frozen=True)
class SuccessStatus:
    """Which method statuses mean that a device succeeded: ranges, both ends included, ascending and apart."""

    ranges: tuple[tuple[int, int], ...]

    def __contains__(self, status: object) -> bool:
        return isinstance(status, int) and any(low <= status <= high for low, high in self.ranges)

    def __str__(self) -> str:
        return ",".join(f"{low}-{high}" if low != high else str(low) for low, high in self.ranges)

    def outside(self, path: str) -> str:
        """A query condition that is true for a number at `path` outside every range."""
        inside = " OR ".join(f"({path} >= {low} AND {path} <= {high})" for low, high in self.ranges)
        return f"NOT ({inside})"


def parse_success_status(text: str) -> SuccessStatus:
    """ "200-299,404" -> its ranges. Raises BadValue."""
    ranges = []
    for part in text.split(","):
        found = re.fullmatch(_RANGE, part)
        if found is None:
            raise _bad(text)
        low = int(found[1])
        high = int(found[2]) if found[2] is not None else low
        if low > high:
            raise _bad(text)
        ranges.append((low, high))
    return SuccessStatus(tuple(_joined(sorted(ranges))))


def _joined(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for low, high in ranges:
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        else:
            joined.append((low, high))
    return joined


def _bad(text: str) -> BadValue:
    return BadValue(
        Text(STATUS, f" {text[:60]!r}: give numbers and ranges, the smaller first."),
        hint=Text("For example ", STATUS, " 200-299,404."),
    )
