"""`job report` at the handler: a hub's rows become a report, and nothing of the hub's is taken for granted."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from azext_iotjobs.cli.job import report
from azext_iotjobs.cli.job.options import SubmitOptions, VerifyingOptions, WaitOptions
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, HubAnswer, MissingChoice
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.transport_double import response

CMD = SimpleNamespace()
OFFLINE = {"code": "DeviceNotOnline", "description": "not online"}
ANSWER = {"deviceMethodResponse": {"status": 503, "payload": {"why": "busy"}}}
ROWS: list[dict[str, Any]] = [
    {"deviceId": "a", "jobId": "j", "status": "completed", "outcome": {"deviceMethodResponse": {"status": 200}}},
    {"deviceId": "b", "jobId": "j", "status": "failed", "error": OFFLINE},
    {"deviceId": "c", "jobId": "j", "status": "completed", "outcome": ANSWER},
    {"deviceId": "d", "jobId": "j", "status": "running"},
]


class Hub:
    """A hub with one job. `requests` is what it was asked."""

    def __init__(self, rows: list[dict[str, Any]], **changes: Any) -> None:
        self.rows = rows
        self.requests: list[str] = []
        self.document = {
            "jobId": "j",
            "type": "scheduleDeviceMethod",
            "status": "completed",
            "cloudToDeviceMethod": {"methodName": "reboot", "payload": {"pin": "secret"}},
            "queryCondition": "tags.site = 'north'",
            "startTime": "2026-11-29T10:00:00Z",
            "endTime": "2026-11-29T10:00:30.5Z",
            **changes,
        }
        self.client = HubClient(HubTarget(host="h.example"), self)

    def send(self, request: Request) -> Response:
        """As a transport's."""
        self.requests.append(request.path)
        return response(self.rows if "query" in request.path else self.document)


def suite_of(hub: Hub, folder: Path, **options: Any) -> ElementTree.Element:
    report.report(CMD, hub.client, "j", output_file=str(folder / "r.xml"), **options)
    (suite,) = ElementTree.parse(folder / "r.xml").getroot()
    return suite


def test_each_device_is_a_test_case_and_the_job_a_suite(tmp_path: Path) -> None:
    suite = suite_of(Hub(ROWS), tmp_path)
    counts = [suite.get(name) for name in ("tests", "failures", "errors", "skipped")]
    assert counts == ["4", "2", "0", "1"]
    assert (suite.get("name"), suite.get("timestamp"), suite.get("time")) == ("Job j", "2026-11-29T10:00:00", "30.500")
    kinds = {case.get("name"): next((each.tag for each in case), None) for case in suite.findall("testcase")}
    assert kinds == {"a": None, "b": "failure", "c": "failure", "d": "skipped"}


def test_which_answer_is_a_success_can_be_said(tmp_path: Path) -> None:
    assert suite_of(Hub(ROWS), tmp_path, success_status="200-599").get("failures") == "1"


def test_what_a_method_was_sent_is_in_no_report(tmp_path: Path) -> None:
    for ending in ("xml", "md", "html"):
        report.report(CMD, Hub(ROWS).client, "j", output_file=str(tmp_path / f"r.{ending}"))
        text = (tmp_path / f"r.{ending}").read_text(encoding="utf-8")
        assert "secret" not in text and "reboot" in text and "north" in text


def test_a_job_without_devices_is_a_report_that_is_empty_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    report.report(CMD, Hub([]).client, "j", output_file=str(tmp_path / "r.xml"))
    assert list(ElementTree.parse(tmp_path / "r.xml").getroot()) == []
    assert "Job j has no device: neither has the report" in caplog.text


def test_a_job_that_runs_has_no_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    suite = suite_of(Hub(ROWS, status="running"), tmp_path)
    assert suite.get("time") == "0.000"
    assert "Job j is running: the report shows it as it is now" in caplog.text


def test_a_hub_that_refuses_half_way_leaves_no_file(tmp_path: Path) -> None:
    hub = Hub(ROWS)
    send = hub.send
    refused = response({"Message": "no"}, status=403)
    hub.send = lambda request: refused if "query" in request.path else send(request)  # type: ignore[method-assign]
    with pytest.raises(HubAnswer):
        report.report(CMD, hub.client, "j", output_file=str(tmp_path / "r.html"))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_refused_before_the_hub_is_asked(tmp_path: Path) -> None:
    hub = Hub(ROWS)
    with pytest.raises(BadValue, match="ends in .xml"):
        report.report(CMD, hub.client, "j", output_file=str(tmp_path / "r.csv"))
    assert hub.requests == []


# -- with the command that waits ---------------------------------------------------------------------------------------


def test_a_report_needs_a_command_that_waits(tmp_path: Path) -> None:
    with pytest.raises(MissingChoice, match="--report needs --wait"):
        SubmitOptions().read(CMD, WaitOptions(report=[str(tmp_path / "r.xml")]))


def test_overwriting_is_for_reports_too(tmp_path: Path) -> None:
    path = tmp_path / "r.md"
    path.write_text("mine")
    with pytest.raises(ConflictingChoice, match="--report .* already exists"):
        WaitOptions(report=[str(path)]).read(CMD)
    (target,) = WaitOptions(report=[str(path)], verifying=VerifyingOptions(overwrite=True)).read(CMD).reports
    assert target.overwrites and path.read_text() == "mine"
    with pytest.raises(MissingChoice, match="--overwrite goes with --verify"):
        WaitOptions(verifying=VerifyingOptions(overwrite=True)).read(CMD)
