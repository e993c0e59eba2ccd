"""Many calls at the door: what stderr says, and that no row is lost when the hub says no in the middle."""

import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from azext_iotjobs.cli.method import invoke_many
from azext_iotjobs.cli.method.progress import MAX_ROWS, CallProgress, how_far
from azext_iotjobs.cli.output.device_row_line import MAX_FAILURES, SHOWN_CHARACTERS, short_row
from azext_iotjobs.cli.output.result_columns import CALL_COLUMNS
from azext_iotjobs.cli.output.row_output import RowTarget
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import ConflictingChoice, Unauthorized
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.outcome import parse_success_status
from azext_iotjobs.model.result import DeviceResult, ErrorClass
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.operations.method.invoke_many import CallPlan
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.clock_double import START, ClockDouble
from tests.helpers.transport_double import TransportDouble, response


def row(device: str = "d", answer: int | None = 200, payload: Any = None, **more: Any) -> DeviceResult:
    given: dict[str, Any] = {
        "module_id": None,
        "status": "completed",
        "error_class": None,
        "error_code": None,
        "error_text": None,
        "started_at": None,
        "finished_at": None,
        **more,
    }
    return DeviceResult(device_id=device, method_status=answer, payload=payload, **given)


def failed(device: str = "d") -> DeviceResult:
    return row(device, None, status="failed", error_class=ErrorClass.OFFLINE, error_text="not there")


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (row("pump-1", 200, {"ok": True}), 'pump-1 200 {"ok": true}'),
        (row("pump-1", 200, None, module_id="m"), "pump-1/m 200 null"),
        (row("p\x1b[2J", 500, "\x1b]0;x\x07\n\u009b1mé"), 'p [2J 500 "\\u001b]0;x\\u0007\\n 1mé"'),
        (failed("pump-2"), "pump-2 offline: not there"),
        (row("d", 200, "x" * 1000), f'd 200 "{"x" * (SHOWN_CHARACTERS - 1)}…'),
    ],
)
def test_a_row_is_short_and_cannot_steer_a_terminal(result: DeviceResult, line: str) -> None:
    assert short_row(result) == line


@pytest.mark.parametrize(
    ("numbers", "line"),
    [
        ((120, 500, 3, 3.0), "120/500 called, 3 failed, 40.0 a second, 10 s left"),
        ((120, None, 0, 60.0), "120 called, 0 failed, 2.0 a second"),
        ((0, 500, 0, 0.0), "0/500 called, 0 failed, 0.0 a second"),
        ((501, 500, 0, 1.0), "501/500 called, 0 failed, 501.0 a second, 0 s left"),
    ],
)
def test_progress_is_one_line(numbers: tuple[int, int | None, int, float], line: str) -> None:
    assert how_far(*numbers) == line


@pytest.mark.parametrize(("shows_rows", "shown"), [(True, MAX_ROWS + MAX_FAILURES + 1), (False, MAX_FAILURES + 1)])
def test_thousands_of_rows_do_not_flood_stderr(said: pytest.LogCaptureFixture, shows_rows: bool, shown: int) -> None:
    progress = CallProgress(None, ClockDouble(), shows_rows=shows_rows, is_silent=False)
    for number in range(3 * MAX_ROWS):
        progress.row(failed() if number % 2 else row())
    assert len(said.messages) == shown and said.messages[-1] == "More rows are not shown here."
    progress.end("f.csv")
    assert "1500 succeeded, 1500 failed (offline 1500). Rows written to f.csv." in said.messages[-1]


def test_where_no_line_can_change_it_says_every_half_minute_how_far_it_is(said: pytest.LogCaptureFixture) -> None:
    clock = ClockDouble()
    progress = CallProgress(100, clock, shows_rows=False, is_silent=False)
    for _ in range(61):
        clock.sleep(1)
        progress.row(row())
    assert said.messages == [
        "30/100 called, 0 failed, 1.0 a second, 70 s left",
        "60/100 called, 0 failed, 1.0 a second, 40 s left",
    ]


def test_it_says_what_was_called_apart_from_what_is_verified(said: pytest.LogCaptureFixture) -> None:
    clock = ClockDouble()
    progress = CallProgress(3, clock, shows_rows=False, is_silent=False)
    clock.sleep(1)
    progress.verifying(1, 600)
    clock.sleep(1)
    progress.verifying(3, 599)
    clock.sleep(28)
    progress.verifying(3, 571)
    progress.row(row("a", 202, verified_at=START))
    late = {"error_class": ErrorClass.NOT_VERIFIED, "error_text": "It was operated."}
    progress.row(row("b", 202, status="failed", **late))
    progress.row(row("c", 202, status="verifying"))
    progress.end(None)
    assert said.messages == [
        "3 called, 0 failed, 1.5 a second, 3 verifying, for 571 s at most",
        "b not-verified: It was operated.",
        "3 called in 2.0 s (1.5 a second), verified in 30.0 s: 1 succeeded, 1 failed (not-verified 1), "
        "1 still verifying.",
    ]


def a_plan(path: Path, **more: Any) -> invoke_many.InvokePlan:
    plan = CallPlan(call=MethodCall(name="m"), success=parse_success_status("200"), concurrency=1)
    target = RowTarget(path=str(path), form="json", columns=CALL_COLUMNS, request="calls", overwrites=False)
    given = {"plan": plan, "columns": CALL_COLUMNS, "target": target, "groups_equal": False, "max_devices": None}
    return invoke_many.InvokePlan(**{**given, "dry_run": False, "exit_zero": False, **more})


CMD = SimpleNamespace(cli_ctx=SimpleNamespace(only_show_errors=True))
DEVICES = Selection(device_ids=tuple(map(str, range(20))))


def test_rows_are_in_the_file_when_the_hub_refuses_in_the_middle(
    tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    lock, left = threading.Lock(), [response({"status": 200, "payload": None})] * 7

    def answer(_request: Request) -> Response:
        with lock:
            return left.pop() if left else response({}, status=401)

    client = HubClient(HubTarget(host="h"), TransportDouble(answer))
    with pytest.raises(Unauthorized):
        invoke_many.call(CMD, client, DEVICES, None, a_plan(tmp_path / "f"))
    assert [each["deviceId"] for each in json.loads((tmp_path / "f").read_text())] == list("0123456")
    assert any("13 devices were not called" in each for each in said.messages)
    assert [each.name for each in tmp_path.iterdir()] == ["f"]


def test_a_file_that_is_there_keeps_everybody_from_being_called(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("mine")
    transport = TransportDouble(lambda _request: response({}))
    with pytest.raises(ConflictingChoice, match="already exists"):
        invoke_many.call(CMD, HubClient(HubTarget(host="h"), transport), DEVICES, None, a_plan(tmp_path / "f"))
    assert transport.requests == [] and (tmp_path / "f").read_text() == "mine"
