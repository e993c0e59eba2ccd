"""What a person sees of gates: while a run is executed, in events, in `show` and its table; and what Tab offers."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from azext_iotjobs.cli.commands import table_of
from azext_iotjobs.cli.fleet_job import answer, completers, read
from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.documents import render_batch
from azext_iotjobs.cli.fleet_job.dry_run import show_plan
from azext_iotjobs.cli.fleet_job.event_documents import render_event
from azext_iotjobs.cli.fleet_job.gate_documents import render_gates
from azext_iotjobs.cli.fleet_job.progress import Progress
from azext_iotjobs.fleet_job.store.contract import Access
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.errors import NotFound, WrongState
from azext_iotjobs.model.fleet_job import Driver
from azext_iotjobs.model.gates import BatchGates, GateAnswer, GateDecision, GateKind, Gates, GateVerdict
from azext_iotjobs.model.rollout import parse_batch_sizes
from azext_iotjobs.model.run import Batch, Tally
from azext_iotjobs.model.run_events import GateAwaited, GateJudged, RunBegan
from azext_iotjobs.model.run_state import BatchState, RunState
from azext_iotjobs.model.share import parse_share
from tests.cli.fleet_job.test_run import NOW, a_run
from tests.helpers.clock_double import ClockDouble
from tests.helpers.fleet_job_hub_double import StopDouble, World, definition_of
from tests.helpers.fleet_job_setup import METHOD, ids

CMD: Any = SimpleNamespace(cli_ctx=SimpleNamespace(data={}))
SOON = NOW + timedelta(minutes=5)
GATES = Gates(bake_s=60, success=parse_share("95%", "x"), is_manual=True)
STOP = GateVerdict(kind=GateKind.SUCCESS, decision=GateDecision.STOP, reason="too few", at=SOON)
BATCH = Batch(ordinal=1, state=BatchState.GATED, size=3, tally=Tally(completed=3), gates=BatchGates(since=NOW))


def test_it_says_what_a_gate_waits_for_and_which_commands_answer(caplog: pytest.LogCaptureFixture) -> None:
    progress = Progress(ClockDouble(), is_silent=True)
    caplog.set_level(logging.WARNING)
    progress.on_event(RunBegan(at=NOW, run=replace(a_run(RunState.RUNNING), fleet_job_id="fw-8")))
    progress.on_event(GateAwaited(at=NOW, batch=1, gate=GateKind.COMMAND, since=NOW, until=SOON))
    progress.on_event(GateAwaited(at=NOW, batch=1, gate=GateKind.MANUAL, since=NOW))
    progress.on_event(GateJudged(at=NOW, batch=1, verdict=replace(STOP, reason="\x1b[31mred\nline")))
    said = [each.getMessage() for each in caplog.records][1:]
    clock = "%Y-%m-%dT%H:%M:%SZ"
    assert said == [
        f"Batch 1, gate command: it runs, until {SOON.strftime(clock)} at most.",
        f"Batch 1 waits for approval since {NOW.strftime(clock)}.\n"
        "Approve it: az iot hub fleet-job approve -j fw-8 --batch 1\n"
        "Reject it: az iot hub fleet-job reject -j fw-8 --batch 1",
        "Batch 1, gate success: stop. [31mred line",
    ]


def test_events_of_gates_are_lines_of_json() -> None:
    awaited = render_event(GateAwaited(at=NOW, batch=1, gate=GateKind.MANUAL, since=NOW), NOW)
    judged = render_event(GateJudged(at=SOON, batch=1, verdict=STOP), NOW)
    assert {name: awaited[name] for name in ("event", "batch", "gate", "until")} == {
        "event": "gate-awaited",
        "batch": 1,
        "gate": "manual",
        "until": None,
    }
    assert {name: judged[name] for name in ("event", "gate", "verdict", "reason", "accepted")} == {
        "event": "gate",
        "gate": "success",
        "verdict": "stop",
        "reason": "too few",
        "accepted": None,
    }


def test_a_batch_shows_which_gate_it_waits_for_and_since_when() -> None:
    run = a_run(RunState.RUNNING)
    baking = render_batch(BATCH, run, GATES)["gates"]
    assert (baking["awaits"], baking["awaitsSince"], baking["verdicts"]) == ("bake", baking["since"], [])
    assert baking["bakesUntil"] == (NOW + timedelta(seconds=60)).isoformat(timespec="milliseconds")[:-6] + "Z"
    bake = GateVerdict(kind=GateKind.BAKE, decision=GateDecision.GO, reason="60 s have passed.", at=SOON)
    passed = replace(STOP, accepted_at=SOON + timedelta(hours=1))
    said = GateAnswer(is_approved=True, by="ann", reason="fine", at=SOON)
    waiting = replace(BATCH, gates=BatchGates(since=NOW, verdicts=(bake, passed), answer=said))
    shown = render_batch(waiting, run, GATES)["gates"]
    assert (shown["awaits"], shown["bakesUntil"]) == ("manual", None)
    assert shown["awaitsSince"] == shown["verdicts"][1]["accepted"], "since it was resumed"
    assert shown["answer"]["approved"] is True and shown["answer"]["by"] == "ann"
    assert render_batch(replace(BATCH, gates=None), run, GATES)["gates"] is None


def test_the_table_of_a_run_without_gates_has_no_column_for_them() -> None:
    run = a_run(RunState.STOPPED)
    baking, stopped = BATCH, replace(BATCH, ordinal=2, gates=BatchGates(since=NOW, verdicts=(STOP,)))
    gates = Gates(success=parse_share("95%", "x"))
    batches = [render_batch(replace(baking, gates=None), run, gates), render_batch(stopped, run, gates)]
    words, document = "iot hub fleet-job show", {"lastRun": {"id": "j", "run": 1, "progress": {}, "batchList": batches}}
    assert [row["Gate"] for row in table_of(words, document)] == ["", "", "success: stop"]
    document["lastRun"]["batchList"] = batches[:1]
    assert all("Gate" not in row for row in table_of(words, document))


def test_gates_without_a_bake_have_no_time_for_one() -> None:
    for gates, seconds in ((GATES, 60), (Gates(is_manual=True), None)):
        document = render_gates(gates)
        assert document is not None and document["bakeSeconds"] == seconds


def test_a_preview_says_so_where_nothing_verifies_and_no_query_is_a_gate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "state")
    store = world.open()
    job = world.save(store, definition_of(METHOD, ids(6), Driver.CALLS))
    store.close()
    monkeypatch.setattr("azext_iotjobs.cli.fleet_job.dry_run.not_registered", lambda *_: {})
    settings = SimpleNamespace(get=lambda *_, **__: None)
    cmd = SimpleNamespace(cli_ctx=SimpleNamespace(only_show_errors=True, config=settings))
    client = context(tmp_path / "state")
    plan = show_plan(cmd, client, world.client, job)
    client.store.close()
    assert (plan["deviceCount"], plan["verification"], plan["gateQueryCount"]) == (6, None, None)


def context(folder: Path, access: Access = Access.CHANGE) -> FleetJobContext:
    return FleetJobContext(None, {}, str(folder), None, access=access)


@pytest.fixture
def waiting(tmp_path: Path) -> Path:
    """A state folder: the run of `job` was stopped while its first batch waited for approval; `other` has not run."""
    world = World(tmp_path / "state")
    store = world.open()
    rollout: dict[str, Any] = {"sizes": parse_batch_sizes("3", "--batch"), "gates": Gates(is_manual=True)}
    definition = definition_of(METHOD, ids(6), Driver.CALLS, **rollout)
    world.save(store, definition, "other")
    world.new_run(store, world.save(store, definition))
    world.execute(store, StopDouble(when=lambda: world.clock.passed_s > 5))
    store.close()
    return tmp_path / "state"


def test_show_says_who_is_waited_for_and_tab_offers_whose_batch_waits(
    waiting: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shown = read.show(CMD, context(waiting, Access.READ), "job")
    assert shown["lastRun"]["batchList"][0]["gates"]["awaits"] == "manual"
    (said,) = [each.getMessage() for each in caplog.records if "waits for approval" in each.getMessage()]
    assert said.startswith("Run 1 of fleet job job: batch 1 waits for approval since 2026-01-02T03:04:")
    assert said.endswith(": az iot hub fleet-job approve -j job --batch 1")
    tab: Any = completers.waiting_fleet_job_ids  # as az has it
    assert list(tab.func(CMD, "", SimpleNamespace(state_dir=str(waiting)))) == ["job"]


def test_an_answer_without_a_process_is_recorded_and_says_what_follows(
    waiting: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = (waiting / "fleet-jobs.db").read_bytes()
    with pytest.raises(NotFound, match="has not run yet"):
        answer.approve(CMD, context(waiting), "other")
    with pytest.raises(WrongState, match="batch 2 does not wait for approval; batch 1 does"):
        answer.reject(CMD, context(waiting), "job", batch=2)
    assert (waiting / "fleet-jobs.db").read_bytes() == before, "what is refused changes nothing"
    approved = answer.approve(CMD, context(waiting), "job", reason="fine")
    assert approved["status"] == "stopped"
    said = [each.getMessage() for each in caplog.records]
    assert "Run 1 of fleet job job: batch 1 of 2 is approved." in said
    assert "No process executes the run. Resume it: az iot hub fleet-job resume -j job" in said
    store = SqliteStore.open(waiting)
    gates = store.runs.batch(store.runs.get("job"), 1).gates
    store.close()
    assert gates is not None and gates.answer is not None
    assert (gates.answer.is_approved, gates.answer.reason) == (True, "fine")
    assert gates.answer.at <= datetime.now(timezone.utc)
