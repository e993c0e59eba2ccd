"""Approve or reject the batch of a run that waits for it, whichever process executes the run, or none."""

from azext_iotjobs.fleet_job.gates import check_awaits_approval, manual_verdict, reason_of_end
from azext_iotjobs.fleet_job.store.contract import FleetJobStore
from azext_iotjobs.fleet_job.store.holder import Holder
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import LeaseHeld, WrongState
from azext_iotjobs.model.gates import GateAnswer, GateKind
from azext_iotjobs.model.run import Batch, Run
from azext_iotjobs.model.run_state import RunEvent, RunState
from azext_iotjobs.model.text import Text, command

SEEN_LIMIT_S = 5.0  # the process that executes the run looks twice a second
POLL_S = 0.2


def answer(
    store: FleetJobStore, run: Run, holder: Holder, given: GateAnswer, clock: Clock, batch: int | None = None
) -> Batch:
    """Record an answer for the batch that waits; gives the batch as it was before.

    A process that executes the run sees it within a second, without one the next that resumes it. One that died while
    it waited is not waited for: a rejected run is stopped here.

    holder: this process.  batch: which one is meant, by its number; None: whichever waits.
    Raises WrongState when none waits, when another one does, and when it is answered already.
    """
    gates = store.definitions.of_run(run).rollout.gates
    is_recorded = False
    while not is_recorded:  # its gates may have moved since they were read
        run = store.runs.get_by_key(run.key)
        waiting = check_awaits_approval(run, store.runs.current_batch(run), gates)
        _check_meant(run, waiting, batch)
        is_recorded = store.runs.answer_gate(run, waiting, given)
    if not given.is_approved:
        _stop_if_unattended(store, run, holder, waiting.ordinal, clock)
    return waiting


def await_seen(store: FleetJobStore, run: Run, batch: Batch, clock: Clock) -> bool:
    """Wait until the process that executes a run has seen an answer, and the run is stopped where it has to be.

    batch: as `answer` gave it.  False: it has not, within some seconds, or no process executes the run.
    """
    ends_at = clock.monotonic() + SEEN_LIMIT_S
    while not _is_seen(store, run, batch):
        if store.runs.get_by_key(run.key).is_unattended(clock.now()) or clock.monotonic() >= ends_at:
            return _is_seen(store, run, batch)
        clock.sleep(POLL_S)
    return True


def _is_seen(store: FleetJobStore, run: Run, batch: Batch) -> bool:
    gates = store.runs.batch(run, batch.ordinal).gates
    verdict = None if gates is None else gates.verdict_of(GateKind.MANUAL)
    if verdict is None:
        return False
    return verdict.passes or store.runs.get_by_key(run.key).state is not RunState.RUNNING


def _check_meant(run: Run, waiting: Batch, batch: int | None) -> None:
    if batch is not None and batch != waiting.ordinal:
        raise WrongState(
            f"{run.name}: batch {batch} does not wait for approval; batch {waiting.ordinal} does.",
            hint=Text("See: ", command("iot hub fleet-job show", fleet_job_id=run.fleet_job_id)),
        )


def _stop_if_unattended(store: FleetJobStore, run: Run, holder: Holder, ordinal: int, clock: Clock) -> None:
    """Stop a run whose batch was rejected, when its process is gone."""
    if run.state is not RunState.RUNNING:
        return
    try:
        leased = store.take_lease(run, holder, clock.now())
    except LeaseHeld:
        return
    try:
        gates = store.runs.batch(run, ordinal).gates
        if store.runs.get_by_key(run.key).state is not RunState.RUNNING or gates is None or gates.answer is None:
            return
        verdict = manual_verdict(gates.answer, clock.now())
        leased.judge(ordinal, verdict, clock.now())
        leased.end(RunEvent.STOP, clock.now(), reason=reason_of_end(ordinal, verdict), by=gates.answer.by)
    finally:
        leased.release()
