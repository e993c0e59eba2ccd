"""The calls of one method job: devices that are there are called, some at a time; for the others it waits.

Strategy: what a turn of the loop brought is stored in one transaction, results and beginnings together; then the calls
that begin go out. So a row says `running` before its device hears of it, and ten thousand devices cost some hundred
writes. A device that is away costs a future, no task and no timer. Where a tier paces jobs, a call takes a turn.
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
    StoreTrouble,
)
from azext_iotjobs.localhub.process.background import Backoff
from azext_iotjobs.localhub.rules.job import DeviceStatus, MethodSpec
from azext_iotjobs.localhub.rules.quota import Throttle
from azext_iotjobs.localhub.store.jobs import Job, Jobs, Move, PendingDevice

CALLS_AT_ONCE = 100  # of one job
ROWS_AT_ONCE = 250  # read or given up in one turn: some milliseconds, then others have theirs


class Calls:
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
        self._turns = 0  # that were waited for, and are not used
        self._turn: asyncio.Task[None] | None = None  # the next one
        self._read_until: int | None = 0  # the row up to which rows were read; None: all are
        self._ready: deque[PendingDevice] = deque()  # their devices were there when they were looked at
        self._away: dict[asyncio.Future[None], PendingDevice] = {}
        self._calling: set[asyncio.Task[Move]] = set()
        self._ended: list[asyncio.Task[Move]] = []
        self._given_up: list[Move] = []
        self._was_late = False  # the time was over before it began
        self._is_over = False
        self._backoff = Backoff()
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Call every device that is left."""
        timer = self._watch_time()
        try:
            while True:
                self._changed.clear()
                try:
                    self._read_some()
                    self._give_up_some()
                    self._store_and_call()
                except StoreTrouble:  # what is on the way goes on, and nobody else is called
                    await asyncio.sleep(self._backoff.pause_s())
                    continue
                self._backoff.reset()
                if not self._is_anything_left():
                    return
                await asyncio.sleep(0)  # others have their turn; and what comes in it is stored together
                await self._changed.wait()
        except asyncio.CancelledError:
            with suppress(StoreTrouble):  # then these calls count as cut off
                self._store([])
            raise
        finally:
            timer.cancel()
            await self._stop()

    def _is_anything_left(self) -> bool:
        return self._read_until is not None or bool(self._ready or self._away or self._calling)

    def _watch_time(self) -> asyncio.TimerHandle:
        """Notice when the devices' time is over."""
        ends_at = [deadline_of(self._job, row) for row in self._page(count=1)] or [self._clock.now()]
        left_s = (ends_at[0] - self._clock.now()).total_seconds()
        self._was_late = left_s <= 0
        return asyncio.get_running_loop().call_later(max(0.0, left_s), self._end_time)

    def _end_time(self) -> None:
        self._is_over = True
        self._changed.set()

    def _page(self, *, count: int) -> list[PendingDevice]:
        return self._jobs.pending(self._job.spec.job_id, after=self._read_until or 0, count=count)

    def _read_some(self) -> None:
        """Look at the next devices, when there are too few to call."""
        if self._read_until is None or len(self._ready) >= CALLS_AT_ONCE:
            return
        rows = self._page(count=ROWS_AT_ONCE)
        for row in rows:
            self._sort_in(row)
        self._read_until = rows[-1].row_id if len(rows) == ROWS_AT_ONCE else None
        self._changed.set()

    def _sort_in(self, row: PendingDevice) -> None:
        if self._was_late:
            self._given_up.append(self._failed(row, _stayed_away()))
        elif self._links.is_answering(row.address):
            self._ready.append(row)
        else:
            arrival = self._links.arrival(row.address)
            self._away[arrival] = row
            arrival.add_done_callback(self._arrived)
            if self._is_over:  # it is to be given up
                self._changed.set()

    def _arrived(self, arrival: "asyncio.Future[None]") -> None:
        if row := self._away.pop(arrival, None):
            self._ready.append(row)
            self._changed.set()

    def _give_up_some(self) -> None:
        if not self._is_over:
            return
        for arrival in list(self._away)[:ROWS_AT_ONCE]:
            self._given_up.append(self._failed(self._away.pop(arrival), _stayed_away()))
            arrival.cancel()
        if self._quotas is not None:
            self._given_up += [self._failed(row, came_too_late()) for row in self._ready]
            self._ready.clear()
        if self._away:
            self._changed.set()

    def _store_and_call(self) -> None:
        """Store what has ended, and that some begin; then call those."""
        beginning = list(self._next_devices())
        try:
            self._store(beginning)
        except StoreTrouble:
            self._ready.extendleft(reversed(beginning))
            self._turns += len(beginning) if self._quotas is not None else 0
            raise
        for row in beginning:
            call = asyncio.get_running_loop().create_task(self._call(row))
            self._calling.add(call)
            call.add_done_callback(self._end_call)
        if self._ready and self._free():
            self._changed.set()
        if self._quotas is not None:
            self._ask_for_turn(self._quotas)

    def _ask_for_turn(self, quotas: Quotas) -> None:
        """Wait for one turn, when a call could use it: turns that are saved up would be a burst later."""
        if self._turn is None and not self._turns and self._ready and len(self._calling) < CALLS_AT_ONCE:
            self._turn = asyncio.get_running_loop().create_task(quotas.turn(Throttle.JOB_DEVICES))
            self._turn.add_done_callback(self._take_turn)

    def _free(self) -> int:
        """How many devices may be called now."""
        free = CALLS_AT_ONCE - len(self._calling)
        return free if self._quotas is None else min(free, self._turns)

    def _take_turn(self, turn: "asyncio.Task[None]") -> None:
        self._turn = None
        if not turn.cancelled():
            turn.result()  # it never fails: let a mistake be seen
            self._turns += 1
            self._changed.set()

    def _store(self, beginning: list[PendingDevice]) -> None:
        now = self._clock.now()
        begun = [Move(row.row_id, DeviceStatus.RUNNING, now) for row in beginning]
        self._jobs.move_devices([*self._given_up, *(call.result() for call in self._ended), *begun])
        self._ended, self._given_up = [], []

    def _next_devices(self) -> Iterator[PendingDevice]:
        """The next devices to call, as many as may be now."""
        free = self._free()
        for _ in range(len(self._ready)):
            if free == 0:
                return
            row = self._ready.popleft()
            if self._links.is_answering(row.address):
                free -= 1
                self._turns -= self._quotas is not None
                yield row
            else:  # gone again: if there is time left, it may come back
                self._sort_in(row)

    async def _call(self, row: PendingDevice) -> Move:
        method = self._method
        try:
            answer = await self._links.invoke(
                row.address,
                method.name,
                method.payload,
                response_timeout_s=method.response_timeout_s,
                connect_timeout_s=method.connect_timeout_s,
            )
        except HubError as err:
            return self._failed(row, err)
        response = {"deviceMethodResponse": {"status": answer.status, "payload": answer.payload}}
        return Move(row.row_id, DeviceStatus.COMPLETED, self._clock.now(), outcome=response)

    def _end_call(self, call: "asyncio.Task[Move]") -> None:
        self._calling.discard(call)
        if not call.cancelled():
            self._ended.append(call)
        self._changed.set()

    def _failed(self, row: PendingDevice, err: HubError) -> Move:
        return Move(row.row_id, DeviceStatus.FAILED, self._clock.now(), error=error_of(err))

    async def _stop(self) -> None:
        """Wait for nothing any more."""
        away, self._away = self._away, {}
        for arrival in away:
            arrival.cancel()
        running = [*self._calling, *([self._turn] if self._turn else [])]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def error_of(err: HubError | StoreDamaged) -> dict[str, str]:
    """What a device's row says of a refusal."""
    fault = err.fault if isinstance(err, HubError) else SERVER_ERROR
    return {"code": fault.name, "description": err.text}


def deadline_of(job: Job, row: PendingDevice) -> datetime:
    """When a device's time is over. It counts from the moment the job began on it, which is the same for all: a hub
    that was not running at the start time gives its devices all of their time to come back.
    """
    return max(job.start_at, parse(row.created_at)) + timedelta(seconds=job.spec.max_execution_s)


def came_too_late() -> HubError:
    """The hub's pace did not come to a device in time."""
    return HubError(
        JOB_RUN_PRECONDITION_FAILED,
        "The job did not start on this device in the given period: the hub's jobs device operations were used up.",
    )


def _stayed_away() -> HubError:
    return HubError(
        JOB_RUN_PRECONDITION_FAILED,
        "The job did not start on this device in the given period: the device was offline, or the end time is invalid.",
    )
