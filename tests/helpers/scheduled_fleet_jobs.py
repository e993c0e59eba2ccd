"""Fleet jobs whose schedules are due: what their scenarios begin with.

A schedule that was set an hour ago is one whose row says so: nobody waits for a time of day.
"""

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta, timezone
from typing import Any

from azext_iotjobs.fleet_job.store.sqlite.database import FILE_NAME
from tests.helpers.fleet_job_scenario import FleetJobs

TWO_MINUTES, HOUR = timedelta(minutes=2), timedelta(hours=1)


def now() -> datetime:
    return datetime.now(timezone.utc)


def clock(at: datetime) -> str:
    return f"{at:%H:%M}"


class Scheduled(FleetJobs):
    """A state folder with fleet jobs that are due."""

    def save(self, name: str, *more: str) -> None:
        self.create(name, "--desired", "light=45", "-q", "tags.site = 'night'", *more)

    def set(self, name: str, *more: str, ago: timedelta = HOUR) -> Any:
        """Set a daily schedule, due two minutes ago, that was set some time ago."""
        at = () if "--at" in more or "--cron" in more else ("--daily", "--at", clock(now() - TWO_MINUTES))
        shown = self.ok("schedule set", "-j", name, *at, "--time-zone", "UTC", *more)
        with closing(sqlite3.connect(self.folder / FILE_NAME, isolation_level=None)) as raw:
            since = (now() - ago).timestamp()
            raw.execute("UPDATE schedule SET set_at = ?, looked_at = NULL WHERE fleet_job = ?", (since, name))
        return shown

    def run_due(self, *more: str, code: int = 0) -> list[tuple[str, int | None]]:
        """What happened in a poll, and in which run."""
        found = self.ok("schedule run-due", *more, code=code)
        return [(each["status"], each["run"]) for each in found]
