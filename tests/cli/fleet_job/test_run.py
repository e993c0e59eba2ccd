"""Runs at the door: which hub is meant, who is asked, what is told, and which exit code follows."""

import io
import json
import logging
import os
import pty
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from knack.config import CLIConfig

from azext_iotjobs.cli.fleet_job import read, results, save
from azext_iotjobs.cli.fleet_job import run as verbs
from azext_iotjobs.cli.fleet_job import stop as stopping
from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.detached import detach, has_begun_since, opened_log
from azext_iotjobs.cli.fleet_job.event_log import EventFile, RunObservers
from azext_iotjobs.cli.fleet_job.groups import delete as delete_group
from azext_iotjobs.cli.fleet_job.groups import list_groups
from azext_iotjobs.cli.fleet_job.progress import Progress, ended_line, how_far
from azext_iotjobs.cli.fleet_job.run_foreground import judge, start, warn_of_unused
from azext_iotjobs.cli.fleet_job.run_options import RunOptions
from azext_iotjobs.cli.fleet_job.stop import _until_ended
from azext_iotjobs.cli.output import hints
from azext_iotjobs.cli.output.device_row_line import HEARTBEAT_S
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.store.holder import this_process
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import BadValue, CannotConnect, ConflictingChoice, MissingChoice, NotFound, WrongState
from azext_iotjobs.model.fleet_job import Action, Definition, Delivery, Driver, FleetJob, Targets
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.model.run import Batch, Lease, RequestKind, Run, Tally
from azext_iotjobs.model.run_events import BatchEnded, Notice, Progressed, RunBegan, RunEnded
from azext_iotjobs.model.run_state import BatchState, RunEvent, RunState
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.target import HubTarget, SasKey
from azext_iotjobs.operations.fleet_job import definitions, planning, run_loop
from azext_iotjobs.operations.fleet_job.resuming import RESUMABLE
from tests.helpers.clock_double import ClockDouble

NOW = datetime(2026, 5, 1, 8, tzinfo=timezone.utc)
OTHER = Lease(owner="ben@there, process 8", until=NOW + timedelta(seconds=30), beat_at=NOW)
LOGIN = "HostName=myhub.azure-devices.net;SharedAccessKeyName=owner;SharedAccessKey=a2V5"
CMD = SimpleNamespace(
    cli_ctx=SimpleNamespace(only_show_errors=False, config=SimpleNamespace(get=lambda *_, **__: None))
)


def context_of(folder: Path, **typed: str) -> FleetJobContext:
    return FleetJobContext(None, dict(typed), str(folder), None)


def a_job(**more: Any) -> FleetJob:
    definition = Definition(
        action=Action(method=MethodCall(name="reboot")),
        targets=Targets(selection=Selection(device_ids=tuple(f"d-{number}" for number in range(101)))),
        delivery=Delivery(driver=Driver.CALLS),
    )
    known: dict[str, Any] = {
        "fleet_job_id": "a",
        "host": "myhub.azure-devices.net",
        "version": 1,
        "definition": definition,
        "created_at": NOW,
        "created_by": "me",
        "edited_at": NOW,
        "edited_by": "me",
    }
    return FleetJob(**{**known, **more})


@pytest.mark.parametrize(
    ("typed", "host", "is_so"),
    [
        ({}, "myhub.azure-devices.net", True),
        ({"our_hub_name": "myhub"}, "myhub.azure-devices.net", True),
        ({"our_hub_name": "MyHub.azure-devices.net"}, "myhub.azure-devices.net", True),
        ({"our_hub_name": "myhub.azure-devices.cn"}, "myhub.azure-devices.net", False),
        ({"our_hub_name": "my"}, "myhub.azure-devices.net", False),
        ({"our_hub_name": "localhost"}, "localhost:8443", True),
        ({"our_hub_name": "127.0.0.1:8443"}, "localhost:8443", True),
        ({"our_hub_name": "localhost:8444"}, "localhost:8443", False),
        ({"our_hub_name": "localhost"}, "myhub.azure-devices.net", False),
        ({"our_login": LOGIN}, "myhub.azure-devices.net", True),
        ({"our_login": LOGIN}, "other.azure-devices.net", False),
        ({"our_login": LOGIN, "our_hub_name": "other"}, "myhub.azure-devices.net", False),
    ],
)
def test_a_hub_that_is_typed_must_be_the_fleet_jobs(
    tmp_path: Path, typed: dict[str, str], host: str, is_so: bool
) -> None:
    where = context_of(tmp_path, **typed)
    if is_so:
        where.check(a_job(host=host))
        return
    given = "other is given" if "our_hub_name" in typed else "--login is of myhub.azure-devices.net"
    given = f"{typed['our_hub_name']} is given" if "our_hub_name" in typed else given
    with pytest.raises(ConflictingChoice, match=f"belongs to {host}, but {given}"):
        where.check(a_job(host=host))


