"""Who stopped or canceled a run, and when, stands wherever the run is shown, with a reason or without."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from azext_iotjobs.cli.fleet_job import tables
from azext_iotjobs.cli.fleet_job.documents import render_run
from azext_iotjobs.cli.fleet_job.live_view import Seen, changes, lines
from azext_iotjobs.cli.fleet_job.progress import ended_line
from azext_iotjobs.cli.fleet_job.run_foreground import follow
from azext_iotjobs.cli.fleet_job.run_options import RunOptions
from azext_iotjobs.fleet_job.store.holder import current_user
from azext_iotjobs.model.fleet_job import Delivery, Driver
from azext_iotjobs.model.rollout import Rollout
from azext_iotjobs.model.run import Run, Tally
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.operations.fleet_job import run_loop

NOW = datetime(2026, 5, 1, 8, tzinfo=timezone.utc)
RUN = Run(
    key=1,
    fleet_job_id="fw",
    host="h",
    number=2,
    version=1,
    run_key="abcdefgh",
    state=RunState.STOPPED,
    driver=Driver.CALLS,
    driver_reason="",
    delivery=Delivery(),
    device_count=3,
    batch_count=1,
    created_at=NOW,
    created_by="me",
    started_at=NOW,
    ended_at=NOW + timedelta(minutes=5),
    ended_by="bob@plant-2",
    tally=Tally(completed=1, pending=2),
)


@pytest.mark.parametrize("state", [RunState.STOPPED, RunState.CANCELED])
@pytest.mark.parametrize("reason", [None, "lunch"])
def test_a_table_of_show_says_who_and_when(state: RunState, reason: str | None) -> None:
    document = render_run(replace(RUN, state=state, reason=reason), NOW)
    whole, of_batch = tables.one([{"lastRun": {**document, "batchList": [{"batch": 1, "status": state.value}]}}])
    (of_list,) = tables.runs([document])
    for row in (whole, of_list):
        assert (row["EndedBy"], row["Reason"]) == ("bob@plant-2", reason or "")
        assert "08:05" in row["Ended"]
    assert "EndedBy" not in of_batch


@pytest.mark.parametrize("state", [RunState.STOPPED, RunState.CANCELED])
def test_lines_about_its_end_say_who(state: RunState) -> None:
    run = replace(RUN, state=state)
    assert f"is {state.value} by bob@plant-2; 3 devices" in ended_line(run)
    before = Seen(run=replace(RUN, state=RunState.RUNNING), batches=[], rollout=Rollout(), awaited=(), at=NOW)
    after = before._replace(run=replace(run, reason="lunch"))
    assert list(changes(before, after))[-1].startswith(
        f"Run 2 of fleet job fw is {state.value} by bob@plant-2: 3 devices"
    )
    assert lines(after)[:2] == [f"Run 2 of fleet job fw is {state.value} by bob@plant-2, 300 s", "lunch"]


def test_who_is_no_one_where_a_threshold_or_an_error_ended_it() -> None:
    assert replace(RUN, ended_by=None).by_whom == ""
    assert replace(RUN, state=RunState.FAILED).by_whom == "", "it was being canceled, and broke off"


def test_a_name_cannot_control_the_terminal() -> None:
    assert "\x1b" not in replace(RUN, ended_by="bob\x1b[2J").by_whom


def test_whoever_presses_ctrl_c_has_stopped_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    contexts: list[run_loop.RunContext] = []

    def execute(run: Run, own: run_loop.RunContext) -> Run:
        contexts.append(own)
        return run

    runs = SimpleNamespace(hub_jobs_in_progress=lambda _: [], waiting_to_connect=lambda *_: None)
    store = SimpleNamespace(runs=runs, definitions=SimpleNamespace(of_run=lambda _: None))
    cmd: Any = SimpleNamespace(cli_ctx=SimpleNamespace(only_show_errors=True, data={}, register_event=lambda *_: None))
    context: Any = SimpleNamespace(store=store)
    with caplog.at_level(logging.ERROR):
        follow(cmd, context, lambda: None, replace(RUN, batch_count=2), RunOptions(), execute)  # type: ignore[arg-type, return-value]
    assert [each.stop_by for each in contexts] == [current_user()]
