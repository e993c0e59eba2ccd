"""Reports how far a run is: by what is stored, and by what the driver has in flight."""

from azext_iotjobs.fleet_job.awaited import MAX_AWAITED, awaited
from azext_iotjobs.fleet_job.driver import BatchDriver, OnEvent
from azext_iotjobs.fleet_job.engine import Drain
from azext_iotjobs.fleet_job.store.contract import Runs
from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.fleet_job import Definition
from azext_iotjobs.model.job import added
from azext_iotjobs.model.run_events import Progressed

PROGRESS_S = 0.5  # between two reports
QUIET_PROGRESS_S = 30.0  # the same, while nothing is done but to wait for devices to connect: that may take days


class ProgressReports:
    """Reports it again and again."""

    def __init__(self, runs: Runs, leased: LeasedRun, definition: Definition, clock: Clock, on_event: OnEvent) -> None:
        """runs, leased: where it is read.  definition: what is executed.  on_event: is called with the reports."""
        self._runs = runs
        self._leased = leased
        self._definition = definition
        self._clock = clock
        self._on_event = on_event
        self._reported_at: float | None = None  # monotonic
        self._is_quiet = False

    def report(self, driver: BatchDriver, *, must: bool = False) -> None:
        """Report, when it is time to or when it must be."""
        passed = self._clock.monotonic()
        since_s = None if self._reported_at is None else passed - self._reported_at
        if not must and since_s is not None and since_s < PROGRESS_S:
            return
        snapshot = self._leased.snapshot(None)
        batch = snapshot.batch
        is_quiet = batch is not None and batch.is_of_offline and not batch.tally.open
        if not must and since_s is not None and is_quiet and self._is_quiet and since_s < QUIET_PROGRESS_S:
            return
        self._reported_at, self._is_quiet = passed, is_quiet
        jobs = self._runs.hub_jobs_in_progress(snapshot.run)
        self._on_event(
            Progressed(
                at=self._clock.now(),
                run=snapshot.run.tally,
                batch=batch,
                in_flight_count=driver.in_flight_count(Drain.CANCEL),
                hub=added(each.tally for each in jobs if each.tally is not None),
                hub_ended_count=sum(each.ended_count for each in jobs),
                awaited=tuple(awaited(self._runs, snapshot.run, self._definition)),
                waiting=self._runs.waiting_to_connect(snapshot.run, MAX_AWAITED),
            )
        )
