"""The short, seeded forms that `make test` has of tests that are long in full; `make torture` sets IOTJOBS_TORTURE.

The short form is the same on every run. The full one is seeded anew each time: a failure prints the seed.
"""

import os
import random
from collections.abc import Sequence
from typing import TypeVar

from hypothesis import settings

IN_FULL = bool(os.environ.get("IOTJOBS_TORTURE"))

Value = TypeVar("Value")


def examples(short: int, full: int) -> settings:
    """How many examples Hypothesis tries, in either form."""
    return settings(max_examples=full if IN_FULL else short, derandomize=not IN_FULL)


def some(values: Sequence[Value], count: int, seed: object) -> list[Value]:
    """All values in full; in short `count` of them, in their order."""
    if IN_FULL or count >= len(values):
        return list(values)
    chosen = sorted(random.Random(repr(seed)).sample(range(len(values)), count))
    return [values[at] for at in chosen]


def points_of(kinds: Sequence[str], seed: object) -> list[int]:
    """Numbers of the points at which a process ends, from 1: all in full; in short one of each kind, and the last.

    kinds: of all points, in their order.
    """
    if IN_FULL:
        return list(range(1, len(kinds) + 1))
    chance = random.Random(repr(seed))
    numbers: dict[str, list[int]] = {}
    for number, kind in enumerate(kinds, 1):
        numbers.setdefault(kind, []).append(number)
    return sorted({len(kinds), *(chance.choice(each) for each in numbers.values())})
