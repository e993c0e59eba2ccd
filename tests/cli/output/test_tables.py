"""What -o table shows of each kind of result, printed by az's own formatter."""

import re
from collections import OrderedDict
from typing import Any

import pytest
from knack.output import format_table
from knack.util import CLIError, CommandResultItem

from azext_iotjobs.cli.commands import all_commands, table_of
from azext_iotjobs.cli.output.cells import CELL, printable
from azext_iotjobs.cli.output.tables import device_rows
from tests.helpers.surface import our_arguments

JOB = {
    "jobId": "fw-7",
    "type": "scheduleDeviceMethod",
    "status": "running",
    "startTime": "2026-05-01T08:00:00.1234567Z",
    "endTime": "9999-12-31T23:59:59.9999999Z",
    "queryCondition": "*",
    "deviceJobStatistics": {
        "deviceCount": 5,
        "succeededCount": 3,
        "failedCount": 1,
        "runningCount": 1,
        "pendingCount": 0,
    },
}
TWIN = {
    "deviceId": "pump-1",
    "etag": "AAA=",
    "status": "enabled",
    "connectionState": "Connected",
    "version": 7,
    "tags": {"site": "north"},
    "lastActivityTime": "0001-01-01T00:00:00Z",
    "authenticationType": "sas",
    "capabilities": {"iotEdge": False},
    "properties": {
        "desired": {"fan": 5, "$metadata": {"fan": {}}, "$version": 2},
        "reported": {"text": "x" * 300, "$metadata": {}, "$version": 1},
    },
}
SCREEN = 200  # characters of a wide terminal


def printed(command: str, result: Any) -> list[str]:
    text: str = format_table(CommandResultItem(result, table_transformer=lambda rows: table_of(command, rows)))
    return text.splitlines()


def rows(command: str, result: Any) -> list[list[str]]:
    """Headings and cells, where no cell holds two spaces."""
    heading, _, *lines = printed(command, result)
    return [line.split() for line in (heading, *lines)]


def test_a_job_shows_its_counts_and_no_end_before_its_end() -> None:
    assert rows(
        "iot hub job list", [{"jobId": "x", "type": "export", "status": "completed", "progress": 100}, JOB]
    ) == [
        ["JobId", "Type", "Status", "Start", "Devices", "Answered", "Failed", "Running", "Pending", "Progress"],
        ["x", "export", "completed", "100"],
        ["fw-7", "scheduleDeviceMethod", "running", "2026-05-01T08:00:00Z", "5", "3", "1", "1", "0"],
    ]


@pytest.mark.parametrize("command", ["iot hub job list", "iot hub job show", "iot hub job wait", "iot hub job create"])
def test_devices_that_answered_a_method_are_not_said_to_have_succeeded(command: str) -> None:
    twins = {**JOB, "jobId": "tw", "type": "scheduleUpdateTwin"}
    alone = rows(command, [JOB])
    assert "Answered" in alone[0] and "Succeeded" not in alone[0]
    assert "Succeeded" in (other := rows(command, [twins])[0]) and "Answered" not in other
    both = rows(command, [JOB, twins])[0]
    assert "Answered" in both and "Succeeded" in both


def test_a_summary_is_a_line_for_each_count() -> None:
    summary = {
        "byStatus": {"completed": 3},
        "byErrorClass": {"offline": 1},
        "answers": [{"status": 200, "payload": {"ok": True}, "count": 3}],
        "otherAnswers": 2,
    }
    assert [re.split(" {2,}", line)[1:] for line in printed("iot hub job show", {**JOB, "summary": summary})[2:]] == [
        ["status", "completed", "3"],
        ["error class", "offline", "1"],
        ["answer", '200 {"ok":true}', "3"],
        ["answer", "others", "2"],
    ]


def test_a_twin_is_one_line_that_fits() -> None:
    heading, _, line = printed("iot hub device-twin show", TWIN)
    assert heading.split() == ["DeviceId", "Status", "Connection", "Version", "Tags", "Desired", "Reported"]
    assert '{"site":"north"}' in line
    assert '{"fan":5}' in line
    assert line.rstrip().endswith("…")
    assert len(line) < SCREEN
    assert printed("iot hub query", [TWIN]) == printed("iot hub device-twin list", [TWIN])


def test_a_device_shows_no_key() -> None:
    identity = {**TWIN, "authentication": {"type": "sas", "symmetricKey": {"primaryKey": "c2VjcmV0"}}}
    assert rows("iot hub device-identity show", identity) == [
        ["DeviceId", "Status", "Connection", "SignIn", "Edge"],
        ["pump-1", "enabled", "Connected", "sas", "false"],
    ]
    hub = {"hostName": "localhost:8443", "connectionString": "SharedAccessKey=c2VjcmV0", "pid": 7}
    assert "c2VjcmV0" not in "".join(printed("iot local-hub show", hub))


