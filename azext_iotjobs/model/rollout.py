"""How a fleet job goes about its devices: batches, gates, threshold, retries. The policy of a run, no record. Pure.

Percentages are exact fractions. A batch of so many percent is rounded up, so that it has one device at least: 10 % of
103 devices are 11. A threshold is never rounded: it is exceeded when failures are more than it, 6 of 5, or 6 of 103
where 5 % are 5.15.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from enum import Enum
from fractions import Fraction
from math import ceil

from azext_iotjobs.model.errors import BadValue, ConflictingChoice
from azext_iotjobs.model.gates import Gates
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.result import ErrorClass
from azext_iotjobs.model.share import MAX_DEVICES, Share, Unit, parse_share
from azext_iotjobs.model.text import Field, Text, shown_duration

MAX_SIZES = 100  # of a list of batch sizes
MAX_TRIES = 10  # again, for one class of failure
MAX_PAUSE_S = 30 * 24 * 3600.0  # the hub keeps what jobs did for 30 days
UNCERTAIN = "uncertain"  # beside the words of ErrorClass: whether the device was operated is not known
CLASS_WORDS = (*(each.value for each in ErrorClass), UNCERTAIN)


@dataclass(frozen=True)
class BatchSizes:
    """How large batches are, one after the other; the last size repeats. Raises BadValue for none and for zero."""

    sizes: tuple[Share, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.sizes) <= MAX_SIZES:
            raise BadValue(f"A list of batch sizes has 1 to {MAX_SIZES} of them.")
        if any(each.value == 0 for each in self.sizes):
            raise BadValue("A batch has one device or more: 0 is not a size.")

    @property
    def is_one_of_all(self) -> bool:
        """Whether one batch has all devices, however many they are."""
        return self.sizes[0] == Share(Fraction(100), Unit.PERCENT)

    def counts(self, total: int) -> Iterator[int]:
        """The number of devices in each batch; together they are `total`, and none is 0."""
        left = total
        for number in range(total):
            if left == 0:
                return
            share = self.sizes[min(number, len(self.sizes) - 1)]
            size = min(left, max(1, ceil(share.of(total))))
            left -= size
            yield size

    def __str__(self) -> str:
        return ",".join(map(str, self.sizes))


def parse_batch_sizes(text: str, name: str, unit: Unit | None = None) -> BatchSizes:
    """ "11", "10%", or a list such as "1,5,20%". Raises BadValue."""
    try:
        return BatchSizes(tuple(parse_share(each, name, unit) for each in text.split(",")))
    except BadValue as err:
        raise err if str(err).startswith(name) else BadValue(f"{name} {text[:60]!r}: {err}") from None


class Scope(Enum):
    """Which devices a threshold counts."""

    BATCH = "batch"
    RUN = "run"


class ThresholdAction(Enum):
    """What becomes of a run whose threshold is exceeded."""

    CANCEL = "cancel"  # it has ended
    STOP = "stop"  # it can be resumed


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """When failures end a run: once they are more than `share` of the scope's devices. Raises BadValue."""

    share: Share  # percent are of all devices of the batch or run, ended or not
    scope: Scope = Scope.RUN
    min_sample: int = 1  # so many devices of the scope must have ended before
    classes: frozenset[str] = frozenset()  # words of CLASS_WORDS that count; none: all of them
    action: ThresholdAction = ThresholdAction.CANCEL

    def __post_init__(self) -> None:
        if not 1 <= self.min_sample <= MAX_DEVICES:
            name = Field("cancellation_threshold_min_sample")
            raise BadValue(Text(name, f" {self.min_sample}: give 1 to {MAX_DEVICES} devices."))
        check_classes(self.classes)


class RetryWhen(Enum):
    """When a device that failed is tried again."""

    AT_ONCE = "at-once"  # in its batch, which ends after its last try
    AT_END = "at-end"  # when all batches have ended


@dataclass(frozen=True, kw_only=True)
class Retry:
    """Which failures are tried again, how often and after how long. Raises BadValue."""

    tries: Mapping[str, int]  # word of ErrorClass -> how often again, 1..MAX_TRIES
    pause_s: float = 10.0  # before the second try; more than 0
    growth: float = 2.0  # of the pause, from try to try; 1 or more
    longest_s: float = 600.0
    when: RetryWhen = RetryWhen.AT_ONCE

    def __post_init__(self) -> None:
        check_classes(self.tries, without=UNCERTAIN)
        if not self.tries:
            raise BadValue("No class of failure is given to try again.")
        if any(not 1 <= count <= MAX_TRIES for count in self.tries.values()):
            raise BadValue(
                Text(Field("retry"), f": a failure can be tried again 1 to {MAX_TRIES} times."),
                hint=Text.of("{retry} offline=3"),
            )
        if not 0 < self.pause_s <= MAX_PAUSE_S or not self.growth >= 1 or not 0 < self.longest_s <= MAX_PAUSE_S:
            raise BadValue(
                Text.of(
                    "{retry_pause_s} and {retry_max_pause_s} are more than 0 seconds and 30 days at most, "
                    "{retry_growth} is 1 or more."
                )
            )

    def pause_after_s(self, tries: int) -> float:
        """Seconds until the next try. tries: that were made, 1 or more."""
        return min(self.longest_s, self.pause_s * self.growth ** min(tries - 1, 60))

    def is_due_again(self, error_class: str | None, tries: int) -> bool:
        """Whether a device is tried again. tries: that were made."""
        return error_class is not None and tries <= self.tries.get(error_class, 0)


def parse_retry_classes(text: str, name: str) -> dict[str, int]:
    """ "offline=3,timeout" -> how often each class is tried again; without a number once. Raises BadValue."""
    tries: dict[str, int] = {}
    for part in text.split(","):
        word, _, number = (each.strip().lower() for each in part.partition("="))
        if not re.fullmatch(r"\d{0,3}", number):
            raise BadValue(f"{name} {text[:60]!r}: {number[:20]!r} is not a number.", hint=f"{name} offline=3,timeout")
        tries[word] = int(number or 1)
    try:
        check_classes(tries, without=UNCERTAIN)
    except BadValue as err:
        raise BadValue(f"{name} {text[:60]!r}: {err}", hint=f"{name} offline=3,timeout") from None
    return tries


def check_classes(words: Iterable[str], *, without: str = "") -> None:
    """Raise BadValue for a word that is not a class of failure."""
    allowed = [each for each in CLASS_WORDS if each != without]
    unknown = sorted(set(words) - set(allowed))
    if unknown:
        raise BadValue(f"{unknown[0][:60]!r} is not a class of failure: give {', '.join(allowed)}.")


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """The policy of a run. Raises BadValue."""

    sizes: BatchSizes = field(default_factory=lambda: BatchSizes((Share(Fraction(100), Unit.PERCENT),)))
    pause_s: float = 0.0  # between the end of a batch and the start of the next
    threshold: Threshold | None = None
    retry: Retry | None = None
    gates: Gates = field(default_factory=Gates)  # what has to hold between two batches

    def __post_init__(self) -> None:
        if self.gates.kinds and self.sizes.is_one_of_all:
            raise ConflictingChoice(
                "A gate stands between two batches, and all devices are one batch.",
                hint=Text.of("Give {batch}: for example {batch} 1,10%,50%."),
            )
        if not 0 <= self.pause_s <= MAX_PAUSE_S:
            text = f" {shown_duration(self.pause_s)}: give 0 to {shown_duration(MAX_PAUSE_S)}."
            raise BadValue(Text(Field("batch_pause_s"), text))
