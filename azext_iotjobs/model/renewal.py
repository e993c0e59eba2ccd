"""Keys of many identities made anew, and what became of it."""

from dataclasses import dataclass, field
from typing import Any

from azext_iotjobs.model.ids import Address


@dataclass(frozen=True, kw_only=True)
class NotRenewed:
    """An identity whose keys are what they were; `document` is the hub's own word on it."""

    address: Address
    reason: str
    document: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Renewal:
    """What became of it, identity by identity; documents are the hub's own."""

    renewed: tuple[dict[str, Any], ...] = field(default=(), repr=False)  # new keys are in them
    failed: tuple[NotRenewed, ...] = ()

    def __add__(self, other: "Renewal") -> "Renewal":
        return Renewal(renewed=self.renewed + other.renewed, failed=self.failed + other.failed)
