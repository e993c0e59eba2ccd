"""Carry out runs of fleet jobs: the engine's steps, with the driver given. Start, stop, resume, cancel.

`run`, `resume` and `cancel` all end in `carry_on`: there is no other path, and no recovery. What is under way is known
from stored rows, and from the driver alone.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet import plan
from azext_iotjobs.fleet.driver import BatchDriver, MakeDriver
from azext_iotjobs.fleet.engine import (
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
from azext_iotjobs.fleet.holder import Holder, this_process
from azext_iotjobs.fleet.leased import LeasedRun, Seen
from azext_iotjobs.fleet.store import FleetStore, NewRun, check_ended
from azext_iotjobs.model.clock import Clock, StopFlag
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, LeaseHeld
from azext_iotjobs.model.fleet import Definition, Delivery, FleetJob, Targets
from azext_iotjobs.model.fleet_events import (
    BatchBegan,
    BatchEnded,
    Listener,
    Progressed,
    RunBegan,
    RunEnded,
    Said,
    Waiting,
)
from azext_iotjobs.model.run import Asked, Run, RunEvent, RunState, Wish, moved
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.tier import Estimate, TierFacts, choose_driver, estimates

NAP_S = 0.5  # then the row is looked at again: whoever asks for a stop waits a second at most
PROGRESS_S = 0.5  # between two reports of it


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a run would be; nothing was stored or sent."""

    device_count: int
    batch_sizes: list[int]  # the first SHOWN_BATCHES
    batch_count: int
    driver: str
    driver_reason: str
    estimates: list[Estimate]
    pauses_s: float  # between batches, in all


SHOWN_BATCHES = 100


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


def check_host(job: FleetJob, client: HubClient) -> None:
    """Raise ConflictingChoice when a fleet job belongs to another hub than the client's."""
    host = host_of(client)
    if job.host != host:
        raise ConflictingChoice(
            f"Fleet job {job.fleet_job_id} belongs to {job.host}, and {host} is given.",
            hint=f"Give -n {job.host}, or copy it for the other hub under a new id.",
        )


def host_of(client: HubClient) -> str:
    """The hub's name as fleet jobs store it."""
    return client.target.authority.lower()


def preview(store: FleetStore, client: HubClient, job: FleetJob, tier: TierFacts | None) -> Preview:
    """What a run of a fleet job, saved or not, would be now.

    Raises NotFound for a device group that is not saved; BadValue for more devices than allowed; HubAnswer, LinkError.
    """
    definition = job.definition
    count = _choose(store, client, definition.targets, job.host)
    sizes = definition.rollout.sizes
    choice = choose_driver(definition.delivery.driver, tier, definition.action, count)
    shown: list[int] = []
    batch_count = 0
    for size in sizes.counts(count):
        batch_count += 1
        if len(shown) < SHOWN_BATCHES:
            shown.append(size)
    return Preview(
        device_count=count,
        batch_sizes=shown,
        batch_count=batch_count,
        driver=choice.driver.value,
        driver_reason=choice.reason,
        estimates=estimates(tier, definition.action, count),
        pauses_s=max(0, batch_count - 1) * definition.rollout.pause_s,
    )


def new_run(
    store: FleetStore,
    client: HubClient,
    job: FleetJob,
    *,
    by: str,
    at: datetime,
    tier: TierFacts | None = None,
    delivery: Delivery | None = None,
) -> Run:
    """Make a run of a fleet job: its devices and batches are fixed here, nothing is sent to them yet.

    delivery: how devices are reached this time; None: as the definition says.  tier: for `auto`, if it is known.
    A run that has no device can be made; `carry_on` completes it.
    Raises WrongState while another run of it has not ended; NotFound; BadValue for more devices than allowed;
    HubAnswer, LinkError, StateError.
    """
    check_host(job, client)
    last = store.last_run(job.fleet_job_id)
    if last is not None:
        check_ended(last)  # before the hub is asked; again when it is made
    count = _choose(store, client, job.definition.targets, job.host)
    used = delivery or job.definition.delivery
    choice = choose_driver(used.driver, tier, job.definition.action, count)
    # A definition with another driver is checked as a whole: not every action has a job.
    Definition(action=job.definition.action, targets=job.definition.targets, delivery=used)
    return store.add_run(
        NewRun(
            fleet_job_id=job.fleet_job_id,
            version=job.version,
            run_key=plan.run_key([secrets.randbelow(len(plan.RUN_KEY_LETTERS)) for _ in range(plan.RUN_KEY_LENGTH)]),
            driver=choice.driver,
            driver_reason=choice.reason,
            delivery=used,
            sizes=job.definition.rollout.sizes,
            at=at,
            by=by,
        )
    )


