"""Carries jobs out: one loop that asks `rules.job.decide` what comes next and does it.

Starting and going on after a restart are the same: every step is decided from the stored rows. A method call's row says
`running` before the call is made; one that says so when the hub starts was cut off, and is not made again: the device
may have been operated already, so it fails with a reason that says that.
"""

import asyncio
import logging
from datetime import datetime

from azext_iotjobs.localhub.clock import HubClock
from azext_iotjobs.localhub.engine.calls import ROWS_AT_ONCE, Calls, came_too_late, deadline_of, error_of
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.engine.quotas import Quotas
from azext_iotjobs.localhub.engine.selector import Selector
from azext_iotjobs.localhub.engine.twin_service import TwinDesk
from azext_iotjobs.localhub.errors import HubError, QueryError, StoreDamaged, StoreTrouble
from azext_iotjobs.localhub.process.background import Backoff, take_turns
from azext_iotjobs.localhub.rules.job import HISTORY, DeviceStatus, JobStatus, Step, decide
from azext_iotjobs.localhub.rules.quota import Throttle
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.jobs import Job, Jobs, Move, PendingDevice

logger = logging.getLogger(__name__)

LONGEST_SLEEP_S = 60.0  # so that old history goes, and a clock that was moved or a machine that slept is noticed
CUT_OFF = {
    "code": "ServerError",
    "description": "The hub ended while the method was being called; whether the device was operated is not known.",
}


