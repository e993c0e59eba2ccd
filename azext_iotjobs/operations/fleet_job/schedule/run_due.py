"""Start what is due by a schedule, in this process: one step of `fleet_job/due.py` after the other.

Whoever calls it as often as they like starts each occurrence once: an occurrence is claimed in the store, then on the
hub, and its run is made and takes the claim over in one change of the store. A process that ends in between leaves a
claim that the next one takes up.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from enum import Enum

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job import due
from azext_iotjobs.fleet_job.store.contract import FleetJobStore
from azext_iotjobs.fleet_job.store.holder import Holder
from azext_iotjobs.fleet_job.store.schedule_contract import Claim
from azext_iotjobs.model.clock import Clock, StopFlag
from azext_iotjobs.model.errors import HubAnswer, IotJobsError, LeaseHeld, LeaseLost, LinkError, UserError, WrongState
from azext_iotjobs.model.fleet_job import FleetJob
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.occurrence import Decided, OccurrenceState, StoredSchedule
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.tier import TierFacts
from azext_iotjobs.operations.fleet_job import planning, run_loop
from azext_iotjobs.operations.fleet_job.schedule.claims import Claimer, HubClaims
from azext_iotjobs.operations.fleet_job.schedule.clock_check import Confirm, check_clock
from azext_iotjobs.operations.fleet_job.schedule.saved import view_of

CANCEL_LIMIT_S, NAP_S = 300.0, 0.5
NEXT_IS_DUE = "The next occurrence of its schedule was due."
BY_OVERLAP = "its schedule's overlap policy"  # no reason to resume a run by itself


class What(Enum):
    """What a poll of a schedule came to."""

    STARTED = "started"
    RESUMED = "resumed"
    MISSED = "missed"
    SKIPPED = "skipped"
    WAITING = "waiting"
    TAKEN = "taken"  # another store has started it
    NOT_STARTED = "not-started"  # its run could not be made; the next poll tries again


OF_STATES = {
    OccurrenceState.MISSED: What.MISSED,
    OccurrenceState.SKIPPED: What.SKIPPED,
    OccurrenceState.WAITING: What.WAITING,
    OccurrenceState.TAKEN: What.TAKEN,
}


@dataclass(frozen=True, kw_only=True)
class Happened:
    """One thing that a poll of a schedule came to."""

    fleet_job_id: str
    at: datetime | None  # the occurrence
    what: What
    run: Run | None = None  # as it was when this process left it
    note: str | None = None  # why, for people


@dataclass(frozen=True, kw_only=True)
class DueContext:
    """What schedules are polled with."""

    store: FleetJobStore
    clock: Clock
    holder: Holder  # of claims and leases
    by: str  # who makes runs, for people
    stop: StopFlag
    open_hub: Callable[[FleetJob], tuple[HubClient, TierFacts | None]]
    limited: Callable[[FleetJob], FleetJob]  # with the limit of devices that is configured here, where it has none
    run_context: Callable[[Callable[[], HubClient], datetime | None], run_loop.RunContext]  # until a window shuts
    confirm_clock: Confirm
    on_notice: Callable[[str], None]


def poll(stored: StoredSchedule, context: DueContext) -> list[Happened]:
    """Start what is due by a schedule, and resume what it had begun; gives what happened, in its order.

    Runs are executed until they end, break off or are stopped. Raises StateError; what the clock's check raises.
    """
    return _Poll(context, stored).all_steps()


def poll_all(schedules: Sequence[StoredSchedule], context: DueContext) -> list[Happened]:
    """Poll one schedule after the other; gives what happened, in its order.

    Of several, an error of one is what happened of it, and the others are polled. Raises of one what `poll` raises.
    """
    if len(schedules) == 1:
        return poll(schedules[0], context)
    happened: list[Happened] = []
    for each in schedules:
        if not context.stop.is_set():
            happened += _Poll(context, each).all_steps_or_why_not()
    return happened


def backfill(stored: StoredSchedule, instants: Sequence[datetime], context: DueContext) -> list[Happened]:
    """Run past occurrences of a schedule, one after the other, until one does not end; gives what happened.

    instants: of them, ascending.  Raises StateError.
    """
    return _Poll(context, stored).backfill(instants)


class _Poll:
    """One poll of one schedule."""

    def __init__(self, context: DueContext, stored: StoredSchedule) -> None:
        self._context = context
        self._store = context.store
        self._clock = context.clock
        self._stored = stored
        self._job_id = stored.fleet_job_id
        self._opened: tuple[HubClient, TierFacts | None] | None = None
        self._tried: set[object] = set()
        self._happened: list[Happened] = []

    def all_steps(self) -> list[Happened]:
        now = self._clock.now()
        try:
            was_set_back = check_clock(self._stored, now, lambda: self._hub()[0], self._context.confirm_clock)
        except (HubAnswer, LinkError) as err:
            return [self._of(None, What.NOT_STARTED, str(err))]
        if was_set_back:
            self._context.on_notice(f"{self._job_id}: the clock was set back; what has started is not started again.")
        self._store.schedules.polled(self._job_id, now)
        while not self._context.stop.is_set() and self._step():
            pass
        return self._happened

    def all_steps_or_why_not(self) -> list[Happened]:
        try:
            return self.all_steps()
        except IotJobsError as err:
            return [*self._happened, self._of(None, What.NOT_STARTED, str(err))]

    def backfill(self, instants: Sequence[datetime]) -> list[Happened]:
        for at in instants:
            if self._context.stop.is_set():
                break
            if not due.is_open(self._stored.schedule, self._clock.now()):
                self._context.on_notice(f"The window of {self._job_id} has shut: what is left was not started.")
                break
            self._start(at, is_backfill=True)
            last = self._store.runs.last(self._job_id)
            if last is not None and not last.state.has_ended:
                self._context.on_notice(f"{last.name} is {last.state.value}: what is behind it was not started.")
                break
        return self._happened

    def _step(self) -> bool:
        """One step; False: there is none."""
        stored = self._store.schedules.get(self._job_id)
        if stored is None:  # it was removed meanwhile
            return False
        self._stored = stored
        match due.decide(view_of(self._store, stored, self._clock.now(), frozenset(self._tried))):
            case due.Nothing():
                return False
            case due.Record(decided):
                return self._record(decided)
            case due.Start(at):
                self._tried.add(at)
                self._start(at)
            case due.Resume(run):
                self._tried.add(run.key)
                self._execute(What.RESUMED, run)
            case due.StopEarlier(run, decided):
                self._stop(run)
                return self._record((decided,))
            case due.CancelEarlier(run):
                self._tried.add(run.key)
                self._cancel(run)
        return True

    def _record(self, decided: tuple[Decided, ...]) -> bool:
        """Record what became of occurrences; False: another process was quicker, and looks itself."""
        by, now = self._context.holder.owner, self._clock.now()
        recorded = self._store.occurrences.record(self._job_id, decided, now=now, by=by)
        self._happened += [self._of(each.at, OF_STATES[each.state], each.note) for each in recorded]
        return bool(recorded)

    def _start(self, at: datetime, *, is_backfill: bool = False) -> None:
        holder, now = self._context.holder, self._clock.now()
        claim = self._store.occurrences.claim(self._job_id, at, holder, now, is_backfill=is_backfill)
        if claim is None:  # another process was quicker
            return
        try:
            made = self._made(claim)
        except LeaseLost as err:
            self._context.on_notice(str(err))
        except (HubAnswer, LinkError, UserError, WrongState) as err:
            self._release(claim, str(err))
            self._happened.append(self._of(at, What.NOT_STARTED, str(err)))
        except BaseException:  # Ctrl-C: whoever looks next need not wait until the claim expires
            self._release(claim, "The process that was going to start it was ended.")
            raise
        else:
            if made is not None:
                self._execute(What.STARTED, made)

    def _made(self, claim: Claim) -> Run | None:
        """The run of a claimed occurrence; None: another store has started it."""
        at = claim.key.at
        hub, tier = self._hub()
        claims = HubClaims(hub, self._stored, self._clock, lambda: self._napped(claim))
        owner = claims.taken_by(at, self._context.by, may_be_ours=claim.key.epoch > 1)
        if owner is not None:
            self._leave(claim, owner)
            return None
        planned = planning.planned_run(
            self._store,
            hub,
            self._context.limited(self._job()),
            by=self._context.by,
            at=self._clock.now(),
            tier=tier,
            observer=planning.SelectionObserver(on_count=lambda _: claim.beat(self._clock.now())),
        )
        return self._store.runs.add(replace(planned, claim=claim.key))

    def _release(self, claim: Claim, why: str) -> None:
        with suppress(LeaseLost):  # it is another process's already
            claim.release(why, self._clock.now())

    def _leave(self, claim: Claim, owner: Claimer) -> None:
        """Record that another store has claimed it. Of a copy of this store it is not known whether it started it."""
        state, note = OccurrenceState.TAKEN, f"It was started from another state folder, by {owner.by}."
        if owner.store_key == self._stored.store_key:
            state = OccurrenceState.MISSED
            note = f"It was claimed by a copy of this state folder, by {owner.by}; look there whether it ran."
        claim.settle(state, note, self._clock.now())
        self._happened.append(self._of(claim.key.at, OF_STATES[state], note))

    def _napped(self, claim: Claim) -> None:
        claim.beat(self._clock.now())
        if self._context.stop.is_set():
            raise WrongState("Stopped by Ctrl-C or a signal before it was started.")

    def _execute(self, what: What, run: Run) -> None:
        """Execute a run, or execute it further; what somebody has requested of it counts."""
        shuts_at = due.shuts_at(self._stored.schedule, self._clock.now())
        self._tried.add(run.key)
        try:
            ended = run_loop.execute(run, self._context.run_context(lambda: self._hub()[0], shuts_at))
        except (LeaseHeld, LeaseLost) as err:  # another process executes it
            self._context.on_notice(str(err))
        except (HubAnswer, LinkError, UserError) as err:  # the hub could not be opened
            self._happened.append(self._of(run.occurrence_at, What.NOT_STARTED, str(err)))
        else:
            self._happened.append(replace(self._of(ended.occurrence_at, what, ended.reason), run=ended))

    def _stop(self, run: Run) -> None:
        store, holder, clock = self._store, self._context.holder, self._clock
        with suppress(WrongState):  # it has ended meanwhile
            run_loop.stop(store, run, holder, by=BY_OVERLAP, reason=NEXT_IS_DUE, clock=clock)

    def _cancel(self, run: Run) -> None:
        """Cancel an earlier run, and wait until it has ended; one that takes too long is left to the next poll."""
        own = self._context.run_context(lambda: self._hub()[0], None)
        try:
            canceled = run_loop.cancel(run, own, by=BY_OVERLAP, reason=NEXT_IS_DUE)
        except WrongState:  # it has ended meanwhile
            return
        give_up_at = self._clock.monotonic() + CANCEL_LIMIT_S
        while not canceled.state.has_ended and not self._context.stop.is_set():
            if self._clock.monotonic() > give_up_at:
                self._context.on_notice(f"{run.name} is still being canceled; the next poll starts what is due.")
                return
            self._clock.sleep(NAP_S)
            canceled = self._store.runs.get_by_key(run.key)

    def _job(self) -> FleetJob:
        return self._store.definitions.get(self._job_id)

    def _hub(self) -> tuple[HubClient, TierFacts | None]:
        if self._opened is None:
            self._opened = self._context.open_hub(self._job())
        return self._opened

    def _of(self, at: datetime | None, what: What, note: str | None) -> Happened:
        return Happened(fleet_job_id=self._job_id, at=at, what=what, note=note)
