"""Requests to the hub about its jobs, made while the lease of the run is renewed."""

from azext_iotjobs.clients.heartbeat_caller import HeartbeatCaller
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import HubAnswer, NotFound
from azext_iotjobs.model.job import Job, JobStatus, JobType
from azext_iotjobs.model.job_request import JobRequest
from azext_iotjobs.operations.fleet_job.drivers.tracked_hub_jobs import TrackedHubJob

JOB_NOT_FOUND = "JobNotFound"  # as old versions of the endpoint say; now it is a job whose status is `unknown`


class HubJobRequests:
    """Creates, polls and cancels jobs of the hub. Raises HubAnswer, LinkError; LeaseLost."""

    def __init__(self, client: HubClient, clock: Clock, caller: HeartbeatCaller) -> None:
        self._client = client
        self._clock = clock
        self._caller = caller

    def create(self, request: JobRequest) -> None:
        """Submit a job."""
        self._caller.call(lambda: self._client.jobs.create(request))

    def poll(self, job: TrackedHubJob) -> Job:
        """A job as the hub describes it now; its status is UNKNOWN when the hub does not know it."""
        job_id = job.row.job_id
        job.schedule.polled(self._clock.monotonic())
        try:
            return self._caller.call(lambda: self._client.jobs.get(job_id))
        except NotFound as err:
            if err.hub_code != JOB_NOT_FOUND:
                raise
            return Job(job_id=job_id, job_type=JobType.UNKNOWN, status=JobStatus.UNKNOWN, tally=None, document={})

    def cancel(self, job_id: str) -> None:
        """Ask the hub not to begin a job. One that runs already continues (405)."""
        try:
            self._caller.call(lambda: self._client.jobs.cancel(job_id))
        except HubAnswer as refused:
            if refused.status not in (404, 405):
                raise
