"""Devices that are to be left out, and leave nobody out: said, and refused where another device must be meant. Pure."""

from collections.abc import Callable, Iterable, Sequence

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.ids import DEVICE, can_be
from azext_iotjobs.model.text import Field, Text

EXCLUDE = Field("exclude")
MOST_JOINED = 8  # neighbours in a list that may have been one id
MOST_CHARACTERS = 6000  # of all that is looked up: one query, which holds 8192; a hub grants few in a minute

WhichOf = Callable[[Sequence[str]], Iterable[str]]  # ids -> those of them that are selected


def idle_exclusions(excluded: Sequence[str], which_of: WhichOf) -> list[str]:
    """The excluded ids that leave no selected device out.

    excluded: as they were read out of a list.  which_of: looks ids up among the devices that are selected.
    Raises BadValue where a selected device is called as some of them together: then its id was taken apart at its
    commas, and it would be operated although it was to be left out.
    """
    if not excluded:
        return []
    hits = frozenset(which_of(excluded))
    idle = [each for each in excluded if each not in hits]
    joined = _joined(excluded, frozenset(idle))
    meant = next(iter(which_of(joined)), None) if joined else None
    if meant is not None:
        raise BadValue(
            Text(EXCLUDE, f": {meant!r} is one device, and was read as {meant.count(',') + 1}. Nothing was sent."),
            hint=Text("An id with a comma in it stands between double quotes: ", EXCLUDE, f" '\"{meant}\"'"),
        )
    return idle


def _joined(excluded: Sequence[str], idle: frozenset[str]) -> list[str]:
    """What neighbours make with commas between them, where at least one of them leaves nobody out; short ones first."""
    found: dict[str, None] = {}
    left = MOST_CHARACTERS
    for count in range(2, MOST_JOINED + 1):
        for first in range(len(excluded) - count + 1):
            parts = excluded[first : first + count]
            text = ",".join(parts)
            if idle.isdisjoint(parts) or not can_be(DEVICE, text):
                continue
            left -= len(text) + 4
            if left < 0:
                return list(found)
            found[text] = None
    return list(found)