class Runner:
    """Runs the hub's jobs."""

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        selector: Selector,
        twins: TwinDesk,
        links: Links,
        clock: HubClock,
        quotas: Quotas | None = None,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._selector = selector
        self._twins = twins
        self._links = links
        self._clock = clock
        self._quotas = quotas
        self._changed = asyncio.Event()
        self._carriers: dict[str, asyncio.Task[None]] = {}
        self._broken: dict[str, BaseException] = {}  # jobs that are to fail, and why
        self._has_begun = False
        self._backoff = Backoff()  # of carriers that could not store what they did

    def wake(self) -> None:
        """Something has changed: a new job, or a cancelled one."""
        self._changed.set()

    def forget(self, job_ids: list[str]) -> None:
        """Stop carrying out jobs whose rows are about to go."""
        for job_id in job_ids:
            self._broken.pop(job_id, None)
            if carrier := self._carriers.pop(job_id, None):
                carrier.cancel()

    async def run(self) -> None:
        """Run jobs until cancelled."""
        try:
            await take_turns("the jobs", self._turn, self._database.troubles, self._changed)
        finally:
            for carrier in self._carriers.values():
                carrier.cancel()
            await asyncio.gather(*self._carriers.values(), return_exceptions=True)

    def _turn(self) -> float:
        if not self._has_begun:
            self._fail_cut_off_calls()
            self._has_begun = True
        self._end_broken()
        return self._step_all()

    def _fail_cut_off_calls(self) -> None:
        now = self._clock.now()
        for job in self._jobs.active():
            rows = self._jobs.rows_in(job.spec.job_id, DeviceStatus.RUNNING)
            self._jobs.move_devices([Move(row_id, DeviceStatus.FAILED, now, error=CUT_OFF) for row_id in rows])

    def _end_broken(self) -> None:
        """Fail the jobs that a mistake, or a row that cannot be read, keeps from being carried on."""
        for job_id, error in list(self._broken.items()):
            reason = error.text if isinstance(error, StoreDamaged) else f"InternalError: {error!r}"
            self._jobs.move(job_id, JobStatus.FAILED, ended_at=self._clock.now(), reason=reason)
            del self._broken[job_id]

    def _step_all(self) -> float:
        """Take every job as far as it goes now; gives the seconds until the next one is due."""
        now = self._clock.now()
        self._jobs.forget_before(now - HISTORY)
        wait_s = LONGEST_SLEEP_S
        for job in self._jobs.active():
            try:
                self._step(job, now)
            except StoreDamaged as err:  # of this job; the others go on
                self._break(job.spec.job_id, err)
            wait_s = min(wait_s, max(0.0, (job.start_at - now).total_seconds())) if job.start_at > now else wait_s
        return wait_s

    def _step(self, job: Job, now: datetime) -> None:
        job_id = job.spec.job_id
        if job_id in self._carriers or job_id in self._broken:
            return
        tally = self._jobs.tally(job_id)
        open_devices = tally[DeviceStatus.PENDING] + tally[DeviceStatus.RUNNING]
        match decide(status=job.status, start_at=job.start_at, open_devices=open_devices, now=now):
            case Step.SCHEDULE:
                self._jobs.move(job_id, JobStatus.SCHEDULED)
            case Step.BEGIN:
                self._begin(job, now)
            case Step.OPERATE:
                carrier = asyncio.get_running_loop().create_task(self._operate(job))
                self._carriers[job_id] = carrier
                carrier.add_done_callback(lambda done: self._carried(job_id, done))
            case Step.COMPLETE:
                self._jobs.move(job_id, JobStatus.COMPLETED, ended_at=now)

    def _begin(self, job: Job, now: datetime) -> None:
        """Freeze the device set; a condition that does not parse fails the job only now, as on the service."""
        try:
            devices = self._selector.devices(job.spec.condition)
        except QueryError as err:
            reason = f"SqlQueryParser: {err.text} at line:{err.line}, column:{err.column}"
            self._jobs.move(job.spec.job_id, JobStatus.FAILED, ended_at=now, reason=reason)
            return
        self._jobs.freeze(job.spec.job_id, devices, now)
        self._changed.set()  # another step, at once

    def _carried(self, job_id: str, done: "asyncio.Task[None]") -> None:
        if self._carriers.get(job_id) is done:
            del self._carriers[job_id]
        error = None if done.cancelled() else done.exception()
        if isinstance(error, StoreTrouble):  # what is stored is as it was: a later turn carries it on
            asyncio.get_running_loop().call_later(self._backoff.pause_s(), self._changed.set)
            return
        self._backoff.reset()
        if error is not None:
            self._break(job_id, error)
        self._changed.set()

    def _break(self, job_id: str, error: BaseException) -> None:
        trace = None if isinstance(error, StoreDamaged) else error
        logger.error("job %s could not be carried on: %s", job_id, error, exc_info=trace)
        self._broken[job_id] = error
        self._changed.set()

    async def _operate(self, job: Job) -> None:
        """Do with every device that is left what the job says."""
        if job.spec.method is not None:
            await Calls(job, job.spec.method, self._jobs, self._links, self._clock, self._quotas).run()
            return
        after = 0
        while rows := self._jobs.pending(job.spec.job_id, after=after, count=ROWS_AT_ONCE):
            for row in rows:
                if self._quotas is None or await self._has_turn(self._quotas, deadline_of(job, row)):
                    self._update_twin(job, row)
                else:
                    error = error_of(came_too_late())
                    self._jobs.move_devices([Move(row.row_id, DeviceStatus.FAILED, self._clock.now(), error=error)])
                await asyncio.sleep(0)  # others have their turn between two devices
            after = rows[-1].row_id

    async def _has_turn(self, quotas: Quotas, deadline: datetime) -> bool:
        """Wait until the pace of all jobs allows another device; gives whether that was in time."""
        await quotas.turn(Throttle.JOB_DEVICES)
        return self._clock.now() < deadline

    def _update_twin(self, job: Job, row: PendingDevice) -> None:
        with self._database.transaction():  # the twin and the row that says so, or neither
            try:
                self._twins.patch(row.address, tags=job.spec.tags, desired=job.spec.desired)
            except (HubError, StoreDamaged) as err:
                move = Move(row.row_id, DeviceStatus.FAILED, self._clock.now(), error=error_of(err))
            else:
                outcome = {"deviceMethodResponse": None}
                move = Move(row.row_id, DeviceStatus.COMPLETED, self._clock.now(), outcome=outcome)
            self._jobs.move_devices([move])
