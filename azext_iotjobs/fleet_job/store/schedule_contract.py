"""What a store gives of schedules and their occurrences. Part of the store's contract.

An occurrence is a row before its run exists, and there is one row for each: two processes never start it twice. Who
makes its run holds a claim, as who executes a run holds a lease.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from azext_iotjobs.fleet_job.store.holder import Holder
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.occurrence import Decided, MovingSchedule, Occurrence, OccurrenceState, StoredSchedule
from azext_iotjobs.model.schedule import Schedule


@dataclass(frozen=True)
class ClaimKey:
    """Whose claim on which occurrence; the run that is made of it takes it over."""

    at: datetime
    epoch: int  # how often somebody claimed it


class Schedules(Protocol):
    """The schedules of fleet jobs; each has one at most."""

    def get(self, fleet_job_id: str) -> StoredSchedule | None:
        """The schedule of a fleet job; None: it has none."""

    def list_all(self) -> list[StoredSchedule]:
        """Those of all hubs, by the ids of their fleet jobs."""

    def save(self, fleet_job_id: str, schedule: Schedule, *, at: datetime, by: str, store_key: str) -> StoredSchedule:
        """Set the schedule of a fleet job, in place of the one that it had. Raises NotFound.

        at: aware UTC; no earlier occurrence is ever due.  by: who sets it, for people.
        store_key: 8 of a-z, 0-9, for a fleet job that has had no schedule.
        """

    def remove(self, fleet_job_id: str) -> None:
        """Remove the schedule of a fleet job; what is recorded of its occurrences stays."""

    def moving(self, fleet_job_id: str) -> MovingSchedule | None:
        """The schedule that left this store when a copy of it ended in the middle; None: none did."""

    def polled(self, fleet_job_id: str, now: datetime) -> None:
        """Record that somebody looked for due occurrences."""


class Claim(Protocol):
    """An occurrence whose run this process makes. Every change raises LeaseLost when somebody took it over."""

    @property
    def key(self) -> ClaimKey:
        """What a new run takes over."""

    def beat(self, now: datetime) -> None:
        """Renew the claim when it is time to."""

    def release(self, note: str | None, now: datetime) -> None:
        """Leave it to whoever looks next. note: why no run was made."""

    def settle(self, state: OccurrenceState, note: str, now: datetime) -> None:
        """Record what became of it without a run."""


class Occurrences(Protocol):
    """What became of occurrences."""

    def last_at(self, fleet_job_id: str) -> datetime | None:
        """The newest that is recorded, but for those of a backfill; None: none is."""

    def last_of_each(self) -> dict[str, datetime]:
        """The same of every fleet job that has a schedule, by its id; one of which nothing is recorded is not there."""

    def get(self, fleet_job_id: str, at: datetime) -> Occurrence | None:
        """One of them; None: nothing is recorded of it."""

    def open(self, fleet_job_id: str, now: datetime) -> list[Occurrence]:
        """Those whose runs can still be made, ascending."""

    def open_of_each(self, now: datetime) -> dict[str, list[Occurrence]]:
        """The same of every fleet job that has some, by its id."""

    def list_all(self, fleet_job_id: str, limit: int | None = None) -> list[Occurrence]:
        """Those of a fleet job, the newest first, at most `limit`."""

    def record(self, fleet_job_id: str, decided: Sequence[Decided], *, now: datetime, by: str) -> list[Occurrence]:
        """Record what became of occurrences; gives those of which another process had not decided before.

        by: whose process, for people.
        """

    def claim(
        self, fleet_job_id: str, at: datetime, holder: Holder, now: datetime, *, is_backfill: bool = False
    ) -> Claim | None:
        """Claim an occurrence, to make its run; None: another process has, or what becomes of it is decided.

        holder: this process.  is_backfill: somebody asks for a past instant, which may have been missed or skipped.
        """
