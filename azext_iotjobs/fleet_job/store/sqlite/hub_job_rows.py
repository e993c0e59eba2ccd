"""Rows of the hub jobs of a run that we carry on."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from azext_iotjobs.fleet_job.hub_job import Part, PartState
from azext_iotjobs.fleet_job.plan import PlannedPart
from azext_iotjobs.fleet_job.store.sqlite import rows
from azext_iotjobs.fleet_job.store.sqlite.device_rows import DeviceRows
from azext_iotjobs.model.job import JobTally
from azext_iotjobs.model.run import Attempt, Ended


@rows.stored("part")
def _part_of(row: rows.StoredRow) -> Part:
    return Part(
        batch=row["batch"],
        number=row["number"],
        job_id=row["job_id"],
        condition=row["condition"],
        state=rows.word(PartState, row, "state"),
        intended_at=rows.instant(row["intended_at"]),
        submitted_at=rows.instant(row["submitted_at"]),
        status=row["status"],
        was_cancel_asked=bool(row["was_cancel_asked"]),
        limit_s=row["limit_s"],
    )


class PartRows(DeviceRows):
    """Part of LeasedRun."""

    def open_parts(self) -> list[Part]:
        """The run's hub jobs that are not closed; they are all of one batch."""
        found = self._database.rows(
            "SELECT * FROM part WHERE run = ? AND state <> 'closed' ORDER BY batch, number", (self.key,)
        )
        return [_part_of(each) for each in found]

    def next_part_number(self, batch: int) -> int:
        """The number that no part of a batch had yet."""
        row = self._database.row("SELECT max(number) AS last FROM part WHERE run = ? AND batch = ?", (self.key, batch))
        return 1 + ((rows.number(row, "last") if row else None) or 0)

    def add_part(self, part: Part, planned: PlannedPart, now: datetime) -> None:
        """Plan a hub's job for some devices: they are its own until it is closed."""
        with self._ours(now):
            self._database.change(
                "INSERT INTO part (run, batch, number, job_id, condition, state, size) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    self.key, part.batch, part.number, part.job_id, part.condition, part.state.value,
                    len(planned.devices),
                ),
            )  # fmt: skip
            self._database.change_many(
                "UPDATE device SET part = ? WHERE run = ? AND seq = ?",
                ((part.number, self.key, each.seq) for each in planned.devices),
            )

    def save_part(self, part: Part, now: datetime) -> None:
        """Write where a part stands."""
        with self._ours(now):
            self._save_part(part)

    def save_seen(
        self, part: Part, tally: JobTally | None, awaited: Sequence[str], seen_at: datetime, now: datetime
    ) -> None:
        """Write what the hub said of a job that goes on, for those who look: its counts, and some who are open."""
        with self._ours(now):
            self._database.change(
                "UPDATE part SET counts = ?, awaited = ?, seen_at = ? WHERE run = ? AND batch = ? AND number = ?",
                (
                    rows.counts_text(tally), json.dumps([rows.text(each) for each in awaited]), seen_at.timestamp(),
                    self.key, part.batch, part.number,
                ),
            )  # fmt: skip

    def size_of(self, part: Part) -> int:
        """How many devices a part was made for."""
        row = self._database.row(
            "SELECT size FROM part WHERE run = ? AND batch = ? AND number = ?", (self.key, part.batch, part.number)
        )
        return 0 if row is None else int(row["size"])

    def close_part(self, part: Part, now: datetime, *, ended: Iterable[Ended], note: str | None = None) -> None:
        """The last of its outcomes; devices of it that have none wait again."""
        with self._ours(now):
            self.write(now, ended=list(ended))
            self._database.change(
                "UPDATE device INDEXED BY device_in_part SET part = NULL "
                "WHERE run = ? AND batch = ? AND part = ? AND state = 'pending'",
                (self.key, part.batch, part.number),
            )
            self._save_part(replace(part, state=PartState.CLOSED))
            self._database.change(
                "UPDATE part SET note = ? WHERE run = ? AND batch = ? AND number = ?",
                (note, self.key, part.batch, part.number),
            )

    def devices_of(self, part: Part) -> list[Attempt]:
        """The devices of a part that have not ended."""
        found = self._database.rows(
            "SELECT seq, device_id, module_id, tries, was_cut_off FROM device INDEXED BY device_in_part "
            "WHERE run = ? AND batch = ? AND part = ? AND state = 'pending' ORDER BY seq",
            (self.key, part.batch, part.number),
        )
        return [rows.attempt_of(each) for each in found]

    def _save_part(self, part: Part) -> None:
        self._database.change(
            "UPDATE part SET state = ?, intended_at = ?, submitted_at = ?, status = ?, was_cancel_asked = ?, "
            "limit_s = ? WHERE run = ? AND batch = ? AND number = ?",
            (
                part.state.value, rows.seconds(part.intended_at), rows.seconds(part.submitted_at), part.status,
                part.was_cancel_asked, part.limit_s,
                self.key, part.batch, part.number,
            ),
        )  # fmt: skip
