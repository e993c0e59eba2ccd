"""Carry out runs of fleet jobs: the engine's steps, with the driver given. Start, stop, resume, cancel.

`run`, `resume` and `cancel` all end in `carry_on`: there is no other path, and no recovery. What is under way is known
from stored rows, and from the driver alone.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from azext_iotjobs.fleet_job.awaited import awaited
from azext_iotjobs.fleet_job.driver import BatchDriver, MakeDriver
from azext_iotjobs.fleet_job.engine import (
    Begin,
    BeginBatch,
    BeginRetries,
    Drain,
    End,
    EndBatch,
    Rest,
    Settle,
    View,
    Wait,
    Work,
    decide,
)
from azext_iotjobs.fleet_job.store.holder import Holder, this_process
from azext_iotjobs.fleet_job.store.sqlite.leased_run import LeasedRun, Seen
from azext_iotjobs.fleet_job.store.sqlite.store import FleetStore
from azext_iotjobs.model.clock import Clock, SteadyClock, StopFlag
from azext_iotjobs.model.errors import LeaseHeld
from azext_iotjobs.model.fleet_job import Definition, Delivery
from azext_iotjobs.model.job import added
from azext_iotjobs.model.run import Asked, Run, RunEvent, RunState, Wish, moved
from azext_iotjobs.model.run_events import (
    BatchBegan,
    BatchEnded,
    InOrder,
    Listener,
    Progressed,
    RunBegan,
    RunEnded,
    Said,
    Waiting,
)

NAP_S = 0.5  # then the row is looked at again: whoever asks for a stop waits a second at most
PROGRESS_S = 0.5  # between two reports of it


@dataclass(frozen=True, kw_only=True)
class Hands:
    """What a run is carried on with."""

    store: FleetStore
    make_driver: MakeDriver
    clock: Clock
    listener: Listener
    stop: StopFlag  # Ctrl-C: set once, calls under way are awaited; a KeyboardInterrupt leaves at once
    holder: Holder


def hands(
    store: FleetStore, make_driver: MakeDriver, clock: Clock, listener: Listener, stop: StopFlag
) -> Hands:  # fmt: skip
    """This process's."""
    return Hands(
        store=store, make_driver=make_driver, clock=clock, listener=listener, stop=stop, holder=this_process()
    )  # fmt: skip


def carry_on(run: Run, own: Hands) -> Run:
    """Carry a run on until it ends, breaks off or is stopped; gives it as it is then.

    Starting, resuming and going on after a crash are this. A run that has ended is given back as it is.
    Raises LeaseHeld when somebody else carries it on; LeaseLost when somebody took it over meanwhile; other
    StateErrors, after which everything that was recorded is there; what was under way is settled by whoever carries it
    on next.
    """
    return _carry_on(run, own, LeasedRun.take(own.store, run, own.holder, own.clock.now()))


def resume(run: Run, own: Hands, delivery: Delivery | None = None) -> Run:
    """Go on with a run that was stopped, has failed or crashed; what was asked of it before is done with.

    delivery: how its devices are reached from here on, with the driver that it has; None: as before.
    Raises WrongState for one that has ended, and all that `carry_on` does.
    """
    moved(run, RunEvent.RESUME)
    leased = LeasedRun.take(own.store, run, own.holder, own.clock.now())
    leased.withdraw(own.clock.now(), delivery or run.delivery)
    return _carry_on(run, own, leased)


def stop(store: FleetStore, run: Run, holder: Holder, *, by: str, reason: str | None, clock: Clock) -> Run:
    """Ask for a stop. Whoever carries the run on sees it within a second; when nobody does, it is stopped here.

    A run that is stopped already is given back as it is. Raises WrongState for one that has ended or has failed.
    """
    if run.state is RunState.STOPPED:
        return run
    moved(run, RunEvent.STOP)
    asked = Asked(wish=Wish.STOP, by=by, reason=reason, at=clock.now())
    try:
        leased = LeasedRun.take(store, run, holder, clock.now())
    except LeaseHeld:
        store.ask(run, asked)
    else:
        _end(leased, RunEvent.STOP, asked, clock)
    return store.run_by_key(run.key)


