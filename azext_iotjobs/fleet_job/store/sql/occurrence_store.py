"""Occurrences: rows of occurrence. Their key is the fleet job and the instant, so each is there once."""

from collections.abc import Sequence
from datetime import datetime

from azext_iotjobs.fleet_job.store.holder import Holder
from azext_iotjobs.fleet_job.store.schedule_contract import ClaimKey
from azext_iotjobs.fleet_job.store.sql import rows, schedule_rows
from azext_iotjobs.fleet_job.store.sql.database import LAST, Database
from azext_iotjobs.fleet_job.store.sql.stored_row import StoredRow, instant_or_none, text
from azext_iotjobs.model.errors import LeaseLost
from azext_iotjobs.model.occurrence import Decided, Occurrence, OccurrenceState

CLAIM_S = 120.0  # without a heartbeat: requests to a hub that is slow are made meanwhile
BEAT_S = 20.0
IS_OPEN = "state IN ('claimed', 'waiting')"
NO_HOLDER = "owner = NULL, machine = NULL, pid = NULL, until = NULL"
WITH_RUN = (
    "SELECT occurrence.*, (SELECT run.state FROM run "
    "WHERE run.fleet_job = occurrence.fleet_job AND run.number = occurrence.run) AS run_state FROM occurrence"
)


