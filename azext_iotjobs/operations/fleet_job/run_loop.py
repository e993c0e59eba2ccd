"""Execute runs of fleet jobs: the engine's steps, by a driver that is given. Start, stop, resume, cancel.

Starting, resuming and cancelling a run all end in `_execute_leased`: there is no other path, and no recovery. What is
in flight is known from stored rows, and from the driver alone.
"""

from dataclasses import field, replace
from datetime import datetime

from azext_iotjobs.fleet_job.awaited import MAX_AWAITED
from azext_iotjobs.fleet_job.driver import BatchDriver, MakeDriver
from azext_iotjobs.fleet_job.engine import (
    Begin,
    BeginBatch,
    BeginOffline,
    BeginRetries,
    Drain,
    End,
    EndBatch,
    Nothing,
    Settle,
    View,
    Wait,
    Work,
    decide,
)
from azext_iotjobs.fleet_job.gate_checker import GateChecker, MakeGateChecker
from azext_iotjobs.fleet_job.gates import AwaitApproval, BeginGates, CheckGate, Judge
from azext_iotjobs.fleet_job.store.contract import FleetJobStore
from azext_iotjobs.fleet_job.store.holder import Holder, this_process
from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun, RunSnapshot
from azext_iotjobs.model.clock import Clock, SteadyClock, StopFlag
from azext_iotjobs.model.errors import IotJobsError, LeaseHeld
from azext_iotjobs.model.fleet_job import Definition, Delivery
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.run import RequestKind, Run, StopRequest, next_state
from azext_iotjobs.model.run_events import (
    BatchBegan,
    BatchEnded,
    Event,
    Notice,
    OrderedObserver,
    RunBegan,
    RunEnded,
    RunObserver,
    Waiting,
)
from azext_iotjobs.model.run_state import RunEvent, RunState
from azext_iotjobs.model.schedule import BY_SCHEDULE
from azext_iotjobs.operations.fleet_job.gate_steps import GateSteps
from azext_iotjobs.operations.fleet_job.progress_reports import ProgressReports
from azext_iotjobs.operations.fleet_job.resuming import RESUMABLE, UntilDone, is_untouched, not_resumed

NAP_S = 0.5  # then the row is read again: a request to stop is seen within a second


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """What a run is executed with."""

    store: FleetJobStore  # where the run is
    make_driver: MakeDriver  # makes what operates its devices, once it is needed
    make_gate_checker: MakeGateChecker  # makes what evaluates its gates, once one needs it
    clock: Clock
    observer: RunObserver  # is notified of its events
    stop: StopFlag  # Ctrl-C: once it is set, calls in flight are awaited; a KeyboardInterrupt leaves at once
    holder: Holder = field(default_factory=this_process)  # of the run's lease
    shuts_at: datetime | None = None  # when the window of its schedule shuts; None: there is none
    stop_by: str | None = None  # in whose name Ctrl-C or a signal stops it; None: of nobody but who pressed it


def execute(run: Run, context: RunContext) -> Run:
    """Execute a run until it ends, breaks off or is stopped; gives it as it is then.

    Starting, resuming and continuing after a crash are this. A run that has ended is given back as it is.
    Raises LeaseHeld when another process executes it; LeaseLost when one took it over meanwhile; other StateErrors,
    after which everything that was recorded is there. What was in flight is settled by the next process that executes
    it.
    """
    return _execute_leased(run, context, context.store.take_lease(run, context.holder, context.clock.now()))


def resume(run: Run, context: RunContext, delivery: Delivery | None = None) -> Run:
    """Resume a run that was stopped, has failed or crashed; what was requested of it before is withdrawn.

    delivery: how its devices are reached from here on, with the driver that it has; None: as before.
    Raises WrongState for one that has ended, and all that `execute` does; NotResumed for one that was stopped or has
    failed and of which nothing could be done, whoever refused it: it is left as it was.
    """
    next_state(run, RunEvent.RESUME)
    leased = context.store.take_lease(run, context.holder, context.clock.now())
    before = leased.snapshot(None)
    leased.withdraw_request(context.clock.now(), delivery or run.delivery)
    return _execute_leased(run, context, leased, before if before.run.state in RESUMABLE else None)


def stop(store: FleetJobStore, run: Run, holder: Holder, *, by: str, reason: str | None, clock: Clock) -> Run:
    """Request a stop. A process that executes the run sees it within a second; without one, it is stopped here.

    holder: this process.  by: who requests it, for people.  reason: for people.
    A run that is stopped already is given back as it is; one that its schedule has stopped, or that broke off, is
    stopped by who requests it from here on, so that its schedule does not resume it. Raises WrongState for one that has
    ended.
    """
    if run.state is not RunState.STOPPED:
        next_state(run, RunEvent.STOP)
    elif run.ended_by != BY_SCHEDULE:
        return run
    request = StopRequest(kind=RequestKind.STOP, by=by, reason=reason, at=clock.now())
    try:
        leased = store.take_lease(run, holder, clock.now())
    except LeaseHeld:
        store.runs.request_stop(run, request)
    else:
        seen = store.runs.get_by_key(run.key)
        if seen.state is RunState.STOPPED:
            _stay_stopped(leased, seen, request)
        else:
            why = reason or seen.reason  # why it broke off, when nobody says more
            _end(store, leased, RunEvent.STOP, replace(request, reason=why), clock)
    return store.runs.get_by_key(run.key)


