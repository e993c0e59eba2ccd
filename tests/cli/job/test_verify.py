"""Devices of jobs that are verified, at the door: nothing known is lost when the hub says no, or somebody leaves."""

import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from azext_iotjobs.cli.job import verify
from azext_iotjobs.cli.job.options import VerifyingPlan, WaitPlan
from azext_iotjobs.cli.job.report import report_after_wait
from azext_iotjobs.cli.output.report_target import target_of
from azext_iotjobs.cli.output.result_columns import CALL_COLUMNS, VERIFIED_COLUMNS
from azext_iotjobs.cli.output.row_output import RowTarget
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import ConflictingChoice, Forbidden, HubAnswer
from azext_iotjobs.model.job import Job, JobStatus, JobType
from azext_iotjobs.model.outcome import Outcome, parse_success_status
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.model.twin_columns import parse_twin_column
from azext_iotjobs.model.verification import Verification
from azext_iotjobs.model.waiting import WaitPolicy
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.reported_twins import ReportedTwins
from tests.helpers.transport_double import response

COLUMNS = (*CALL_COLUMNS, *VERIFIED_COLUMNS)
REFUSED = response({"Message": "no"}, status=403)


class Hub:
    """A hub whose job has two pages of rows, a device on each. `job_page` and `twins_page` answer queries."""

    def __init__(self) -> None:
        self.twins = ReportedTwins(SystemClock().now)
        self.job_page: Callable[[int], Response] = lambda number: self.page(number)
        self.twins_page: Callable[[Request], Response] = self.twins.send
        self.client = HubClient(HubTarget(host="h.example"), self)

    def page(self, number: int) -> Response:
        answered = {"deviceMethodResponse": {"status": 200, "payload": number}}
        started = {"startTimeUtc": "2026-01-01T00:00:00Z"}
        row = {"deviceId": f"d-{number}", "jobId": "j", "status": "completed", "outcome": answered, **started}
        return response([row], x_ms_continuation="1") if number == 0 else response([row])

    def send(self, request: Request) -> Response:
        """As a transport's."""
        if "devices.jobs" in request.body["query"]:
            return self.job_page(int(request.headers.get("x-ms-continuation", 0)))
        return self.twins_page(request)


class Az:
    """What a handler gets of az; `printed` is what was printed before an error."""

    def __init__(self) -> None:
        self.printed: list[Any] = []
        output = SimpleNamespace(get_formatter=lambda _: None, out=lambda item, **_: self.printed.append(item.result))
        invocation = SimpleNamespace(data={"output": "json", "query_active": False})
        self.cli_ctx = SimpleNamespace(
            only_show_errors=True,
            raise_event=lambda *_, **__: None,
            output=output,
            invocation=invocation,
            out_file=None,
        )
        self.table_transformer = None


def with_sites(hub: Hub) -> None:
    """Its devices have sites, which queries for them find; and report what is waited for."""
    for device in ("d-0", "d-1"):
        hub.twins.report(device, version=2)
    sites = [{"deviceId": device, "c1": f"site of {device}"} for device in ("d-0", "d-1")]
    hub.twins_page = lambda request: response(sites) if _is_of_sites(request) else hub.twins.send(request)


def _is_of_sites(request: Request) -> bool:
    return bool(request.body["query"].startswith("SELECT deviceId, tags.site AS c1 FROM devices WHERE"))


def a_plan(target: Path | None = None) -> WaitPlan:
    verification = Verification(condition="properties.reported.version = 2")
    file = None
    if target is not None:
        file = RowTarget(path=str(target), form="json", columns=COLUMNS, request="verification", overwrites=False)
    success = parse_success_status("200-399")
    return WaitPlan(WaitPolicy(interval_s=10), success, False, VerifyingPlan(verification, COLUMNS, file))


def statuses(rows: list[dict[str, Any]]) -> dict[str, str]:
    return {each["deviceId"]: each["status"] for each in rows}


def test_every_device_is_verified_and_the_document_says_so_and_the_report(tmp_path: Path) -> None:
    hub = Hub()
    for device in ("d-0", "d-1"):
        hub.twins.report(device, version=2)
    target = target_of(str(tmp_path / "r.html"), "--report", overwrites=False)
    job = Job(job_id="j", job_type=JobType.METHOD, status=JobStatus.COMPLETED, tally=None, document={"jobId": "j"})
    plan = a_plan()._replace(reports=(target,))
    document, outcome = report_after_wait(Az(), hub.client, job, plan, Outcome.SUCCESS)
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert '"name":"verified"' in page and '"name":"reported"' in page and "100 % of 2 devices completed" in page
    found = document["verification"]
    assert outcome is Outcome.SUCCESS and document["jobId"] == "j"
    assert (found["verified"], found["notVerified"], found["verifying"], found["byErrorClass"]) == (2, 0, 0, {})
    assert statuses(found["results"]) == {"d-0": "completed", "d-1": "completed"}
    assert [tuple(each) for each in found["results"]] == [COLUMNS, COLUMNS]


