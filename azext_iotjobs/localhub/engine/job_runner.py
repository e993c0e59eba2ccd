"""Runs the hub's jobs: one loop that lets `rules.job.decide` choose each job's next step, and takes it.

A start after a crash is not a special case: every step is decided from the stored rows. A method call's row says
`running` before the call is made; one that says so when the hub starts was interrupted and is not repeated: the device
may have been operated already, so its row fails with a reason that says that.
"""

import asyncio
import logging
from collections.abc import Coroutine
from datetime import datetime

from azext_iotjobs.localhub.clock import HubClock
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.engine.method_calls import ROWS_AT_ONCE, MethodCalls, deadline_of, error_of, quota_used_up
from azext_iotjobs.localhub.engine.paced_selector import PacedSelector
from azext_iotjobs.localhub.engine.quotas import Quotas
from azext_iotjobs.localhub.engine.selector import Selector
from azext_iotjobs.localhub.engine.twin_service import TwinService
from azext_iotjobs.localhub.errors import HubError, QueryError, StoreDamaged, StoreUnavailable
from azext_iotjobs.localhub.process.background import Backoff, run_by_clock
from azext_iotjobs.localhub.rules.job import CANCELLABLE, HISTORY, DeviceStatus, JobStatus, Step, decide
from azext_iotjobs.localhub.rules.quota import Throttle
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.jobs import DeviceStatusChange, Job, Jobs, PendingDevice

logger = logging.getLogger(__name__)

LONGEST_SLEEP_S = 60.0  # old history is removed in time, and a changed clock or a suspended machine is noticed
INTERRUPTED = {
    "code": "ServerError",
    "description": "The hub ended, or was brought back to a snapshot, while the method was being called; whether the "
    "device was operated is not known.",
}


