"""Waiting for a job, and a hub whose job slots are taken."""

import signal
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.az import Az
from tests.helpers.hub_process import HubProcess
from tests.helpers.waiting import wait_until

TWIN_JOB = ("--jt", "scheduleUpdateTwin", "--patch", '{"tags":{"a":1}}', "-q", "*")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[ScenarioHub]:
    """A hub with one job slot, as the smallest tier has; it tells az where it is by its state file."""
    az = Az(tmp_path / "config")
    az.config_dir.mkdir()
    hub = HubProcess(
        tmp_path / "hub",
        "--in-memory",
        "--max-active-jobs",
        "1",
        "--state-dir",
        str(az.config_dir / "iotjobs" / "hubs"),
    )
    yield ScenarioHub(az, hub.info)
    hub.stop()


def test_a_taken_slot_is_an_error_at_once_that_says_who_has_it(small: ScenarioHub) -> None:
    start = (datetime.now(timezone.utc) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    create = ("iot", "hub", "job", "create", "-n", small.name, *TWIN_JOB, "--job-id")
    small.az.json(*create, "tomorrow", "--start-time", start)
    before = time.monotonic()
    refused = small.az.run(*create, "now")
    assert time.monotonic() - before < 60  # a throttled request would be ridden out for longer
    assert refused.code == 1
    assert "tomorrow (scheduled)" in refused.stderr
    small.az.json("iot", "hub", "job", "cancel", "-n", small.name, "--job-id", "tomorrow")
    assert small.az.json(*create, "now")["jobId"] == "now"


def test_waiting_shows_progress_and_the_end(hub: ScenarioHub) -> None:
    words = ("iot", "hub", "job", "create", "-n", hub.name, *TWIN_JOB, "--wait", "--interval", "1", "--job-id")
    ran = hub.az.run(*words, "waited")
    assert ran.code == 0
    assert ran.json["status"] == "completed"
    assert "Job waited is completed." in ran.stderr


def method_job_on_an_offline_device(hub: ScenarioHub, job: str, *options: str) -> tuple[str, ...]:
    if hub.az.run("iot", "hub", "device-identity", "show", "-n", hub.name, "-d", "asleep").code:
        hub.new_device("asleep")
    return (
        "iot", "hub", "job", "create", "-n", hub.name, "--job-id", job, "--jt", "scheduleDeviceMethod", "--mn", "x",
        "-q", "deviceId = 'asleep'", "--wait", "--interval", "1", *options,
    )  # fmt: skip


def test_waiting_that_runs_out_says_so_and_gives_the_job_as_it_is(hub: ScenarioHub) -> None:
    ran = hub.az.run(*method_job_on_an_offline_device(hub, "too-long", "--duration", "2"))
    assert ran.json["status"] == "running"
    assert "still running after 2 s" in ran.stderr


def test_devices_that_failed_are_not_hidden_by_a_completed_job(hub: ScenarioHub) -> None:
    ran = hub.az.run(*method_job_on_an_offline_device(hub, "failing", "--ttl", "2"))
    assert ran.json["status"] == "completed"
    assert "1 of 1 devices failed" in ran.stderr


def test_ctrl_c_ends_the_waiting_and_leaves_the_job_running(hub: ScenarioHub, tmp_path: Path) -> None:
    waiting = hub.az.start(*method_job_on_an_offline_device(hub, "left"), output=tmp_path / "o")
    wait_until("it waits", lambda: "Job left is running" in (tmp_path / "o.err").read_text())
    waiting.send_signal(signal.SIGINT)
    assert waiting.wait(30) != 0
    assert "Traceback" not in (tmp_path / "o.err").read_text()
    assert hub.az.json("iot", "hub", "job", "show", "-n", hub.name, "--job-id", "left")["status"] == "running"
