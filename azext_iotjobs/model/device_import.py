"""Devices that a table's rows describe, and what became of each row when they were imported."""

from dataclasses import field
from enum import Enum

from azext_iotjobs.model.bulk import NewDevice
from azext_iotjobs.model.late_dataclass import dataclass


class Existing(Enum):
    """What happens to a device that is registered already."""

    SKIP = "skip"  # it stays as it is, and that is no failure
    FAIL = "fail"
    UPDATE = "update"  # its tags are merged; of its identity what the row says


class RowStatus(Enum):
    """What became of a row."""

    CREATED = "created"
    UPDATED = "updated"
    SKIPPED = "skipped"  # registered already
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class RowFault:
    """Why a row cannot be imported, or was not."""

    code: str  # one word: ours for a row that cannot be sent, else the hub's
    text: str


@dataclass(frozen=True, kw_only=True)
class ImportRow:
    """A row of a table: a device to register, or what is wrong with it."""

    line: int  # of the file on which it begins, from 1
    device_id: str  # as it is written there; "": none
    device: NewDevice | None = field(default=None, repr=False)  # None: it has a fault
    fault: RowFault | None = None
    states_sign_in: bool = False  # whether it says with what the device signs in; if not, it gets new keys
    states_status: bool = False  # whether it says if the device may connect


@dataclass(frozen=True, kw_only=True)
class RowResult:
    """What became of a row."""

    line: int
    device_id: str
    status: RowStatus
    fault: RowFault | None = None  # of one that failed