def test_what_is_known_is_printed_when_the_hub_refuses_the_looking(said: pytest.LogCaptureFixture) -> None:
    hub, az = Hub(), Az()
    hub.twins_page = lambda _: REFUSED
    with pytest.raises(Forbidden):
        verify.verify(az, hub.client, ["j"], a_plan(), {"jobId": "j"})
    [document] = az.printed
    assert statuses(document["verification"]["results"]) == {"d-0": "verifying", "d-1": "verifying"}
    assert document["verification"]["verifying"] == 2


def test_what_is_known_is_in_the_file_when_the_rows_of_the_job_cannot_be_read(tmp_path: Path) -> None:
    hub, az = Hub(), Az()
    hub.twins.report("d-0", version=2)
    hub.job_page = lambda number: hub.page(0) if number == 0 else REFUSED
    with pytest.raises(HubAnswer):
        verify.verify(az, hub.client, ["j"], a_plan(tmp_path / "f"), {})
    rows = json.loads((tmp_path / "f").read_text())
    assert list(statuses(rows)) == ["d-0"] and az.printed[0]["verification"]["results"] is None
    assert [each.name for each in tmp_path.iterdir()] == ["f"]


def test_ctrl_c_while_rows_are_read_names_the_job_whose_rows_were_not(said: pytest.LogCaptureFixture) -> None:
    hub = Hub()

    def interrupted(number: int) -> Response:
        signal.raise_signal(signal.SIGINT)
        return hub.page(number)

    hub.job_page = interrupted
    document, outcome = verify.verify(Az(), hub.client, ["j", "later"], a_plan(), {})
    assert outcome is Outcome.WAIT_OVER
    assert statuses(document["verification"]["results"]) == {"d-0": "verifying"}
    told = "\n".join(said.messages)
    assert "1 device is still being verified" in told
    assert "Not all rows of job j were read" in told and "Not all rows of job later were read" in told
    assert "az iot hub job wait --job-id j --verify" in told and "--verify-within 600s" in told


def test_a_file_that_is_there_is_refused_before_the_hub_is_asked(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("mine")
    hub = Hub()
    plan = a_plan(tmp_path / "f").verifying
    assert plan is not None
    with pytest.raises(ConflictingChoice, match="already exists"):
        verify.check(hub.client, plan)
    assert hub.twins.queries == [] and (tmp_path / "f").read_text() == "mine"


@pytest.mark.parametrize("into_file", [False, True])
def test_rows_have_columns_of_twins_where_they_are_wanted(tmp_path: Path, into_file: bool) -> None:
    hub = Hub()
    with_sites(hub)
    plan = of_sites(a_plan(tmp_path / "f" if into_file else None))
    document, outcome = verify.verify(Az(), hub.client, ["j"], plan, {})
    rows = json.loads((tmp_path / "f").read_text()) if into_file else document["verification"]["results"]
    assert outcome is Outcome.SUCCESS
    assert rows == [{"deviceId": each, "tags.site": f"site of {each}"} for each in ("d-0", "d-1")]


def test_no_row_is_lost_when_its_twin_cannot_be_read(said: pytest.LogCaptureFixture) -> None:
    hub = Hub()
    with_sites(hub)
    hub.twins_page = lambda request: REFUSED if _is_of_sites(request) else hub.twins.send(request)
    document, outcome = verify.verify(Az(), hub.client, ["j"], of_sites(a_plan()), {})
    assert outcome is Outcome.SUCCESS
    assert document["verification"]["results"] == [{"deviceId": f"d-{n}", "tags.site": None} for n in range(2)]
    assert "The twins of 2 devices were not read: " in "\n".join(said.messages)


def of_sites(plan: WaitPlan) -> WaitPlan:
    """The same with two columns, one of them from twins."""
    verifying, columns = plan.verifying, ("deviceId", "tags.site")
    assert verifying is not None
    target = None if verifying.target is None else replace(verifying.target, columns=columns)
    own = verifying._replace(columns=columns, target=target, of_twins=(parse_twin_column("tags.site", ""),))
    return plan._replace(verifying=own)
