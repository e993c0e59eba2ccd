"""A job once more: on the devices that failed, from an edited file of results, with changes; and its targets."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.az import Ran

JOB = ("iot", "hub", "job")


def run(hub: ScenarioHub, verb: str, *more: str, stdin: str | None = None) -> Ran:
    return hub.az.run(*JOB, verb, "-n", hub.name, *more, stdin=stdin)


@pytest.fixture(scope="module")
def parent(hub: ScenarioHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A job on three devices, of which two were off line; one of those is there now and answers with 503."""
    for device in ("again-fine", "again-late", "again-never"):
        hub.new_device(device)
    folder = tmp_path_factory.mktemp("again")
    simulate = ("iot", "device", "simulate", "-n", hub.name, "-d")
    devices = [hub.az.start(*simulate, "again-fine", output=folder / "fine")]
    hub.wait_for_connection("again-fine")
    reboot = "--job-id again --jt scheduleDeviceMethod --mn reboot --ttl 2 --wait".split()
    ran = run(hub, "create", *reboot, "--mp", '{"delay": 5}', "-q", "STARTSWITH(deviceId, 'again-')")
    assert ran.code == 4 and ran.json["deviceJobStatistics"]["failedCount"] == 2
    devices.append(hub.az.start(*simulate, "again-late", "--mrc", "503", output=folder / "late"))
    hub.wait_for_connection("again-late")
    yield "again"
    for process in devices:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def test_what_failed_runs_again_with_the_same_payload(hub: ScenarioHub, parent: str) -> None:
    ran = run(hub, "rerun", "--job-id", parent, "--wait")
    assert ran.code == 4, ran.stderr
    assert (ran.json["parentJobId"], ran.json["deviceCount"]) == (parent, 2)
    (job,) = ran.json["jobs"]
    assert (job["jobId"], job["queryCondition"]) == ("again-r1", "deviceId IN ['again-late', 'again-never']")
    shown = hub.az.json(*JOB, "show", "-n", hub.name, "--job-id", "again-r1")
    assert shown["parentJobId"] == parent
    assert json.loads(bytes(shown["cloudToDeviceMethod"]["payload"])) == {"delay": 5}
    # Once more, on those that answered but not with success: the next free number, no longer the one off line.
    again = run(hub, "rerun", "--job-id", "again-r1", "--on", "rejected", "--success-status", "503", "--wait")
    assert (again.code, again.json["jobs"]) == (8, [])
    last = run(hub, "rerun", "--job-id", "again-r1", "--on", "rejected")
    assert [job["jobId"] for job in last.json["jobs"]] == ["again-r1-r1"]


def test_an_edited_file_of_results_says_which(hub: ScenarioHub, parent: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    assert run(hub, "results", "--job-id", parent, "--output-file", str(path)).code == 0
    plan = run(hub, "rerun", "--job-id", parent, "--from-results", str(path), "--exclude", "again-never", "--dry-run")
    assert (plan.json["deviceCount"], plan.json["sample"]) == (1, ["again-late"])
    (request,) = plan.json["requests"]
    assert request["cloudToDeviceMethod"]["payload"] == {"delay": 5}
    assert hub.az.run(*JOB, "show", "-n", hub.name, "--job-id", request["jobId"]).code == 3, "nothing was created"
    typed = run(
        hub, "rerun", "--job-id", parent, "--from-results", "-", "--mp", "null", "--dry-run", stdin="again-fine"
    )
    assert typed.json["sample"] == ["again-fine"]
    assert typed.json["requests"][0]["cloudToDeviceMethod"]["payload"] is None


def test_a_copy_has_a_new_id_and_the_changes(hub: ScenarioHub, parent: str) -> None:
    ran = run(hub, "copy", "--job-id", parent, "--device-ids", "again-fine", "--mp", "[1]", "--ttl", "9", "--wait")
    assert (ran.code, ran.json["jobId"]) == (0, "again-copy")
    assert (ran.json["queryCondition"], ran.json["maxExecutionTimeInSeconds"]) == ("deviceId IN ['again-fine']", 9)
    assert bytes(ran.json["cloudToDeviceMethod"]["payload"]) == b"[1]"
    taken = run(hub, "copy", "--job-id", parent)
    assert taken.code == 1 and "JobAlreadyExists" in taken.stderr
    wrong = run(hub, "copy", "--job-id", parent, "--new-job-id", "again-x", "--patch", '{"tags":{"a":1}}')
    assert wrong.code == 1 and "--twin-patch" in wrong.stderr


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("rerun", "--job-id", "nobody"), 3, "nobody"),
        (("rerun", "--job-id", "again", "--on", "asleep"), 1, "--on"),
        (("rerun", "--job-id", "again", "--max-devices", "1"), 1, "2 devices are selected"),
        (("rerun", "--job-id", "again", "--exclude", " "), 1, "--exclude is empty"),
        (("rerun", "--job-id", "again", "--from-results", "nowhere.csv"), 1, "nowhere.csv"),
        (("copy", "--job-id", "nobody"), 3, "nobody"),
        (("copy", "--job-id", "again", "--device-ids", ""), 1, "--device-ids is empty"),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_is_made(
    hub: ScenarioHub, parent: str, options: tuple[str, ...], code: int, said: str
) -> None:
    ran = run(hub, *options)
    assert (ran.code, ran.stdout) == (code, "") and said in ran.stderr


TWIN_JOB = ("--jt", "scheduleUpdateTwin", "--patch", '{"tags":{"again":1}}')


def test_a_job_takes_its_devices_from_a_list_a_file_or_standard_input(hub: ScenarioHub, parent: str) -> None:
    rows = "deviceId,site\nagain-fine,n\nagain-late,s\nagain-gone,s\n"
    plan = run(hub, "create", "--job-id", "of-file", *TWIN_JOB, "--devices-file", "-", "--dry-run", stdin=rows)
    assert (plan.json["deviceCount"], plan.json["notRegistered"]) == (2, ["again-gone"])
    chosen = "--devices-file - --exclude again-late --device-ids again-never --max-devices 3 --wait".split()
    made = run(hub, "create", "--job-id", "of-file", *TWIN_JOB, *chosen, stdin=rows)
    assert made.code == 0 and made.json["deviceJobStatistics"]["succeededCount"] == 2


def test_a_standing_limit_holds_for_every_job(hub: ScenarioHub, parent: str) -> None:
    hub.az.json("config", "set", "iotjobs.max_devices=1", "--only-show-errors")
    try:
        refused = run(hub, "create", "--job-id", "too-many", *TWIN_JOB, "-q", "STARTSWITH(deviceId, 'again-')")
        assert refused.code == 1 and "3 devices are selected" in refused.stderr and "allows 1" in refused.stderr
        typed = ("-q", "STARTSWITH(deviceId, 'again-')", "--max-devices", "3", "--dry-run")
        assert run(hub, "create", "--job-id", "too-many", *TWIN_JOB, *typed).json["deviceCount"] == 3
    finally:
        hub.az.json("config", "unset", "iotjobs.max_devices", "--only-show-errors")
    assert run(hub, "show", "--job-id", "too-many").code == 3