def cancel(run: Run, own: Hands, *, by: str, reason: str | None) -> Run:
    """Cancel for good. Whoever carries the run on sees it within a second; when nobody does, it is ended here.

    Hub jobs that run are awaited: what they do cannot be taken back, and has to be recorded. Without any the hub is not
    asked, and may be gone.

    A run that is canceled already is given back as it is. Raises WrongState for one that is completed.
    """
    if run.state is RunState.CANCELED:
        return run
    moved(run, RunEvent.CANCEL)
    asked = Asked(wish=Wish.CANCEL, by=by, reason=reason, at=own.clock.now())
    own.store.ask(run, asked)
    try:
        leased = LeasedRun.take(own.store, run, own.holder, own.clock.now())
    except LeaseHeld:
        return own.store.run_by_key(run.key)
    if own.store.run_by_key(run.key).state.has_ended or leased.open_parts():
        return _carry_on(run, own, leased)
    _end(leased, RunEvent.CANCEL, asked, own.clock)
    ended = own.store.run_by_key(run.key)
    own.listener.heard(RunEnded(at=own.clock.now(), run=ended))
    return ended


def _end(leased: LeasedRun, event: RunEvent, asked: Asked, clock: Clock) -> None:
    """End a run that nobody carries on, and of which nothing is under way but calls that were cut off."""
    try:
        kind = leased.store.definition_of(leased.store.run_by_key(leased.key)).action.kind
        leased.settle(clock.now(), is_repeatable=kind.is_repeatable)
        leased.end(event, clock.now(), reason=asked.reason, by=asked.by)
    finally:
        leased.release()


def _carry_on(run: Run, own: Hands, leased: LeasedRun) -> Run:
    carrier: _Carrier | None = None
    try:
        carrier = _Carrier(own, leased, own.store.definition_of(run))
        while carrier.step():
            pass
    except KeyboardInterrupt:
        if carrier is not None:
            carrier.leave_at_once()
        raise
    finally:
        if carrier is not None:
            carrier.close()
        leased.release()
    return own.store.run_by_key(run.key)


