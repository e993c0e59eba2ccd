"""A team's store as its users have it: one host defines and runs, another sees, stops and goes on."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.az import AZ, Az
from tests.helpers.fleet_job_scenario import EVERYBODY, FleetJobDevices, counts
from tests.helpers.postgres_server import PostgresServer
from tests.helpers.waiting import wait_until
from tests.scenarios.test_console import console

ELSEWHERE = ("unshare", "--uts", "sh", "-c", 'hostname elsewhere; exec "$@"', "sh")


def may_be_elsewhere() -> bool:
    return shutil.which("unshare") is not None and not subprocess.run([*ELSEWHERE, "true"], check=False).returncode


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.url()


@pytest.fixture
def other(tmp_path: Path, own_hub: ScenarioHub, url: str) -> Az:
    """Another host: it has a configuration of its own, which names the store, and knows the local hub."""
    shutil.copytree(own_hub.az.config_dir / "iotjobs" / "hubs", tmp_path / "other" / "iotjobs" / "hubs")
    found = Az(tmp_path / "other")
    assert found.run(f"config set iotjobs.store={url}").code == 0
    return found


def test_one_host_runs_a_job_in_the_background_and_another_stops_it_and_goes_on(
    own_hub: ScenarioHub, devices: FleetJobDevices, other: Az, url: str
) -> None:
    devices.forget()
    options = ("--driver", "calls", "--concurrency", "1", "--rate", "1", "--limit", "20")
    begun = own_hub.az.run(
        f"iot hub fleet-job create -n {own_hub.name} -j night --mn reboot --run --detach --store {url}",
        *("-q", EVERYBODY, *options),
    )
    assert begun.code == 0, begun.stderr
    shown = other.run("iot hub fleet-job show -j night")
    assert shown.code == 0 and shown.json["lastRun"]["status"] in ("pending", "running", "completed"), shown.stderr
    stopped = other.run("iot hub fleet-job stop -j night")
    assert stopped.code == 0, stopped.stderr

    def status() -> str:
        return str(other.run("iot hub fleet-job show -j night").json["lastRun"]["status"])

    wait_until("it is stopped", lambda: status() == "stopped")
    went_on = other.run("iot hub fleet-job resume -j night --yes", "--rate", "1000")
    assert went_on.code in (0, 4), went_on.stderr
    listed = own_hub.az.run(f"iot hub fleet-job list --store {url}")
    assert [each["id"] for each in listed.json] == ["night"]
    results = own_hub.az.run(f"iot hub fleet-job results -j night --store {url}")
    assert len(results.json) == 20 and len(devices.calls) == 20
    assert sum(counts(other.run("iot hub fleet-job show -j night").json["lastRun"]["progress"])) == 20


def elsewhere(az: Az, output: Path, *words: str) -> "subprocess.Popen[bytes]":
    """A command on another host, by its name: whether a process there has ended cannot be known here."""
    with open(output, "wb") as written:
        return subprocess.Popen(
            [*ELSEWHERE, str(AZ), *words],
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
            env=az.environment,
            cwd=az.config_dir,
        )


@pytest.mark.skipif(not may_be_elsewhere(), reason="this user may make no namespace")
def test_a_run_whose_host_has_died_is_taken_over_once_its_lease_has_expired(
    own_hub: ScenarioHub, devices: FleetJobDevices, other: Az, url: str, tmp_path: Path
) -> None:
    devices.forget()
    options = ("--driver", "calls", "--concurrency", "1", "--rate", "2", "--limit", "30", "--yes")
    words = ("iot", "hub", "fleet-job", "create", "-n", own_hub.name, "-j", "dies", "--mn", "reboot", "--run")
    process = elsewhere(own_hub.az, tmp_path / "o", *words, "--store", url, "-q", EVERYBODY, *options)
    wait_until("some are called", lambda: len(devices.calls) >= 3 or process.poll() is not None)
    assert process.poll() is None, (tmp_path / "o").read_text()
    process.kill()
    process.wait()
    refused = other.run("iot hub fleet-job resume -j dies --yes")
    assert refused.code == 9 and "@elsewhere, process" in refused.stderr, refused.stderr

    def went_on() -> bool:
        return other.run("iot hub fleet-job resume -j dies --yes --rate 1000").code in (0, 4)

    wait_until("the lease has expired", went_on)
    shown = other.run("iot hub fleet-job show -j dies").json["lastRun"]
    completed, failed, uncertain, _ = counts(shown["progress"])
    assert shown["status"] == "completed" and completed + failed + uncertain == 30 and uncertain <= 1
    assert len(set(devices.calls)) == len(devices.calls), "none was called twice"
    assert 30 - uncertain <= len(devices.calls) <= 30


def test_a_console_shows_and_stops_what_another_host_runs(
    own_hub: ScenarioHub, devices: FleetJobDevices, other: Az, url: str, tmp_path: Path
) -> None:
    devices.forget()
    options = ("--driver", "calls", "--concurrency", "1", "--rate", "1", "--limit", "20")
    begun = other.run(
        f"iot hub fleet-job create -n {own_hub.name} -j watched --mn reboot --run --detach -q {EVERYBODY!r}", *options
    )
    assert begun.code == 0, begun.stderr
    with console(own_hub, tmp_path, "--store", url) as (client, _):
        (job,) = client.document("fleet-jobs", lambda each: each["jobs"])["jobs"]
        assert (job["id"], job["run"]["progress"]["total"]) == ("watched", 20)
        running = client.document("fleet-job:watched", lambda each: each["run"]["status"] == "running")
        assert "stop" in [each["name"] for each in running["actions"]]
        asked = client.post("/api/fleet-jobs/watched/actions/stop", {"reason": "lunch"})
        assert asked.status == 200, asked.body
        stopped = client.document("fleet-job:watched", lambda each: each["run"]["status"] == "stopped")
        (resume,) = [each for each in stopped["actions"] if each["name"] == "resume"]
        assert f"--store {url}" in resume["line"].replace('"', "")
    shown = other.run("iot hub fleet-job show -j watched").json["lastRun"]
    assert shown["status"] == "stopped" and shown["reason"] == "lunch", shown


def test_a_mistake_says_what_to_type_with_the_store_that_was_typed(
    own_hub: ScenarioHub, az: Az, other: Az, url: str
) -> None:
    made = own_hub.az.run(f"iot hub fleet-job group create -n {own_hub.name} --group north -q * --store {url}")
    assert made.code == 0, made.stderr
    missing = az.run(f"iot hub fleet-job show -j nobody --store {url}")
    assert missing.code == 3 and f"--store {url}" in missing.stderr.replace('"', ""), missing.stderr
    refused = az.run("iot hub fleet-job list --store postgresql://ann:sesame@db.example.com/fleet")
    assert refused.code == 1 and "sesame" not in refused.stderr and "PGPASSWORD" in refused.stderr
    other.run("config set iotjobs.store=postgresql://ann%%40example.com@127.0.0.1:1/fleet")
    elsewhere = other.run("iot hub fleet-job list")
    assert elsewhere.code == 1 and "ann%40example.com@127.0.0.1:1/fleet cannot be reached" in elsewhere.stderr
    (other.config_dir / "config").write_text("[iotjobs]\nstore = postgresql://ann%40example.com@127.0.0.1:1/fleet\n")
    single = other.run("iot hub fleet-job list")
    assert single.code == 1 and "write %% for a %" in single.stderr, single.stderr
    both = az.run(f"iot hub fleet-job list --state-dir . --store {url}")
    assert both.code == 1 and "two stores" in both.stderr


def test_jobs_are_copied_into_a_team_s_store_and_into_a_folder(
    own_hub: ScenarioHub, az: Az, url: str, tmp_path: Path
) -> None:
    made = az.run(f"iot hub fleet-job create -n {own_hub.name} -j fw-7 --mn reboot -q *", "--state-dir", str(tmp_path))
    assert made.code == 0, made.stderr
    copied = az.run(f"iot hub fleet-job store copy --from {tmp_path} --to {url}")
    assert [(each["id"], each["runs"], each["hasSchedule"]) for each in copied.json] == [("fw-7", 0, False)]
    again = az.run(f"iot hub fleet-job store copy --from {tmp_path} --to {url}")
    assert again.code == 1 and "--to: A fleet job fw-7 already exists" in again.stderr
    assert f"fleet-job delete -j fw-7 --store {url}" in again.stderr.replace('"', "").replace("'", "")
    scheduled = az.run(f"iot hub fleet-job schedule set -j fw-7 --daily --at 02:30 --tz UTC --store {url}")
    assert scheduled.code == 0, scheduled.stderr
    saved = az.run(f"iot hub fleet-job store copy --from {url} --to {tmp_path / 'saved'} --without-schedules")
    assert [each["hasSchedule"] for each in saved.json] == [False] and "moved" not in saved.stderr
    back = az.run(f"iot hub fleet-job store copy -j fw-7 --from {url} --to {tmp_path / 'back'}")
    assert back.code == 0 and f"in {tmp_path / 'back'} alone now: fw-7." in back.stderr, back.stderr
    assert az.run(f"iot hub fleet-job schedule list --store {url}").json == []
    shown = az.run(f"iot hub fleet-job show -j fw-7 --state-dir {tmp_path / 'back'}")
    assert shown.json["id"] == "fw-7"
    nowhere = az.run(f"iot hub fleet-job store copy --from {tmp_path / 'nowhere'} --to {url}")
    assert nowhere.code == 1 and "there are no fleet jobs in that folder" in nowhere.stderr
