"""Rows of the devices of a run that we carry on: who is due, what was begun, what came of it."""

import json
from collections.abc import Iterable
from datetime import datetime

from azext_iotjobs.fleet_job.store.sqlite import rows
from azext_iotjobs.fleet_job.store.sqlite.lease import Lease
from azext_iotjobs.model.run import Attempt, DeviceState, Ended


class DeviceRows(Lease):
    """Part of LeasedRun."""

    def due(self, batch: int, now: datetime, limit: int, *, after: int = 0) -> list[Attempt]:
        """Devices of a batch that wait to be operated and may be now, by their numbers, at most `limit`."""
        found = self._database.rows(
            "SELECT seq, device_id, module_id, tries, was_cut_off FROM device "
            "WHERE run = ? AND batch = ? AND seq > ? AND state = 'pending' AND part IS NULL "
            "AND coalesce(due_at, 0) <= ? ORDER BY seq LIMIT ?",
            (self.key, batch, after, now.timestamp(), limit),
        )
        return [rows.attempt_of(each) for each in found]

    def write(
        self,
        now: datetime,
        *,
        ended: Iterable[Ended],
        again: Iterable[int] = (),
        cut_off: Iterable[int] = (),
        begun: Iterable[Attempt] = (),
    ) -> None:
        """One transaction: what tries came to; those that were not made after all (`again`, by number); tries of a
        repeatable action that broke off, to be looked at before they are repeated; new intents.

        A device of `begun` is called after this returns, never before.
        """
        with self._ours(now):
            self._database.change_many(
                "UPDATE device SET state = ?, tries = ?, began_at = ?, ended_at = ?, error_class = ?, error_code = ?, "
                "error_text = ?, method_status = ?, payload = ?, due_at = ?, was_cut_off = 0, epoch = NULL, "
                "part = CASE WHEN ? THEN NULL ELSE part END WHERE run = ? AND seq = ?",
                (self._ended_values(each) for each in ended),
            )
            self._database.change_many(
                "UPDATE device SET state = 'pending', epoch = NULL, began_at = CASE WHEN tries THEN began_at END "
                "WHERE run = ? AND seq = ?",
                ((self.key, seq) for seq in again),
            )
            self._database.change_many(
                "UPDATE device SET state = 'pending', was_cut_off = 1, epoch = NULL WHERE run = ? AND seq = ?",
                ((self.key, seq) for seq in cut_off),
            )
            self._database.change_many(
                "UPDATE device SET state = 'calling', epoch = ?, began_at = ? WHERE run = ? AND seq = ?",
                ((self._epoch, now.timestamp(), self.key, each.seq) for each in begun),
            )

    def _ended_values(self, ended: Ended) -> tuple[object, ...]:
        is_again = ended.due_at is not None
        return (
            (DeviceState.PENDING if is_again else ended.state).value, ended.tries, ended.began_at.timestamp(),
            ended.ended_at.timestamp(), ended.error_class.value if ended.error_class else None, ended.error_code,
            ended.error_text, ended.method_status, _payload(ended),
            rows.seconds(ended.due_at), is_again, self.key, ended.seq,
        )  # fmt: skip


def _payload(ended: Ended) -> str | None:
    """A device's answer as it is stored."""
    return json.dumps(ended.payload) if ended.has_payload else None