def test_overwrite_needs_a_file_of_events() -> None:
    with pytest.raises(MissingChoice, match="--overwrite needs --events"):
        RunOptions(overwrite=True).check()


def test_what_is_only_saved_is_not_detached(tmp_path: Path) -> None:
    with pytest.raises(ConflictingChoice, match="--detach needs --run"):
        save.create(CMD, context_of(tmp_path), "a", detach=True)


@pytest.mark.parametrize(
    ("change", "has_begun"),
    [
        ({}, False),
        ({"lease": OTHER}, False),
        ({"state": RunState.RUNNING, "lease": OTHER}, True),
        ({"state": RunState.COMPLETED}, True),
        ({"ended_at": NOW + timedelta(seconds=1)}, True),
    ],
    ids=["nothing", "its process has the lease", "it runs", "it has ended", "it was stopped again"],
)
def test_a_stopped_run_has_begun_once_something_of_it_was_executed(change: dict[str, Any], has_begun: bool) -> None:
    before = replace(a_run(RunState.STOPPED), ended_at=NOW)
    assert has_begun_since(replace(before, **change), before) is has_begun


def test_a_run_that_lost_its_process_has_begun_once_another_one_has_it() -> None:
    before = replace(a_run(RunState.RUNNING), lease=replace(OTHER, owner="ann@here, process 7", is_gone=True))
    assert not has_begun_since(before, before)
    assert has_begun_since(replace(before, lease=OTHER), before)


def test_a_gate_that_cannot_be_is_refused_before_the_fleet_job_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = HubTarget(host="myhub.azure-devices.net")
    client = HubClient.open(far, SasKey(policy="owner", key="a2V5"), SystemClock())
    monkeypatch.setattr(FleetJobContext, "hub", lambda _: client)
    where = context_of(tmp_path)
    typed = {"our_method_name": "reboot", "our_device_ids": "a,b", "batch": "1", "gate_command": "no-such-program"}
    with pytest.raises(BadValue, match="there is no program 'no-such-program'"):
        save.create(CMD, where, "a", run=True, **typed)
    assert not where.store.definitions.list_all()
    where.store.close()


def test_an_id_that_is_taken_is_refused_before_the_hub_is_asked_with_both_ways_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = HubClient.open(HubTarget(host="hub.invalid"), SasKey(policy="owner", key="a2V5"), SystemClock())
    monkeypatch.setattr(FleetJobContext, "hub", lambda _: nowhere)
    monkeypatch.setattr(hints, "_typed", hints.Typed("iot hub fleet-job create", state_dir="kept here"))
    where = context_of(tmp_path)
    definitions.create(where.store, "a", "hub.invalid", a_job().definition, by="me", at=NOW)
    with pytest.raises(ConflictingChoice, match="A fleet job a already exists") as raised:
        save.create(CMD, where, "a", our_method_name="reboot", our_query_condition="tags.site = 'north'")
    assert hints.commands_in(raised.value.hint or "") == [
        'az iot hub fleet-job update -j a --state-dir "kept here"',
        'az iot hub fleet-job delete -j a --yes --state-dir "kept here"',
    ]
    where.store.close()


def test_groups_are_listed_and_forgotten_without_a_hub(tmp_path: Path) -> None:
    where = context_of(tmp_path)
    for host, name in (("far.example", "north"), ("near.example", "north"), ("near.example", "south")):
        where.store.groups.save(host, name, "*")
    assert [(each["hub"], each["name"]) for each in list_groups(CMD, where)] == [
        ("far.example", "north"),
        ("near.example", "north"),
        ("near.example", "south"),
    ]
    with pytest.raises(ConflictingChoice, match=r"2 hubs have .*far\.example, near\.example"):
        delete_group(CMD, where, "north")
    with pytest.raises(NotFound, match="'west'"):
        delete_group(CMD, where, "west")
    delete_group(CMD, where, "south")
    where.store.close()
    near = context_of(tmp_path, our_hub_name="near")
    assert [each["hub"] for each in list_groups(CMD, near)] == ["near.example"]
    delete_group(CMD, near, "north")
    assert [each.host for each in near.store.groups.list_all()] == ["far.example"]
    near.store.close()


