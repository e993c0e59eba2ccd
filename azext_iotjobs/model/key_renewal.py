"""The result of renewing the keys of many identities."""

from dataclasses import field
from typing import Any

from azext_iotjobs.model.ids import Address
from azext_iotjobs.model.late_dataclass import dataclass


@dataclass(frozen=True, kw_only=True)
class NotRenewed:
    """An identity whose keys did not change; `document` is the hub's own error."""

    address: Address
    reason: str
    document: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Renewal:
    """Which identities were renewed and which were not; documents are the hub's own."""

    renewed: tuple[dict[str, Any], ...] = field(default=(), repr=False)  # new keys are in them
    failed: tuple[NotRenewed, ...] = ()

    def __add__(self, other: "Renewal") -> "Renewal":
        return Renewal(renewed=self.renewed + other.renewed, failed=self.failed + other.failed)
