"""What comes next at the gates of a batch, what a gate says, and what a resume makes of it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.fleet_job.engine import Begin, BeginBatch, Drain, End, EndBatch, View, Wait, Work, decide
from azext_iotjobs.fleet_job.gates import (
    AwaitApproval,
    BeginGates,
    CheckGate,
    Judge,
    check_awaits_approval,
    command_verdict,
    inconclusive,
    query_verdict,
    reason_of_end,
    success_verdict,
)
from azext_iotjobs.model.errors import WrongState
from azext_iotjobs.model.gates import (
    BatchGates,
    CommandGate,
    GateAnswer,
    GateDecision,
    GateKind,
    Gates,
    GateVerdict,
    QueryGate,
)
from azext_iotjobs.model.rollout import Retry, Rollout, Scope, Threshold, ThresholdAction, parse_batch_sizes
from azext_iotjobs.model.run import Batch, RequestKind, Run, StopRequest, Tally
from azext_iotjobs.model.run_state import TRANSITIONS, BatchState, RunEvent, RunState
from azext_iotjobs.model.share import Share, Unit, parse_share
from tests.helpers.sample_run import sample_run

NOW = datetime(2026, 5, 1, tzinfo=timezone.utc)
BEFORE, SOON = NOW - timedelta(seconds=60), NOW + timedelta(seconds=60)
TENS = parse_batch_sizes("10", "--batch")
QUERY = QueryGate(condition="tags.alarm = true", most=parse_share("5", "max"))
ALL_GATES = Gates(
    bake_s=30, success=parse_share("95%", "success"), query=QUERY, command=CommandGate(line="check"), is_manual=True
)
RUN = sample_run(BEFORE, device_count=30, batch_count=3)
DONE = Tally(completed=10)
ANN = GateAnswer(is_approved=True, by="ann", reason="looks fine", at=NOW)
NO = GateAnswer(is_approved=False, by="bob", reason=None, at=NOW)


def batch(gates: BatchGates | None = None, *, ordinal: int = 1, tally: Tally = DONE, is_retry: bool = False) -> Batch:
    state = BatchState.RUNNING if gates is None else BatchState.GATED
    return Batch(ordinal=ordinal, state=state, size=10, is_retry=is_retry, gates=gates, tally=tally)


def verdict(kind: GateKind, said: GateDecision = GateDecision.GO, **more: Any) -> GateVerdict:
    return GateVerdict(kind=kind, decision=said, reason="why", at=NOW, **more)


def passed(*kinds: GateKind, answer: GateAnswer | None = None, since: datetime = BEFORE) -> BatchGates:
    return BatchGates(since=since, verdicts=tuple(map(verdict, kinds)), answer=answer)


def view(of_batch: Batch | None, gates: Gates = ALL_GATES, **parts: Any) -> View:
    whole = {
        "run": RUN,
        "rollout": Rollout(sizes=TENS, pause_s=7, gates=gates),
        "batch": of_batch,
        "cut_off_count": 0,
        "retry_count": 0,
        "retry_round": 1,
        "in_flight_count": 0,
        "unsettled_count": 0,
        "is_stopping": False,
        "trouble": None,
        "now": NOW,
    }
    return View(**{**whole, **parts})


BOTH_BOUNDS = "9 of the hub's 20 devices match its condition; at least 1 and at most 50% may."
NEXT_BATCH = EndBatch(1, NOW + timedelta(seconds=7))
BAKE, SUCCESS, QUERIED, COMMAND, MANUAL = GateKind

ROWS: list[tuple[str, Batch, Any]] = [
    ("devices that have not ended come first", batch(tally=Tally(completed=9, pending=1)), Work(Drain.NO)),
    ("then the gates begin", batch(), BeginGates(1)),
    ("it bakes", batch(passed(since=NOW - timedelta(seconds=10))), Wait(NOW + timedelta(seconds=20), "batch 1 bakes")),
    (
        "until the time has passed",
        batch(passed(since=NOW - timedelta(seconds=30))),
        Judge(1, GateVerdict(kind=BAKE, decision=GateDecision.GO, reason="30 s have passed.", at=NOW)),
    ),
    (
        "then devices are counted",
        batch(passed(BAKE)),
        Judge(1, success_verdict(parse_share("95%", "success"), DONE, NOW)),
    ),
    ("the hub is queried", batch(passed(BAKE, SUCCESS)), CheckGate(1, QUERIED)),
    ("the command is run", batch(passed(BAKE, SUCCESS, QUERIED)), CheckGate(1, COMMAND)),
    (
        "and somebody is asked, since the gate before has passed",
        batch(passed(BAKE, SUCCESS, QUERIED, COMMAND)),
        AwaitApproval(1, NOW),
    ),
    (
        "whose yes is recorded",
        batch(passed(BAKE, SUCCESS, QUERIED, COMMAND, answer=ANN)),
        Judge(1, GateVerdict(kind=MANUAL, decision=GateDecision.GO, reason="approved by ann: looks fine", at=NOW)),
    ),
    (
        "and whose no",
        batch(passed(BAKE, SUCCESS, QUERIED, COMMAND, answer=NO)),
        Judge(1, GateVerdict(kind=MANUAL, decision=GateDecision.STOP, reason="rejected by bob", at=NOW)),
    ),
    ("after all of them the batch ends", batch(passed(*GateKind, answer=ANN)), NEXT_BATCH),
    ("the last batch has no gates", batch(ordinal=3), replace(NEXT_BATCH, ordinal=3)),
    ("devices that are tried again have none", batch(is_retry=True), NEXT_BATCH),
    ("a batch that bakes does not bake twice", batch(passed(BAKE, SUCCESS, since=SOON)), CheckGate(1, QUERIED)),
]


@pytest.mark.parametrize(("of_batch", "step"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_the_step_that_comes_next(of_batch: Batch, step: Any) -> None:
    assert decide(view(of_batch)) == step


def test_devices_that_were_verified_are_looked_at_again_when_their_batch_has_baked() -> None:
    baked = passed(since=NOW - timedelta(seconds=30))
    assert decide(view(batch(baked), is_verified=True)) == CheckGate(1, BAKE)
    baking = passed(since=NOW - timedelta(seconds=29))
    assert decide(view(batch(baking), is_verified=True)) == Wait(NOW + timedelta(seconds=1), "batch 1 bakes")


def test_without_gates_nothing_stands_between_batches() -> None:
    assert decide(view(batch(), Gates())) == NEXT_BATCH
    assert decide(view(replace(batch(ordinal=2), state=BatchState.PENDING))) == BeginBatch(2)


@pytest.mark.parametrize("said", [GateDecision.STOP, GateDecision.INCONCLUSIVE])
@pytest.mark.parametrize("kind", GateKind)
def test_a_gate_that_does_not_say_go_stops_the_run_and_says_why(kind: GateKind, said: GateDecision) -> None:
    standing = BatchGates(since=BEFORE, verdicts=(verdict(kind, said),), answer=NO if kind is MANUAL else None)
    reason = f"Gate {kind.value} after batch 1: {said.value}; why"
    assert decide(view(batch(standing))) == End(RunEvent.STOP, reason, "bob" if kind is MANUAL else None)
    assert decide(view(batch(standing), is_stopping=True)) == End(
        RunEvent.STOP, reason, "bob" if kind is MANUAL else None
    ), "whoever resumes has to know"
    cancel = StopRequest(kind=RequestKind.CANCEL, by="cy", reason=None, at=NOW)
    assert decide(view(batch(standing), run=replace(RUN, stop_request=cancel))) == End(RunEvent.CANCEL, None, "cy")


def stopped(standing: BatchGates, refused: GateVerdict) -> View:
    return view(batch(standing), run=replace(RUN, state=RunState.STOPPED, reason=reason_of_end(1, refused)))


@pytest.mark.parametrize("kind", [SUCCESS, QUERIED, COMMAND])
def test_who_resumes_after_a_stop_has_accepted_it_and_that_is_recorded(kind: GateKind) -> None:
    refused = verdict(kind, GateDecision.STOP)
    others = tuple(verdict(each) for each in GateKind if each.value != kind.value)[:1]
    step = decide(stopped(BatchGates(since=BEFORE, verdicts=(*others, refused)), refused))
    assert step == Begin(RunEvent.RESUME, verdicts=(*others, replace(refused, accepted_at=NOW)))
    assert step.verdicts is not None and step.verdicts[-1].passes


def test_what_was_inconclusive_or_rejected_is_asked_anew_after_a_resume() -> None:
    unclear = verdict(QUERIED, GateDecision.INCONCLUSIVE)
    standing = BatchGates(since=BEFORE, verdicts=(verdict(BAKE), unclear))
    assert decide(stopped(standing, unclear)) == Begin(RunEvent.RESUME, verdicts=(verdict(BAKE),))
    rejected = verdict(MANUAL, GateDecision.STOP)
    standing = BatchGates(since=BEFORE, verdicts=(verdict(BAKE), rejected), answer=NO)
    assert decide(stopped(standing, rejected)) == Begin(RunEvent.RESUME, verdicts=(verdict(BAKE),))


def test_a_stop_that_nobody_was_told_of_is_not_accepted() -> None:
    """The process died between the verdict and the end of the run; somebody stopped the run without knowing of it."""
    refused = verdict(SUCCESS, GateDecision.STOP)
    standing = BatchGates(since=BEFORE, verdicts=(refused,))
    unaware = replace(RUN, state=RunState.STOPPED, reason="lunch")
    assert decide(view(batch(standing), run=unaware)) == Begin(RunEvent.RESUME)
    resumed = decide(view(batch(standing)))
    assert isinstance(resumed, End) and resumed.reason == reason_of_end(1, refused)


def every_view() -> Iterator[View]:
    """Verdicts in every combination that can be recorded: gates that passed, then at most one that did not."""
    for count, said, answer, state, stops, request, bakes in product(
        range(len(GateKind) + 1),
        (None, *GateDecision),
        (None, ANN, NO),
        (RunState.RUNNING, RunState.STOPPED, RunState.FAILED, RunState.CANCELED),
        (False, True),
        (None, *RequestKind),
        (False, True),
    ):
        verdicts = [verdict(each) for each in tuple(GateKind)[:count]]
        if said is not None and count < len(GateKind):
            verdicts.append(verdict(tuple(GateKind)[count], said))
        standing = BatchGates(since=NOW if bakes else BEFORE, verdicts=tuple(verdicts), answer=answer)
        asked = request and StopRequest(kind=request, by="cy", reason=None, at=NOW)
        run = replace(RUN, state=state, stop_request=asked)
        threshold = Threshold(share=Share(Fraction(50), Unit.PERCENT), scope=Scope.BATCH, action=ThresholdAction.STOP)
        rollout = Rollout(sizes=TENS, gates=ALL_GATES, threshold=threshold, retry=Retry(tries={"offline": 1}))
        yield view(batch(standing), run=run, rollout=rollout, is_stopping=stops)


def test_no_batch_begins_before_each_gate_has_passed_and_none_is_evaluated_out_of_turn() -> None:
    for each in every_view():
        assert each.batch is not None and each.batch.gates is not None
        said = {one.kind: one for one in each.batch.gates.verdicts}
        step = decide(each)
        match step:
            case EndBatch():
                assert all(kind in said and said[kind].passes for kind in GateKind)
            case Judge(_, GateVerdict(kind=kind)) | CheckGate(_, kind):
                assert each.run.state is RunState.RUNNING and not each.is_stopping and each.run.stop_request is None
                assert list(said) == list(GateKind)[: list(GateKind).index(kind)], "in their order, none twice"
                assert all(one.passes for one in said.values())
            case AwaitApproval():
                assert len(said) == len(GateKind) - 1 and each.batch.gates.answer is None
            case Begin(event) | End(event):
                assert (each.run.state, event) in TRANSITIONS
            case _:
                assert isinstance(step, Wait) or each.run.state.has_ended


@given(st.integers(0, 50), st.integers(0, 50), st.fractions(Fraction(1, 10), 100, max_denominator=10))
def test_enough_is_exactly_enough(completed: int, failed: int, percent: Fraction) -> None:
    tally = Tally(completed=completed, failed=failed)
    found = success_verdict(Share(percent, Unit.PERCENT), tally, NOW)
    assert (found.decision is GateDecision.GO) == (100 * completed >= percent * (completed + failed))


def test_the_share_that_has_completed_is_never_shown_as_more_than_it_is() -> None:
    found = success_verdict(parse_share("95%", "x"), Tally(completed=9499, failed=501), NOW)
    assert found.decision is GateDecision.STOP
    assert found.reason == "9499 of 10000 devices completed: 94.9%, at least 95% were needed."
    assert success_verdict(parse_share("100%", "x"), DONE, NOW).reason.startswith("10 of 10 devices completed: 100%")


@pytest.mark.parametrize(
    ("least", "most", "count", "total", "said", "reason"),
    [
        (None, "5", 5, None, GateDecision.GO, "5 devices of the hub match its condition; at most 5 may."),
        (None, "5", 6, None, GateDecision.STOP, "6 devices of the hub match its condition; at most 5 may."),
        (None, "0", 0, None, GateDecision.GO, "0 devices of the hub match its condition; at most 0 may."),
        ("1", None, 0, None, GateDecision.STOP, "0 devices of the hub match its condition; at least 1 must."),
        (None, "1%", 1, 100, GateDecision.GO, "1 of the hub's 100 devices matches its condition; at most 1% may."),
        (None, "1%", 2, 100, GateDecision.STOP, "2 of the hub's 100 devices match its condition; at most 1% may."),
        (
            "1",
            "50%",
            9,
            20,
            GateDecision.GO,
            BOTH_BOUNDS,
        ),
    ],
)
def test_a_count_is_within_its_bounds_or_not(
    least: str | None, most: str | None, count: int, total: int | None, said: GateDecision, reason: str
) -> None:
    bounds = {
        name: None if text is None else parse_share(text, name) for name, text in (("least", least), ("most", most))
    }
    gate = QueryGate(condition="tags.alarm = true", **bounds)
    assert gate.is_of_all is (total is not None)
    found = query_verdict(gate, count, total, NOW)
    assert (found.decision, found.reason) == (said, reason)


@pytest.mark.parametrize(
    ("code", "line", "said", "reason"),
    [
        (0, "all well", GateDecision.GO, "all well (exit code 0)"),
        (1, "alarms: 7", GateDecision.STOP, "alarms: 7 (exit code 1)"),
        (2, "", GateDecision.INCONCLUSIVE, "it has written nothing (exit code 2)"),
        (127, "no such file", GateDecision.INCONCLUSIVE, "no such file (exit code 127)"),
        (-9, "", GateDecision.INCONCLUSIVE, "it has written nothing (a signal ended it: 9)"),
    ],
)
def test_an_exit_code_is_a_verdict(code: int, line: str, said: GateDecision, reason: str) -> None:
    found = command_verdict(code, line, NOW)
    assert (found.kind, found.decision, found.reason) == (COMMAND, said, reason)


READY = passed(BAKE, SUCCESS, QUERIED, COMMAND)


def test_the_batch_that_waits_can_be_answered_whatever_became_of_its_run() -> None:
    for state in (RunState.RUNNING, RunState.STOPPED, RunState.FAILED):
        waiting = batch(READY)
        assert check_awaits_approval(replace(RUN, state=state), waiting, ALL_GATES) is waiting


@pytest.mark.parametrize(
    ("of_batch", "run", "gates", "why"),
    [
        (batch(), RUN, ALL_GATES, r"it is running, and no batch of it waits for approval\.$"),
        (batch(), RUN, Gates(success=parse_share("95%", "x")), "Its batches need no approval"),
        (None, replace(RUN, state=RunState.COMPLETED), ALL_GATES, "it is completed, and no batch"),
        (batch(READY), replace(RUN, state=RunState.CANCELED), ALL_GATES, "it is canceled, and no batch"),
        (batch(replace(READY, answer=ANN)), RUN, ALL_GATES, "batch 1 was approved by ann: looks fine"),
        (batch(passed(BAKE)), RUN, ALL_GATES, "batch 1 is at gate success, and does not wait"),
        (batch(passed(*GateKind)), RUN, ALL_GATES, "batch 1 is done with its gates"),
        (
            batch(BatchGates(since=NOW, verdicts=(verdict(SUCCESS, GateDecision.STOP),))),
            replace(RUN, state=RunState.STOPPED),
            Gates(success=parse_share("95%", "x"), is_manual=True),
            "it waits to be resumed. Gate success after batch 1: stop; why",
        ),
    ],
)
def test_nothing_else_can_be_approved_and_the_error_says_what_there_is(
    of_batch: Batch | None, run: Run, gates: Gates, why: str
) -> None:
    with pytest.raises(WrongState, match=why) as refused:
        check_awaits_approval(run, of_batch, gates)
    assert refused.value.hint == "See: az iot hub fleet-job show fleet_job_id=job"


def test_a_reason_is_the_same_each_time_and_names_gate_and_batch() -> None:
    found = inconclusive(COMMAND, "it was ended after 300 s", NOW)
    assert reason_of_end(2, found) == "Gate command after batch 2: inconclusive; it was ended after 300 s"