@pytest.mark.parametrize(
    ("run_of", "said"),
    [
        ((Driver.JOBS, {"rate": 2.0}), "--rate has no effect here: it applies to driver calls"),
        ((Driver.CALLS, {"job_limit_s": 60}), "--ttl has no effect here: it applies to driver jobs"),
        ((Driver.CALLS, {"rate": 2.0, "concurrency": 3}), ""),
    ],
)
def test_an_option_of_the_other_driver_is_named(
    run_of: tuple[Driver, dict[str, Any]], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    driver, typed = run_of
    run = replace(a_run(RunState.PENDING), driver=driver, delivery=Delivery(**typed))
    with caplog.at_level(logging.WARNING):
        warn_of_unused(run)
    assert caplog.text.count(" has no effect here: ") == (1 if said else 0) and said in caplog.text


HANDLERS: list[Callable[[FleetJobContext], Any]] = [
    lambda where: verbs.run(CMD, where, "a"),
    lambda where: verbs.resume(CMD, where, "a"),
    lambda where: verbs.rerun(CMD, where, "a"),
    lambda where: stopping.stop(CMD, where, "a"),
    lambda where: stopping.cancel(CMD, where, "a"),
    lambda where: read.show(CMD, where, "a"),
    lambda where: read.list_runs(CMD, where, "a"),
    lambda where: read.delete(CMD, where, "a"),
    lambda where: results.show_results(CMD, where, "a"),
    lambda where: save.update(CMD, where, "a", description="x"),
]


@pytest.mark.parametrize("handler", HANDLERS, ids=range(len(HANDLERS)))
def test_no_command_takes_a_fleet_job_to_another_hub(tmp_path: Path, handler: Callable[[FleetJobContext], Any]) -> None:
    where = context_of(tmp_path, our_hub_name="other")
    job = a_job()
    definitions.create(where.store, "a", job.host, job.definition, by="me", at=NOW)
    client = HubClient.open(HubTarget(host=job.host), SasKey(policy="owner", key="a2V5"), SystemClock())
    planning.new_run(where.store, client, where.store.definitions.get("a"), by="me", at=NOW)
    before = (where.store.definitions.get("a"), where.store.runs.get("a"))
    with pytest.raises(ConflictingChoice, match="belongs to myhub.azure-devices.net, but other is given"):
        handler(where)
    assert (where.store.definitions.get("a"), where.store.runs.get("a")) == before
    where.store.close()


def test_fleet_jobs_are_kept_under_azs_configuration_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path))
    FleetJobContext(None, {}, None, None).store.close()
    assert (tmp_path / "iotjobs" / "fleet-jobs" / "fleet-jobs.db").is_file()


def test_going_on_with_many_devices_is_asked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = CLIConfig(config_dir=str(tmp_path), config_env_var_prefix="NONE")
    context = SimpleNamespace(config=config, data={"command": "iot hub fleet-job resume"})
    where = FleetJobContext(context, {"our_login": LOGIN}, str(tmp_path / "state"), None)
    job = a_job()
    definitions.create(where.store, "a", job.host, job.definition, by="me", at=NOW)
    planning.new_run(where.store, where.hub_of(job), where.store.definitions.get("a"), by="me", at=NOW)
    ours, theirs = pty.openpty()
    os.write(ours, b"n\n")
    with os.fdopen(theirs) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        with pytest.raises(BadValue, match="Nothing was sent"):
            verbs.resume(CMD, where, "a")
    os.close(ours)
    assert where.store.runs.get("a").state is RunState.PENDING, "it can be resumed"
    where.store.close()


