"""An occurrence of a schedule, one due instant: what became of it. Pure."""

from datetime import datetime
from enum import Enum
from typing import NamedTuple

from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.schedule import Schedule


class OccurrenceState(Enum):
    """What became of an occurrence."""

    CLAIMED = "claimed"  # a process makes its run, or was going to
    WAITING = "waiting"  # an earlier run has to end first
    STARTED = "started"  # it has a run
    SKIPPED = "skipped"  # an earlier run had not ended
    MISSED = "missed"  # nobody started it in time
    TAKEN = "taken"  # it was started from another store

    @property
    def is_open(self) -> bool:
        """Whether a run of it can still be made."""
        return self in (OccurrenceState.CLAIMED, OccurrenceState.WAITING)


class Decided(NamedTuple):
    """What is to be recorded of an occurrence without a run."""

    at: datetime  # aware UTC
    state: OccurrenceState
    note: str  # why, for people


@dataclass(frozen=True, kw_only=True)
class Occurrence:
    """One due instant of a fleet job's schedule, as it is recorded."""

    fleet_job_id: str
    at: datetime  # aware UTC; with the fleet job's id it is its key
    state: OccurrenceState
    decided_at: datetime
    by: str  # whose process, for people
    note: str | None = None  # why, for people
    run_number: int | None = None  # of STARTED; None: it has none, or its record was deleted
    run_state: RunState | None = None  # of that run, as it is now
    is_backfill: bool = False  # somebody asked for a past instant
    is_held: bool = False  # a living process is working on it


@dataclass(frozen=True, kw_only=True)
class StoredSchedule:
    """The schedule of a fleet job, as it is stored."""

    fleet_job_id: str
    host: str  # of the fleet job's hub
    schedule: Schedule
    set_at: datetime  # no earlier occurrence is ever due
    set_by: str
    store_key: str  # 8 of a-z, 0-9: names the store in claims on the hub
    polled_at: datetime | None = None  # when somebody last looked for due occurrences


class MovingSchedule(NamedTuple):
    """A schedule that a copy has taken out of its store, and of which it is not recorded there that it has arrived.

    It starts nothing from that store.
    """

    stored: StoredSchedule
    to: str  # the store that it goes to, for people