class _Carrier:
    """Carries out one step after the other."""

    def __init__(self, own: Hands, leased: LeasedRun, definition: Definition) -> None:
        self._own = replace(own, listener=InOrder(own.listener))
        self._clock = SteadyClock(own.clock)  # pauses and leases outlive a clock that is set back
        self._leased = leased
        self._definition = definition
        self._driver: BatchDriver | None = None
        self._has_told_begin = False
        self._told_at: float | None = None  # when progress was last reported, monotonic
        self._waited_until: datetime | None = None
        self._has_told_drain = False

    def step(self) -> bool:
        """Decide on the next step and carry it out; False: there is none."""
        now = self._clock.now()
        self._leased.beat(now)
        seen = self._leased.look(self._definition.rollout.retry)
        driver = self._driver
        if driver is None:
            driver = self._driver = self._own.make_driver(
                self._leased, seen.run, self._definition, self._own.listener.heard
            )
        view = View(
            run=seen.run,
            rollout=self._definition.rollout,
            batch=seen.batch,
            cut_off_count=seen.cut_off_count,
            retry_count=seen.retry_count,
            retry_round=seen.retry_round,
            in_flight_count=driver.in_flight_count(Drain.STOP),
            unsettled_count=driver.in_flight_count(Drain.CANCEL),
            is_stopping=self._own.stop.is_set(),
            trouble=None if driver.trouble is None else str(driver.trouble),
            now=now,
        )
        return self._carry_out(view, seen, driver)

    def close(self) -> None:
        """The driver is not needed any more."""
        if self._driver is not None:
            self._driver.close()

    def leave_at_once(self) -> None:
        """Whoever carries the run on does not wait for what is under way."""
        now = self._clock.now()
        run = self._own.store.run_by_key(self._leased.key)
        if run.state is RunState.RUNNING:
            self._leased.settle_own(now, is_repeatable=self._definition.action.kind.is_repeatable)
            self._leased.end(RunEvent.STOP, now, reason="Left at once, by a second Ctrl-C.", by=None)

    def _carry_out(self, view: View, seen: Seen, driver: BatchDriver) -> bool:
        now, leased, heard = view.now, self._leased, self._own.listener.heard
        if seen.run.state is RunState.RUNNING and not self._has_told_begin:
            self._has_told_begin = True
            heard(RunBegan(at=now, run=seen.run))
        match decide(view):
            case Rest():
                return False
            case Settle():
                kind = self._definition.action.kind
                count = leased.settle(now, is_repeatable=kind.is_repeatable)
                after = "looked at before they are called again" if kind.is_repeatable else "uncertain"
                heard(Said(at=now, text=f"{count} calls were cut off when the run broke off; they are {after}."))
            case Begin(event, of_run, of_batch):
                leased.begin(event, now, forgiven_of_run=of_run, forgiven_of_batch=of_batch)
            case BeginBatch(ordinal):
                leased.begin_batch(ordinal, now)
                if (batch := leased.look(None).batch) is not None:
                    heard(BatchBegan(at=now, batch=batch))
            case Work(_, drain, why):
                assert seen.batch is not None
                self._tell_drain(drain, why)
                driver.turn(seen.batch, drain)
                self._tell_progress(driver)
            case EndBatch(ordinal, go_on_at):
                leased.end_batch(ordinal, now, go_on_at)
                self._tell_progress(driver, must=True)
                heard(BatchEnded(at=now, batch=self._own.store.batch(seen.run, ordinal)))
            case BeginRetries(go_on_at):
                assert view.rollout.retry is not None
                leased.begin_retries(view.rollout.retry, now, go_on_at)
            case Wait(until, why):
                self._wait(now, until, why)
            case End(event, reason, by):
                leased.end(event, now, reason=reason, by=by)
                self._tell_progress(driver, must=True)
                heard(RunEnded(at=now, run=self._own.store.run_by_key(leased.key)))
                return False
        return True

    def _tell_drain(self, drain: Drain, why: str | None) -> None:
        """Say once that nothing else begins; whoever pressed Ctrl-C has been told."""
        if drain is Drain.NO or self._has_told_drain or self._own.stop.is_set():
            return
        self._has_told_drain = True
        text = f"Nothing else begins; what is under way is awaited.{'' if why is None else f' Why: {why}'}"
        self._own.listener.heard(Said(at=self._clock.now(), text=text))

    def _wait(self, now: datetime, until: datetime, why: str) -> None:
        if self._waited_until != until:
            self._waited_until = until
            self._own.listener.heard(Waiting(at=now, until=until, why=why))
        self._clock.sleep(min(NAP_S, max(0.0, (until - now).total_seconds())))

    def _tell_progress(self, driver: BatchDriver, *, must: bool = False) -> None:
        passed = self._clock.monotonic()
        if not must and self._told_at is not None and passed - self._told_at < PROGRESS_S:
            return
        self._told_at = passed
        seen = self._leased.look(None)
        jobs = self._own.store.hub_jobs(seen.run)
        self._own.listener.heard(
            Progressed(
                at=self._clock.now(),
                run=seen.run.tally,
                batch=seen.batch,
                in_flight_count=driver.in_flight_count(Drain.CANCEL),
                hub=added(each.tally for each in jobs if each.tally is not None),
                hub_ended_count=sum(each.ended_count for each in jobs),
                awaited=tuple(awaited(self._own.store, seen.run, self._definition)),
            )
        )
