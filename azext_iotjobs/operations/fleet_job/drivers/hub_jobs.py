"""BatchDriver: the hub operates the devices, by jobs; one or more a batch, as many as their conditions need.

Strategy: a job's row says `submitting` before it is sent, under an id that is made from stored rows. After a crash the
hub is asked for that id: a job that is there, and is ours, is adopted; else it is sent under the same id, which the hub
takes once. Requests are made on a thread of their own, so that the lease is kept while a hub is slow.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from azext_iotjobs.clients.heartbeat_caller import Patience, Steady
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job import plan
from azext_iotjobs.fleet_job.driver import Hear, MakeDriver
from azext_iotjobs.fleet_job.engine import Drain
from azext_iotjobs.fleet_job.hub_job import VANISHED_AFTER, Part, PartState, PartStep, is_ours, next_step
from azext_iotjobs.fleet_job.store.sqlite.leased_run import LeasedRun
from azext_iotjobs.model.clock import Clock, SteadyClock
from azext_iotjobs.model.errors import (
    Conflict,
    HubAnswer,
    IotJobsError,
    LinkError,
    NotFound,
    Throttled,
)
from azext_iotjobs.model.fleet_job import Definition
from azext_iotjobs.model.job import Job, JobStatus, JobTally, JobType
from azext_iotjobs.model.job_limit import job_limit_s
from azext_iotjobs.model.job_request import JobRequest
from azext_iotjobs.model.run import Attempt, Batch, Run
from azext_iotjobs.model.run_events import HubJobMoved, Said
from azext_iotjobs.operations.fleet_job.drivers.hub_job_rows import Closing, JobRows
from azext_iotjobs.operations.fleet_job.drivers.open_devices import OpenDevices
from azext_iotjobs.operations.fleet_job.drivers.poll_schedule import FIRST_LOOK_S, Looks
from azext_iotjobs.transport.retry import SLOT_TAKEN

NAP_S = 0.5
WAVE_DEVICES = 20_000  # that are put into jobs at a time
ROWS_AHEAD = 1_000  # of these, read at a time
JOB_NOT_FOUND = "JobNotFound"  # as old versions of the endpoint say; now it is a job whose status is `unknown`
REQUEST_TIMEOUT = 408  # said by who stands between us and the hub: what it passed on may have been done


def driver(client: HubClient, clock: Clock) -> MakeDriver:
    """What makes this driver, for `operations.fleet.Hands`."""

    def make(leased: LeasedRun, run: Run, definition: Definition, hear: Hear) -> ByJob:
        return ByJob(client, SteadyClock(clock), leased, run, definition, hear)

    return make


class ByJob:
    """Operates devices by the hub's jobs."""

    def __init__(
        self, client: HubClient, clock: Clock, leased: LeasedRun, run: Run, definition: Definition, hear: Hear
    ) -> None:  # fmt: skip
        self._client = client
        self._clock = clock
        self._leased = leased
        self._run = run
        self._action = definition.action.within(run.delivery)
        self._batch_size = 0
        self._has_threshold = definition.rollout.threshold is not None
        self._hear = hear
        self._steady = Steady(lambda: leased.beat(clock.now()))
        self._rows = JobRows(client, clock, leased, definition, hear, self._steady)
        self._patience = Patience()
        self._parts: dict[str, Part] = {each.job_id: each for each in leased.open_parts()}
        self._own_intents: set[str] = set()
        self._cancel_asked: set[str] = set()
        self._ended: set[str] = set()  # jobs that have, and whose rows are read next
        self._looks: dict[str, Looks] = {}
        self._tallies: dict[str, JobTally | None] = {}  # as last heard of
        self._open_devices = OpenDevices(client, self._steady)
        self._slot = Looks()
        self._slot_said = False
        self._trouble: IotJobsError | None = None

    @property
    def trouble(self) -> IotJobsError | None:
        """Why the hub cannot be asked."""
        return self._trouble

    def in_flight_count(self, drain: Drain) -> int:
        """Hub jobs that have to be seen to."""
        if drain is Drain.STOP and self._trouble is not None:
            return 0
        return sum(1 for each in self._parts.values() if self._step_of(each, drain) is not PartStep.LEAVE)

    def turn(self, batch: Batch, drain: Drain) -> None:
        """Go on with each of the batch's jobs as far as it goes now; wait a little when none does."""
        now = self._clock.monotonic()
        self._batch_size = batch.size
        if drain is Drain.NO and not self._parts and self._trouble is None:
            self._plan(batch)
        if drain is Drain.STOP and self._patience.passing is not None:
            self._trouble = self._patience.passing  # who wants to stop does not wait for a hub that is away
            return
        if (left_s := self._patience.left_s(now)) > 0:
            self._clock.sleep(min(NAP_S, left_s))
            return
        has_moved = False
        for part in self._in_order():
            step = self._step_of(part, drain)
            if step is PartStep.LEAVE or not self._is_due(part, step):
                continue
            has_moved = True
            try:
                self._carry_out(step, part)
            except (HubAnswer, LinkError) as err:
                self._wait_out(err)
                return
            self._patience.answered()
            if self._has_threshold and part.job_id not in self._parts:
                return  # what it did is looked at before another one begins
        if not has_moved:
            self._nap()

    def _wait_out(self, err: HubAnswer | LinkError) -> None:
        pause_s = self._patience.pause_after(err, self._clock.monotonic())
        if pause_s is None:
            self._trouble = err
        else:
            self._say(f"{err} It is asked again in {pause_s:.0f} s.")

    def close(self) -> None:
        """Let the thread end."""
        self._steady.close()

    def _in_order(self) -> list[Part]:
        """Those whose rows are read come last: a tier gives few queries a minute, and meanwhile the hub has work."""
        return sorted(self._parts.values(), key=lambda each: each.job_id in self._ended)

    # -- what is next -------------------------------------------------------------------------------------------------

    def _plan(self, batch: Batch) -> None:
        """Put devices that wait into jobs: rows only."""
        now = self._clock.now()
        devices = self._wave(batch.ordinal, now)
        first = self._leased.next_part_number(batch.ordinal)
        for number, planned in enumerate(plan.parts(devices), start=first):
            part = Part(
                batch=batch.ordinal,
                number=number,
                job_id=plan.hub_job_id(self._run.fleet_job_id, self._run.run_key, batch.ordinal, number),
                condition=planned.condition,
                state=PartState.PLANNED,
            )
            self._leased.add_part(part, planned, now)
            self._parts[part.job_id] = part

    def _wave(self, batch: int, now: datetime) -> Iterator[Attempt]:
        """Devices that wait; read as they are put into jobs, so that there are few at a time in memory."""
        left, after = WAVE_DEVICES, 0
        while left and (found := self._leased.due(batch, now, min(ROWS_AHEAD, left), after=after)):
            left, after = left - len(found), found[-1].seq
            yield from found

    def _step_of(self, part: Part, drain: Drain) -> PartStep:
        return next_step(
            part,
            drain,
            is_own_intent=part.job_id in self._own_intents,
            is_cancel_asked=part.job_id in self._cancel_asked,
        )

    def _is_due(self, part: Part, step: PartStep) -> bool:
        now = self._clock.monotonic()
        if step in (PartStep.INTEND, PartStep.SUBMIT):
            return now >= self._slot.next_at
        return step in (PartStep.FREE, PartStep.CANCEL) or now >= self._looks_of(part).next_at

    def _looks_of(self, part: Part) -> Looks:
        return self._looks.setdefault(part.job_id, Looks())

    def _nap(self) -> None:
        if not self._parts:
            self._clock.sleep(NAP_S)  # all that is open waits to be tried again
            return
        now = self._clock.monotonic()
        soonest = min([self._slot.next_at, *(each.next_at for each in self._looks.values())])
        self._clock.sleep(min(NAP_S, soonest - now) if soonest > now else NAP_S / 10)

    # -- steps --------------------------------------------------------------------------------------------------------

    def _carry_out(self, step: PartStep, part: Part) -> None:
        match step:
            case PartStep.INTEND:
                self._own_intents.add(part.job_id)
                intended = replace(
                    part, state=PartState.SUBMITTING, intended_at=self._clock.now(), limit_s=self._limit_s(part)
                )
                self._submit(self._saved(intended))
            case PartStep.SUBMIT:
                self._submit(part)
            case PartStep.CONFIRM:
                job = self._looked_at(part)
                if job.status is JobStatus.UNKNOWN:
                    self._submit(part)
                else:
                    self._adopt(part, job)
            case PartStep.CONFIRM_ONLY:
                self._confirm_only(part)
            case PartStep.POLL:
                self._poll(part)
            case PartStep.CANCEL:
                self._cancel(part)
            case PartStep.FREE:
                self._close(part, Closing(note="not sent"))
            case PartStep.LEAVE:
                pass

    def _submit(self, part: Part) -> None:
        is_first = part.job_id in self._own_intents
        self._own_intents.discard(part.job_id)  # from here on it may have been sent
        job_type = self._action.job_type
        assert job_type is not None
        request = JobRequest(
            job_id=part.job_id,
            job_type=job_type,
            condition=part.condition,
            method=self._action.method,
            patch=self._action.patch,
            start_at=None,
            max_execution_s=part.limit_s or self._limit_s(part),
        )
        try:
            self._steady.ask(lambda: self._client.jobs.create(request))
        except Conflict:  # the id is taken: by ourselves, before a crash, or by somebody else
            job = self._looked_at(part)
            if job.status is not JobStatus.UNKNOWN:
                self._adopt(part, job)
            return
        except Throttled as refused:
            if refused.hub_code != SLOT_TAKEN:
                raise
            self._wait_for_slot(part, is_first=is_first)
            return
        except HubAnswer as refused:
            if is_first and 400 <= refused.status < 500 and refused.status != REQUEST_TIMEOUT:
                self._saved(replace(part, state=PartState.PLANNED))  # refused: nothing was done
            raise
        self._slot = Looks()
        self._slot_said = False
        self._submitted(part, "created")

    def _limit_s(self, part: Part) -> int:
        """How long the hub tries a job: as it was asked for, or else as its devices can need."""
        typed = self._run.delivery.job_limit_s
        if typed is not None:
            return typed
        return job_limit_s(self._leased.size_of(part), self._batch_size, self._action, self._run.tier)

    def _wait_for_slot(self, part: Part, *, is_first: bool) -> None:
        """All of the hub's job slots are taken; when ours may hold one of them, its intent stands."""
        if is_first:
            self._saved(replace(part, state=PartState.PLANNED))
        self._slot.looked(self._clock.monotonic())
        self._looks_of(part).looked(self._clock.monotonic())
        own = any(each.state is PartState.SUBMITTED for each in self._parts.values())
        if not self._slot_said and not own:
            self._slot_said = True
            self._say("The hub runs as many jobs as its tier allows; the next begins when one has ended.")

    def _adopt(self, part: Part, job: Job) -> None:
        assert self._action.job_type is not None
        if is_ours(part, job, self._action.job_type):
            self._submitted(part, "adopted")
            self._say(f"Job {part.job_id} is there already: it was sent before the run broke off. It is gone on with.")
            return
        self._close(part, Closing(note="foreign"))
        self._trouble = Conflict(
            f"The hub has a job {part.job_id} that is not this run's: another type, condition or start. Nothing was "
            "done to the devices of that job's batch; resuming uses another id.",
            status=409,
            hub_code="ForeignJob",
        )

    def _confirm_only(self, part: Part) -> None:
        job = self._looked_at(part)
        if job.status is not JobStatus.UNKNOWN:
            self._adopt(part, job)
        elif self._looks_of(part).odd_for_s(self._clock.monotonic()) > VANISHED_AFTER.total_seconds() / 4:
            text = "The run broke off while the hub's job was sent; the hub does not know it."
            self._close(part, self._rows.not_known(part, text))

    def _poll(self, part: Part) -> None:
        job = self._looked_at(part)
        if job.status is JobStatus.UNKNOWN:
            if self._looks_of(part).odd_for_s(self._clock.monotonic()) > VANISHED_AFTER.total_seconds():
                self._close(part, self._rows.not_known(part, "The hub does not know its job any more."))
            return
        status = "cancelled" if job.status is JobStatus.CANCELLED else str(job.document.get("status"))
        if status != part.status:
            part = self._saved(replace(part, status=status))
            self._looks_of(part).odd_since = None
            self._tallies.pop(part.job_id, None)
        is_news = part.job_id not in self._tallies or self._tallies[part.job_id] != job.tally
        if is_news:
            self._tallies[part.job_id] = job.tally
            self._heard_of(part, status, job.tally)
        self._note(part, job, is_news=is_news)
        if job.status.is_terminal and self._is_another_first(part):
            self._ended.add(part.job_id)
            self._slot.next_at = self._looks_of(part).next_at = 0.0  # the slot is free
        elif job.status.is_terminal:
            closing = self._rows.read(part, job, lambda: self._looks_of(part).odd_for_s(self._clock.monotonic()))
            if closing is not None:
                self._close(part, closing)
        else:
            self._looks_of(part).odd_since = None

    def _note(self, part: Part, job: Job, *, is_news: bool) -> None:
        """Keep what the hub says of a job whose rows are not read yet: its counts and, when nothing moves, who is
        awaited.
        """
        passed = self._clock.monotonic()
        if is_news:
            self._open_devices.moved(part.job_id, passed)
        has_asked = job.status is JobStatus.RUNNING and self._open_devices.looked(part, passed)
        if is_news or has_asked:
            now = self._clock.now()
            self._leased.save_seen(part, job.tally, self._open_devices.of(part.job_id), now, now)

    def _is_another_first(self, ended: Part) -> bool:
        """Whether another job is sent before the rows of one that has ended are read. A threshold needs them before."""
        is_new = ended.job_id not in self._ended and not self._has_threshold
        return is_new and any(each.state is PartState.PLANNED for each in self._parts.values())

    def _cancel(self, part: Part) -> None:
        """Ask the hub not to begin it. One that runs already goes on: 405."""
        part = self._saved(replace(part, was_cancel_asked=True))
        self._cancel_asked.add(part.job_id)
        try:
            self._steady.ask(lambda: self._client.jobs.cancel(part.job_id))
        except HubAnswer as refused:
            if refused.status not in (404, 405):
                raise
        self._looks[part.job_id] = Looks()

    def _looked_at(self, part: Part) -> Job:
        self._looks_of(part).looked(self._clock.monotonic())
        try:
            return self._steady.ask(lambda: self._client.jobs.get(part.job_id))
        except NotFound as err:
            if err.hub_code != JOB_NOT_FOUND:
                raise
            return Job(
                job_id=part.job_id, job_type=JobType.UNKNOWN, status=JobStatus.UNKNOWN, tally=None, document={}
            )  # fmt: skip

    # -- rows and words -----------------------------------------------------------------------------------------------

    def _submitted(self, part: Part, how: str) -> None:
        now = self._clock.now()
        self._saved(replace(part, state=PartState.SUBMITTED, submitted_at=now))
        self._looks[part.job_id] = Looks(next_at=self._clock.monotonic() + FIRST_LOOK_S)
        self._heard_of(part, how)

    def _saved(self, part: Part) -> Part:
        self._leased.save_part(part, self._clock.now())
        self._parts[part.job_id] = part
        return part

    def _close(self, part: Part, closing: Closing) -> None:
        """Nothing is left to be done with it."""
        self._leased.close_part(part, self._clock.now(), ended=closing.ended, note=closing.note)
        self._parts.pop(part.job_id)
        self._looks.pop(part.job_id, None)
        self._tallies.pop(part.job_id, None)
        self._own_intents.discard(part.job_id)
        self._ended.discard(part.job_id)
        self._open_devices.forget(part.job_id)
        self._slot.next_at = 0.0  # the slot that it held may be free

    def _heard_of(self, part: Part, status: str, tally: JobTally | None = None) -> None:
        now = self._clock.now()
        self._hear(HubJobMoved(at=now, batch=part.batch, job_id=part.job_id, status=status, tally=tally))

    def _say(self, text: str) -> None:
        self._hear(Said(at=self._clock.now(), text=text))
