"""A batch, its counts and its gates -> what comes next, and what a gate says. Pure.

A batch is gated once its devices have ended. Its gates are evaluated in the order of GateKind, each when those before
have passed; a verdict is recorded before anything follows from it. One that is not go ends the run, stopped. Whoever
resumes has accepted a stop; what was inconclusive is evaluated again, and what was rejected has to be approved anew.
"""

from dataclasses import replace
from datetime import datetime

from azext_iotjobs.model.errors import WrongState
from azext_iotjobs.model.gates import GateAnswer, GateDecision, GateKind, Gates, GateVerdict, QueryGate
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.run import Batch, Run, Tally
from azext_iotjobs.model.run_state import BatchState
from azext_iotjobs.model.share import Share
from azext_iotjobs.model.text import Text, command, counted

SHOW = "iot hub fleet-job show"


@dataclass(frozen=True)
class BeginGates:
    """The devices of a batch have ended: its gates are evaluated from here on."""

    ordinal: int


@dataclass(frozen=True)
class Judge:
    """A gate has a verdict; it is recorded."""

    ordinal: int
    verdict: GateVerdict


@dataclass(frozen=True)
class CheckGate:
    """A gate is evaluated by an effect: a query, a command."""

    ordinal: int
    kind: GateKind


@dataclass(frozen=True)
class AwaitApproval:
    """Nobody has approved the batch yet, or rejected it."""

    ordinal: int
    since: datetime


GateStep = BeginGates | Judge | CheckGate | AwaitApproval


def is_gated(batch: Batch, run: Run, gates: Gates) -> bool:
    """Whether there are gates after a batch: it was planned, and another one follows."""
    is_planned = not batch.is_retry and not batch.is_of_offline
    return bool(gates.kinds) and is_planned and batch.ordinal < run.batch_count


def refusal(batch: Batch | None) -> GateVerdict | None:
    """The verdict for which a run ends; None: there is none.

    batch: the one that runs or is gated; None: all have ended.
    """
    if batch is None or batch.gates is None:
        return None
    return next((each for each in batch.gates.verdicts if not each.passes), None)


def gate_step(batch: Batch, gates: Gates, now: datetime, *, is_bake_checked: bool) -> GateStep | None:
    """What comes next at the gates of a batch whose devices have ended; None: all have passed.

    now: not before the bake is over.  is_bake_checked: devices must still be as they were verified when it is.
    """
    ordinal = batch.ordinal
    if batch.gates is None:
        return BeginGates(ordinal)
    match gates.next_kind(batch.gates):
        case None:
            return None
        case GateKind.BAKE if not is_bake_checked:
            return Judge(ordinal, baked(gates, now))
        case GateKind.SUCCESS:
            assert gates.success is not None
            return Judge(ordinal, success_verdict(gates.success, batch.tally, now))
        case GateKind.MANUAL:
            answer = batch.gates.answer
            if answer is None:
                return AwaitApproval(ordinal, batch.gates.last_at)
            return Judge(ordinal, manual_verdict(answer, now))
        case kind:
            return CheckGate(ordinal, kind)


def baked(gates: Gates, now: datetime) -> GateVerdict:
    """The verdict of a bake after which nothing is looked at."""
    return GateVerdict(kind=GateKind.BAKE, decision=GateDecision.GO, reason=f"{gates.bake_s:g} s have passed.", at=now)


def stayed(gates: Gates, tally: Tally, now: datetime) -> GateVerdict:
    """The verdict of a bake after which devices were looked at. Those that did not stay have failed by now."""
    how_many = f"{tally.completed} of {counted(tally.total, 'device')}"
    reason = f"{gates.bake_s:g} s have passed, and {how_many} are as they were verified."
    return GateVerdict(kind=GateKind.BAKE, decision=GateDecision.GO, reason=reason, at=now)


def success_verdict(least: Share, tally: Tally, now: datetime) -> GateVerdict:
    """Whether enough of a batch has completed. least: percent of its devices that have ended.

    Those that wait to connect do not count; where all of them do, nothing was seen to succeed.
    """
    is_enough = tally.completed >= least.of(tally.ended) and (tally.ended > 0 or not tally.waiting)
    waiting = f", {tally.waiting} more wait to connect" if tally.waiting else ""
    return GateVerdict(
        kind=GateKind.SUCCESS,
        decision=GateDecision.GO if is_enough else GateDecision.STOP,
        reason=f"{tally.completed} of {counted(tally.ended, 'device')} completed{waiting}: {_percent(tally)}, "
        f"at least {least} were needed.",
        at=now,
    )


