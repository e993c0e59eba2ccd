"""The rows of a run as they were before it was resumed: a resume of which nothing could be done leaves no trace.

Only what such a resume may write is kept: the run, the batch that it is at, and hub jobs of which nothing was sent.
Called inside the lease's transactions.
"""

from typing import NamedTuple

from azext_iotjobs.fleet_job.store.sql.database import Database

OF_RUN = (
    *("state", "delivery", "current", "batch_count", "started_at", "ended_at", "go_on_at", "reason", "ended_by"),
    "forgiven",
)
OF_BATCH = ("state", "started_at", "ended_at", "forgiven", "gated_at", "verdicts")
OF_PART = ("state", "intended_at", "limit_s")
IS_UNSENT = "state IN ('planned', 'submitting')"  # what the hub has, it has: that is known from now on

Values = tuple[object, ...]


class RowsBefore(NamedTuple):
    """The rows of one run."""

    key: int  # the run's
    ordinal: int  # of its batch
    run: Values
    batch: Values | None  # None: all have ended
    answer: object  # to its manual gate
    parts: dict[tuple[int, int], Values]  # hub jobs that are not closed, by batch and number

    @classmethod
    def read(cls, database: Database, key: int) -> "RowsBefore":
        """Read them."""
        run = database.row("SELECT * FROM run WHERE key = ?", (key,))
        assert run is not None
        batch = database.row("SELECT * FROM batch WHERE run = ? AND ordinal = ?", (key, run["current"]))
        parts = database.rows("SELECT * FROM part WHERE run = ? AND state <> 'closed'", (key,))
        return cls(
            key=key,
            ordinal=run["current"],
            run=tuple(run[each] for each in OF_RUN),
            batch=None if batch is None else tuple(batch[each] for each in OF_BATCH),
            answer=None if batch is None else batch["answer"],
            parts={(each["batch"], each["number"]): tuple(each[name] for name in OF_PART) for each in parts},
        )

    def write_back(self, database: Database) -> None:
        """Have them as they were."""
        # A log of changes says what has become of the resume; both changes are one for everybody else.
        database.change(
            "UPDATE run SET state = ?, wish = 'resume', wish_by = coalesce(lease_owner, '') || ', which was refused' "
            "WHERE key = ?",
            (self.run[0], self.key),
        )
        database.change(f"UPDATE run SET {_marks(OF_RUN)} WHERE key = ?", (*self.run, self.key))
        if self.batch is not None:
            database.change(
                f"UPDATE batch SET {_marks(OF_BATCH)}, answer = coalesce(answer, ?) WHERE run = ? AND ordinal = ?",
                (*self.batch, self.answer, self.key, self.ordinal),
            )
        self._write_back_parts(database)

    def _write_back_parts(self, database: Database) -> None:
        found = database.rows(f"SELECT batch, number FROM part WHERE run = ? AND {IS_UNSENT}", (self.key,))
        for key in [(each["batch"], each["number"]) for each in found]:
            before = self.parts.get(key)
            if before is not None:
                database.change(
                    f"UPDATE part SET {_marks(OF_PART)} WHERE run = ? AND batch = ? AND number = ?",
                    (*before, self.key, *key),
                )
                continue
            database.change(
                f"UPDATE device {database.dialect.by('device_in_part')} SET part = NULL "
                "WHERE run = ? AND batch = ? AND part = ? AND state = 'pending'",
                (self.key, *key),
            )
            database.change("DELETE FROM part WHERE run = ? AND batch = ? AND number = ?", (self.key, *key))


def _marks(columns: tuple[str, ...]) -> str:
    return ", ".join(f"{each} = ?" for each in columns)
