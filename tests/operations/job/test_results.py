"""Rows of a job: what the hub's records mean, which of them are wanted, and whose device is gone."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.cli.output.result_columns import COLUMNS
from azext_iotjobs.cli.output.result_rows import render_result
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.result_codec import parse_result
from azext_iotjobs.model.outcome import parse_success_status
from azext_iotjobs.model.result import DeviceResult, ErrorClass
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.operations.job.results import MAX_ANSWERS, ResultQuery, expected_minutes, read, summarise
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.short_form import IN_FULL
from tests.helpers.transport_double import TransportDouble, in_turn, response

SUCCESS = parse_success_status("200-399")
RECORD = {
    "deviceId": "d1",
    "jobId": "j",
    "jobType": "scheduleDeviceMethod",
    "status": "completed",
    "createdDateTimeUtc": "2026-05-01T08:00:01.1000000Z",
    "startTimeUtc": "2026-05-01T08:00:00.0000000Z",
    "endTimeUtc": "2026-05-01T08:10:00.0000000Z",
    "lastUpdatedDateTimeUtc": "2026-05-01T08:00:02.5000000Z",
    "outcome": {"deviceMethodResponse": {"status": 200, "payload": {"ok": True}}},
}
LEFT = {"code": "DeviceNotOnline", "description": "Device unavailable"}  # while it was called


def failed(code: str, **more: Any) -> dict[str, Any]:
    return {**RECORD, "status": "failed", "outcome": {}, "error": {"code": code, "description": "because"}, **more}


def one(record: dict[str, Any]) -> DeviceResult:
    return parse_result(record, SUCCESS)


def test_a_record_becomes_a_row() -> None:
    assert render_result(one(RECORD)) == {
        "deviceId": "d1",
        "moduleId": None,
        "status": "completed",
        "errorClass": None,
        "errorCode": None,
        "errorText": None,
        "methodStatus": 200,
        "payload": {"ok": True},
        "started": "2026-05-01T08:00:00.000Z",
        "finished": "2026-05-01T08:00:02.500Z",
        "durationSeconds": 2.5,
        "deleted": None,
    }
    assert tuple(render_result(one(RECORD))) == COLUMNS


@pytest.mark.parametrize(
    ("record", "error_class"),
    [
        (RECORD, None),
        ({**RECORD, "status": "pending", "outcome": {}}, None),
        ({**RECORD, "outcome": {"deviceMethodResponse": None}}, None),
        ({**RECORD, "outcome": {"deviceMethodResponse": {"status": 500, "payload": None}}}, ErrorClass.REJECTED),
        (failed("DeviceNotOnline"), ErrorClass.OFFLINE),
        (failed("DeviceNotOnline", error=LEFT), ErrorClass.TIMEOUT),
        (failed("JobRunPreconditionFailed"), ErrorClass.OFFLINE),
        (failed("GatewayTimeout"), ErrorClass.TIMEOUT),
        (failed("ThrottlingException"), ErrorClass.THROTTLED),
        (failed("DeviceThrottlingLimitExceeded"), ErrorClass.THROTTLED),
        (failed("DeviceNotFound"), ErrorClass.NOT_FOUND),
        (failed("ArgumentInvalid"), ErrorClass.OTHER),
        ({**RECORD, "status": "canceled", "outcome": {}}, ErrorClass.OTHER),
    ],
)
def test_why_a_device_failed_in_a_word(record: dict[str, Any], error_class: ErrorClass | None) -> None:
    assert one(record).error_class is error_class


def test_what_has_not_ended_has_no_end_and_odd_records_are_rows_too() -> None:
    assert one({**RECORD, "status": "running"}).finished_at is None
    assert one({**RECORD, "startTimeUtc": "2026-05-01T09:00:00"}).duration_s == 0  # a clock that went back
    empty = one({"deviceId": "d", "outcome": None, "error": None})
    assert (empty.status, empty.started_at, empty.duration_s, empty.error_class) == ("None", None, None, None)


def ask(**more: Any) -> ResultQuery:
    return ResultQuery(**{"job_id": "j'1", "success": SUCCESS, "checks_registry": False, **more})


def hub(*answers: Response) -> tuple[HubClient, TransportDouble]:
    transport = TransportDouble(in_turn(*answers))
    return HubClient(HubTarget(host="h"), transport), transport


def test_the_state_is_asked_of_the_hub_and_the_error_class_picked_here() -> None:
    client, transport = hub(response([failed("DeviceNotOnline"), failed("GatewayTimeout")]))
    (page,) = read(client, ask(statuses=("failed",), error_classes=frozenset((ErrorClass.TIMEOUT,))))
    assert [row.error_code for row in page.rows] == ["GatewayTimeout"]
    assert transport.requests[0].body["query"] == (
        "SELECT * FROM devices.jobs WHERE jobId = 'j\\'1' AND status = 'failed'"
    )


def test_rows_of_several_states_and_error_classes_are_asked_for_at_once() -> None:
    client, transport = hub(response([failed("DeviceNotOnline"), failed("GatewayTimeout"), RECORD]))
    classes = frozenset((ErrorClass.TIMEOUT, ErrorClass.OFFLINE))
    (page,) = read(client, ask(statuses=("failed", "pending"), error_classes=classes))
    assert [row.error_code for row in page.rows] == ["DeviceNotOnline", "GatewayTimeout"]
    assert transport.requests[0].body["query"].endswith(" AND status IN ['failed', 'pending']")


def test_pages_follow_each_other_and_any_of_them_may_be_the_first() -> None:
    client, _ = hub(response([RECORD], x_ms_continuation="t1"), response([RECORD, RECORD]))
    assert [(len(page.rows), page.next_token) for page in read(client, ask())] == [(1, "t1"), (2, "")]
    client, transport = hub(response([RECORD]))
    assert len(list(read(client, ask(), "t1"))) == 1
    assert transport.requests[0].headers["x-ms-continuation"] == "t1"


def test_devices_that_are_gone_are_marked() -> None:
    records = [{**RECORD, "deviceId": name} for name in ("a", "b", "a")]
    client, transport = hub(response(records), response([{"deviceId": "a"}]))
    (page,) = read(client, ask(checks_registry=True))
    assert [row.is_deleted for row in page.rows] == [False, True, False]
    assert transport.requests[1].body["query"] == "SELECT deviceId FROM devices WHERE deviceId IN ['a', 'b']"


def test_long_ids_are_looked_up_in_queries_that_fit() -> None:
    records = [{**RECORD, "deviceId": f"{number:0128}"} for number in range(100)]

    def answer(request: Request) -> Response:
        assert len(request.body["query"]) <= 8192
        return response(records if "devices.jobs" in request.body["query"] else [])

    transport = TransportDouble(answer)
    (page,) = read(HubClient(HubTarget(host="h"), transport), ask(checks_registry=True))
    assert all(row.is_deleted for row in page.rows) and len(transport.requests) == 3


def test_the_smallest_tier_gives_twenty_pages_a_minute() -> None:
    assert expected_minutes(2_000, checks_registry=False) == 1
    assert expected_minutes(2_001, checks_registry=True) == pytest.approx(2.1)


def answered(status: int, payload: Any) -> dict[str, Any]:
    return {**RECORD, "outcome": {"deviceMethodResponse": {"status": status, "payload": payload}}}


def test_a_summary_counts_states_reasons_and_equal_answers() -> None:
    rows = [answered(200, {"a": 1, "b": 2}), answered(200, {"b": 2, "a": 1}), answered(500, None)]
    rows += [failed("GatewayTimeout"), {**RECORD, "status": "pending", "outcome": {}}]
    client, _ = hub(response(rows))
    found = summarise(client, ask())
    assert found.by_status == {"completed": 3, "failed": 1, "pending": 1}
    assert found.by_error_class == {ErrorClass.REJECTED: 1, ErrorClass.TIMEOUT: 1}
    assert [(each.method_status, each.payload, each.count) for each in found.answers] == [
        (200, {"a": 1, "b": 2}, 2),
        (500, None, 1),
    ]
    assert found.other_answer_count == 0


def test_what_simulated_devices_tell_back_by_default_is_one_answer_whatever_the_calls_ids() -> None:
    told = [{"methodName": "ping", "methodRequestId": str(number), "methodRequestPayload": 7} for number in range(3)]
    client, _ = hub(response([answered(200, each) for each in told]))
    assert [(each.payload, each.count) for each in summarise(client, ask()).answers] == [
        ({"methodName": "ping", "methodRequestPayload": 7}, 3),
    ]


def test_answers_that_are_all_different_are_told_apart_up_to_a_bound() -> None:
    client, _ = hub(response([answered(200, number) for number in range(MAX_ANSWERS + 7)]))
    found = summarise(client, ask())
    assert (len(found.answers), found.other_answer_count) == (MAX_ANSWERS, 7)


MANY = 1_000_000 if IN_FULL else 50_000
READS_MANY = """
import json, re, sys
from azext_iotjobs.cli.output.row_output import RowTarget
from azext_iotjobs.cli.output.row_writer import write
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.cli.output.result_columns import COLUMNS
from azext_iotjobs.cli.output.result_rows import render_result
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.operations.job.results import read
from tests.helpers.transport_double import TransportDouble
from azext_iotjobs.transport.http import Response
from tests.operations.job.test_results import RECORD, ask

rows, many = json.dumps([RECORD] * 100).encode(), int(sys.argv[1])

class Hub:
    def send(self, request):
        given = int(request.headers.get("x-ms-continuation", 0)) + 100
        return Response(status=200, headers={"x-ms-continuation": str(given)} if given < many else {}, body=rows)

client = HubClient(HubTarget(host="h"), Hub())
target = RowTarget(path=sys.argv[2], form="csv", columns=COLUMNS, request="j", overwrites=False)
def pages(token):
    for page in read(client, ask(), token):
        yield [render_result(row) for row in page.rows], page.next_token

count = write(target, pages)
print(count, re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the peak of one program's memory")
def test_a_million_rows_are_written_in_less_than_150_mb(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", READS_MANY, str(MANY), str(tmp_path / "f")], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    count, peak_kb = map(int, ran.stdout.split())
    assert count == MANY and peak_kb < 150 * 1024
