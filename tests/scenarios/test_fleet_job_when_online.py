"""Fleet jobs whose devices are offline, and are operated when they connect, as a user runs them.

Of five devices three are connected from the beginning; az simulates the others later, or never.
"""

import json
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.fleet_job_scenario import FleetJobs
from tests.helpers.waiting import wait_until

ONLINE, LATE, NEVER = ["w-0", "w-2", "w-4"], "w-1", "w-3"
ALL = sorted([*ONLINE, LATE, NEVER])
METHOD = ("--mn", "reboot", "--method-connect-timeout", "0")
REBOOT = (*METHOD, "--device-ids", ",".join(ALL), "--batch", "2", "--cancellation-threshold", "0")


@contextmanager
def connected(hub: ScenarioHub, folder: Path, *names: str) -> Iterator[Path]:
    """Simulated devices; the file of their events."""
    folder.mkdir()
    simulation = hub.az.start(
        f"iot device simulate -n {hub.name} --device-ids {','.join(names)}",
        "--method-response-code",
        "200",
        "--events",
        str(folder / "events.jsonl"),
        output=folder / "o",
    )
    try:
        for name in names:
            hub.wait_for_connection(name)
        yield folder / "events.jsonl"
    finally:
        simulation.send_signal(signal.SIGINT)
        simulation.wait(30)


