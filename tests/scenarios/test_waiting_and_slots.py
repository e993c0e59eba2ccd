"""Waiting for a job, and a hub whose job slots are taken."""

import json
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
    small.az.json(f"iot hub job cancel -n {small.name} --job-id tomorrow")
    assert small.az.json(*create, "now")["jobId"] == "now"


def test_a_job_queues_for_a_slot(small: ScenarioHub, tmp_path: Path) -> None:
    start = (datetime.now(timezone.utc) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    create = ("iot", "hub", "job", "create", "-n", small.name, *TWIN_JOB, "--job-id")
    small.az.json(*create, "holds", "--start-time", start)
    queued = small.az.start(*create, "queues", "--queue", output=tmp_path / "o")
    wait_until("it says who has the slot", lambda: "holds (scheduled)" in (tmp_path / "o.err").read_text())
    small.az.json(f"iot hub job cancel -n {small.name} --job-id holds")
    assert queued.wait(60) == 0
    assert json.loads((tmp_path / "o").read_text())["jobId"] == "queues"


def test_a_rerun_on_many_devices_is_several_jobs_that_follow_each_other(small: ScenarioHub) -> None:
    first = ("iot", "hub", "job", "create", "-n", small.name, *TWIN_JOB, "--job-id", "many", "--wait", "--exit-zero")
    assert small.az.run(*first).code == 0
    for device in ("d-0000", "d-0999"):
        small.new_device(device)
    ids = "\n".join(f"d-{number:04}" for number in range(1000))
    again = ("iot", "hub", "job", "rerun", "-n", small.name, "--job-id", "many", "--from-results", "-", "--wait")
    ran = small.az.run(*again, stdin=ids)
    assert ran.code == 0, ran.stderr
    assert ran.json["deviceCount"] == 1000
    jobs = ran.json["jobs"]
    assert [job["jobId"] for job in jobs] == ["many-r1-1", "many-r1-2"]
    assert sum(job["deviceJobStatistics"]["succeededCount"] for job in jobs) == 2
