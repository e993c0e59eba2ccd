"""What `watch` shows, from stored values."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from azext_iotjobs.cli.fleet_job.live_view import BAR, Seen, bar, changes, lines
from azext_iotjobs.model.gates import BatchGates, GateAnswer, Gates
from azext_iotjobs.model.in_progress import Awaited
from azext_iotjobs.model.rollout import Rollout, Scope, Threshold, parse_batch_sizes
from azext_iotjobs.model.run import Batch, Lease, Run, Tally
from azext_iotjobs.model.run_state import BatchState, RunState
from azext_iotjobs.model.share import parse_share
from tests.helpers.sample_run import sample_run

NOW = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
RUN = sample_run(
    NOW,
    fleet_job_id="fw-7",
    number=2,
    device_count=20,
    batch_count=4,
    started_at=NOW,
    lease=Lease(owner="ann@here, process 7", until=NOW + timedelta(hours=1), beat_at=NOW),
    tally=Tally(completed=6, failed=2, calling=1, pending=11, by_class={"offline": 2}),
)
FIRST = Batch(ordinal=1, state=BatchState.COMPLETED, size=5, tally=Tally(completed=4, failed=1), ended_at=NOW)
SECOND = Batch(
    ordinal=2, state=BatchState.RUNNING, size=5, tally=Tally(completed=2, failed=1, calling=1, pending=1), forgiven=0
)
AWAITED = Awaited(batch=2, device_ids=("pump-1",), count=1, since=NOW, until=NOW + timedelta(seconds=30))


def seen(**more: Any) -> Seen:
    threshold = Threshold(share=parse_share("5", "--cth"))
    values: dict[str, Any] = {
        "run": RUN,
        "batches": (FIRST, SECOND),
        "rollout": Rollout(threshold=threshold),
        "awaited": (AWAITED,),
        "at": NOW + timedelta(seconds=9),
    }
    return Seen(**(values | more))


def test_the_view_has_bars_threshold_failures_and_who_is_awaited() -> None:
    text = "\n".join(lines(seen()))
    assert "Run 2 of fleet job fw-7 is running, 9 s, executed by ann@here, process 7" in text
    assert "batch 1   [########################xxxxxx] 5 devices: 4 completed, 1 failed" in text
    assert "batch 2   [############xxxxxx>>>>>>......]" in text
    assert "and 2 more batches" in text
    assert "Threshold of the run: 2 of 5 failures that are allowed; more cancel it" in text
    assert "Failures: offline 2" in text and "pump-1" in text and "12:00:30 UTC" in text


def test_a_batchs_threshold_is_that_of_the_batch_that_runs() -> None:
    of_batch = Threshold(share=parse_share("40%", "--cth"), scope=Scope.BATCH)
    text = "\n".join(lines(seen(rollout=Rollout(threshold=of_batch))))
    assert "Threshold of batch 2: 1 of 2 failures that are allowed" in text
    assert "Threshold" not in "\n".join(lines(seen(rollout=Rollout(threshold=of_batch), batches=(FIRST,))))
    assert "Threshold" not in "\n".join(lines(seen(rollout=Rollout())))


def test_a_bar_is_full_when_all_have_ended_and_never_before() -> None:
    assert bar(Tally(completed=7)) == f"[{'#' * BAR}]"
    assert bar(Tally()) == bar(Tally(pending=3)) == f"[{'.' * BAR}]"
    assert bar(Tally(completed=999, pending=1)).endswith(".]")
    assert all(len(bar(Tally(completed=n, failed=7, pending=90 - n))) == BAR + 2 for n in range(90))


def test_without_a_terminal_each_change_is_a_line() -> None:
    begun = list(changes(None, seen()))
    assert begun[0].startswith("Run 2 of fleet job fw-7 is running: 20 devices: 6 completed, 2 failed (offline 2)")
    assert any(line.startswith("Batch 1 is completed") for line in begun) and any("pump-1" in line for line in begun)
    assert list(changes(seen(), seen())) == []
    further = replace(SECOND, tally=Tally(completed=3, failed=1, calling=1))
    assert list(changes(seen(), seen(batches=(FIRST, further)))) == [
        "Batch 2: 5 devices: 3 completed, 1 failed, 1 in progress."
    ]
    ended = replace(RUN, state=RunState.CANCELED, reason="Too many failed.", tally=Tally(completed=6, failed=14))
    said = list(changes(seen(), seen(run=ended, awaited=())))
    assert said[-1] == "Run 2 of fleet job fw-7 is canceled: 20 devices: 6 completed, 14 failed. Too many failed."


def test_a_reason_cannot_control_the_terminal() -> None:
    ended = replace(RUN, state=RunState.STOPPED, reason="the gate said \x1b[2Jall is well\nRun 3 is completed")
    (said,) = changes(seen(), seen(run=ended))
    assert "\x1b" not in said and "\n" not in said and "all is well" in said


GATED = replace(FIRST, state=BatchState.GATED, gates=BatchGates(since=NOW))
APPROVAL = [
    "Batch 1 waits for approval since 2026-05-01T12:00:00Z.",
    "Approve it: az iot hub fleet-job approve -j fw-7 --batch 1",
    "Reject it: az iot hub fleet-job reject -j fw-7 --batch 1",
]


def gated(batch: Batch = GATED, run: Run = RUN, **gates: Any) -> Seen:
    return seen(
        run=run,
        rollout=Rollout(sizes=parse_batch_sizes("5", "--batch"), gates=Gates(**gates)),
        batches=(batch,),
        awaited=(),
    )


def test_a_batch_that_waits_for_approval_comes_with_the_commands_that_give_it() -> None:
    running = replace(GATED, state=BatchState.RUNNING, gates=None)
    waits = gated(is_manual=True)
    assert lines(waits)[-3:] == APPROVAL
    assert list(changes(gated(running, is_manual=True), waits))[1:] == APPROVAL
    assert list(changes(waits, waits)) == []


def test_other_gates_are_named_until_they_have_a_verdict() -> None:
    assert lines(gated(bake_s=60))[-1] == "Batch 1 bakes until 2026-05-01T12:01:00Z."
    success = parse_share("95%", "--gate-success")
    assert lines(gated(success=success))[-1] == "Batch 1, gate success: it is evaluated."


def test_nothing_is_awaited_once_somebody_has_answered_or_the_run_is_stopped() -> None:
    answer = GateAnswer(is_approved=True, by="ann", reason=None, at=NOW)
    answered = replace(GATED, gates=BatchGates(since=NOW, answer=answer))
    stopped = replace(RUN, state=RunState.STOPPED)
    for each in (gated(answered, is_manual=True), gated(run=stopped, is_manual=True)):
        assert not any("approv" in line for line in lines(each))