@pytest.fixture(scope="module")
def log(own_hub: ScenarioHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The devices that are connected from the beginning; the file of their events."""
    for name in ALL:
        own_hub.new_device(name)
    with connected(own_hub, tmp_path_factory.mktemp("simulated") / "online", *ONLINE) as log:
        yield log


def calls(*logs: Path) -> Counter[str]:
    events = [json.loads(line) for log in logs for line in log.read_text().splitlines()]
    return Counter(each["device"] for each in events if each["event"] == "method")


def started(jobs: FleetJobs, name: str, folder: Path, *more: str) -> "subprocess.Popen[bytes]":
    words = jobs.words("create", "-n", jobs.hub.name, "-j", name, *REBOOT, *more, "--run")
    return jobs.hub.az.start(*words, "--events", str(folder / "events.jsonl"), output=folder / "out")


def rows(jobs: FleetJobs, name: str, *more: str) -> dict[str, Any]:
    return {each["deviceId"]: each for each in jobs.ok("results", "-j", name, *more)}


def written(folder: Path) -> list[dict[str, Any]]:
    path = folder / "events.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def are_waiting(folder: Path) -> bool:
    """Whether all planned batches have ended."""
    return [each["batch"] for each in written(folder) if each["event"] == "batch-ended"][:3] == [1, 2, 3]


@pytest.mark.parametrize("driver", ["calls", "jobs"])
def test_devices_that_are_offline_hold_up_no_batch_and_are_operated_when_they_connect(
    jobs: FleetJobs, log: Path, tmp_path: Path, driver: str
) -> None:
    name, before = f"late-{driver}", calls(log)
    limit = ("--ttl", "10") if driver == "jobs" else ()
    running = started(jobs, name, tmp_path, "--when-online", "7d", "--driver", driver, *limit)
    try:
        wait_until("all batches have ended", lambda: are_waiting(tmp_path), limit_s=90)
        shown = jobs.ok("show", "-j", name)
        assert shown["delivery"]["whenOnlineSeconds"] == 604_800.0
        progress, waiting = shown["lastRun"]["progress"], shown["lastRun"]["waiting"]
        assert (progress["completed"], progress["failed"], progress["waiting"], waiting["count"]) == (3, 0, 2, 2)
        assert {each["deviceId"] for each in waiting["devices"]} == {LATE, NEVER}
        assert set(rows(jobs, name, "--status", "waiting")) == {LATE, NEVER}
        with (
            connected(jobs.hub, tmp_path / "late", LATE) as late,
            connected(jobs.hub, tmp_path / "last", NEVER) as last,
        ):
            assert running.wait(90) == 0, (tmp_path / "out.err").read_text()
            counts = calls(log, late, last)
    finally:
        running.kill()
        running.wait(30)
    assert {each: count - before[each] for each, count in counts.items()} == dict.fromkeys(ALL, 1)
    found = rows(jobs, name)
    assert {row["status"] for row in found.values()} == {"completed"}
    assert found[LATE]["batch"] == 4 and found[LATE]["offlineSince"] < found[LATE]["started"]
    assert found["w-0"]["offlineSince"] is None
    kinds = Counter(each["event"] for each in written(tmp_path))
    assert kinds["device-waits"] >= 2 and kinds["device-connected"] >= 2
    assert f"{LATE} is offline: it waits to connect, until" in (tmp_path / "out.err").read_text()


def test_one_that_does_not_connect_in_time_has_failed_and_the_others_are_not_held_up(
    jobs: FleetJobs, log: Path
) -> None:
    words = (*METHOD, "--device-ids", f"{LATE},w-0", "--batch", "1", "--driver", "calls")
    ran = jobs.create("in-vain", *words, "--when-online", "10s", "--run", code=4)
    assert (ran["progress"]["completed"], ran["progress"]["byErrorClass"]) == (1, {"offline": 1})
    row = rows(jobs, "in-vain")[LATE]
    assert row["errorCode"] == "DidNotConnect" and "did not connect within 10s" in row["errorText"]
    table = jobs.run("show", "-j", "in-vain", "-o", "table").stdout
    assert "Waiting" not in table.splitlines()[0] or "offline" in row["errorClass"]


def test_a_run_that_is_killed_while_devices_wait_is_resumed_stopped_run_again_and_canceled(
    jobs: FleetJobs, log: Path, tmp_path: Path
) -> None:
    running = started(jobs, "killed", tmp_path, "--when-online", "1h", "--driver", "calls")
    wait_until("all batches have ended", lambda: are_waiting(tmp_path))
    running.send_signal(signal.SIGKILL)
    running.wait(30)
    resuming = jobs.hub.az.start(*jobs.words("resume", "-j", "killed"), output=tmp_path / "again")
    try:
        wait_until("it is resumed", lambda: "2 wait to connect" in (tmp_path / "again.err").read_text())
        assert jobs.ok("stop", "-j", "killed")["progress"]["waiting"] == 2
        assert resuming.wait(30) == 6
    finally:
        resuming.kill()
        resuming.wait(30)
    stopped = json.loads((tmp_path / "again").read_text())
    assert {each["deviceId"] for each in stopped["waiting"]["devices"]} == {LATE, NEVER}
    plan = jobs.ok("rerun", "-j", "killed", "--on", "waiting", "--dry-run")
    assert plan["deviceCount"] == 2
    canceled = jobs.ok("cancel", "-j", "killed")
    assert (canceled["progress"]["completed"], canceled["progress"]["byErrorClass"]) == (3, {"offline": 2})
    assert "canceled while it waited to connect" in rows(jobs, "killed")[LATE]["errorText"]


def test_the_time_is_changed_copied_and_taken_away_and_refused_where_it_makes_no_sense(
    jobs: FleetJobs, log: Path
) -> None:
    jobs.create("changed", *REBOOT, "--when-online", "12h")
    assert jobs.ok("copy", "-j", "changed")["delivery"]["whenOnlineSeconds"] == 43_200.0
    refused = jobs.run("update", "-j", "changed", "--retry", "offline=3")
    assert (
        refused.code == 1 and "(--when-online)" in refused.stderr and "Leave offline out of --retry" in refused.stderr
    )
    short = jobs.run("update", "-j", "changed", "--when-online", "5s")
    assert short.code == 1 and "--when-online 5s: give 10s to 30d" in short.stderr
    assert jobs.ok("update", "-j", "changed", "--when-online", "none")["delivery"]["whenOnlineSeconds"] is None
