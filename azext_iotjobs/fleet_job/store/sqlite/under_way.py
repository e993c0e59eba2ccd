"""What is under way in a run, as its rows say: hub jobs, calls, and which devices are in progress."""

from dataclasses import dataclass
from datetime import datetime

from azext_iotjobs.fleet_job import plan
from azext_iotjobs.fleet_job.store.sqlite import rows
from azext_iotjobs.fleet_job.store.sqlite.database import Database
from azext_iotjobs.model.run import HubJob, Run

MAX_HUB_JOBS = 100  # of one run that are listed; a tier has ten slots at most
IS_SENT = "state <> 'closed' AND state IN ('submitting', 'submitted')"  # the first part is that of the index


@dataclass(frozen=True)
class CallUnderWay:
    """A call that was begun."""

    device_id: str
    module_id: str | None
    batch: int
    began_at: datetime | None


@rows.stored("device")
def _call_of(row: rows.StoredRow) -> CallUnderWay:
    return CallUnderWay(row["device_id"], row["module_id"], row["batch"], rows.instant(row["began_at"]))


class UnderWay:
    """Part of FleetStore."""

    database: Database

    def hub_jobs(self, run: Run, limit: int = MAX_HUB_JOBS) -> list[HubJob]:
        """Hub jobs of a run that were sent and whose end is not recorded, in their order."""
        found = self.database.rows(
            f"SELECT * FROM part WHERE run = ? AND {IS_SENT} ORDER BY batch, number LIMIT ?", (run.key, limit)
        )
        return [rows.hub_job_of(each) for each in found]

    def calls_under_way(self, run: Run) -> list[CallUnderWay]:
        """Calls that were begun and whose end is not recorded, the first begun first; at most as many as --concurrency
        allows.
        """
        found = self.database.rows(
            "SELECT device_id, module_id, batch, began_at FROM device INDEXED BY device_calling "
            "WHERE run = ? AND state = 'calling' ORDER BY began_at, seq",
            (run.key,),
        )
        return [_call_of(each) for each in found]

    def in_hub_jobs(self, key: int, batch: int) -> int:
        """How many devices of a batch (0: of all) hub jobs operate, or may."""
        row = self.database.row(
            f"SELECT coalesce(sum(open_count), 0) AS count FROM part WHERE run = ? AND {IS_SENT} AND ? IN (0, batch)",
            (key, batch),
        )
        return 0 if row is None else int(row["count"])


def shown_state(*, has_runner: bool) -> str:
    """A device's state as it is shown, as SQL. What a call or a hub's job is doing is in progress; a call with nobody
    there any more to hear its end is uncertain.
    """
    word = plan.IN_PROGRESS
    return (
        f"CASE WHEN state = 'calling' THEN '{word if has_runner else 'uncertain'}' "
        "WHEN state = 'pending' AND part IS NOT NULL AND EXISTS (SELECT 1 FROM part AS job WHERE job.run = device.run "
        "AND job.batch = device.batch AND job.number = device.part AND job.state IN ('submitting', 'submitted')) "
        f"THEN '{word}' ELSE state END"
    )