@pytest.mark.parametrize(
    "command", ["iot edge set-modules", "iot hub device-identity renew-key", "iot hub device-identity parent show"]
)
def test_a_table_of_identities_shows_no_key(command: str) -> None:
    identity = {"deviceId": "gw", "moduleId": "camera", "authentication": {"symmetricKey": {"primaryKey": "c2VjcmV0"}}}
    shown = "".join(printed(command, [identity]))
    assert "camera" in shown and "c2VjcmV0" not in shown


def test_an_export_that_has_begun_is_a_line_of_a_job() -> None:
    job = {"jobId": "x", "type": "export", "status": "enqueued", "outputBlobName": "devices.txt", "progress": 0}
    assert rows("iot hub device-identity export", job) == [
        ["JobId", "Type", "Status", "Output"],
        ["x", "export", "enqueued", "devices.txt"],
    ]


def test_what_a_query_selects_is_flattened_and_keeps_its_order() -> None:
    found = [{"n": 1, "tags": {"b": {"c": True}}}, {"n": 2.0, "list": [1], "deep": {"a": {"b": {"c": 1}}}}]
    assert rows("iot hub query", found) == [
        ["N", "Tags.b.c", "List", "Deep.a.b"],
        ["1", "true"],
        ["2.0", "[1]", '{"c":1}'],
    ]


def test_records_of_devices_jobs_show_answers_and_errors() -> None:
    outcome = {"deviceMethodResponse": {"status": 200, "payload": {"ok": True}}}
    found = [
        {"deviceId": "a", "jobId": "j", "status": "completed", "outcome": outcome},
        {"deviceId": "b", "jobId": "j", "status": "failed", "outcome": {}, "error": {"code": "DeviceNotOnline"}},
    ]
    assert rows("iot hub query", found) == [
        ["JobId", "DeviceId", "Status", "MethodStatus", "Payload", "Error"],
        ["j", "a", "completed", "200", '{"ok":true}'],
        ["j", "b", "failed", "DeviceNotOnline"],
    ]


def test_more_columns_than_a_screen_takes_are_left_out_aloud(caplog: pytest.LogCaptureFixture) -> None:
    heading, *_ = printed("iot hub query", [{f"c{number}": number for number in range(30)}])
    assert len(heading.split()) == 12
    assert "12 of 30 columns" in caplog.text and '--query "[].{a:c12}"' in caplog.text


def test_columns_of_one_document_are_chosen_without_a_list(caplog: pytest.LogCaptureFixture) -> None:
    printed("iot hub device-identity parent show", {f"c{number}": number for number in range(30)})
    assert '--query "{a:c12}"' in caplog.text


@pytest.mark.parametrize(
    "result",
    [
        {"\x1b[2J": "\x1b[31mred\r\n\u202e", "jobId": "\x07", "deviceId": "\x9b", "status": "\ud800", "data": "\n"},
        {**TWIN, "tags": {"\x1b": "\x7f"}, "etag": "\x1b]0;title\x07", "hostName": "\x1b", "dataDirectory": "\x1b"},
        [{**JOB, "failureReason": "\x1b[31m", "summary": {"byStatus": {"\x1b": 1}, "answers": [{"payload": "\r"}]}}],
        "\x1b[31m",
    ],
)
def test_nothing_that_a_device_says_moves_the_cursor(result: Any) -> None:
    for command in (*our_arguments(), "iot hub a command of tomorrow"):
        lines = printed(command, result)
        assert all(line.isprintable() for line in lines), (command, lines)


@pytest.mark.parametrize("result", [[], {}, [{}], [None], [1], [[1]], {"summary": {}}, {"properties": 5, "tags": []}])
def test_no_shape_of_a_result_breaks_a_table(result: Any) -> None:
    for command in our_arguments():
        try:
            printed(command, result)
        except CLIError:  # az's own, where there is nothing to show
            assert table_of(command, result) == [{}], command


def test_every_view_is_of_a_command_that_there_is() -> None:
    assert {words for words, _, row in all_commands() if row.view} <= set(our_arguments())


def test_what_query_picks_keeps_its_order_and_numbers() -> None:
    assert list(printable(OrderedDict([("b", 1), ("a\n", ["\x1b", None])])).items()) == [
        ("b", 1),
        ("a\\n", ["\\x1b", None]),
    ]


def test_the_answer_of_one_device_has_what_became_of_its_verification() -> None:
    result = {"deviceId": "d", "status": "failed", "errorCode": "NotInTime", "reported": {"fw": 1}}
    answer = {"status": 202, "payload": None, "verification": {"condition": "fw = 2", "result": result}}
    [row] = table_of("iot hub invoke-device-method", answer)
    assert (row["Status"], row["Verification"], row["ErrorCode"]) == ("202", "failed", "NotInTime")


def test_a_reason_is_whole_and_another_long_value_is_cut() -> None:
    row = {"deviceId": "a", "errorText": f"{'why ' * 40}not", "payload": "answer " * 40}
    (cells,) = device_rows([row])
    assert cells["ErrorText"] == row["errorText"]
    assert len(cells["Payload"]) <= CELL and cells["Payload"].endswith("…")
