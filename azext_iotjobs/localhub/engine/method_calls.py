"""The calls of one method job: devices that are online are called, a limited number at a time; the others are awaited.

Strategy: whatever happened since the last pass of the loop is stored in one transaction, results together with the
calls that begin; only then are those calls sent. So a row says `running` before its device receives the call, and ten
thousand devices cost some hundred writes. A device that is offline costs a future, no task and no timer. Where a tier
limits the rate of jobs, each call needs a permit of its quota.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta

from azext_iotjobs.localhub.clock import HubClock, parse
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.engine.quotas import Quotas
from azext_iotjobs.localhub.errors import (
    JOB_RUN_PRECONDITION_FAILED,
    SERVER_ERROR,
    HubError,
    StoreDamaged,
    StoreUnavailable,
)
from azext_iotjobs.localhub.process.background import Alarm, Backoff
from azext_iotjobs.localhub.rules.job import DeviceStatus, MethodSpec
from azext_iotjobs.localhub.rules.quota import Throttle
from azext_iotjobs.localhub.store.jobs import DeviceStatusChange, Job, Jobs, PendingDevice

CALLS_AT_ONCE = 100  # of one job
ROWS_AT_ONCE = 250  # read or given up in one pass: some milliseconds, then other tasks run


class MethodCalls:
    """One job's calls, from the devices that are left to the end of all."""

    def __init__(
        self,
        job: Job,
        method: MethodSpec,
        jobs: Jobs,
        links: Links,
        clock: HubClock,
        quotas: Quotas | None = None,
    ) -> None:
        self._job = job
        self._method = method
        self._jobs = jobs
        self._links = links
        self._clock = clock
        self._quotas = quotas
        self._permits = 0  # granted by the quota and not used yet
        self._permit_request: asyncio.Task[None] | None = None
        self._read_until: int | None = 0  # the last row that was read; None: there are no more
        self._ready: deque[PendingDevice] = deque()  # their devices accepted methods when they were read
        self._offline: dict[asyncio.Future[None], PendingDevice] = {}
        self._calling: set[asyncio.Task[DeviceStatusChange]] = set()
        self._ended: list[asyncio.Task[DeviceStatusChange]] = []
        self._given_up: list[DeviceStatusChange] = []
        self._was_late = False  # the time was over before it began
        self._is_time_over = False
        self._backoff = Backoff()
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Call every device that is left."""
        timer = self._start_timer()
        try:
            while True:
                self._changed.clear()
                try:
                    self._read_some()
                    self._give_up_some()
                    self._store_and_call()
                except StoreUnavailable:  # calls in flight continue, and no other device is called
                    await asyncio.sleep(self._backoff.pause_s())
                    continue
                self._backoff.reset()
                if not self._is_anything_left():
                    return
                await asyncio.sleep(0)  # other tasks run; and what happens meanwhile is stored together
                await self._changed.wait()
        except asyncio.CancelledError:
            with suppress(StoreUnavailable):  # then these calls count as interrupted
                self._store([])
            raise
        finally:
            timer.cancel()
            await self._stop()

    def _is_anything_left(self) -> bool:
        return self._read_until is not None or bool(self._ready or self._offline or self._calling)

    def _start_timer(self) -> Alarm:
        """For the end of the devices' time."""
        now = self._clock.now()
        ends_at = [deadline_of(self._job, row) for row in self._page(count=1)] or [now]
        self._was_late = ends_at[0] <= now
        return Alarm(self._clock, ends_at[0], self._end_time)

    def _end_time(self) -> None:
        self._is_time_over = True
        self._changed.set()

    def _page(self, *, count: int) -> list[PendingDevice]:
        return self._jobs.pending(self._job.spec.job_id, after=self._read_until or 0, count=count)

    def _read_some(self) -> None:
        """Read the next rows, when there are too few devices to call."""
        if self._read_until is None or len(self._ready) >= CALLS_AT_ONCE:
            return
        rows = self._page(count=ROWS_AT_ONCE)
        for row in rows:
            self._add(row)
        self._read_until = rows[-1].row_id if len(rows) == ROWS_AT_ONCE else None
        self._changed.set()

    def _add(self, row: PendingDevice) -> None:
        if self._was_late:
            self._given_up.append(self._failed(row, _was_offline()))
        elif self._links.accepts_methods(row.address):
            self._ready.append(row)
        else:
            ready = self._links.ready_future(row.address)
            self._offline[ready] = row
            ready.add_done_callback(self._on_ready)
            if self._is_time_over:  # it is to be given up
                self._changed.set()

    def _on_ready(self, ready: "asyncio.Future[None]") -> None:
        if row := self._offline.pop(ready, None):
            self._ready.append(row)
            self._changed.set()

    def _give_up_some(self) -> None:
        if not self._is_time_over:
            return
        for ready in list(self._offline)[:ROWS_AT_ONCE]:
            self._given_up.append(self._failed(self._offline.pop(ready), _was_offline()))
            ready.cancel()
        if self._quotas is not None:
            self._given_up += [self._failed(row, quota_used_up()) for row in self._ready]
            self._ready.clear()
        if self._offline:
            self._changed.set()

    def _store_and_call(self) -> None:
        """Store what has ended and which calls begin; then send those."""
        beginning = list(self._next_devices())
        try:
            self._store(beginning)
        except StoreUnavailable:
            self._ready.extendleft(reversed(beginning))
            self._permits += len(beginning) if self._quotas is not None else 0
            raise
        for row in beginning:
            call = asyncio.get_running_loop().create_task(self._call(row))
            self._calling.add(call)
            call.add_done_callback(self._on_call_ended)
        if self._ready and self._free():
            self._changed.set()
        if self._quotas is not None:
            self._request_permit(self._quotas)

    def _request_permit(self, quotas: Quotas) -> None:
        """Request one permit, when a call could use it: saved permits would make a burst later."""
        is_needed = self._ready and len(self._calling) < CALLS_AT_ONCE
        if self._permit_request is None and not self._permits and is_needed:
            self._permit_request = asyncio.get_running_loop().create_task(quotas.wait_in_order(Throttle.JOB_DEVICES))
            self._permit_request.add_done_callback(self._on_permit)

    def _free(self) -> int:
        """How many devices may be called now."""
        free = CALLS_AT_ONCE - len(self._calling)
        return free if self._quotas is None else min(free, self._permits)

    def _on_permit(self, request: "asyncio.Task[None]") -> None:
        self._permit_request = None
        if not request.cancelled():
            request.result()  # never a refusal; a bug of ours must surface
            self._permits += 1
            self._changed.set()

    def _store(self, beginning: list[PendingDevice]) -> None:
        now = self._clock.now()
        begun = [DeviceStatusChange(row.row_id, DeviceStatus.RUNNING, now) for row in beginning]
        self._jobs.change_device_statuses([*self._given_up, *(call.result() for call in self._ended), *begun])
        self._ended, self._given_up = [], []

    def _next_devices(self) -> Iterator[PendingDevice]:
        """The next devices to call, as many as may be called now."""
        free = self._free()
        for _ in range(len(self._ready)):
            if free == 0:
                return
            row = self._ready.popleft()
            if self._links.accepts_methods(row.address):
                free -= 1
                self._permits -= self._quotas is not None
                yield row
            else:  # offline again: it may come back while there is time
                self._add(row)

    async def _call(self, row: PendingDevice) -> DeviceStatusChange:
        method = self._method
        try:
            result = await self._links.invoke(
                row.address,
                method.name,
                method.payload,
                response_timeout_s=method.response_timeout_s,
                connect_timeout_s=method.connect_timeout_s,
                job_id=self._job.spec.job_id,
            )
        except HubError as err:
            return self._failed(row, err)
        response = {"deviceMethodResponse": {"status": result.status, "payload": result.payload}}
        return DeviceStatusChange(row.row_id, DeviceStatus.COMPLETED, self._clock.now(), outcome=response)

    def _on_call_ended(self, call: "asyncio.Task[DeviceStatusChange]") -> None:
        self._calling.discard(call)
        if not call.cancelled():
            self._ended.append(call)
        self._changed.set()

    def _failed(self, row: PendingDevice, err: HubError) -> DeviceStatusChange:
        return DeviceStatusChange(row.row_id, DeviceStatus.FAILED, self._clock.now(), error=error_of(err))

    async def _stop(self) -> None:
        """Cancel everything that is awaited."""
        offline, self._offline = self._offline, {}
        for ready in offline:
            ready.cancel()
        running = [*self._calling, *([self._permit_request] if self._permit_request else [])]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def error_of(err: HubError | StoreDamaged) -> dict[str, str]:
    """What a device's row says about a refusal."""
    fault = err.fault if isinstance(err, HubError) else SERVER_ERROR
    return {"code": fault.name, "description": err.text}


def deadline_of(job: Job, row: PendingDevice) -> datetime:
    """When a device's time is over.

    It counts from the moment at which the job began to run on its devices: a hub that was not running at the job's
    start time gives its devices all of their time to reconnect.
    """
    return max(job.start_at, parse(row.created_at)) + timedelta(seconds=job.spec.max_execution_s)


def quota_used_up() -> HubError:
    """The quota had no permit for a device in time."""
    return HubError(
        JOB_RUN_PRECONDITION_FAILED,
        "The job did not start on this device in the given period: the hub's jobs device operations were used up.",
    )


def _was_offline() -> HubError:
    return HubError(
        JOB_RUN_PRECONDITION_FAILED,
        "The job did not start on this device in the given period: the device was offline, or the end time is invalid.",
    )
