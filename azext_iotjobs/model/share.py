"""Some devices of many: so many, or so many percent of them. Exact fractions; pure."""

import re
from enum import Enum
from fractions import Fraction

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.late_dataclass import dataclass

MAX_DEVICES = 1_000_000  # of a hub, IoT Hub quotas
_SHARE = re.compile(r"\s*(\d{1,9}(?:\.\d{1,6})?)\s*(%?)\s*")


class Unit(Enum):
    """What a number counts; the value is IoT Central's word."""

    DEVICES = "number"
    PERCENT = "percentage"


@dataclass(frozen=True)
class Share:
    """Some devices: so many, or so many percent of them. Raises BadValue."""

    value: Fraction  # whole and 0..MAX_DEVICES, or 0..100 percent
    unit: Unit

    def __post_init__(self) -> None:
        if self.unit is Unit.PERCENT and not 0 <= self.value <= 100:
            raise BadValue(f"{self}: give at most 100%.")
        if self.unit is Unit.DEVICES and (self.value.denominator != 1 or not 0 <= self.value <= MAX_DEVICES):
            raise BadValue(f"{self} devices: give a whole number of at most {MAX_DEVICES}, or percent such as 5%.")

    def of(self, total: int) -> Fraction:
        """How many of `total` devices these are, exactly."""
        return self.value if self.unit is Unit.DEVICES else total * self.value / 100

    def __str__(self) -> str:
        number = f"{float(self.value):.6f}".rstrip("0").rstrip(".")
        return f"{number}%" if self.unit is Unit.PERCENT else number


def parse_share(text: str, name: str, unit: Unit | None = None) -> Share:
    """ "11", "10%" or "2.5%".

    unit: what a number without a sign counts; None: devices.  Raises BadValue, naming it.
    """
    found = _SHARE.fullmatch(text)
    if found is None:
        what = "percent" if unit is Unit.PERCENT else "a number of devices or percent"
        raise BadValue(f"{name} {text[:60]!r}: give {what}.", hint=f"{name} 10%")
    if found[2] and unit is Unit.DEVICES:
        raise BadValue(f"{name} {text[:60]!r} is percent, but its type says number.")
    is_percent = bool(found[2]) or unit is Unit.PERCENT
    try:
        return Share(Fraction(found[1]), Unit.PERCENT if is_percent else Unit.DEVICES)
    except BadValue as err:
        raise BadValue(f"{name} {err}") from err
