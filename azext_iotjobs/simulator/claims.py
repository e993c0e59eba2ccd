"""What may be claimed about simulated devices: as an expectation, or as the condition that ends a run. Pure."""

import math
from typing import Any

from azext_iotjobs.model.late_dataclass import dataclass

ANY_METHOD = "*"


@dataclass(frozen=True)
class Connected:
    """Devices are connected, all at the same time."""


@dataclass(frozen=True)
class Answered:
    """Devices have answered a call of a method."""

    name: str  # or ANY_METHOD


@dataclass(frozen=True)
class Received:
    """Devices have received a cloud-to-device message."""


@dataclass(frozen=True)
class Sent:
    """Devices have sent a message that the hub acknowledged."""


@dataclass(frozen=True)
class TwinHas:
    """Devices have received a value of a desired property, or the hub has accepted one of a reported property."""

    side: str  # "desired" or "reported"
    path: tuple[str, ...]
    value: Any


Claim = Connected | Answered | Received | Sent | TwinHas


@dataclass(frozen=True)
class Share:
    """How many devices: a count, a percentage, or all."""

    count: int | None = None
    percent: float | None = None

    @property
    def is_all(self) -> bool:
        """Whether every device is meant."""
        return self.count is None and self.percent is None

    def of(self, total: int) -> int:
        """How many of `total`, at least one; a percentage is rounded up: 9 of 10 is less than 95%."""
        if self.percent is not None:
            return max(1, math.ceil(round(self.percent * total / 100, 6)))
        return max(1, total) if self.count is None else self.count


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """A claim about devices, and by when it has to hold."""

    text: str  # as it was typed
    claim: Claim
    share: Share
    within_s: float | None = None  # after the start; None: by the end


@dataclass(frozen=True)
class After:
    """The run ends after so many seconds."""

    text: str  # as it was typed
    seconds: float


@dataclass(frozen=True)
class Count:
    """The run ends after so many messages that the hub acknowledged, or method calls that were answered."""

    text: str
    what: str  # "messages" or "methods"
    number: int


@dataclass(frozen=True)
class Forever:
    """The run ends when it is stopped."""

    text: str


Until = After | Count | Expectation | Forever
