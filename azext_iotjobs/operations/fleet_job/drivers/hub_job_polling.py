"""Hub jobs that the hub has: polled until they have ended, and their results read; or cancelled."""

from azext_iotjobs.fleet_job.hub_job import VANISHED_AFTER_S, HubJobState
from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.job import Job, JobStatus
from azext_iotjobs.operations.fleet_job.drivers.awaited_devices import AwaitedDevices
from azext_iotjobs.operations.fleet_job.drivers.hub_job_requests import HubJobRequests
from azext_iotjobs.operations.fleet_job.drivers.hub_job_results import HubJobResults
from azext_iotjobs.operations.fleet_job.drivers.tracked_hub_jobs import TrackedHubJob, TrackedHubJobs


class HubJobPolling:
    """Follows the jobs that were submitted."""

    def __init__(
        self,
        clock: Clock,
        leased: LeasedRun,
        jobs: TrackedHubJobs,
        requests: HubJobRequests,
        results: HubJobResults,
        awaited: AwaitedDevices,
        *,
        has_threshold: bool,
    ) -> None:
        """jobs: those that are not closed.  has_threshold: results are read before another job is submitted."""
        self._clock = clock
        self._leased = leased
        self._jobs = jobs
        self._requests = requests
        self._results = results
        self._awaited = awaited
        self._has_threshold = has_threshold

    def poll(self, job: TrackedHubJob) -> None:
        """Find out where a job stands; read its results when it has ended. Raises HubAnswer, LinkError."""
        found = self._requests.poll(job)
        if found.status is JobStatus.UNKNOWN:
            if self._odd_for_s(job) > VANISHED_AFTER_S:
                self._close(job, "The hub no longer has this job.")
            return
        self._record(job, found)
        if not found.status.is_terminal:
            job.schedule.odd_since = None
        elif self._is_another_first(job):
            job.has_ended = True
            self._jobs.slot.next_at = job.schedule.next_at = 0.0  # the slot is free
        else:
            closing = self._results.read(job.row, found, lambda: self._odd_for_s(job))
            if closing is not None:
                self._jobs.close(job, closing)
                self._awaited.forget(job.row.job_id)

    def cancel(self, job: TrackedHubJob) -> None:
        """Ask the hub not to begin a job."""
        self._jobs.save(job, was_cancel_asked=True)
        job.is_cancel_asked = True
        self._requests.cancel(job.row.job_id)
        job.poll_anew()

    def _record(self, job: TrackedHubJob, found: Job) -> None:
        status = "cancelled" if found.status is JobStatus.CANCELLED else str(found.document.get("status"))
        if status != job.row.status:
            self._jobs.save(job, status=status)
            job.schedule.odd_since = None
            job.has_tally = False
        is_news = not job.has_tally or job.tally != found.tally
        if is_news:
            job.tally, job.has_tally = found.tally, True
            self._jobs.report(job, status, found.tally)
        self._record_progress(job, found, is_news=is_news)

    def _record_progress(self, job: TrackedHubJob, found: Job, *, is_news: bool) -> None:
        """Store what the hub says of a job whose results are not read yet: its counts and, when nothing moves, which
        devices are awaited.
        """
        row, passed = job.row, self._clock.monotonic()
        if is_news:
            self._awaited.moved(row.job_id, passed)
        has_asked = found.status is JobStatus.RUNNING and self._awaited.polled(row, passed)
        if is_news or has_asked:
            devices = self._awaited.of(row.job_id)
            self._leased.hub_jobs.save_progress(row, found.tally, devices, self._clock.now())

    def _is_another_first(self, job: TrackedHubJob) -> bool:
        """Whether another job is sent before the results of an ended one are read. A threshold needs them before."""
        is_new = not job.has_ended and not self._has_threshold
        return is_new and self._jobs.has_any(HubJobState.PLANNED)

    def _odd_for_s(self, job: TrackedHubJob) -> float:
        return job.schedule.odd_for_s(self._clock.monotonic())

    def _close(self, job: TrackedHubJob, why: str) -> None:
        self._jobs.close(job, self._results.uncertain(job.row, why))
        self._awaited.forget(job.row.job_id)