def carry_on(run: Run, own: Hands) -> Run:
    """Carry a run on until it ends, breaks off or is stopped; gives it as it is then.

    Starting, resuming and going on after a crash are this. A run that has ended is given back as it is.
    Raises LeaseHeld when somebody else carries it on; LeaseLost when somebody took it over meanwhile; other
    StateErrors, after which everything that was recorded is there; what was under way is settled by whoever carries it
    on next.
    """
    return _carry_on(run, own, LeasedRun.take(own.store, run, own.holder, own.clock.now()))


def resume(run: Run, own: Hands) -> Run:
    """Go on with a run that was stopped, has failed or crashed; what was asked of it before is done with.

    Raises WrongState for one that has ended, and all that `carry_on` does.
    """
    moved(run.state, RunEvent.RESUME, run.name)
    leased = LeasedRun.take(own.store, run, own.holder, own.clock.now())
    leased.withdraw(own.clock.now())
    return _carry_on(run, own, leased)


def stop(store: FleetStore, run: Run, holder: Holder, *, by: str, reason: str | None, clock: Clock) -> Run:
    """Ask for a stop. Whoever carries the run on sees it within a second; when nobody does, it is stopped here.

    Raises WrongState for a run that is stopped already or has ended.
    """
    moved(run.state, RunEvent.STOP, run.name)
    try:
        leased = LeasedRun.take(store, run, holder, clock.now())
    except LeaseHeld:
        store.ask(run, Asked(wish=Wish.STOP, by=by, reason=reason, at=clock.now()))
        return store.run_by_key(run.key)
    try:
        is_repeatable = store.definition_of(run).action.kind.is_repeatable
        leased.settle(clock.now(), is_repeatable=is_repeatable)
        leased.end(RunEvent.STOP, clock.now(), reason=reason, by=by)
    finally:
        leased.release()
    return store.run_by_key(run.key)


def cancel(run: Run, own: Hands, *, by: str, reason: str | None) -> Run:
    """Cancel for good. Whoever carries the run on sees it within a second; when nobody does, it is ended here.

    Hub jobs that run are awaited: what they do cannot be taken back, and has to be recorded.

    Raises WrongState for a run that has ended.
    """
    moved(run.state, RunEvent.CANCEL, run.name)
    own.store.ask(run, Asked(wish=Wish.CANCEL, by=by, reason=reason, at=own.clock.now()))
    try:
        leased = LeasedRun.take(own.store, run, own.holder, own.clock.now())
    except LeaseHeld:
        return own.store.run_by_key(run.key)
    if own.store.run_by_key(run.key).state.has_ended or leased.open_parts():
        return _carry_on(run, own, leased)
    try:  # the hub has nothing of this run under way: it is not asked, and may be gone
        is_repeatable = own.store.definition_of(run).action.kind.is_repeatable
        leased.settle(own.clock.now(), is_repeatable=is_repeatable)
        leased.end(RunEvent.CANCEL, own.clock.now(), reason=reason, by=by)
    finally:
        leased.release()
    ended = own.store.run_by_key(run.key)
    own.listener.heard(RunEnded(at=own.clock.now(), run=ended))
    return ended


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
        self._own = own
        self._clock = own.clock
        self._leased = leased
        self._definition = definition
        self._driver: BatchDriver | None = None
        self._has_told_begin = False
        self._told_at: float | None = None  # when progress was last reported, monotonic
        self._waited_until: datetime | None = None

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
            case Work(_, drain):
                assert seen.batch is not None
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
        self._own.listener.heard(
            Progressed(
                at=self._clock.now(),
                run=seen.run.tally,
                batch=seen.batch,
                in_flight_count=driver.in_flight_count(Drain.CANCEL),
            )
        )


def _choose(store: FleetStore, client: HubClient, targets: Targets, host: str) -> int:
    """Note in the store which devices a run has; gives how many."""
    if targets.of_run is not None:
        parent = store.run(targets.of_run.fleet_job_id, targets.of_run.run_number)
        count = store.choose_of_run(parent, targets.of_run.words, targets.seed)
    else:
        selection = targets.selection or Selection(condition=store.group(host, targets.group or ""))
        if targets.max_devices is not None and targets.limit is None and targets.sample_percent is None:
            client.selections.check_at_most(selection, targets.max_devices)
        count = store.choose(_devices(client, selection), targets.seed)
        if selection.condition is not None:
            store.order_chosen()  # a hub gives them in an order of its own
    if targets.sample_percent is not None:
        count = store.keep_sample(plan.sample_size(count, targets.sample_percent))
    if targets.limit is not None:
        count = store.keep_first(targets.limit)
    if targets.max_devices is not None and count > targets.max_devices:
        raise BadValue(f"{count} devices are meant, and --max-devices allows {targets.max_devices}; nothing was sent.")
    return count


def _devices(client: HubClient, selection: Selection) -> Iterator[tuple[str, str | None]]:
    if selection.is_of_modules:
        yield from client.selections.module_ids(selection)
    elif selection.condition is None:
        yield from ((each, None) for each in selection.named)  # registered or not: their rows say so
    else:
        yield from ((each, None) for each in client.selections.device_ids(selection))
