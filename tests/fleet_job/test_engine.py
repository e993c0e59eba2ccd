"""What comes next in a run: the state table over every pair, and the engine over every kind of view."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from itertools import product
from typing import Any

import pytest

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
from azext_iotjobs.model.errors import WrongState
from azext_iotjobs.model.rollout import Retry, Rollout, Scope, Threshold, ThresholdAction
from azext_iotjobs.model.run import Batch, RequestKind, StopRequest, Tally, next_state
from azext_iotjobs.model.run_state import TRANSITIONS, BatchState, RunEvent, RunState
from azext_iotjobs.model.schedule import BY_SCHEDULE
from azext_iotjobs.model.share import Share, Unit
from tests.helpers.sample_run import sample_run

NOW = datetime(2026, 5, 1, tzinfo=timezone.utc)
SOON, BEFORE = NOW + timedelta(seconds=60), NOW - timedelta(seconds=60)
RUN = sample_run(NOW)
ROLLOUT = Rollout(pause_s=30)


def batch(state: BatchState = BatchState.RUNNING, **counts: Any) -> Batch:
    return Batch(ordinal=2, state=state, size=5, tally=Tally(**counts))


def view(**parts: Any) -> View:
    whole = {
        "run": RUN,
        "rollout": ROLLOUT,
        "batch": batch(pending=5),
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


def stop_request(kind: RequestKind) -> StopRequest:
    return StopRequest(kind=kind, by="ann", reason="because", at=NOW)


@pytest.mark.parametrize(("state", "event"), list(product(RunState, RunEvent)))
def test_every_pair_of_state_and_event(state: RunState, event: RunEvent) -> None:
    run = replace(RUN, state=state)
    if (state, event) in TRANSITIONS:
        after = next_state(run, event)
        assert after is not RunState.PENDING
    else:
        with pytest.raises(WrongState, match=f"Run 1 of fleet job job is {state.value}"):
            next_state(run, event)


LEADS_TO = {
    RunEvent.START: RunState.RUNNING,
    RunEvent.RESUME: RunState.RUNNING,
    RunEvent.FINISH: RunState.COMPLETED,
    RunEvent.BREAK: RunState.FAILED,
    RunEvent.STOP: RunState.STOPPED,
    RunEvent.CANCEL: RunState.CANCELED,
}
POSSIBLE = {
    RunState.PENDING: "start resume stop cancel",
    RunState.RUNNING: "resume finish break stop cancel",
    RunState.STOPPED: "resume cancel",
    RunState.FAILED: "resume stop cancel",
    RunState.COMPLETED: "",
    RunState.CANCELED: "",
}


def test_the_table_says_what_it_should() -> None:
    possible = {(state, RunEvent(word)) for state, words in POSSIBLE.items() for word in words.split()}
    assert {pair: LEADS_TO[pair[1]] for pair in possible} == TRANSITIONS
    assert {state for state in RunState if not POSSIBLE[state]} == {state for state in RunState if state.has_ended}
    with pytest.raises(WrongState, match="start is not possible; it can be asked to resume or cancel") as refused:
        next_state(replace(RUN, state=RunState.STOPPED), RunEvent.START)
    assert refused.value.hint == "az iot hub fleet-job resume fleet_job_id=job"
    with pytest.raises(WrongState, match="it can be asked to resume or stop or cancel"):
        next_state(RUN, RunEvent.START)
    with pytest.raises(WrongState, match="resume is not possible; it has ended") as refused:
        next_state(replace(RUN, state=RunState.COMPLETED, tally=Tally(failed=1, uncertain=1)), RunEvent.RESUME)
    assert refused.value.hint == "What failed can be run again: az iot hub fleet-job rerun fleet_job_id=job"


RESULTS = "See what it did: az iot hub fleet-job results fleet_job_id=job"


@pytest.mark.parametrize(
    ("state", "event", "tally", "hint"),
    [
        (RunState.COMPLETED, RunEvent.STOP, Tally(completed=12), RESULTS),
        (RunState.COMPLETED, RunEvent.CANCEL, Tally(completed=3), RESULTS),
        (RunState.COMPLETED, RunEvent.RESUME, Tally(), RESULTS),
        (
            RunState.COMPLETED,
            RunEvent.STOP,
            Tally(completed=1, uncertain=1),
            "What was not completed can be run again: az iot hub fleet-job rerun fleet_job_id=job on=uncertain",
        ),
        (
            RunState.CANCELED,
            RunEvent.RESUME,
            Tally(completed=1, uncertain=1, pending=2),
            "What was not completed can be run again: az iot hub fleet-job rerun fleet_job_id=job on=uncertain,pending",
        ),
    ],
)
def test_a_run_that_has_ended_is_run_again_on_what_did_not_succeed_alone(
    state: RunState, event: RunEvent, tally: Tally, hint: str
) -> None:
    with pytest.raises(WrongState, match=f"{event.value} is not possible; it has ended") as refused:
        next_state(replace(RUN, state=state, tally=tally), event)
    assert refused.value.hint == hint


def exceeded(action: ThresholdAction) -> Rollout:
    return Rollout(pause_s=30, threshold=Threshold(share=Share(Fraction(1), Unit.DEVICES), action=action))


STOPPED_BY_HAND = End(RunEvent.STOP, "because", "ann")
FAILED_TWO = replace(RUN, tally=Tally(pending=8, failed=2))

WAITING = replace(RUN, tally=Tally(completed=8, waiting=2))
ENDED_BATCH = EndBatch(2, NOW + timedelta(seconds=30))
CTRL_C = End(RunEvent.STOP, "Stopped by Ctrl-C or a signal.", None)

ROWS: list[tuple[str, dict[str, Any], Any]] = [
    ("ended runs rest", {"run": replace(RUN, state=RunState.CANCELED), "cut_off_count": 3}, Nothing()),
    ("what was cut off comes first", {"cut_off_count": 1, "is_stopping": True}, Settle()),
    ("a new run starts", {"run": replace(RUN, state=RunState.PENDING)}, Begin(RunEvent.START)),
    ("a stopped one goes on", {"run": replace(RUN, state=RunState.STOPPED)}, Begin(RunEvent.RESUME)),
    ("a broken one goes on", {"run": replace(RUN, state=RunState.FAILED)}, Begin(RunEvent.RESUME)),
    ("a batch begins", {"batch": batch(BatchState.PENDING, pending=5)}, BeginBatch(2)),
    (
        "after the pause",
        {"batch": batch(BatchState.PENDING, pending=5), "run": replace(RUN, next_batch_at=SOON)},
        Wait(SOON, "a pause before batch 2"),
    ),
    (
        "also of devices that are tried again",
        {
            "batch": replace(batch(BatchState.PENDING, pending=5), is_retry=True),
            "run": replace(RUN, next_batch_at=SOON),
        },
        Wait(SOON, "failed devices are tried again"),
    ),
    (
        "and not after its end",
        {"batch": batch(BatchState.PENDING, pending=5), "run": replace(RUN, next_batch_at=NOW)},
        BeginBatch(2),
    ),
    ("it is worked on", {"batch": batch(pending=1, completed=4)}, Work(Drain.NO)),
    ("also while calls are under way", {"batch": batch(calling=1, failed=4)}, Work(Drain.NO)),
    (
        "and while a hub job of it is not read to its end",
        {"batch": batch(completed=5), "in_flight_count": 1},
        Work(Drain.NO),
    ),
    ("it ends", {"batch": batch(completed=3, failed=1, uncertain=1)}, EndBatch(2, NOW + timedelta(seconds=30))),
    ("after the last", {"batch": None}, End(RunEvent.FINISH, None, None)),
    (
        "or devices are tried again",
        {"batch": None, "retry_count": 3, "rollout": Rollout(retry=Retry(tries={"offline": 1}, pause_s=9))},
        BeginRetries(NOW + timedelta(seconds=9)),
    ),
    ("or those that wait to connect get a batch of their own", {"batch": None, "run": WAITING}, BeginOffline()),
    (
        "after those that are tried again",
        {"batch": None, "run": WAITING, "retry_count": 1, "rollout": Rollout(retry=Retry(tries={"other": 1}))},
        BeginRetries(NOW + timedelta(seconds=10)),
    ),
    ("whoever waits to connect holds no batch", {"batch": batch(completed=3, waiting=2), "run": WAITING}, ENDED_BATCH),
    (
        "but the one that is made for it",
        {"batch": replace(batch(completed=3, waiting=2), is_of_offline=True), "run": WAITING},
        Work(Drain.NO),
    ),
    (
        "until nobody waits",
        {"batch": replace(batch(completed=3, failed=2), is_of_offline=True)},
        ENDED_BATCH,
    ),
    ("nobody who waits is awaited by a stop", {"batch": None, "run": WAITING, "is_stopping": True}, CTRL_C),
    (
        "and a threshold does not count them",
        {"run": WAITING, "batch": batch(pending=1, waiting=2), "rollout": exceeded(ThresholdAction.CANCEL)},
        Work(Drain.NO),
    ),
    (
        "and when none is left to be tried, it ends",
        {"batch": None, "rollout": Rollout(retry=Retry(tries={"offline": 1}))},
        End(RunEvent.FINISH, None, None),
    ),
    (
        "the second time after a longer pause",
        {"batch": None, "retry_count": 1, "retry_round": 2, "rollout": Rollout(retry=Retry(tries={"other": 2}))},
        BeginRetries(NOW + timedelta(seconds=20)),
    ),
    ("asked to stop", {"run": replace(RUN, stop_request=stop_request(RequestKind.STOP))}, STOPPED_BY_HAND),
    (
        "calls are awaited before",
        {"run": replace(RUN, stop_request=stop_request(RequestKind.STOP)), "in_flight_count": 1},
        Work(Drain.STOP, "because"),
    ),
    ("Ctrl-C", {"is_stopping": True}, End(RunEvent.STOP, "Stopped by Ctrl-C or a signal.", None)),
    (
        "Ctrl-C, in somebody's name",
        {"is_stopping": True, "stop_by": "its schedule"},
        End(RunEvent.STOP, "Stopped by Ctrl-C or a signal.", "its schedule"),
    ),
    (
        "also in a pause",
        {"is_stopping": True, "run": replace(RUN, next_batch_at=SOON)},
        End(RunEvent.STOP, "Stopped by Ctrl-C or a signal.", None),
    ),
    (
        "cancel is more than stop",
        {"run": replace(RUN, stop_request=stop_request(RequestKind.CANCEL)), "is_stopping": True},
        End(RunEvent.CANCEL, "because", "ann"),
    ),
    (
        "hub jobs are awaited by cancel",
        {"run": replace(RUN, stop_request=stop_request(RequestKind.CANCEL)), "unsettled_count": 1},
        Work(Drain.CANCEL, "because"),
    ),
    (
        "and not by stop",
        {"run": replace(RUN, stop_request=stop_request(RequestKind.STOP)), "unsettled_count": 1},
        STOPPED_BY_HAND,
    ),
    (
        "a stopped run is canceled without going on",
        {"run": replace(RUN, state=RunState.STOPPED, stop_request=stop_request(RequestKind.CANCEL))},
        End(RunEvent.CANCEL, "because", "ann"),
    ),
    (
        "but for its hub jobs",
        {
            "run": replace(RUN, state=RunState.STOPPED, stop_request=stop_request(RequestKind.CANCEL)),
            "unsettled_count": 1,
        },
        Begin(RunEvent.RESUME),
    ),
    ("trouble breaks it", {"trouble": "no way"}, End(RunEvent.BREAK, "no way", None)),
    ("after the calls under way", {"trouble": "no way", "in_flight_count": 1}, Work(Drain.STOP, "no way")),
    (
        "trouble with nothing under way hinders no cancel",
        {"run": replace(RUN, stop_request=stop_request(RequestKind.CANCEL)), "trouble": "no way"},
        End(RunEvent.CANCEL, "because", "ann"),
    ),
    (
        "a cancel that cannot be finished is no cancel",
        {"run": replace(RUN, stop_request=stop_request(RequestKind.CANCEL)), "unsettled_count": 1, "trouble": "no way"},
        End(RunEvent.BREAK, "It was being canceled, but no way", "ann"),
    ),
    (
        "a threshold cancels, after what is under way",
        {"run": FAILED_TWO, "rollout": exceeded(ThresholdAction.CANCEL), "unsettled_count": 1},
        Work(Drain.CANCEL, "2 failures in the run of 10 devices exceed the threshold of 1 device."),
    ),
]


@pytest.mark.parametrize(("parts", "step"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_the_step_that_comes_next(parts: dict[str, Any], step: Any) -> None:
    assert decide(view(**parts)) == step


@pytest.mark.parametrize(
    ("action", "event"), [(ThresholdAction.CANCEL, RunEvent.CANCEL), (ThresholdAction.STOP, RunEvent.STOP)]
)
def test_an_exceeded_threshold_ends_the_run_also_at_its_last_device(action: ThresholdAction, event: RunEvent) -> None:
    done = replace(RUN, tally=Tally(completed=8, failed=2))
    step = decide(view(run=done, batch=batch(completed=3, failed=2), rollout=exceeded(action)))
    assert isinstance(step, End)
    assert step.event is event and "2 failures" in str(step.reason) and step.by is None


def test_who_resumes_over_a_threshold_has_accepted_the_failures_so_far() -> None:
    stopped = replace(FAILED_TWO, state=RunState.STOPPED)
    rollout = exceeded(ThresholdAction.STOP)
    step = decide(view(run=stopped, rollout=rollout, batch=batch(pending=3, failed=2)))
    assert step == Begin(RunEvent.RESUME, forgiven_of_run=2, forgiven_of_batch=2)
    running = replace(FAILED_TWO, forgiven=2)
    assert decide(view(run=running, rollout=rollout)) == Work(Drain.NO)
    more = replace(running, tally=Tally(pending=6, failed=4))
    assert isinstance(decide(view(run=more, rollout=rollout)), End)


def test_who_resumes_below_a_threshold_has_accepted_none() -> None:
    stopped = replace(RUN, state=RunState.STOPPED, tally=Tally(pending=9, failed=1), forgiven=0)
    assert decide(view(run=stopped, rollout=exceeded(ThresholdAction.STOP))) == Begin(RunEvent.RESUME)


def test_only_a_threshold_that_stops_forgives_and_what_was_forgiven_stays_so() -> None:
    broken = replace(FAILED_TWO, state=RunState.FAILED)  # for example: the hub was away when it was to be canceled
    assert decide(view(run=broken, rollout=exceeded(ThresholdAction.CANCEL))) == Begin(RunEvent.RESUME)
    before = replace(RUN, state=RunState.STOPPED, forgiven=3)
    going = replace(batch(pending=5), forgiven=1)
    for rollout in (ROLLOUT, exceeded(ThresholdAction.STOP), exceeded(ThresholdAction.CANCEL)):
        assert decide(view(run=before, rollout=rollout, batch=going)) == Begin(RunEvent.RESUME, 3, 1)
    between = view(run=replace(FAILED_TWO, state=RunState.STOPPED), rollout=exceeded(ThresholdAction.STOP), batch=None)
    assert decide(between) == Begin(RunEvent.RESUME, 2, 0)


def every_view() -> Iterator[View]:
    for state, kind, going, in_flight, stops, trouble, cut_off, retries, action in product(
        RunState,
        (None, *RequestKind),
        (None, batch(BatchState.PENDING, pending=5), batch(pending=2, failed=3), batch(completed=5)),
        (0, 1),
        (False, True),
        (None, "no way"),
        (0, 1),
        (0, 1),
        (None, *ThresholdAction),
    ):
        threshold = action and Threshold(share=Share(Fraction(1), Unit.DEVICES), scope=Scope.BATCH, action=action)
        yield view(
            run=replace(RUN, state=state, stop_request=kind and stop_request(kind), next_batch_at=BEFORE),
            batch=going,
            in_flight_count=in_flight,
            unsettled_count=in_flight,
            is_stopping=stops,
            trouble=trouble,
            cut_off_count=cut_off,
            retry_count=retries,
            rollout=Rollout(threshold=threshold, retry=Retry(tries={"offline": 1})),
        )


def test_every_view_has_one_step_that_its_state_allows() -> None:
    for each in every_view():
        step = decide(each)
        has_reason = bool(each.run.stop_request or each.is_stopping or each.trouble)
        match step:
            case Nothing():
                assert each.run.state.has_ended
            case Settle():
                assert each.cut_off_count
            case Begin(event):
                assert (each.run.state, event) in TRANSITIONS and each.run.state is not RunState.RUNNING
            case End(event):
                assert (each.run.state, event) in TRANSITIONS
                assert event is not RunEvent.FINISH or (each.batch is None and not has_reason and not each.retry_count)
            case Work(Drain.NO) | BeginBatch() | EndBatch() | BeginRetries() | Wait():
                assert each.run.state is RunState.RUNNING and not has_reason and not each.cut_off_count
                assert each.batch is None or each.batch.state in (BatchState.PENDING, BatchState.RUNNING)
                assert each.retry_count or not isinstance(step, BeginRetries)
            case Work():
                assert each.in_flight_count


def test_a_window_that_has_shut_stops_the_run_and_says_that_it_continues() -> None:
    assert isinstance(decide(view(shuts_at=SOON)), Work)
    ending = decide(view(shuts_at=NOW))
    assert isinstance(ending, End)
    assert (ending.event, ending.by) == (RunEvent.STOP, BY_SCHEDULE)
    assert decide(view(shuts_at=NOW, in_flight_count=1)) == Work(Drain.STOP, ending.reason), "calls are awaited"
    by_somebody = decide(view(shuts_at=NOW, is_stopping=True))
    assert isinstance(by_somebody, End) and by_somebody.by is None, "a person's stop is not resumed by a schedule"