@pytest.mark.parametrize("detach", [False, True])
@pytest.mark.parametrize("state", RESUMABLE)
def test_a_run_whose_hub_is_not_reached_for_its_resume_stays_as_it_was(
    tmp_path: Path, state: RunState, detach: bool
) -> None:
    login = LOGIN.replace("myhub.azure-devices.net", "localhost:1")
    config = CLIConfig(config_dir=str(tmp_path), config_env_var_prefix="NONE")
    cli = SimpleNamespace(config=config, data={})
    where = FleetJobContext(cli, {"our_login": login}, str(tmp_path / "state"), None)
    job = definitions.create(where.store, "a", "localhost:1", a_job().definition, by="me", at=NOW)
    run = planning.new_run(where.store, where.hub_of(job), job, by="me", at=NOW)
    leased = where.store.take_lease(run, this_process(), NOW)
    leased.begin(RunEvent.START, NOW, forgiven_of_run=0, forgiven_of_batch=0)
    leased.end(RunEvent.STOP if state is RunState.STOPPED else RunEvent.BREAK, NOW, reason="lunch", by="ann")
    before = where.store.runs.get("a")
    assert before.state is state
    with pytest.raises(CannotConnect, match="localhost:1"):
        verbs.resume(CMD, where, "a", our_yes=True, detach=detach)
    assert where.store.runs.get("a") == before
    where.store.close()


@pytest.mark.parametrize("keys", [b"n\n", b"\x04"], ids=["no", "Ctrl-D"])
def test_who_says_no_at_the_terminal_has_a_canceled_run_and_nothing_was_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], keys: bytes
) -> None:
    where = context_of(tmp_path)
    far = HubTarget(host="myhub.azure-devices.net")  # nobody answers there
    client = HubClient.open(far, SasKey(policy="owner", key="a2V5"), SystemClock())
    job = definitions.create(where.store, "a", far.host, a_job().definition, by="me", at=NOW)
    ours, theirs = pty.openpty()
    os.write(ours, keys)
    with os.fdopen(theirs) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        with pytest.raises(BadValue, match="Nothing was sent"):
            start(CMD, where, client, job, RunOptions())
    os.close(ours)
    assert "Fleet job a runs on 101 devices of myhub.azure-devices.net: go on?" in "".join(capsys.readouterr())
    run = where.store.runs.get("a")
    assert (run.state, run.reason, run.tally.pending) == (RunState.CANCELED, "Not confirmed.", 101)
    where.store.close()


def test_what_somebody_else_did_while_the_question_stood_there_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, other = context_of(tmp_path), context_of(tmp_path)
    far = HubTarget(host="myhub.azure-devices.net")  # nobody answers there
    client = HubClient.open(far, SasKey(policy="owner", key="a2V5"), SystemClock())
    job = definitions.create(where.store, "a", far.host, a_job().definition, by="me", at=NOW)

    class Person(io.StringIO):
        def isatty(self) -> bool:
            return True

        def readline(self, size: int | None = -1) -> str:  # type: ignore[override]
            run = other.store.runs.get("a")
            run_loop.stop(other.store, run, this_process(), by="ann", reason="lunch", clock=SystemClock())
            return "y\n"

    monkeypatch.setattr("sys.stdin", Person())
    with pytest.raises(WrongState, match="is stopped: another process was quicker"):
        start(CMD, where, client, job, RunOptions())
    run = where.store.runs.get("a")
    assert (run.state, run.reason, run.tally.pending) == (RunState.STOPPED, "lunch", 101)
    where.store.close()
    other.store.close()


def a_run(state: RunState, **tally: Any) -> Run:
    counted = Tally(**tally)
    return Run(
        key=1,
        fleet_job_id="a",
        host="h",
        number=1,
        version=1,
        run_key="abcdefgh",
        state=state,
        driver=Driver.CALLS,
        driver_reason="",
        delivery=Delivery(),
        device_count=counted.total,
        batch_count=1,
        created_at=NOW,
        created_by="me",
        tally=counted,
    )


@pytest.mark.parametrize(
    ("run", "outcome"),
    [
        (a_run(RunState.COMPLETED, completed=3), Outcome.SUCCESS),
        (a_run(RunState.COMPLETED, completed=2, failed=1), Outcome.DEVICES_FAILED),
        (a_run(RunState.COMPLETED, completed=2, uncertain=1), Outcome.DEVICES_FAILED),
        (a_run(RunState.COMPLETED), Outcome.NO_DEVICE),
        (a_run(RunState.CANCELED, completed=2, pending=1), Outcome.JOB_FAILED),
        (a_run(RunState.FAILED, pending=3), Outcome.JOB_FAILED),
        (a_run(RunState.STOPPED, pending=3), Outcome.STOPPED),
        (a_run(RunState.RUNNING, pending=3), Outcome.STOPPED),
    ],
)
def test_the_exit_code_of_a_run(run: Run, outcome: Outcome) -> None:
    assert judge(run) is outcome


