"""A report as a value: what it is about, its sections, and its cases with what each came to. Pure.

A case is a device of a run or of a job, or an expectation of a simulation. Renderers make a file of it.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple

from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.result import ENDED, FAILED
from azext_iotjobs.model.run_state import DeviceState


class CaseOutcome(Enum):
    """What a case came to."""

    PASSED = "passed"
    FAILED = "failed"
    UNCERTAIN = "uncertain"  # whether the device was operated cannot be known
    OPEN = "open"  # it has not ended: it is pending, in progress, verifying or waiting


@dataclass(frozen=True, kw_only=True)
class Case:
    """One device, or one expectation."""

    section: int  # the number of its section
    name: str
    outcome: CaseOutcome
    reason: str | None  # its error class; of one that is open its state; None: it passed
    message: str  # why it failed, as the hub or the device says it; "" for nothing
    duration_s: float | None
    row: Mapping[str, Any]  # all that is known of it, under the names that commands show


@dataclass(frozen=True, kw_only=True)
class Section:
    """Cases that belong together: a batch of a run, a whole job."""

    number: int
    name: str
    status: str
    started_at: datetime | None = None  # aware UTC
    ended_at: datetime | None = None

    @property
    def duration_s(self) -> float | None:
        """Seconds from its start to its end; None: it has not ended."""
        return between_s(self.started_at, self.ended_at)


@dataclass(frozen=True, kw_only=True)
class Wording:
    """What a report calls its cases and what they came to."""

    case: str  # "device"
    cases: str
    section: str  # "batch"
    sections: str
    outcomes: Mapping[CaseOutcome, str]  # those that its cases may have


DEVICES = Wording(
    case="device",
    cases="devices",
    section="batch",
    sections="batches",
    outcomes={
        CaseOutcome.PASSED: "completed",
        CaseOutcome.FAILED: "failed",
        CaseOutcome.UNCERTAIN: "uncertain",
        CaseOutcome.OPEN: "not ended",
    },
)
EXPECTATIONS = Wording(
    case="expectation",
    cases="expectations",
    section="simulation",
    sections="simulations",
    outcomes={
        CaseOutcome.PASSED: "true",
        CaseOutcome.FAILED: "not true",
    },
)


class Fact(NamedTuple):
    """Something about the run, the job or the simulation as a whole."""

    name: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a report is about; its cases are apart from it, because they may be many."""

    title: str
    subject: str  # the id of the fleet job or job, or the hub of a simulation
    status: str
    ended_well: bool | None  # by its status alone; None: it has not ended
    wording: Wording
    facts: tuple[Fact, ...]
    sections: tuple[Section, ...]
    columns: tuple[str, ...]  # of the cases' rows, in order; the first one names the case
    main_columns: tuple[str, ...]  # those of `columns` that a table shows; the others are shown of one case alone
    host: str
    started_at: datetime | None
    ended_at: datetime | None
    made_at: datetime

    @property
    def duration_s(self) -> float | None:
        """Seconds from its start to its end; None: it has not ended."""
        return between_s(self.started_at, self.ended_at)

    def is_good(self, counts: "Counts") -> bool | None:
        """Whether all that was wanted has come about; None: that is not known yet. counts: of its cases."""
        if self.ended_well is False or counts.failed or counts.uncertain:
            return False
        return None if counts.open else self.ended_well


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Cases by what they came to."""

    passed: int = 0
    failed: int = 0
    uncertain: int = 0
    open: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.passed + self.failed + self.uncertain + self.open

    def of(self, outcome: CaseOutcome) -> int:
        """Those of one outcome."""
        count: int = getattr(self, outcome.value)
        return count


def outcome_of(status: str, *, has_failed: bool) -> CaseOutcome:
    """What a device's row came to.

    status: a state of a run's device, or the hub's word for a device of a job.
    has_failed: whether it has an error class; a method's answer may be a failure although the hub says completed.
    """
    word = status.lower()
    if word == DeviceState.UNCERTAIN.value:
        return CaseOutcome.UNCERTAIN
    if word not in ENDED:
        return CaseOutcome.OPEN
    return CaseOutcome.FAILED if has_failed or word in FAILED else CaseOutcome.PASSED


def between_s(started_at: datetime | None, ended_at: datetime | None) -> float | None:
    """Seconds between two instants, 0 or more; None where one of them is."""
    if started_at is None or ended_at is None:
        return None
    return max(0.0, (ended_at - started_at).total_seconds())
