"""Runs that another process executes: left to it, and watched."""

import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest

from tests.helpers.az import AZ
from tests.helpers.fleet_job_scenario import EVERYBODY, FleetJobDevices, FleetJobs
from tests.helpers.waiting import wait_until

REBOOT = ("--mn", "reboot", "-q", EVERYBODY, "--driver", "calls", "--concurrency", "3", "--batch", "10%")


def test_a_run_goes_on_without_its_command_and_is_watched_to_its_end(
    jobs: FleetJobs, devices: FleetJobDevices, calls: list[str], tmp_path: Path
) -> None:
    jobs.create("left", *REBOOT)
    devices.hold(41)
    begun = jobs.ok("run", "-j", "left", "--detach")
    assert begun["status"] == "running" and Path(begun["log"]).is_file()
    wait_until("40 % are called", lambda: len(calls) >= 41)
    refused = jobs.run("run", "-j", "left")
    assert refused.code == 9, "another process executes it"
    watching = jobs.hub.az.start(*jobs.words("watch", "-j", "left"), output=tmp_path / "out")
    said = tmp_path / "out.err"
    wait_until("it says who is awaited", lambda: b"calls are under way" in said.read_bytes())
    devices.gate.set()
    devices.hold(1000)
    devices.gate.set()
    assert watching.wait(60) == 4, "as the run: six have failed"
    text = said.read_text()
    assert "Run 1 of fleet job left is running" in text and "Batch 10 is completed" in text
    assert "Failures: other 6" in text or "Failures: rejected 6" in text
    assert jobs.ok("watch", "-j", "left", code=4)["status"] == "completed", "one that has ended is shown as it ended"


def test_who_stops_watching_stops_nothing(
    jobs: FleetJobs, devices: FleetJobDevices, calls: list[str], tmp_path: Path
) -> None:
    jobs.create("watched", *REBOOT)
    devices.hold(5)
    jobs.ok("run", "-j", "watched", "--detach")
    watching = jobs.hub.az.start(*jobs.words("watch", "-j", "watched"), output=tmp_path / "out")
    wait_until("it shows something", lambda: b"is running" in (tmp_path / "out.err").read_bytes())
    watching.send_signal(signal.SIGINT)
    assert watching.wait(30) == 7
    assert jobs.ok("show", "-j", "watched")["status"] == "running"
    jobs.ok("stop", "-j", "watched", "--poll-duration", "1", code=7)  # no device answers yet
    devices.gate.set()
    wait_until("it is stopped", lambda: jobs.ok("show", "-j", "watched")["status"] == "stopped")
    assert jobs.run("watch", "-j", "watched").code == 6
    assert jobs.ok("resume", "-j", "watched", "--detach", "--concurrency", "20")["status"] == "running"
    wait_until("it is completed", lambda: jobs.ok("show", "-j", "watched")["status"] == "completed")
    assert jobs.ok("show", "-j", "watched")["lastRun"]["delivery"]["concurrency"] == 20
    assert jobs.run("resume", "-j", "watched", "--detach").code == jobs.run("resume", "-j", "watched").code != 0


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
def test_on_a_terminal_batches_are_bars(jobs: FleetJobs, devices: FleetJobDevices, calls: list[str]) -> None:
    jobs.create("barred", *REBOOT, "--run", code=4)
    leader, follower = pty.openpty()
    words = [str(AZ), *jobs.words("watch", "-j", "barred", "-o", "none")]
    ran = subprocess.run(
        words, stderr=follower, stdin=subprocess.DEVNULL, env=jobs.hub.az.environment, cwd=jobs.folder, timeout=120
    )
    os.close(follower)
    shown = b""
    while chunk := _read(leader):
        shown += chunk
    os.close(leader)
    assert ran.returncode == 4 and b"[####" in shown and b"batch 10" in shown and b"Failures:" in shown


def _read(leader: int) -> bytes:
    try:
        return os.read(leader, 65536)
    except OSError:  # the other end is closed
        return b""
