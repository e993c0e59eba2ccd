"""Gates between the batches of fleet jobs as a user meets them: what stops a run, who approves it, what a resume does.

One local hub, 103 simulated devices on a thread, of which six answer 500; and some that az simulates, which report.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.fleet_job_scenario import ALL, EVERYBODY, ONE_BY_ONE, FleetJobDevices, FleetJobs, counts
from tests.helpers.waiting import wait_until

TARGETS = ("--mn", "reboot", "-q", EVERYBODY, "--driver", "calls")
BATCHES = ("--batch", "5,20,100%")  # one of the second batch fails


def gates_of(shown: dict[str, Any], ordinal: int) -> dict[str, Any]:
    return dict(shown["lastRun"]["batchList"][ordinal - 1]["gates"])


def test_too_few_that_completed_stop_the_run_and_a_resume_accepts_it(jobs: FleetJobs, calls: list[str]) -> None:
    stopped = jobs.create("enough", *TARGETS, *ONE_BY_ONE[2:], *BATCHES, "--gate-success", "96%", "--run", code=6)
    why = "Gate success after batch 2: stop; 19 of 20 devices completed: 95%, at least 96% were needed."
    assert (stopped["status"], stopped["reason"], counts(stopped["progress"])) == ("stopped", why, (24, 1, 0, 78))
    assert calls == ALL[:25]
    shown = jobs.ok("show", "-j", "enough")
    assert [each["status"] for each in shown["lastRun"]["batchList"]] == ["completed", "gated", "pending"]
    assert gates_of(shown, 1)["awaits"] is None and gates_of(shown, 2)["awaits"] == "success"
    table = jobs.run("show", "-j", "enough", "-o", "table").stdout
    assert "Gate" in table.splitlines()[0] and "success: stop" in table and "passed" in table
    resumed = jobs.ok("resume", "-j", "enough", code=4)
    assert (resumed["status"], counts(resumed["progress"])) == ("completed", (97, 6, 0, 0)) and calls == ALL
    (verdict,) = gates_of(jobs.ok("show", "-j", "enough"), 2)["verdicts"]
    assert verdict["verdict"] == "stop" and verdict["accepted"], "that it was accepted is recorded"


def test_somebody_approves_from_another_terminal_and_rejects_the_next_batch(
    jobs: FleetJobs, devices: FleetJobDevices, calls: list[str], tmp_path: Path
) -> None:
    out, events = tmp_path / "out", tmp_path / "events.jsonl"
    words = (
        "-n",
        jobs.hub.name,
        "-j",
        "asked",
        *TARGETS,
        *BATCHES,
        "--gate",
        "manual",
        "--run",
        "--events",
        str(events),
    )
    refused = jobs.run("approve", "-j", "asked")
    assert refused.code == 3 and "There is no fleet job 'asked'" in refused.stderr
    running = jobs.hub.az.start(*jobs.words("create", *words), output=out)
    try:
        wait_until("batch 1 waits", lambda: "Batch 1 waits for approval" in (tmp_path / "out.err").read_text())
        said = (tmp_path / "out.err").read_text()
        assert f"az iot hub fleet-job approve -j asked --batch 1 -n {jobs.hub.name}" in said
        assert "fleet-job reject -j asked --batch 1" in said and len(calls) == 5
        shown = jobs.run("show", "-j", "asked")
        assert gates_of(shown.json, 1)["awaits"] == "manual" and gates_of(shown.json, 1)["awaitsSince"]
        assert "Run 1 of fleet job asked: batch 1 waits for approval since" in shown.stderr
        other = jobs.run("approve", "-j", "asked", "--batch", "2")
        assert other.code == 1 and "batch 2 does not wait for approval; batch 1 does" in other.stderr
        approved = jobs.run("approve", "-j", "asked", "--reason", "looks fine")
        assert (approved.code, approved.json["status"]) == (0, "running"), approved.stderr
        assert "Run 1 of fleet job asked: batch 1 of 3 is approved." in approved.stderr
        wait_until("batch 2 waits", lambda: "Batch 2 waits for approval" in (tmp_path / "out.err").read_text())
        rejected = jobs.run("reject", "-j", "asked", "--reason", "alarms")
        assert (rejected.code, rejected.json["status"]) == (0, "stopped"), rejected.stderr
        assert running.wait(30) == 6
    finally:
        running.kill()
        running.wait(30)
    assert len(calls) == 25
    run = json.loads(out.read_text())
    assert run["reason"].startswith("Gate manual after batch 2: stop; rejected by ") and run["endedBy"]
    assert run["reason"].endswith(": alarms")
    told = [json.loads(line) for line in events.read_text().splitlines()]
    gates = [(each["batch"], each["gate"], each["verdict"]) for each in told if each["event"] == "gate"]
    assert gates == [(1, "manual", "go"), (2, "manual", "stop")]
    again = jobs.run("approve", "-j", "asked")
    assert again.code == 1 and "batch 2 was rejected by" in again.stderr
    canceled = jobs.ok("cancel", "-j", "asked")
    assert canceled["status"] == "canceled"
    over = jobs.run("approve", "-j", "asked")
    assert over.code == 1 and "it is canceled, and no batch of it waits for approval" in over.stderr


def test_ctrl_c_while_it_waits_stops_it_and_an_answer_given_meanwhile_counts(
    jobs: FleetJobs, devices: FleetJobDevices, calls: list[str], tmp_path: Path
) -> None:
    words = ("-n", jobs.hub.name, "-j", "left", *TARGETS, "--batch", "5,100%", "--gate", "manual", "--run")
    running = jobs.hub.az.start(*jobs.words("create", *words), output=tmp_path / "out")
    try:
        wait_until("it waits", lambda: "Batch 1 waits for approval" in (tmp_path / "out.err").read_text())
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 6
    finally:
        running.kill()
        running.wait(30)
    approved = jobs.run("approve", "-j", "left")
    assert approved.code == 0 and "No process executes the run. Resume it:" in approved.stderr
    assert counts(jobs.ok("resume", "-j", "left", code=4)["progress"]) == (97, 6, 0, 0) and len(calls) == 103


def test_a_count_over_the_hub_stops_a_run_and_its_condition_is_tried_before(
    jobs: FleetJobs, devices: FleetJobDevices, calls: list[str]
) -> None:
    hub = jobs.hub
    bad = jobs.run("create", "-n", hub.name, "-j", "bad", *TARGETS, *BATCHES, "--gate-query", "tags.alarm ==", "--run")
    assert bad.code == 1 and "--gate-query" in bad.stderr and not calls
    query = ("--gate-query", "tags.alarm = true", "--gate-query-max", "0")
    planned = jobs.create("counted", *TARGETS, *BATCHES, *query, "--dry-run")
    assert planned["gateQueryCount"] == 0 and planned["gates"]["query"]["max"] == {"type": "number", "value": 0}
    jobs.create("counted", *TARGETS, *BATCHES, *query)
    hub.az.json(f"iot hub device-twin update -n {hub.name} -d {ALL[50]}", "--tags", '{"alarm": true}')
    stopped = jobs.ok("run", "-j", "counted", code=6)
    assert (
        stopped["reason"] == "Gate query after batch 1: stop; 1 device of the hub matches its condition; at most 0 may."
    )
    assert len(calls) == 5
    jobs.ok("cancel", "-j", "counted")
    updated = jobs.ok("update", "-j", "counted", "--gate-query", "none", "--gate-success", "90%")
    assert updated["gates"]["query"] is None and updated["gates"]["success"] == {"type": "percentage", "value": 90}


@pytest.mark.skipif(os.name == "nt", reason="quotes of another shell")
def test_a_command_decides_and_is_told_what_it_is_about(
    jobs: FleetJobs, devices: FleetJobDevices, calls: list[str], tmp_path: Path
) -> None:
    tool = tmp_path / "check.py"
    tool.write_text(
        "import os, sys\n"
        "batch, failed = os.environ['IOTJOBS_BATCH'], int(os.environ['IOTJOBS_FAILED'])\n"
        "print(f'batch {batch}: {failed} failed, secret is', os.environ.get('IOTJOBS_CONNECTION_STRING'))\n"
        "sys.exit(2 if failed and not os.path.exists('known') else 0)\n"
    )
    line = f"'{sys.executable}' '{tool}'"
    none = jobs.run(
        "create", "-n", jobs.hub.name, "-j", "tool", *TARGETS, *BATCHES, "--gate-command", "no-such", "--run"
    )
    assert none.code == 1 and "--gate-command: there is no program 'no-such'" in none.stderr and not calls
    assert jobs.run("show", "-j", "tool").code == 3, "it is not saved"
    stopped = jobs.create("tooled", *TARGETS, *BATCHES, "--gate-command", line, "--run", code=6)
    why = "batch 2: 1 failed, secret is None (exit code 2)"
    assert stopped["reason"] == f"Gate command after batch 2: inconclusive; {why}" and len(calls) == 25
    again = jobs.ok("resume", "-j", "tooled", code=6)
    assert again["reason"] == stopped["reason"] and len(calls) == 25, "it is evaluated again"
    tool.write_text("print('known by now')")
    assert counts(jobs.ok("resume", "-j", "tooled", code=4)["progress"]) == (97, 6, 0, 0)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--gate-success", "95%"), "A gate stands between two batches, and all devices are one batch."),
        (("--batch", "5", "--bake", "30m"), "--bake alone is a pause"),
        (("--batch", "5", "--gate-success", "0%"), "--gate-success: give more than 0% and at most 100%."),
        (("--batch", "5", "--gate-query", "tags.a = 1"), "--gate-query has no bound"),
        (("--batch", "5", "--gate-query-max", "1"), "--gate-query-max and --gate-query-min go with --gate-query"),
        (
            ("--batch", "5", "--gate-query", "FROM devices.modules WHERE a = 1", "--gate-query-max", "1"),
            "--gate-query: give what follows WHERE",
        ),
        (("--batch", "5", "--gate-command", "check 'x"), "No closing quotation"),
        (("--batch", "5", "--gate-command", "check", "--gate-command-timeout", "0"), "give 1s to 24h"),
    ],
)
def test_what_makes_no_gate_is_refused_before_anything_is_saved(
    jobs: FleetJobs, words: tuple[str, ...], why: str
) -> None:
    refused = jobs.run("create", "-n", jobs.hub.name, "-j", "refused", *TARGETS, *words)
    assert refused.code == 1 and why in refused.stderr
    assert jobs.run("show", "-j", "refused").code == 3


RULES = """
reported: {fw: {version: "1"}}
methods:
  update:
    status: 202
    then:
      - report: {fw: {version: "2"}}