class OccurrenceStore:
    """Implements schedule_contract.Occurrences."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def last_at(self, fleet_job_id: str) -> datetime | None:
        """The newest that is recorded, but for those of a backfill; None: none is."""
        row = self._database.row(
            "SELECT max(at) AS last FROM occurrence WHERE fleet_job = ? AND is_backfill = 0", (fleet_job_id,)
        )
        return None if row is None else instant_or_none(row["last"])

    def last_of_each(self) -> dict[str, datetime]:
        """The same of every fleet job that has a schedule, by its id; one of which nothing is recorded is not there."""
        found = self._database.rows(
            "SELECT fleet_job, (SELECT max(at) FROM occurrence "
            "WHERE occurrence.fleet_job = schedule.fleet_job AND is_backfill = 0) AS last "
            "FROM schedule WHERE document IS NOT NULL"
        )
        last = {row["fleet_job"]: instant_or_none(row["last"]) for row in found}
        return {job: at for job, at in last.items() if at is not None}

    def get(self, fleet_job_id: str, at: datetime) -> Occurrence | None:
        """One of them; None: nothing is recorded of it."""
        row = self._row_of(fleet_job_id, at)
        return None if row is None else schedule_rows.occurrence_of(row, at)

    def open(self, fleet_job_id: str, now: datetime) -> list[Occurrence]:
        """Those whose runs can still be made, ascending."""
        found = self._database.rows(f"{WITH_RUN} WHERE fleet_job = ? AND {IS_OPEN} ORDER BY at", (fleet_job_id,))
        return [schedule_rows.occurrence_of(each, now) for each in found]

    def open_of_each(self, now: datetime) -> dict[str, list[Occurrence]]:
        """The same of every fleet job that has some, by its id."""
        own = self._database.dialect.by("occurrence_open")
        each: dict[str, list[Occurrence]] = {}
        for row in self._database.rows(f"{WITH_RUN} {own} WHERE {IS_OPEN} ORDER BY fleet_job, at"):
            found = schedule_rows.occurrence_of(row, now)
            each.setdefault(found.fleet_job_id, []).append(found)
        return each

    def list_all(self, fleet_job_id: str, limit: int | None = None) -> list[Occurrence]:
        """Those of a fleet job, the newest first, at most `limit`."""
        found = self._database.rows(
            f"{WITH_RUN} WHERE fleet_job = ? ORDER BY at DESC LIMIT ?",
            (fleet_job_id, LAST if limit is None else limit),
        )
        return [schedule_rows.occurrence_of(each, None) for each in found]

    def record(self, fleet_job_id: str, decided: Sequence[Decided], *, now: datetime, by: str) -> list[Occurrence]:
        """Record what became of occurrences; gives those of which another process had not decided before."""
        with self._database.transaction():
            new = [each.at for each in decided if self._decide(fleet_job_id, each, now, by)]
        found = [self.get(fleet_job_id, at) for at in new]
        return [each for each in found if each is not None]

    def claim(
        self, fleet_job_id: str, at: datetime, holder: Holder, now: datetime, *, is_backfill: bool = False
    ) -> "HeldClaim | None":
        """Claim an occurrence, to make its run; None: another process has, or what becomes of it is decided."""
        with self._database.transaction():
            row = self._row_of(fleet_job_id, at)
            if row is not None and not _is_free(row, now, is_backfill=is_backfill):
                return None
            epoch = 1 if row is None else rows.epoch_of(row) + 1
            self._database.change(
                "INSERT INTO occurrence (fleet_job, at, state, decided_at, by, is_backfill, epoch, owner, machine, "
                "pid, until) VALUES (?1, ?2, 'claimed', ?3, ?4, ?5, ?6, ?4, ?7, ?8, ?9) ON CONFLICT (fleet_job, at) DO "
                "UPDATE SET state = 'claimed', decided_at = ?3, by = ?4, epoch = ?6, owner = ?4, machine = ?7, "
                "pid = ?8, until = ?9",
                (
                    *(fleet_job_id, at.timestamp(), now.timestamp(), text(holder.owner), int(is_backfill), epoch),
                    *(text(holder.machine), holder.pid, self._database.lease_clock(now) + CLAIM_S),
                ),
            )
        return HeldClaim(self._database, fleet_job_id, ClaimKey(at, epoch), now)

    def _decide(self, fleet_job_id: str, decided: Decided, now: datetime, by: str) -> bool:
        """Record one; whether it was not decided before."""
        row = self._row_of(fleet_job_id, decided.at)
        if row is not None and not _is_free(row, now):
            return False
        self._database.change(
            "INSERT INTO occurrence (fleet_job, at, state, note, decided_at, by) VALUES (?1, ?2, ?3, ?4, ?5, ?6) "
            f"ON CONFLICT (fleet_job, at) DO UPDATE SET state = ?3, note = ?4, decided_at = ?5, by = ?6, "
            f"epoch = occurrence.epoch + 1, {NO_HOLDER}",
            (
                *(fleet_job_id, decided.at.timestamp(), decided.state.value, text(decided.note)),
                *(now.timestamp(), text(by)),
            ),
        )
        return True

    def _row_of(self, fleet_job_id: str, at: datetime) -> StoredRow | None:
        return self._database.row(f"{WITH_RUN} WHERE fleet_job = ? AND at = ?", (fleet_job_id, at.timestamp()))


class HeldClaim:
    """Implements schedule_contract.Claim."""

    def __init__(self, database: Database, fleet_job_id: str, key: ClaimKey, now: datetime) -> None:
        self.key = key
        self._database = database
        self._fleet_job_id = fleet_job_id
        self._beat_at = now

    def beat(self, now: datetime) -> None:
        """Renew the claim when it is time to."""
        if (now - self._beat_at).total_seconds() >= BEAT_S:
            self._change("until = ?", self._database.lease_clock(now) + CLAIM_S)
            self._beat_at = now

    def release(self, note: str | None, now: datetime) -> None:
        """Leave it to whoever looks next."""
        self._change(f"note = ?, decided_at = ?, {NO_HOLDER}", text(note), now.timestamp())

    def settle(self, state: OccurrenceState, note: str, now: datetime) -> None:
        """Record what became of it without a run."""
        self._change(f"state = ?, note = ?, decided_at = ?, {NO_HOLDER}", state.value, text(note), now.timestamp())

    def _change(self, assignments: str, *values: object) -> None:
        with self._database.transaction():
            take_over(self._database, self._fleet_job_id, self.key, assignments, *values)


def take_over(database: Database, fleet_job_id: str, key: ClaimKey, assignments: str, *values: object) -> None:
    """Change a claimed occurrence, inside a transaction. Raises LeaseLost when its claim is no longer this one.

    key: the claim.  assignments: of columns, with a mark for each of `values`.
    """
    if not database.change(
        f"UPDATE occurrence SET {assignments} WHERE fleet_job = ? AND at = ? AND epoch = ? AND state = 'claimed'",
        (*values, fleet_job_id, key.at.timestamp(), key.epoch),
    ):
        raise LeaseLost(
            f"Another process has taken an occurrence of fleet job {fleet_job_id} over: this one was silent for too "
            "long, and has started nothing.",
            hint="The other process starts it.",
        )


def _is_free(row: StoredRow, now: datetime, *, is_backfill: bool = False) -> bool:
    found = schedule_rows.occurrence_of(row, now)
    is_made_up_for = is_backfill and found.state in (OccurrenceState.MISSED, OccurrenceState.SKIPPED)
    return is_made_up_for or (found.state.is_open and not found.is_held)
