"""What a job did to each device, as a user reads it."""

import csv
import json
import signal
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.az import AZ

RESULTS = ("iot", "hub", "job", "results")


@pytest.fixture(scope="module")
def waited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report that the command writes which waits for the job."""
    return tmp_path_factory.mktemp("reports") / "r.xml"


@pytest.fixture(scope="module")
def job(hub: ScenarioHub, waited: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ...]]:
    """A job on three devices: one answers with 503, one is off line, one is off line and since deleted."""
    for device in ("r-answers", "r-offline", "r-deleted"):
        hub.new_device(device)
    answering = hub.az.start(
        f"iot device simulate -n {hub.name} -d r-answers --mrc 503",
        "--mrp",
        '{"why": "=busy"}',
        output=tmp_path_factory.mktemp("results") / "o",
    )
    hub.wait_for_connection("r-answers")
    ran = hub.az.run(
        f"iot hub job create -n {hub.name} --job-id results --jt scheduleDeviceMethod --mn x --ttl 2 --wait",
        "-q",
        "STARTSWITH(deviceId, 'r-')",
        "--report",
        str(waited),
    )
    assert ran.code == 4, ran.stderr
    hub.az.json(f"iot hub device-identity delete -n {hub.name} -d r-deleted")
    yield (*RESULTS, "-n", hub.name, "--job-id", "results")
    answering.send_signal(signal.SIGINT)
    answering.wait(30)


def by_device(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["deviceId"]: row for row in rows}


def test_a_report_has_a_test_case_for_each_device_also_where_one_waits_for_the_job(
    hub: ScenarioHub, job: tuple[str, ...], waited: Path, tmp_path: Path
) -> None:
    path = tmp_path / "r.xml"
    hub.az.json("iot hub job report", *job[4:], "--output-file", str(path))
    for each in (path, waited):
        cases = {case.get("name"): case.find("failure") for case in ElementTree.parse(each).iter("testcase")}
        found = {name: failure.get("type") for name, failure in cases.items() if failure is not None}
        assert found == {"r-answers": "rejected", "r-offline": "offline", "r-deleted": "offline"}


def test_each_device_has_a_row(hub: ScenarioHub, job: tuple[str, ...]) -> None:
    rows = by_device(hub.az.json(*job))
    assert set(rows) == {"r-answers", "r-offline", "r-deleted"}
    answered, offline = rows["r-answers"], rows["r-offline"]
    assert (answered["status"], answered["errorClass"], answered["methodStatus"]) == ("completed", "rejected", 503)
    assert answered["payload"] == {"why": "=busy"}
    assert (offline["status"], offline["errorClass"], offline["errorCode"]) == (
        "failed",
        "offline",
        "JobRunPreconditionFailed",
    )
    assert offline["durationSeconds"] >= 2 and offline["finished"] > offline["started"]
    assert [rows[name]["deleted"] for name in sorted(rows)] == [False, True, False]


def test_a_summary_says_why_and_what_was_answered(hub: ScenarioHub, job: tuple[str, ...]) -> None:
    words = ("iot", "hub", "job", "show", *job[len(RESULTS) :], "--summary", "--query", "summary")
    assert hub.az.json(*words) == {
        "byStatus": {"completed": 1, "failed": 2},
        "byErrorClass": {"rejected": 1, "offline": 2},
        "answers": [{"status": 503, "payload": {"why": "=busy"}, "count": 1}],
        "otherAnswers": 0,
    }


@pytest.mark.parametrize(
    ("options", "devices"),
    [
        (("--status", "failed"), {"r-offline", "r-deleted"}),
        (("--error-class", "rejected"), {"r-answers"}),
        (("--error-class", "rejected", "--success-status", "503"), set()),
        (("--error-class", "timeout"), set()),
    ],
)
def test_only_the_rows_that_are_asked_for(
    hub: ScenarioHub, job: tuple[str, ...], options: tuple[str, ...], devices: set[str]
) -> None:
    assert {row["deviceId"] for row in hub.az.json(*job, *options)} == devices


def test_columns_are_chosen_and_kept(hub: ScenarioHub, job: tuple[str, ...]) -> None:
    ran = hub.az.run(*job, "--columns", "deviceId,errorClass", "-o", "tsv", "--error-class", "rejected")
    assert ran.stdout == "r-answers\trejected\n"
    hub.az.json("config", "set", "iotjobs.columns=errorClass", "--only-show-errors")
    try:
        assert hub.az.run(*job, "-o", "tsv", "--error-class", "rejected").stdout == "rejected\n"
    finally:
        hub.az.json("config", "unset", "iotjobs.columns", "--only-show-errors")
    table = hub.az.run(*job, "--columns", "deviceId,errorClass", "-o", "table").stdout
    assert "DeviceId" in table and "r-offline" in table


def test_rows_go_into_a_file_that_is_not_written_over(hub: ScenarioHub, job: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    ran = hub.az.run(*job, "--output-file", str(path))
    assert (ran.code, ran.stdout) == (0, "") and "3 rows written" in ran.stderr
    with open(path, encoding="utf-8", newline="") as file:
        rows = by_device(list(csv.DictReader(file)))
    assert rows["r-answers"]["payload"] == '{"why": "=busy"}' and rows["r-deleted"]["deleted"] == "true"
    again = hub.az.run(*job, "--output-file", str(path))
    assert again.code == 1 and "--overwrite" in again.stderr
    assert hub.az.run(*job, "--output-file", str(path), "--overwrite", "--format", "json").code == 0
    assert len(json.loads(path.read_text())) == 3


def test_rows_go_to_stdout_as_they_come(hub: ScenarioHub, job: tuple[str, ...]) -> None:
    ran = hub.az.run(*job, "--output-file", "-", "--format", "jsonl")
    assert len([json.loads(line) for line in ran.stdout.splitlines()]) == 3
    head = subprocess.run(
        f"'{AZ}' {' '.join(job)} --output-file - | head -c 1",
        shell=True,
        env=hub.az.environment,
        cwd=hub.az.config_dir,
        capture_output=True,
        text=True,
        check=False,
    )
    assert head.stdout == "d" and "Traceback" not in head.stderr


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--columns", "deviceId,colour"), 1, "colour"),
        (("--columns", "deviceId,deviceId"), 1, "once"),
        (("--format", "csv"), 1, "--output-file"),
        (("--job-id", "nobody-knows"), 3, "nobody-knows"),
    ],
)
def test_what_does_not_fit_is_said(
    hub: ScenarioHub, job: tuple[str, ...], options: tuple[str, ...], code: int, said: str
) -> None:
    ran = hub.az.run(*job, *options)
    assert ran.code == code and said in ran.stderr and "Traceback" not in ran.stderr