def test_one_line_says_how_far_it_is() -> None:
    tally = Tally(pending=70, calling=7, completed=20, failed=4, uncertain=2, by_class={"timeout": 1, "offline": 3})
    batch = Batch(ordinal=3, state=BatchState.RUNNING, size=11, tally=Tally(pending=7, completed=4))
    event = Progressed(at=NOW, run=tally, batch=batch, in_flight_count=7)
    assert how_far(event, 10, 6, 10.0) == (
        "batch 3/10 4/11 | all 26/103, 4 failed (offline 3, timeout 1), 2 uncertain | 2.0 a second, 38 s left"
    )
    assert how_far(replace(event, batch=None), 10, 26, 10.0).endswith("2 uncertain | 0.0 a second")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stderr", "shown"),
    [
        (
            Terminal(),
            "\rbatch 1/2 1/2 | all 1/3 | 2.0 a second, 1 s left\x1b[K\rbatch 2/2 0/1 | all 2/3 | 0.1 a second",
        ),
        (io.StringIO(), ""),
    ],
)
def test_on_a_terminal_one_line_changes_and_elsewhere_there_are_plain_lines_now_and_then(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, stderr: io.StringIO, shown: str
) -> None:
    monkeypatch.setattr("sys.stderr", stderr)
    clock = ClockDouble()
    progress = Progress(clock, is_silent=False)

    def at(seconds: float, ordinal: int, size: int, done: int, total_done: int) -> None:
        clock.passed_s = seconds
        batch = Batch(
            ordinal=ordinal, state=BatchState.RUNNING, size=size, tally=Tally(pending=size - done, completed=done)
        )
        run = Tally(pending=3 - total_done, completed=total_done)
        progress.on_event(Progressed(at=NOW, run=run, batch=batch, in_flight_count=1))

    with caplog.at_level(logging.WARNING):
        progress.on_event(RunBegan(at=NOW, run=replace(a_run(RunState.RUNNING, pending=3), batch_count=2)))
        at(0.5, 1, 2, 1, 1)
        at(HEARTBEAT_S + 1, 2, 1, 0, 2)
        progress.on_event(RunEnded(at=NOW, run=a_run(RunState.COMPLETED, completed=3)))
    written = stderr.getvalue().removeprefix("\r\x1b[K")
    assert written.startswith(shown) and bool(written) is bool(shown)
    assert not written or written.endswith("\r\x1b[K")
    assert ("batch 2/2 0/1 | all 2/3" in caplog.text) is not bool(shown) and "batch 1/2" not in caplog.text
    assert "3 devices, 2 batches" in caplog.text and "is completed; 3 devices: 3 completed." in caplog.text


def test_nothing_that_a_hub_says_steers_a_terminal(caplog: pytest.LogCaptureFixture) -> None:
    progress = Progress(SystemClock(), is_silent=False)
    run = replace(a_run(RunState.FAILED, pending=1), reason="gone\x1b[2J")
    with caplog.at_level(logging.WARNING):
        progress.on_event(Notice(at=NOW, text="busy\x1b[2J"))
        progress.on_event(RunEnded(at=NOW, run=run))
    assert "busy" in caplog.text and "Run 1 of fleet job a broke off; 1 device: 0 completed, 1 pending." in caplog.text
    assert "\x1b" not in caplog.text and "\x1b" not in ended_line(run)


def test_events_are_lines_of_json_and_a_full_disk_does_not_end_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "events.jsonl"
    batch = Batch(ordinal=1, state=BatchState.COMPLETED, size=2, tally=Tally(completed=2))
    for adds in (False, True):  # a run, and its going on
        observers = RunObservers(None, EventFile(str(path), overwrites=False, adds=adds))
        observers.on_event(BatchEnded(at=NOW, batch=batch))
        observers.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(each["event"], each["batch"], each["at"]) for each in lines] == [
        ("batch-ended", 1, "2026-05-01T08:00:00.000Z")
    ] * 2
    with pytest.raises(ConflictingChoice, match="already exists"):
        EventFile(str(path), overwrites=False, adds=False)
    full = EventFile("/dev/full", overwrites=False, adds=False)
    with caplog.at_level(logging.WARNING):
        full.add(BatchEnded(at=NOW, batch=batch))
        full.add(BatchEnded(at=NOW, batch=batch))
    full.close()
    assert caplog.text.count("can no longer be written") == 1