groups:
  relapsing:
    tags: {kind: relapsing}
    methods: {update: {then: [{report: {fw: {version: "2"}}}, {wait: 4s}, {report: {fw: {version: "1"}}}]}}
"""


@pytest.fixture(scope="module")
def reporting(own_hub: ScenarioHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Four simulated devices that report what they were updated to; one takes it back after some seconds."""
    folder = tmp_path_factory.mktemp("simulated")
    names = [f"bake-{number}" for number in range(4)]
    for name in names:
        own_hub.new_device(name)
    tags = '{"kind": "relapsing"}'
    own_hub.az.json(f"iot hub device-twin update -n {own_hub.name} -d bake-1", "--tags", tags)
    (folder / "rules.yaml").write_text(RULES)
    simulation = own_hub.az.start(
        f"iot device simulate -n {own_hub.name} --device-ids {','.join(names)}",
        "--behaviour-file",
        str(folder / "rules.yaml"),
        output=folder / "o",
    )
    try:
        wait_until("all are connected", lambda: "All 4 devices are connected" in (folder / "o.err").read_text())
        yield
    finally:
        simulation.send_signal(signal.SIGINT)
        simulation.wait(30)


def test_devices_that_do_not_stay_as_they_were_verified_have_failed(jobs: FleetJobs, reporting: None) -> None:
    words = ("--mn", "update", "--device-ids", "bake-0,bake-1,bake-2,bake-3", "--driver", "calls", "--batch", "2")
    verify = ("--verify", "properties.reported.fw.version = '2'", "--bake", "8s", "--gate-success", "100%")
    stopped = jobs.create("baked", *words, *verify, "--run", code=6)
    assert stopped["reason"] == (
        "Gate success after batch 1: stop; 1 of 2 devices completed: 50%, at least 100% were needed."
    )
    (row,) = jobs.ok("results", "-j", "baked", "--status", "failed")
    assert (row["deviceId"], row["errorClass"], row["errorCode"]) == ("bake-1", "not-verified", "DidNotStay")
    assert row["reported"] == {"properties.reported.fw.version": "1"} and row["verified"], "it was verified before"
    assert "It was verified, and did not stay so." in row["errorText"]
    bake, success = gates_of(jobs.ok("show", "-j", "baked"), 1)["verdicts"]
    assert bake["reason"] == "8 s have passed, and 1 of 2 devices are as they were verified."
    assert (bake["verdict"], success["verdict"]) == ("go", "stop")
    assert jobs.ok("resume", "-j", "baked", code=4)["progress"]["completed"] == 3