def query_verdict(gate: QueryGate, count: int, total: int | None, now: datetime) -> GateVerdict:
    """Whether a count is within its bounds.

    count: the hub's devices that match the condition.  total: all devices of the hub; None: no bound is a share of it.
    """
    decision, bound = GateDecision.GO, _bounds(gate)
    if gate.most is not None and count > gate.most.of(total or 0):
        decision, bound = GateDecision.STOP, f"at most {gate.most} may"
    elif gate.least is not None and count < gate.least.of(total or 0):
        decision, bound = GateDecision.STOP, f"at least {gate.least} must"
    found = (
        f"{counted(count, 'device')} of the hub"
        if total is None
        else f"{count} of the hub's {counted(total, 'device')}"
    )
    reason = f"{found} {'matches' if count == 1 else 'match'} its condition; {bound}."
    return GateVerdict(kind=GateKind.QUERY, decision=decision, reason=reason, at=now)


def command_verdict(exit_code: int, last_line: str, now: datetime) -> GateVerdict:
    """What a command says.

    exit_code: less than 0: the signal that ended it.  last_line: of its output; "": it has written nothing.
    """
    decision = {0: GateDecision.GO, 1: GateDecision.STOP}.get(exit_code, GateDecision.INCONCLUSIVE)
    how = f"a signal ended it: {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
    said = last_line or "it has written nothing"
    return GateVerdict(kind=GateKind.COMMAND, decision=decision, reason=f"{said} ({how})", at=now)


def manual_verdict(answer: GateAnswer, now: datetime) -> GateVerdict:
    """What somebody said."""
    decision = GateDecision.GO if answer.is_approved else GateDecision.STOP
    return GateVerdict(kind=GateKind.MANUAL, decision=decision, reason=answer.words, at=now)


def inconclusive(kind: GateKind, reason: str, now: datetime) -> GateVerdict:
    """A gate that could not be evaluated. reason: why, in words."""
    return GateVerdict(kind=kind, decision=GateDecision.INCONCLUSIVE, reason=reason, at=now)


def reason_of_end(ordinal: int, verdict: GateVerdict) -> str:
    """Why a run is stopped by a gate, in words; the same each time.

    ordinal: of the batch.  verdict: one that does not pass.
    """
    says = "stop" if verdict.decision is GateDecision.STOP else "inconclusive"
    return f"Gate {verdict.kind.value} after batch {ordinal}: {says}; {verdict.reason}"


def who_refused(batch: Batch, verdict: GateVerdict) -> str | None:
    """Who rejected a batch; None: nobody, the verdict is another gate's."""
    answer = None if batch.gates is None or verdict.kind is not GateKind.MANUAL else batch.gates.answer
    return None if answer is None else answer.by


def verdicts_after_resume(run: Run, batch: Batch | None, now: datetime) -> tuple[GateVerdict, ...] | None:
    """What is left of a batch's verdicts when somebody resumes its run; None: they are as they were.

    A stop is accepted by whoever was told of it: it is why the run is stopped.
    """
    refused = refusal(batch)
    if batch is None or batch.gates is None or refused is None:
        return None
    others = tuple(each for each in batch.gates.verdicts if each is not refused)
    if refused.decision is GateDecision.INCONCLUSIVE:
        return others
    if run.reason != reason_of_end(batch.ordinal, refused):
        return None
    if refused.kind is GateKind.MANUAL:
        return others
    accepted = replace(refused, accepted_at=now)
    return tuple(accepted if each is refused else each for each in batch.gates.verdicts)


def check_awaits_approval(run: Run, batch: Batch | None, gates: Gates) -> Batch:
    """The batch that waits to be approved or rejected. Raises WrongState, saying what the run waits for instead.

    batch: the first one that has not ended; None: all have.
    """
    if batch is None or batch.gates is None or batch.state is not BatchState.GATED or run.state.has_ended:
        manual = "" if gates.is_manual else " Its batches need no approval."
        raise _not_waiting(run, f"it is {run.state.value}, and no batch of it waits for approval.{manual}")
    answer, refused = batch.gates.answer, refusal(batch)
    if answer is not None:
        raise _not_waiting(run, f"batch {batch.ordinal} was {answer.words}")
    if refused is not None:
        raise _not_waiting(run, f"it waits to be resumed. {reason_of_end(batch.ordinal, refused)}")
    if (kind := gates.next_kind(batch.gates)) is not GateKind.MANUAL:
        waits = "is done with its gates" if kind is None else f"is at gate {kind.value}"
        raise _not_waiting(run, f"batch {batch.ordinal} {waits}, and does not wait for approval.")
    return batch


def _not_waiting(run: Run, text: str) -> WrongState:
    return WrongState(f"{run.name}: {text}", hint=Text("See: ", command(SHOW, fleet_job_id=run.fleet_job_id)))


def _bounds(gate: QueryGate) -> str:
    least = None if gate.least is None else f"at least {gate.least}"
    most = None if gate.most is None else f"at most {gate.most}"
    return f"{' and '.join(filter(None, (least, most)))} may"


def _percent(tally: Tally) -> str:
    # Rounded down: 94.96% is not shown as 95%, which would have been enough.
    tenths = 1000 * tally.completed // max(1, tally.ended)
    return f"{tenths // 10}{f'.{tenths % 10}' if tenths % 10 else ''}%"
