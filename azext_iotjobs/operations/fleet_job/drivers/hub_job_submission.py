"""Hub jobs on their way to the hub: recorded, sent, found again after a crash, or held up by a taken job slot."""

from azext_iotjobs.fleet_job.hub_job import VANISHED_AFTER_S, HubJobState, is_ours
from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import Conflict, HubAnswer, Throttled
from azext_iotjobs.model.fleet_job import Action
from azext_iotjobs.model.job import Job, JobStatus, JobType
from azext_iotjobs.model.job_limit import job_limit_s
from azext_iotjobs.model.job_request import JobRequest
from azext_iotjobs.model.run import Run
from azext_iotjobs.operations.fleet_job.drivers.hub_job_requests import HubJobRequests
from azext_iotjobs.operations.fleet_job.drivers.hub_job_results import Closing, HubJobResults
from azext_iotjobs.operations.fleet_job.drivers.poll_schedule import PollSchedule
from azext_iotjobs.operations.fleet_job.drivers.tracked_hub_jobs import TrackedHubJob, TrackedHubJobs
from azext_iotjobs.transport.retry import SLOT_TAKEN

REQUEST_TIMEOUT = 408  # of a proxy between us and the hub: what it passed on may have been done


class HubJobSubmission:
    """Has the hub create the jobs of a run, each once."""

    def __init__(
        self,
        clock: Clock,
        leased: LeasedRun,
        run: Run,
        action: Action,
        jobs: TrackedHubJobs,
        requests: HubJobRequests,
        results: HubJobResults,
    ) -> None:
        """leased, run: the run.  action: what its jobs do.  jobs: those that are not closed."""
        self._clock = clock
        self._leased = leased
        self._run = run
        self._action = action
        self._jobs = jobs
        self._requests = requests
        self._results = results
        self._has_reported_slot = False

    def intend(self, job: TrackedHubJob, batch_size: int) -> None:
        """Record that a job is going to be sent, and send it. batch_size: devices of its batch."""
        job.is_own_intent = True
        limit_s = self._limit_s(job, batch_size)
        self._jobs.save(job, state=HubJobState.SUBMITTING, intended_at=self._clock.now(), limit_s=limit_s)
        self.submit(job, batch_size)

    def submit(self, job: TrackedHubJob, batch_size: int) -> None:
        """Send a job whose intent is recorded. Raises HubAnswer, LinkError; Conflict for a foreign job of that id."""
        is_first = job.is_own_intent
        job.is_own_intent = False  # from here on it may have been sent
        try:
            self._requests.create(self._request_of(job, batch_size))
        except Conflict:  # the id is taken: by ourselves, before a crash, or by somebody else
            found = self._requests.poll(job)
            if found.status is not JobStatus.UNKNOWN:
                self._adopt(job, found)
            return
        except Throttled as refused:
            if refused.hub_code != SLOT_TAKEN:
                if is_first:
                    self._jobs.save(job, state=HubJobState.PLANNED)  # refused: nothing was done
                raise
            self._wait_for_slot(job, is_first=is_first)
            return
        except HubAnswer as refused:
            if is_first and 400 <= refused.status < 500 and refused.status != REQUEST_TIMEOUT:
                self._jobs.save(job, state=HubJobState.PLANNED)  # refused: nothing was done
            raise
        self._jobs.slot = PollSchedule()
        self._has_reported_slot = False
        self._jobs.submitted(job, "created")

    def confirm(self, job: TrackedHubJob, batch_size: int) -> None:
        """Find out whether the hub has a job that may have been sent; send it if not."""
        found = self._requests.poll(job)
        if found.status is JobStatus.UNKNOWN:
            self.submit(job, batch_size)
        else:
            self._adopt(job, found)

    def confirm_only(self, job: TrackedHubJob) -> None:
        """The same for a job that is not sent any more."""
        found = self._requests.poll(job)
        if found.status is not JobStatus.UNKNOWN:
            self._adopt(job, found)
        elif job.schedule.odd_for_s(self._clock.monotonic()) > VANISHED_AFTER_S / 4:
            text = "The run broke off while the hub's job was sent; the hub does not know it."
            self._jobs.close(job, self._results.uncertain(job.row, text))

    def _request_of(self, job: TrackedHubJob, batch_size: int) -> JobRequest:
        return JobRequest(
            job_id=job.row.job_id,
            job_type=self._job_type,
            condition=job.row.condition,
            method=self._action.method,
            patch=self._action.patch,
            start_at=None,
            max_execution_s=job.row.limit_s or self._limit_s(job, batch_size),
        )

    @property
    def _job_type(self) -> JobType:
        assert self._action.job_type is not None
        return self._action.job_type

    def _limit_s(self, job: TrackedHubJob, batch_size: int) -> int:
        """How long the hub tries a job: as was requested, or else as its devices can need."""
        requested = self._run.delivery.job_limit_s
        if requested is not None:
            return requested
        return job_limit_s(self._leased.hub_jobs.size_of(job.row), batch_size, self._action, self._run.tier)

    def _wait_for_slot(self, job: TrackedHubJob, *, is_first: bool) -> None:
        """All of the hub's job slots are taken; when ours may hold one of them, its intent stands."""
        if is_first:
            self._jobs.save(job, state=HubJobState.PLANNED)
        now = self._clock.monotonic()
        self._jobs.slot.polled(now)
        job.schedule.polled(now)
        if not self._has_reported_slot and not self._jobs.has_any(HubJobState.SUBMITTED):
            self._has_reported_slot = True
            self._jobs.say("The hub runs as many jobs as its tier allows; the next begins when one has ended.")

    def _adopt(self, job: TrackedHubJob, found: Job) -> None:
        job_id = job.row.job_id
        if is_ours(job.row, found, self._job_type):
            self._jobs.submitted(job, "adopted")
            self._jobs.say(f"The hub has job {job_id} already: it was sent before the run broke off. It is adopted.")
            return
        self._jobs.close(job, Closing(note="foreign"))
        raise Conflict(
            f"The hub has a job {job_id} that is not this run's: another type or condition. Nothing was "
            "done to the devices of that job's batch; resuming uses another id.",
            status=409,
            hub_code="ForeignJob",
        )