def cancel(run: Run, context: RunContext, *, by: str, reason: str | None) -> Run:
    """Cancel a run for good. A process that executes it sees it within a second; without one, it is ended here.

    Hub jobs that run are awaited: what they do cannot be taken back, and has to be recorded. When there are none, the
    hub receives no request, and may be gone.

    by: who requests it, for people.  reason: for people.
    A run that is canceled already is given back as it is. Raises WrongState for one that is completed.
    """
    if run.state is RunState.CANCELED:
        return run
    next_state(run, RunEvent.CANCEL)
    store, clock = context.store, context.clock
    request = StopRequest(kind=RequestKind.CANCEL, by=by, reason=reason, at=clock.now())
    store.runs.request_stop(run, request)
    try:
        leased = store.take_lease(run, context.holder, clock.now())
    except LeaseHeld:
        return store.runs.get_by_key(run.key)
    if store.runs.get_by_key(run.key).state.has_ended or leased.hub_jobs.open():
        return _execute_leased(run, context, leased)
    _end(store, leased, RunEvent.CANCEL, request, clock)
    ended = store.runs.get_by_key(run.key)
    context.observer.on_event(RunEnded(at=clock.now(), run=ended))
    return ended


def _stay_stopped(leased: LeasedRun, run: Run, request: StopRequest) -> None:
    """Record who has a stopped run stay so, unless somebody else has it already."""
    try:
        if run.ended_by == BY_SCHEDULE:
            leased.stay_stopped(request.at, reason=request.reason, by=request.by)
    finally:
        leased.release()


def _end(store: FleetJobStore, leased: LeasedRun, event: RunEvent, request: StopRequest, clock: Clock) -> None:
    """End a run that no process executes, and of which nothing is in flight but calls that were cut off."""
    try:
        kind = store.definitions.of_run(store.runs.get_by_key(leased.key)).action.kind
        leased.settle(clock.now(), is_repeatable=kind.is_repeatable)
        leased.end(event, clock.now(), reason=request.reason, by=request.by)
    finally:
        leased.release()


def _execute_leased(run: Run, context: RunContext, leased: LeasedRun, resumed: RunSnapshot | None = None) -> Run:
    """Execute a run whose lease we have. resumed: as it was before it was resumed; None: there is no way back."""
    loop: _RunLoop | None = None
    try:
        loop = _RunLoop(context, leased, context.store.definitions.of_run(run), resumed)
        while loop.step():
            pass
        if loop.refused is not None:
            raise not_resumed(context.store.runs.get_by_key(run.key), loop.refused) from loop.refused
    except KeyboardInterrupt:
        if loop is not None:
            loop.leave_at_once()
        raise
    finally:
        if loop is not None:
            loop.close()
        leased.release()
    return context.store.runs.get_by_key(run.key)