def test_a_stop_that_met_a_run_that_broke_off_is_asked_again(tmp_path: Path) -> None:
    """Else its schedule would go on with it."""
    answers = [a_run(RunState.FAILED, pending=1), a_run(RunState.STOPPED, pending=1)]
    ended = _until_ended(CMD, context_of(tmp_path), lambda _: answers.pop(0), a_run(RunState.FAILED), 60)
    assert ended["status"] == "stopped" and answers == []


def test_a_stop_that_a_process_will_see_once_it_resumes_the_run_is_awaited(tmp_path: Path) -> None:
    codes: list[Any] = []
    cmd = SimpleNamespace(cli_ctx=SimpleNamespace(register_event=lambda _, leave: codes.append(leave)))
    job, where = a_job(), context_of(tmp_path)
    definitions.create(where.store, "a", job.host, job.definition, by="me", at=NOW)
    client = HubClient.open(HubTarget(host=job.host), SasKey(policy="owner", key="a2V5"), ClockDouble())
    planning.new_run(where.store, client, where.store.definitions.get("a"), by="me", at=NOW)
    run = where.store.runs.get("a")
    leased = where.store.take_lease(run, this_process(), NOW)
    leased.begin(RunEvent.START, NOW, forgiven_of_run=0, forgiven_of_batch=0)
    leased.end(RunEvent.BREAK, NOW, reason="The hub is away.", by=None)
    where.store.take_lease(run, this_process(), datetime.now(timezone.utc))  # a schedule's process, about to resume it
    assert stopping.stop(cmd, where, "a", our_poll_duration=1)["status"] == "failed"
    asked = where.store.runs.get("a").stop_request
    assert asked is not None and asked.kind is RequestKind.STOP
    where.store.close()
    with pytest.raises(SystemExit) as left:
        codes[0]()
    assert left.value.code == int(Outcome.WAIT_OVER)


def test_a_cancel_that_met_a_stop_is_asked_again_and_one_that_broke_off_has_a_code(tmp_path: Path) -> None:
    codes: list[Any] = []
    cmd = SimpleNamespace(cli_ctx=SimpleNamespace(register_event=lambda _, leave: codes.append(leave)))
    answers = [a_run(RunState.STOPPED, pending=1), a_run(RunState.CANCELED, pending=1)]
    ended = _until_ended(
        cmd, context_of(tmp_path), lambda _: answers.pop(0), a_run(RunState.RUNNING), 60, for_good=True
    )
    assert (ended["status"], codes) == ("canceled", [])
    broke_off = a_run(RunState.FAILED, pending=1)
    _until_ended(cmd, context_of(tmp_path), lambda _: broke_off, a_run(RunState.RUNNING), 60, for_good=True)
    with pytest.raises(SystemExit) as left:
        codes[0]()
    assert left.value.code == int(Outcome.WAIT_OVER)


@pytest.mark.skipif(os.name == "nt", reason="Windows needs a right to make links")
@pytest.mark.parametrize("kind", ["link", "folder"])
def test_no_log_is_written_where_somebody_else_chose_what_it_is(tmp_path: Path, kind: str) -> None:
    log, victim = tmp_path / "a-1.log", tmp_path / "victim"
    victim.write_text("precious")
    log.symlink_to(victim) if kind == "link" else log.mkdir()
    with pytest.raises(BadValue, match="is a symbolic link|cannot be written"):
        detach(context_of(tmp_path), a_run(RunState.PENDING), RunOptions(), None, SystemClock())
    assert victim.read_text() == "precious"


def test_a_log_is_added_to_for_its_owner_alone(tmp_path: Path) -> None:
    for line in (b"first\n", b"second\n"):
        with opened_log(tmp_path / "a-1.log", a_run(RunState.PENDING)) as log:
            log.write(line)
    assert (tmp_path / "a-1.log").read_bytes() == b"first\nsecond\n"
    assert os.name == "nt" or (tmp_path / "a-1.log").stat().st_mode & 0o077 == 0
