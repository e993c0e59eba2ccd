"""BatchDriver: the hub operates the devices, by jobs; one or more a batch, as many as their conditions need.

Strategy: a job's row says `submitting` before it is sent, under an id that is made from stored rows. After a crash the
hub is asked for that id: a job that is there, and is ours, is adopted; else it is sent under the same id, which the hub
accepts once. Requests are made on a thread of their own, so that the lease is renewed while a hub is slow.
"""

from collections.abc import Iterator
from datetime import datetime

from azext_iotjobs.clients.heartbeat_caller import HeartbeatCaller, OutageBackoff
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job import plan
from azext_iotjobs.fleet_job.driver import OnEvent
from azext_iotjobs.fleet_job.engine import Drain
from azext_iotjobs.fleet_job.hub_job import HubJob, HubJobState, HubJobStep
from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun
from azext_iotjobs.model.attempt import Attempt
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import HubAnswer, IotJobsError, LinkError
from azext_iotjobs.model.fleet_job import Definition
from azext_iotjobs.model.run import Batch, Run
from azext_iotjobs.operations.fleet_job.drivers.awaited_devices import AwaitedDevices
from azext_iotjobs.operations.fleet_job.drivers.hub_job_polling import HubJobPolling
from azext_iotjobs.operations.fleet_job.drivers.hub_job_requests import HubJobRequests
from azext_iotjobs.operations.fleet_job.drivers.hub_job_results import Closing, HubJobResults
from azext_iotjobs.operations.fleet_job.drivers.hub_job_submission import HubJobSubmission
from azext_iotjobs.operations.fleet_job.drivers.tracked_hub_jobs import TrackedHubJob, TrackedHubJobs

NAP_S = 0.5
DEVICES_AT_A_TIME = 20_000  # that are put into jobs
ROWS_AHEAD = 1_000  # of these, read at a time


class HubJobsDriver:
    """Operates devices by the hub's jobs."""

    def __init__(
        self, client: HubClient, clock: Clock, leased: LeasedRun, run: Run, definition: Definition, on_event: OnEvent
    ) -> None:
        """leased, run, definition: what is executed.  on_event: is called with what happens."""
        self._clock = clock
        self._leased = leased
        self._run = run
        self._has_threshold = definition.rollout.threshold is not None
        self._backoff = OutageBackoff()
        self._trouble: IotJobsError | None = None
        self._caller = HeartbeatCaller(lambda: leased.beat(clock.now()))
        self._jobs = TrackedHubJobs(clock, leased, on_event)
        requests = HubJobRequests(client, clock, self._caller)
        results = HubJobResults(client, clock, leased, definition, on_event, self._caller)
        awaited = AwaitedDevices(client, self._caller)
        action = definition.action.within(run.delivery)
        self._submission = HubJobSubmission(clock, leased, run, action, self._jobs, requests, results)
        self._polling = HubJobPolling(
            clock, leased, self._jobs, requests, results, awaited, has_threshold=self._has_threshold
        )

    @property
    def trouble(self) -> IotJobsError | None:
        """Why the hub cannot be used any more."""
        return self._trouble

    def in_flight_count(self, drain: Drain) -> int:
        """Hub jobs that something has to be done with."""
        if drain is Drain.STOP and self._trouble is not None:
            return 0
        return sum(1 for each in self._jobs if each.step(drain) is not HubJobStep.LEAVE)

    def turn(self, batch: Batch, drain: Drain) -> None:
        """Take each of the batch's jobs as far as it goes now; wait a little when none goes further."""
        now = self._clock.monotonic()
        if drain is Drain.NO and not self._jobs and self._trouble is None:
            self._plan(batch)
        if drain is Drain.STOP and self._backoff.error is not None:
            self._trouble = self._backoff.error  # who wants to stop does not wait for a hub that is away
            return
        if (left_s := self._backoff.remaining_s(now)) > 0:
            self._clock.sleep(min(NAP_S, left_s))
            return
        try:
            has_moved = self._take_steps(batch, drain)
        except (HubAnswer, LinkError) as err:
            self._wait_out(err)
        else:
            if not has_moved:
                self._nap()

    def close(self) -> None:
        """Let the thread end."""
        self._caller.close()

    def _plan(self, batch: Batch) -> None:
        """Put devices that wait into jobs: rows only."""
        devices = self._waiting_devices(batch.ordinal, self._clock.now())
        first = self._leased.hub_jobs.next_number(batch.ordinal)
        for number, planned in enumerate(plan.hub_jobs(devices), start=first):
            hub_job = HubJob(
                batch=batch.ordinal,
                number=number,
                job_id=plan.hub_job_id(self._run.fleet_job_id, self._run.run_key, batch.ordinal, number),
                condition=planned.condition,
                state=HubJobState.PLANNED,
            )
            self._jobs.add(hub_job, planned)

    def _waiting_devices(self, batch: int, now: datetime) -> Iterator[Attempt]:
        """Devices that wait; read as they are put into jobs, so that there are few at a time in memory."""
        left, after = DEVICES_AT_A_TIME, 0
        while left and (found := self._leased.devices.due(batch, now, min(ROWS_AHEAD, left), after=after)):
            left, after = left - len(found), found[-1].seq
            yield from found

    def _take_steps(self, batch: Batch, drain: Drain) -> bool:
        """One step with each job; gives whether there was any to take. Raises HubAnswer, LinkError."""
        has_moved = False
        for job in self._jobs.in_order():
            step = job.step(drain)
            if step is HubJobStep.LEAVE or not self._is_due(job, step):
                continue
            has_moved = True
            self._take(step, job, batch.size)
            self._backoff.reset()
            if self._has_threshold and job not in self._jobs:
                break  # its results are compared with the threshold before another one begins
        return has_moved

    def _take(self, step: HubJobStep, job: TrackedHubJob, batch_size: int) -> None:
        match step:
            case HubJobStep.INTEND:
                self._submission.intend(job, batch_size)
            case HubJobStep.SUBMIT:
                self._submission.submit(job, batch_size)
            case HubJobStep.CONFIRM:
                self._submission.confirm(job, batch_size)
            case HubJobStep.CONFIRM_ONLY:
                self._submission.confirm_only(job)
            case HubJobStep.POLL:
                self._polling.poll(job)
            case HubJobStep.CANCEL:
                self._polling.cancel(job)
            case HubJobStep.FREE:
                self._jobs.close(job, Closing(note="not sent"))
            case HubJobStep.LEAVE:
                pass

    def _is_due(self, job: TrackedHubJob, step: HubJobStep) -> bool:
        now = self._clock.monotonic()
        if step in (HubJobStep.INTEND, HubJobStep.SUBMIT):
            return now >= self._jobs.slot.next_at
        return step in (HubJobStep.FREE, HubJobStep.CANCEL) or now >= job.schedule.next_at

    def _wait_out(self, err: HubAnswer | LinkError) -> None:
        pause_s = self._backoff.pause_after(err, self._clock.monotonic())
        if pause_s is None:
            self._trouble = err
        else:
            self._jobs.say(f"{err} The next try is in {pause_s:.0f} s.")

    def _nap(self) -> None:
        if not self._jobs:
            self._clock.sleep(NAP_S)  # all that is open waits to be tried again
            return
        now, soonest = self._clock.monotonic(), self._jobs.next_poll_at()
        self._clock.sleep(min(NAP_S, soonest - now) if soonest > now else NAP_S / 10)