class _RunLoop:
    """Executes one step after the other."""

    def __init__(
        self, context: RunContext, leased: LeasedRun, definition: Definition, resumed: RunSnapshot | None
    ) -> None:
        """resumed: the run as it was before it was resumed; None: it breaks off even where nothing could be done."""
        observer: RunObserver = OrderedObserver(context.observer)
        self._context = replace(context, observer=observer if resumed is None else UntilDone(observer))
        self._runs = context.store.runs
        self._clock = SteadyClock(context.clock)  # pauses and leases outlive a clock that is set back
        self._leased = leased
        self._definition = definition
        self._driver: BatchDriver | None = None
        self._resumed = resumed
        self.refused: IotJobsError | None = None  # why nothing could be done of a run, which is as it was again
        self._gates = GateSteps(self._clock, leased, self._made_gate_checker, self._notify)
        self._progress = ProgressReports(self._runs, leased, definition, self._clock, self._notify)
        self._has_reported_begin = False
        self._has_reported_drain = False
        self._waited_until: datetime | None = None

    def step(self) -> bool:
        """Decide on the next step and execute it; False: there is none."""
        now = self._clock.now()
        self._leased.beat(now)
        snapshot = self._leased.snapshot(self._definition.rollout.retry)
        driver = self._driver
        if driver is None:
            driver = self._driver = self._context.make_driver(
                self._clock, self._leased, snapshot.run, self._definition, self._notify
            )
        view = View(
            run=snapshot.run,
            rollout=self._definition.rollout,
            is_verified=self._definition.verification is not None,
            batch=snapshot.batch,
            cut_off_count=snapshot.cut_off_count,
            retry_count=snapshot.retry_count,
            retry_round=snapshot.retry_round,
            in_flight_count=driver.in_flight_count(Drain.STOP),
            unsettled_count=driver.in_flight_count(Drain.CANCEL),
            is_stopping=self._context.stop.is_set(),
            trouble=None if driver.trouble is None else str(driver.trouble),
            now=now,
            shuts_at=self._context.shuts_at,
            stop_by=self._context.stop_by,
        )
        return self._execute(view, snapshot, driver)

    def close(self) -> None:
        """Free what the driver and the gates hold."""
        self._gates.close()
        if self._driver is not None:
            self._driver.close()

    def leave_at_once(self) -> None:
        """Stop the run without awaiting what is in flight."""
        now = self._clock.now()
        run = self._runs.get_by_key(self._leased.key)
        if run.state is RunState.RUNNING:
            self._leased.settle_own(now, is_repeatable=self._definition.action.kind.is_repeatable)
            reason = "Left at once, by a second Ctrl-C."
            self._leased.end(RunEvent.STOP, now, reason=reason, by=self._context.stop_by)

    def _execute(self, view: View, snapshot: RunSnapshot, driver: BatchDriver) -> bool:
        now, leased = view.now, self._leased
        if snapshot.run.state is RunState.RUNNING and not self._has_reported_begin:
            self._has_reported_begin = True
            self._notify(RunBegan(at=now, run=snapshot.run))
        step = decide(view)
        if not isinstance(step, CheckGate):
            self._gates.abandon()
        if not isinstance(step, (Begin, BeginBatch, Work, Wait, End)):
            self._resumed = None  # something has become of a batch
        match step:
            case Nothing():
                return False
            case Settle():
                self._settle(now)
            case Begin(event, of_run, of_batch, verdicts):
                leased.begin(event, now, forgiven_of_run=of_run, forgiven_of_batch=of_batch, verdicts=verdicts)
            case BeginBatch(ordinal):
                leased.begin_batch(ordinal, now)
                if (batch := leased.snapshot(None).batch) is not None:
                    self._notify(BatchBegan(at=now, batch=batch))
            case Work(drain, why):
                assert snapshot.batch is not None
                self._report_drain(drain, why)
                driver.turn(snapshot.batch, drain)
                self._progress.report(driver)
            case BeginGates() | Judge() | CheckGate() | AwaitApproval():
                if isinstance(step, BeginGates):
                    self._progress.report(driver, must=True)
                self._gates.execute(step, snapshot, now)
            case EndBatch(ordinal, next_batch_at):
                leased.end_batch(ordinal, now, next_batch_at)
                if view.batch is None or view.batch.gates is None:  # else its end was reported before its gates
                    self._progress.report(driver, must=True)
                    self._notify(BatchEnded(at=now, batch=self._runs.batch(snapshot.run, ordinal)))
            case BeginRetries(next_batch_at):
                assert view.rollout.retry is not None
                leased.begin_retries(view.rollout.retry, now, next_batch_at)
            case BeginOffline():
                leased.begin_offline(now)
            case Wait(until, why):
                self._wait(now, until, why)
            case End(event, reason, by):
                if event is RunEvent.BREAK and self._is_as_before(snapshot):
                    leased.undo_resume(now)
                    self.refused = driver.trouble
                else:
                    leased.end(event, now, reason=reason, by=by)
                    self._progress.report(driver, must=True)
                self._notify_end(now)
                return False
        return True

    def _is_as_before(self, now: RunSnapshot) -> bool:
        """Whether nothing has become of a run since it was resumed."""
        return self._resumed is not None and is_untouched(self._resumed, now) and not self._leased.devices.any_broke_off

    def _made_gate_checker(self) -> GateChecker:
        return self._context.make_gate_checker(self._clock, self._leased, self._definition, self._notify)

    def _settle(self, now: datetime) -> None:
        kind = self._definition.action.kind
        count = self._leased.settle(now, is_repeatable=kind.is_repeatable)
        after = "checked before they are repeated" if kind.is_repeatable else "uncertain"
        self._notify(Notice(at=now, text=f"{count} calls were cut off when the run broke off; they are {after}."))

    def _wait(self, now: datetime, until: datetime, why: str) -> None:
        if self._waited_until != until:
            self._waited_until = until
            self._notify(Waiting(at=now, until=until, why=why))
        self._clock.sleep(min(NAP_S, max(0.0, (until - now).total_seconds())))

    def _notify(self, event: Event) -> None:
        self._context.observer.on_event(event)

    def _notify_end(self, now: datetime) -> None:
        run = self._runs.get_by_key(self._leased.key)
        waiting = self._runs.waiting_to_connect(run, MAX_AWAITED)
        self._notify(RunEnded(at=now, run=run, waiting=waiting, is_as_before=self.refused is not None))

    def _report_drain(self, drain: Drain, why: str | None) -> None:
        """Report once that nothing else begins; whoever pressed Ctrl-C knows it."""
        if drain is Drain.NO or self._has_reported_drain or self._context.stop.is_set():
            return
        self._has_reported_drain = True
        text = f"Nothing else begins; what is under way is awaited.{'' if why is None else f' Why: {why}'}"
        self._notify(Notice(at=self._clock.now(), text=text))