class JobRunner:
    """Runs the hub's jobs."""

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        selector: Selector,
        twins: TwinService,
        links: Links,
        clock: HubClock,
        quotas: Quotas | None = None,
        paced: PacedSelector | None = None,
    ) -> None:
        """paced: finds the devices of large jobs; None: by the selector, with its usual slices."""
        self._database = database
        self._jobs = jobs
        self._selector = selector
        self._paced = PacedSelector(selector) if paced is None else paced
        self._twins = twins
        self._links = links
        self._clock = clock
        self._quotas = quotas
        self._changed = asyncio.Event()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._broken: dict[str, BaseException] = {}  # jobs that are to fail, and why
        self._has_begun = False
        self._is_paused = False
        self._backoff = Backoff()  # of tasks that could not store their results

    def wake(self) -> None:
        """A job was created or cancelled."""
        self._changed.set()

    def forget(self, job_ids: list[str]) -> None:
        """Stop running jobs whose rows are about to be removed."""
        for job_id in job_ids:
            self._broken.pop(job_id, None)
            if task := self._running.pop(job_id, None):
                task.cancel()

    async def pause(self) -> None:
        """End what is being done for jobs, and begin nothing before `resume`."""
        self._is_paused = True
        tasks, self._running = list(self._running.values()), {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def resume(self) -> None:
        """Go on from the rows as they are now, as after a start."""
        self._is_paused = self._has_begun = False
        self._broken.clear()
        self._changed.set()

    async def run(self) -> None:
        """Run jobs until cancelled."""
        try:
            await run_by_clock("the job runner", self._step_all, self._database.outages, self._clock, self._changed)
        finally:
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _step_all(self) -> float:
        """Take every job as far as it goes now; gives the seconds until the next one is due."""
        if self._is_paused:
            return LONGEST_SLEEP_S
        if not self._has_begun:
            self._fail_interrupted_calls()
            self._has_begun = True
        self._fail_broken()
        now = self._clock.now()
        self._jobs.forget_before(now - HISTORY)
        wait_s = LONGEST_SLEEP_S
        for job in self._jobs.active():
            try:
                self._step(job, now)
            except StoreDamaged as err:  # concerns this job only
                self._break(job.spec.job_id, err)
            wait_s = min(wait_s, max(0.0, (job.start_at - now).total_seconds())) if job.start_at > now else wait_s
        return wait_s

    def _fail_interrupted_calls(self) -> None:
        now = self._clock.now()
        for job in self._jobs.active():
            rows = self._jobs.rows_in(job.spec.job_id, DeviceStatus.RUNNING)
            self._jobs.change_device_statuses(
                [DeviceStatusChange(row_id, DeviceStatus.FAILED, now, error=INTERRUPTED) for row_id in rows]
            )

    def _fail_broken(self) -> None:
        """Fail the jobs that cannot run because of a bug of ours or an unreadable row."""
        for job_id, error in list(self._broken.items()):
            reason = error.text if isinstance(error, StoreDamaged) else f"InternalError: {error!r}"
            self._jobs.set_status(job_id, JobStatus.FAILED, ended_at=self._clock.now(), reason=reason)
            del self._broken[job_id]

    def _step(self, job: Job, now: datetime) -> None:
        job_id = job.spec.job_id
        if job_id in self._running or job_id in self._broken:
            return
        counts = self._jobs.device_counts(job_id)
        open_devices = counts[DeviceStatus.PENDING] + counts[DeviceStatus.RUNNING]
        match decide(status=job.status, start_at=job.start_at, open_devices=open_devices, now=now):
            case Step.SCHEDULE:
                self._jobs.set_status(job_id, JobStatus.SCHEDULED)
            case Step.BEGIN:
                self._begin(job, now)
            case Step.OPERATE:
                self._start(job_id, self._operate(job))
            case Step.COMPLETE:
                self._jobs.set_status(job_id, JobStatus.COMPLETED, ended_at=now)

    def _start(self, job_id: str, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running[job_id] = task
        task.add_done_callback(lambda done: self._on_task_ended(job_id, done))

    def _begin(self, job: Job, now: datetime) -> None:
        """Freeze the device set; a condition that does not parse fails the job only now, as on the service."""
        try:
            if self._paced.is_small(job.spec.condition):
                self._jobs.freeze(job.spec.job_id, self._selector.devices(job.spec.condition), now)
                self._changed.set()  # the next step follows at once
            else:
                self._start(job.spec.job_id, self._begin_large(job, now))
        except QueryError as err:
            self._fail_query(job.spec.job_id, err, now)

    async def _begin_large(self, job: Job, now: datetime) -> None:
        """As `_begin`, some devices at a time; the job does not run before it has all of them."""
        job_id = job.spec.job_id
        self._jobs.remove_devices(job_id)  # of a beginning that was interrupted
        try:
            async for devices in self._paced.devices(job.spec.condition):
                self._jobs.add_devices(job_id, devices, now)
        except QueryError as err:
            self._jobs.remove_devices(job_id)
            self._fail_query(job_id, err, now)
            return
        current = self._jobs.get(job_id)
        if current is not None and current.status in CANCELLABLE:
            self._jobs.set_status(job_id, JobStatus.RUNNING)
        else:  # it was cancelled meanwhile
            self._jobs.remove_devices(job_id)

    def _fail_query(self, job_id: str, err: QueryError, now: datetime) -> None:
        reason = f"SqlQueryParser: {err.text} at line:{err.line}, column:{err.column}"
        self._jobs.set_status(job_id, JobStatus.FAILED, ended_at=now, reason=reason)

    def _on_task_ended(self, job_id: str, done: "asyncio.Task[None]") -> None:
        if self._running.get(job_id) is not done:  # it was stopped
            return
        del self._running[job_id]
        error = None if done.cancelled() else done.exception()
        if isinstance(error, StoreUnavailable):  # nothing was changed: a later step starts the task again
            asyncio.get_running_loop().call_later(self._backoff.pause_s(), self._changed.set)
            return
        self._backoff.reset()
        if error is not None:
            self._break(job_id, error)
        self._changed.set()

    def _break(self, job_id: str, error: BaseException) -> None:
        trace = None if isinstance(error, StoreDamaged) else error
        logger.error("job %s cannot run: %s", job_id, error, exc_info=trace)
        self._broken[job_id] = error
        self._changed.set()

    async def _operate(self, job: Job) -> None:
        """Call the method of, or update the twin of, every device that is left."""
        if job.spec.method is not None:
            await MethodCalls(job, job.spec.method, self._jobs, self._links, self._clock, self._quotas).run()
            return
        after = 0
        while rows := self._jobs.pending(job.spec.job_id, after=after, count=ROWS_AT_ONCE):
            for row in rows:
                if self._quotas is None or await self._has_permit(self._quotas, deadline_of(job, row)):
                    self._update_twin(job, row)
                else:
                    self._jobs.change_device_statuses([self._failed(row, quota_used_up())])
                await asyncio.sleep(0)  # other tasks run between two devices
            after = rows[-1].row_id

    async def _has_permit(self, quotas: Quotas, deadline: datetime) -> bool:
        """Wait until the rate of all jobs allows another device; gives whether that was before the deadline."""
        await quotas.wait_in_order(Throttle.JOB_DEVICES)
        return self._clock.now() < deadline

    def _update_twin(self, job: Job, row: PendingDevice) -> None:
        with self._database.transaction():  # the twin and the row that says so, or neither
            try:
                self._twins.patch(row.address, tags=job.spec.tags, desired=job.spec.desired)
            except (HubError, StoreDamaged) as err:
                change = self._failed(row, err)
            else:
                outcome = {"deviceMethodResponse": None}
                change = DeviceStatusChange(row.row_id, DeviceStatus.COMPLETED, self._clock.now(), outcome=outcome)
            self._jobs.change_device_statuses([change])

    def _failed(self, row: PendingDevice, err: HubError | StoreDamaged) -> DeviceStatusChange:
        return DeviceStatusChange(row.row_id, DeviceStatus.FAILED, self._clock.now(), error=error_of(err))
