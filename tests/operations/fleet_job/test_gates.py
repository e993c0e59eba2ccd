"""Runs at their gates: counts, queries, commands, approvals; stopped by them, resumed over them."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.fleet_job.store.holder import Holder, this_process
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.errors import BadValue, CannotConnect, WrongState
from azext_iotjobs.model.fleet_job import Driver
from azext_iotjobs.model.gates import (
    CommandGate,
    GateAnswer,
    GateKind,
    Gates,
    QueryGate,
)
from azext_iotjobs.model.rollout import Retry, RetryWhen
from azext_iotjobs.model.run import Batch, Run
from azext_iotjobs.model.run_events import BatchBegan, BatchEnded, GateAwaited, GateJudged, Notice, Waiting
from azext_iotjobs.model.run_state import RunEvent, RunState
from azext_iotjobs.model.share import parse_share
from azext_iotjobs.operations.fleet_job import approval, run_loop
from azext_iotjobs.operations.fleet_job.gate_checks import environment_of
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.fleet_job_hub_double import StopDouble
from tests.helpers.fleet_job_setup import CallingList, FleetJobSetup, by_both, failing, ids
from tests.helpers.transport_double import response

MANUAL = Gates(is_manual=True)
ANN, BOB = "ann@here", "bob@there"


def percent(text: str) -> Gates:
    return Gates(success=parse_share(text, "--gate-success"))


def at_most(text: str) -> Gates:
    return Gates(query=QueryGate(condition="tags.alarm = true", most=parse_share(text, "--gate-query-max")))


def program(text: str) -> str:
    return f'"{sys.executable}" -c "{text}"'


def command(text: str, **more: Any) -> Gates:
    """A gate that runs a Python program."""
    return Gates(command=CommandGate(line=program(text), **more))


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[FleetJobSetup]:
    setup = FleetJobSetup(tmp_path)
    setup.world.hub.counts = lambda query: 0
    yield setup
    setup.store.close()


def answer(setup: FleetJobSetup, is_approved: bool, by: str = ANN, batch: int | None = None, **more: Any) -> Batch:
    """What another process does."""
    store = SqliteStore.open(setup.folder / "state")
    given = GateAnswer(is_approved=is_approved, by=by, reason=more.get("reason"), at=setup.world.clock.now())
    holder = Holder("another", this_process().machine, os.getpid())
    try:
        return approval.answer(store, store.runs.get("job"), holder, given, setup.world.clock, batch)
    finally:
        store.close()


def answering(setup: FleetJobSetup, *answers: bool) -> None:
    """Have somebody answer each time that a batch waits for approval."""
    left = list(answers)

    def on_event(event: Any) -> None:
        if isinstance(event, GateAwaited) and left:
            answer(setup, left.pop(0), reason="seen")

    setup.world.events = CallingList(on_event)
    setup.world.holder = this_process()  # alive


def verdicts(setup: FleetJobSetup, ordinal: int) -> list[tuple[str, str, bool]]:
    gates = setup.store.runs.batch(setup.store.runs.get("job"), ordinal).gates
    assert gates is not None
    return [(each.kind.value, each.decision.value, each.accepted_at is not None) for each in gates.verdicts]


def states(setup: FleetJobSetup) -> list[str]:
    return [each.state.value for each in setup.store.runs.batches(setup.store.runs.get("job"))]


@by_both
def test_enough_devices_let_the_next_batch_begin_and_too_few_stop_the_run(setup: FleetJobSetup, driver: Driver) -> None:
    setup.world.hub.fails = failing("d001", "d013", "d014")
    run = setup.run(driver, ids(30), sizes="10", gates=percent("90%"))
    assert (run.state, run.ended_by, run.tally.completed, run.tally.failed) == (RunState.STOPPED, None, 17, 3)
    assert run.reason == "Gate success after batch 2: stop; 8 of 10 devices completed: 80%, at least 90% were needed."
    assert (verdicts(setup, 1), verdicts(setup, 2)) == ([("success", "go", False)], [("success", "stop", False)])
    assert states(setup) == ["completed", "gated", "pending"]
    run = setup.resume()
    assert (run.state, run.reason, run.tally.completed) == (RunState.COMPLETED, None, 27), "the stop was accepted"
    assert verdicts(setup, 2) == [("success", "stop", True)] and states(setup) == ["completed"] * 3
    assert setup.store.runs.batch(run, 3).gates is None, "there is no gate behind the last batch"
    assert set(setup.world.hub.operated.values()) == {1}


def test_the_end_of_a_batch_is_told_once_when_its_devices_have_ended(setup: FleetJobSetup) -> None:
    setup.run(Driver.CALLS, ids(6), sizes="3", gates=percent("50%"))
    kinds = (BatchBegan, BatchEnded, GateJudged)
    told = [type(each) for each in setup.world.events if isinstance(each, kinds)]
    assert told == [BatchBegan, BatchEnded, GateJudged, BatchBegan, BatchEnded]


def test_devices_that_are_tried_again_at_the_end_have_no_gate(setup: FleetJobSetup) -> None:
    setup.world.hub.fails = failing("d000", "d004")
    again = Retry(tries={"offline": 2}, pause_s=5, when=RetryWhen.AT_END)
    run = setup.run(Driver.CALLS, ids(6), sizes="3", gates=percent("50%"), retry=again)
    assert run.state is RunState.COMPLETED and run.batch_count == 4
    gated = [each.gates is not None for each in setup.store.runs.batches(run)]
    assert gated == [True, False, False, False]


def test_a_batch_bakes_before_its_other_gates_and_a_restart_does_not_begin_the_time_anew(setup: FleetJobSetup) -> None:
    gates = Gates(bake_s=600, success=parse_share("100%", "x"))
    clock = setup.world.clock
    stop = StopDouble(when=lambda: clock.passed_s > 200)
    run = setup.run(Driver.CALLS, ids(6), sizes="3", gates=gates, stop=stop)
    assert (run.state, states(setup)) == (RunState.STOPPED, ["gated", "pending"]) and clock.passed_s < 210
    run = setup.resume()
    assert run.state is RunState.COMPLETED and 600 <= clock.passed_s < 610
    assert [each.why for each in setup.events_of(Waiting)] == ["batch 1 bakes"] * 2
    assert verdicts(setup, 1) == [("bake", "go", False), ("success", "go", False)]


@by_both
def test_a_count_over_the_hub_decides(setup: FleetJobSetup, driver: Driver) -> None:
    alarms, queries = iter([0, 2, 3]), []  # when the run is made, after batch 1, after batch 2

    def counts(query: str) -> int:
        queries.append(query)
        return next(alarms)

    setup.world.hub.counts = counts
    run = setup.run(driver, ids(9), sizes="3", gates=at_most("2"))
    assert run.state is RunState.STOPPED and run.tally.completed == 6
    assert run.reason == "Gate query after batch 2: stop; 3 devices of the hub match its condition; at most 2 may."
    assert set(queries) == {"SELECT COUNT() AS total FROM devices WHERE tags.alarm = true"}


def test_a_share_is_of_all_devices_of_the_hub(setup: FleetJobSetup) -> None:
    setup.world.hub.counts = lambda query: 2 if "WHERE" in query else 100
    run = setup.run(Driver.CALLS, ids(6), sizes="3", gates=at_most("1%"))
    assert run.reason == (
        "Gate query after batch 1: stop; 2 of the hub's 100 devices match its condition; at most 1% may."
    )


def refusing(setup: FleetJobSetup, refused: Callable[[], Response]) -> None:
    """A hub that refuses queries once a batch has ended."""

    def refuse(request: Request) -> Response | None:
        is_query = request.path == "/devices/query" and "COUNT" in request.body["query"]
        return refused() if is_query and setup.events_of(BatchEnded) else None

    setup.world.hub.refuses = refuse


def away() -> Response:
    raise CannotConnect("h.example is not reached.")


def test_a_hub_that_cannot_be_queried_is_inconclusive_and_a_resume_asks_anew(setup: FleetJobSetup) -> None:
    refusing(setup, away)
    run = setup.run(Driver.CALLS, ids(6), sizes="3", gates=at_most("2"))
    assert run.state is RunState.STOPPED and setup.world.clock.passed_s >= 120, "two minutes it was waited for"
    assert run.reason == (
        "Gate query after batch 1: inconclusive; the hub could not be queried. h.example is not reached."
    )
    assert "The next try is in 1 s." in setup.events_of(Notice)[0].text
    assert setup.resume().state is RunState.STOPPED and verdicts(setup, 1) == [("query", "inconclusive", False)]
    setup.world.hub.refuses = lambda _: None
    assert setup.resume().state is RunState.COMPLETED and verdicts(setup, 1) == [("query", "go", False)]


def test_refused_access_is_inconclusive_at_once(setup: FleetJobSetup) -> None:
    refusing(setup, lambda: response({"Message": "no"}, status=403, iothub_errorcode="IotHubForbidden"))
    run = setup.run(Driver.CALLS, ids(6), sizes="3", gates=at_most("2"))
    assert run.state is RunState.STOPPED and setup.world.clock.passed_s < 5
    assert run.reason is not None and run.reason.startswith("Gate query after batch 1: inconclusive; the hub could not")


def test_a_condition_that_the_hub_cannot_read_costs_nothing(setup: FleetJobSetup) -> None:
    def refuse(request: Request) -> Response | None:
        is_query = request.path == "/devices/query"
        return response({"Message": "bad"}, status=400, iothub_errorcode="ArgumentInvalid") if is_query else None

    setup.world.hub.refuses = refuse
    with pytest.raises(BadValue, match="gate_query: the hub cannot read this condition"):
        setup.run(Driver.CALLS, ids(6), sizes="3", gates=at_most("2"))
    assert setup.store.runs.last("job") is None and not setup.world.hub.operated


@pytest.mark.parametrize(
    ("text", "state", "reason"),
    [
        ("print('all well')", RunState.COMPLETED, None),
        ("print(1); print('alarms: 7'); raise SystemExit(1)", RunState.STOPPED, "stop; alarms: 7 (exit code 1)"),
        ("raise SystemExit(2)", RunState.STOPPED, "inconclusive; it has written nothing (exit code 2)"),
        ("raise SystemExit(3)", RunState.STOPPED, "inconclusive; it has written nothing (exit code 3)"),
        (
            "import sys; sys.stderr.write('to stderr\\n\\n'); sys.exit(1)",
            RunState.STOPPED,
            "stop; to stderr (exit code 1)",
        ),
        (
            "print(chr(27) + '[31mred' + chr(7)); raise SystemExit(1)",
            RunState.STOPPED,
            "stop; [31mred (exit code 1)",
        ),
        ("print('x' * 100000); raise SystemExit(1)", RunState.STOPPED, f"stop; {'x' * 500}… (exit code 1)"),
    ],
)
def test_the_exit_code_of_a_command_decides_and_its_last_line_says_why(
    setup: FleetJobSetup, text: str, state: RunState, reason: str | None
) -> None:
    run = setup.run(Driver.CALLS, ids(6), sizes="3", gates=command(text))
    assert run.state is state
    assert run.reason == (None if reason is None else f"Gate command after batch 1: {reason}")


def test_a_command_is_told_what_it_is_about_and_no_secret(
    setup: FleetJobSetup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IOTJOBS_CONNECTION_STRING", "HostName=h;SharedAccessKey=secret")
    monkeypatch.setenv("MINE", "kept")
    setup.world.hub.fails = failing("d001")
    seen = tmp_path / "seen"
    text = f"import json, os; json.dump(dict(os.environ), open(r'{seen}', 'w')); print(os.read(0, 1))"
    run = setup.run(Driver.CALLS, ids(6), sizes="3", gates=command(text))
    assert run.state is RunState.COMPLETED
    found = json.loads(seen.read_text())
    about = {name.removeprefix("IOTJOBS_"): value for name, value in found.items() if name.startswith("IOTJOBS_")}
    counts = {"DEVICES": "3", "COMPLETED": "2", "FAILED": "1", "UNCERTAIN": "0"}
    of_run = {"DEVICES": "6", "COMPLETED": "2", "FAILED": "1", "UNCERTAIN": "0"}
    which = {"FLEET_JOB": "job", "HUB": "h.example", "RUN": "1", "BATCH": "1", "BATCHES": "2"}
    assert about == {**which, **counts, **{f"RUN_{name}": value for name, value in of_run.items()}}
    assert found["MINE"] == "kept" and "SharedAccessKey" not in seen.read_text()
    gates = setup.store.runs.batch(run, 1).gates
    assert gates is not None and gates.verdicts[0].reason == "b'' (exit code 0)", "its standard input is empty"


def test_variables_of_ours_are_not_handed_on_however_they_are_written(setup: FleetJobSetup) -> None:
    run = setup.run(Driver.CALLS, ids(3))
    inherited = {"iotjobs_connection_string": "secret", "IOTJOBS_RUN": "7", "PATH": "/bin"}
    found = environment_of(run, setup.store.runs.batch(run, 1), inherited)
    assert found["IOTJOBS_RUN"] == "1" and found["PATH"] == "/bin" and "secret" not in found.values()


@pytest.mark.parametrize("line", ["no-such-program-anywhere", "'no such/file' --x"])
def test_a_program_that_is_not_there_costs_nothing(setup: FleetJobSetup, line: str) -> None:
    with pytest.raises(BadValue, match="gate_command: there is no program '.*' that can be run"):
        setup.run(Driver.CALLS, ids(6), sizes="3", gates=Gates(command=CommandGate(line=line)))
    assert setup.store.runs.last("job") is None and not setup.world.hub.operated


@pytest.mark.skipif(os.name == "nt", reason="a file without rights to be executed")
def test_a_command_that_cannot_be_started_any_more_is_inconclusive(setup: FleetJobSetup, tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\nexit 0\n")
    tool.chmod(0o700)

    def on_event(event: Any) -> None:
        if isinstance(event, BatchEnded):
            tool.unlink(missing_ok=True)

    setup.world.events = CallingList(on_event)
    run = setup.run(Driver.CALLS, ids(6), sizes="3", gates=Gates(command=CommandGate(line=str(tool))))
    assert run.state is RunState.STOPPED and run.reason is not None
    assert run.reason.endswith("could not be started: No such file or directory") and "inconclusive" in run.reason


@pytest.mark.skipif(os.name == "nt", reason="its shell is another")
def test_no_shell_reads_a_command_unless_it_is_said(setup: FleetJobSetup, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    line = f"echo $IOTJOBS_BATCH; touch {touched}"
    plain = setup.run(Driver.CALLS, ids(6), sizes="3", gates=Gates(command=CommandGate(line=line)))
    assert plain.state is RunState.COMPLETED and not touched.exists()
    gates = setup.store.runs.batch(plain, 1).gates
    assert gates is not None and gates.verdicts[0].reason == f"$IOTJOBS_BATCH; touch {touched} (exit code 0)"


@pytest.mark.skipif(os.name == "nt", reason="its shell is another")
def test_a_shell_reads_it_where_it_is_said(setup: FleetJobSetup) -> None:
    gate = CommandGate(line="echo batch $IOTJOBS_BATCH of $IOTJOBS_BATCHES | tr a-z A-Z; exit 1", through_shell=True)
    run = setup.run(Driver.CALLS, ids(6), sizes="3", gates=Gates(command=gate))
    assert run.reason == "Gate command after batch 1: stop; BATCH 1 OF 2 (exit code 1)"


def test_somebody_approves_and_the_next_batch_begins(setup: FleetJobSetup) -> None:
    answering(setup, True, True)
    run = setup.run(Driver.CALLS, ids(9), sizes="3", gates=MANUAL)
    assert run.state is RunState.COMPLETED and run.tally.completed == 9
    waited = setup.events_of(GateAwaited)
    assert [(each.batch, each.gate, each.until) for each in waited] == [
        (1, GateKind.MANUAL, None),
        (2, GateKind.MANUAL, None),
    ], "once a batch, and not behind the last"
    gates = setup.store.runs.batch(run, 2).gates
    assert gates is not None and gates.answer is not None and gates.answer.by == ANN
    assert gates.verdicts[0].reason == f"approved by {ANN}: seen"


def test_somebody_rejects_and_the_run_is_stopped_a_resume_asks_anew(setup: FleetJobSetup) -> None:
    answering(setup, False)
    run = setup.run(Driver.CALLS, ids(6), sizes="3", gates=MANUAL)
    assert (run.state, run.ended_by) == (RunState.STOPPED, ANN)
    assert run.reason == f"Gate manual after batch 1: stop; rejected by {ANN}: seen"
    with pytest.raises(WrongState, match=f"batch 1 was rejected by {ANN}: seen"):
        answer(setup, True)
    answering(setup, True)
    run = setup.resume()
    assert run.state is RunState.COMPLETED and verdicts(setup, 1) == [("manual", "go", False)]


def test_a_batch_may_be_answered_while_no_process_executes_its_run(setup: FleetJobSetup) -> None:
    clock = setup.world.clock
    stop = StopDouble(when=lambda: clock.passed_s > 5)
    run = setup.run(Driver.CALLS, ids(6), sizes="3", gates=MANUAL, stop=stop)
    assert (run.state, run.reason) == (RunState.STOPPED, "Stopped by Ctrl-C or a signal.")
    assert answer(setup, True, batch=1).ordinal == 1
    with pytest.raises(WrongState, match=f"batch 1 was approved by {ANN}"):
        answer(setup, False, BOB)
    run = setup.resume()
    assert run.state is RunState.COMPLETED and run.tally.completed == 6


def test_another_batch_than_the_one_that_is_meant_is_not_approved(setup: FleetJobSetup) -> None:
    stop = StopDouble(when=lambda: setup.world.clock.passed_s > 5)
    setup.run(Driver.CALLS, ids(9), sizes="3", gates=MANUAL, stop=stop)
    with pytest.raises(WrongState, match="batch 2 does not wait for approval; batch 1 does"):
        answer(setup, True, batch=2)
    gates = setup.store.runs.batch(setup.store.runs.get("job"), 1).gates
    assert gates is not None and gates.answer is None


def crashed_while_it_waits(setup: FleetJobSetup) -> Run:
    """A run whose process is gone; its batch waits for approval."""
    run = setup.run(
        Driver.CALLS, ids(6), sizes="3", gates=MANUAL, stop=StopDouble(when=lambda: setup.world.clock.passed_s > 5)
    )
    leased = setup.store.take_lease(run, setup.world.holder, setup.world.clock.now())
    leased.begin(RunEvent.RESUME, setup.world.clock.now(), forgiven_of_run=0, forgiven_of_batch=0)
    return setup.store.runs.get("job")


def test_a_rejected_run_whose_process_is_gone_is_stopped_at_once(setup: FleetJobSetup) -> None:
    assert crashed_while_it_waits(setup).state is RunState.RUNNING
    answer(setup, False, BOB)
    run = setup.store.runs.get("job")
    assert (run.state, run.ended_by, run.lease) == (RunState.STOPPED, BOB, None)
    assert run.reason == f"Gate manual after batch 1: stop; rejected by {BOB}"
    answering(setup, True)
    assert setup.resume().state is RunState.COMPLETED


def test_an_approved_run_whose_process_is_gone_goes_on_when_it_is_resumed(setup: FleetJobSetup) -> None:
    run = crashed_while_it_waits(setup)
    batch = answer(setup, True, BOB)
    assert not approval.await_seen(setup.store, run, batch, setup.world.clock)
    assert setup.store.runs.get("job").state is RunState.RUNNING
    assert setup.resume().state is RunState.COMPLETED


def test_an_answer_for_gates_that_stand_otherwise_by_now_is_not_recorded(setup: FleetJobSetup) -> None:
    run = crashed_while_it_waits(setup)
    before = setup.store.runs.current_batch(run)
    assert before is not None
    answer(setup, True, BOB)
    given = GateAnswer(is_approved=False, by=ANN, reason=None, at=setup.world.clock.now())
    assert not setup.store.runs.answer_gate(run, before, given)
    after = setup.store.runs.current_batch(run)
    assert after is not None and after.gates is not None and after.gates.answer is not None
    assert after.gates.answer.by == BOB, "the first answer counts"


def test_a_gated_batch_of_a_canceled_run_has_ended_and_is_not_canceled(setup: FleetJobSetup) -> None:
    run = setup.run(
        Driver.CALLS, ids(9), sizes="3", gates=MANUAL, stop=StopDouble(when=lambda: setup.world.clock.passed_s > 5)
    )
    ended = run_loop.cancel(run, setup.world.context(setup.store), by=ANN, reason="enough")
    assert ended.state is RunState.CANCELED and states(setup) == ["completed", "skipped", "skipped"]
    with pytest.raises(WrongState, match="it is canceled, and no batch of it waits"):
        answer(setup, True)


def test_who_stops_a_run_at_a_gate_resumes_it_at_that_gate(setup: FleetJobSetup) -> None:
    gates = Gates(success=parse_share("50%", "x"), is_manual=True)
    setup.run(
        Driver.CALLS, ids(6), sizes="3", gates=gates, stop=StopDouble(when=lambda: setup.world.clock.passed_s > 5)
    )
    assert verdicts(setup, 1) == [("success", "go", False)]
    answering(setup, True)
    setup.resume()
    judged = [(each.batch, each.verdict.kind) for each in setup.events_of(GateJudged)]
    assert judged == [(1, GateKind.MANUAL)], "what has passed is not evaluated again"
