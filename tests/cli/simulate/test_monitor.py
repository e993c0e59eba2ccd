"""Three devices, monitored on a clock moved by hand: what ends the run, what is shown, and its result."""

import json
import logging
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from knack.output import format_table
from knack.util import CommandResultItem

from azext_iotjobs.cli.commands import table_of
from azext_iotjobs.cli.simulate import monitor
from azext_iotjobs.cli.simulate.options import SimulateOptions
from azext_iotjobs.model.errors import BadValue, Unauthorized, UserError
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.operations.simulate.event_loop import Summary
from azext_iotjobs.simulator.events import Activity, ActivityKind
from tests.helpers.clock_double import ClockDouble

DEVICES = ("a", "b", "c")
FAILED = Unauthorized("The hub refused c.", status=401)


class MonitoredRun:
    """A monitor, and devices that do what a test says."""

    def __init__(self, **typed: Any) -> None:
        self.clock = ClockDouble()
        self.stop = threading.Event()
        plan = monitor.read(SimulateOptions(**typed))
        plan.check(len(DEVICES))
        self._open = ExitStack()
        sinks = self._open.enter_context(monitor.open_sinks(plan))
        self.monitor = self._open.enter_context(monitor.monitoring(plan, sinks, DEVICES, self.clock, self.stop))

    def close(self) -> None:
        self._open.close()

    def saw(self, what: ActivityKind, *devices: str, **details: Any) -> None:
        for device in devices or DEVICES:
            self.monitor.on_activity(device, Activity(kind=what, details=details))

    def answer(self, name: str, *devices: str, status: int = 200, after_s: float = 0.5) -> None:
        self.saw(ActivityKind.METHOD, *devices, rid="1", name=name, payload=None)
        self.clock.sleep(after_s)
        self.saw(ActivityKind.ANSWER, *devices, rid="1", name=name, status=status, payload=None)

    def end(self, **failures: Any) -> tuple[dict[str, Any], Outcome]:
        summary = Summary(sent_count=0, acknowledged_count=0, failures=failures, was_stopped=False)
        result = self.monitor.end(summary)
        self.close()
        return result


@pytest.fixture(autouse=True)
def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    caplog.set_level(logging.WARNING)
    return caplog.messages


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_run_with_expectations_ends_when_all_are_decided(caplog: pytest.LogCaptureFixture) -> None:
    run = MonitoredRun(expect=["connected on all within 5s", "method reboot on all within 60s"])
    run.saw(ActivityKind.READY)
    assert not run.monitor.is_set()
    run.answer("reboot", "a", "b")
    assert not run.monitor.is_set()
    run.clock.sleep(59.0)
    assert not run.monitor.is_set()
    run.clock.sleep(0.6)
    assert run.monitor.is_set()
    result, outcome = run.end()
    assert outcome is Outcome.DEVICES_FAILED
    assert result["endedBy"] == "expectations"
    connected, reboot = result["expectations"]
    assert (connected["cameTrue"], connected["decidedAfterSeconds"]) == (True, 0.0)
    assert reboot == {
        "expectation": "method reboot on all within 60s",
        "cameTrue": False,
        "decidedAfterSeconds": 60.0,
        "devicesNeeded": 3,
        "devicesTrue": 2,
        "reason": "not in time",
        "missingCount": 1,
        "missing": ["c"],
    }
    assert "NOT true (not in time): method reboot on all within 60s" in caplog.text
    assert "Not of: c" in caplog.text


def test_until_ends_a_run_and_expectations_that_are_undecided_then_have_not_come_true() -> None:
    run = MonitoredRun(until=["10s"], expect=["method x on 1", "connected on 1"])
    run.saw(ActivityKind.READY)
    run.clock.sleep(9.9)
    assert not run.monitor.is_set()
    run.clock.sleep(0.1)
    assert run.monitor.is_set()
    result, outcome = run.end()
    assert (result["endedBy"], outcome) == ("until 10s", Outcome.DEVICES_FAILED)
    assert [each["cameTrue"] for each in result["expectations"]] == [False, True]
    assert result["expectations"][0]["reason"] == "not before the end"


def test_the_verdict_counts_and_not_the_devices_that_gave_up() -> None:
    run = MonitoredRun(expect=["method x on 2"])
    run.saw(ActivityKind.REFUSED, "c", reason="no")
    run.answer("x", "a", "b")
    assert run.monitor.is_set()
    result, outcome = run.end(c=FAILED)
    assert outcome is Outcome.SUCCESS
    assert result["gaveUp"] == [{"deviceId": "c", "error": "The hub refused c."}]
    run = MonitoredRun()
    assert run.end(c=FAILED)[1] is Outcome.DEVICES_FAILED, "without expectations they do"


def test_a_run_without_conditions_goes_on_until_it_is_stopped() -> None:
    run = MonitoredRun()
    run.clock.sleep(1e6)
    assert not run.monitor.is_set()
    run.stop.set()
    assert run.monitor.is_set()
    result, outcome = run.end()
    assert (result["endedBy"], outcome) == ("stopped", Outcome.SUCCESS)


def test_the_result_and_its_table_hold_everything(tmp_path: Path) -> None:
    expected = ["method reboot on 50%", "twin reported.fw = 2 on all"]
    run = MonitoredRun(expect=expected, until=["3 methods"], events=str(tmp_path / "e"))
    run.saw(ActivityKind.READY)
    run.answer("reboot", "a", "b")
    run.answer("lock\x1b[2J", "c", status=500, after_s=2.0)
    run.saw(ActivityKind.REPORT, "a", rid="9", patch={"fw": 2})
    run.saw(ActivityKind.REPORT_ACCEPTED, "a", rid="9", status=204)
    run.saw(ActivityKind.SENT, number=1)
    run.saw(ActivityKind.ACKNOWLEDGED, "a", "b", number=1)
    run.saw(ActivityKind.LOST, "c", retry_in_s=1.0)
    assert run.monitor.is_set()
    result, outcome = run.end()
    assert outcome is Outcome.DEVICES_FAILED
    assert result["seconds"] == 2.5
    assert result["devices"] == {
        "count": 3,
        "absent": 0,
        "connectedAtEnd": 2,
        "allConnectedAfterSeconds": 0.0,
        "gaveUp": 0,
    }
    assert result["messages"] == {"sent": 3, "acknowledged": 2, "perSecond": 0.8}
    assert result["methods"]["byName"] == [
        {"name": "reboot", "received": 2, "answered": 2, "statuses": {"200": 2}},
        {"name": "lock\x1b[2J", "received": 1, "answered": 1, "statuses": {"500": 1}},
    ]
    latency = result["methods"]["answerSeconds"]
    assert latency == {
        "mean": 1.0,
        "p50": pytest.approx(0.5, rel=0.01),
        "p99": pytest.approx(2.0, rel=0.01),
        "max": 2.0,
    }
    assert result["trouble"] == [{"kind": "lost", "count": 1, "firstDevices": ["c"], "firstReason": None}]
    table = format_table(
        CommandResultItem(result, table_transformer=lambda rows: table_of("iot device simulate", rows))
    ).splitlines()
    assert all(line.isprintable() for line in table)
    cells = [line.split() for line in table]
    assert ["devices", "connected", "at", "the", "end", "2", "of", "3", "all", "after", "0.0", "s"] in cells
    assert ["method", "reboot", "2", "of", "2", "200:", "2"] in cells
    assert any(line[:1] == ["expectation"] and "TRUE" in line and line[-3:] == ["of", "b,", "c"] for line in cells)
    written = lines(tmp_path / "e")
    assert [line["device"] for line in written if line["event"] == "method"] == ["a", "b", "c"]
    assert [line["device"] for line in written if line["event"] == "missing"] == ["b", "c"]
    json.dumps(result)


def test_only_the_first_trouble_of_each_kind_is_shown_and_it_is_escaped(caplog: pytest.LogCaptureFixture) -> None:
    run = MonitoredRun()
    for second in range(35):
        run.saw(ActivityKind.NOT_CONNECTED, "a\x1b", reason=f"\x1b[31mno {second}", retry_in_s=1.0)
        if second == 5:
            run.saw(ActivityKind.READY)
        run.clock.sleep(1)
        run.monitor.is_set()
    run.end()
    assert len(caplog.messages) == 5, "the first trouble of its kind, all connected, and a line each ten seconds"
    assert "no 0" in caplog.messages[0]
    assert caplog.messages[1] == "All 3 devices are connected, after 5.0 s."
    assert caplog.messages[-1].endswith("not connected 30")
    assert all(message.isprintable() for message in caplog.messages)


def test_devices_that_never_connect_are_not_waited_for_but_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    run = MonitoredRun(expect=["connected on 2", "connected on all"])
    run.saw(ActivityKind.ABSENT, "c")
    run.saw(ActivityKind.READY, "a", "b")
    assert "All 3 devices but the 1 that their behaviour keeps off line are connected" in caplog.text
    assert run.monitor.is_set(), "all is decided: they never come"
    result, _ = run.end()
    assert [each["cameTrue"] for each in result["expectations"]] == [True, False]
    assert result["expectations"][1]["reason"] == "too few devices are left"
    assert result["devices"]["absent"] == 1


def test_a_reason_that_comes_later_is_shown_once(caplog: pytest.LogCaptureFixture) -> None:
    run = MonitoredRun()
    run.saw(ActivityKind.LOST, "a", "b", retry_in_s=1.0)
    run.saw(ActivityKind.LOST, "b", "c", retry_in_s=1.0, reason="perhaps another client")
    run.saw(ActivityKind.LOST, "c", retry_in_s=1.0, reason="something else")
    run.end()
    assert [message.partition(". Others")[0] for message in caplog.messages] == [
        "a: connection lost",
        "b: connection lost (perhaps another client)",
    ]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"expect": ["method x on 4"]}, "this run has 3"),
        ({"until": ["method x on 4"]}, "this run has 3"),
        ({"expect": ["soon"]}, "--expect"),
        ({"until": ["soon"]}, "--until"),
        ({"overwrite": True}, "--overwrite needs --events"),
        ({"metrics_bind": "0.0.0.0"}, "--metrics-bind needs --metrics-port"),
        ({"metrics_port": 65536}, "--metrics-port 65536"),
        ({"metrics_port": -1}, "--metrics-port -1"),
        ({"events": "-"}, "stdout is for"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_opened(typed: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match="--|needs") as raised:
        MonitoredRun(**typed)
    assert said in str(raised.value)


def test_a_disk_that_is_full_ends_the_run_with_an_error() -> None:
    run = MonitoredRun(events="/dev/full")
    with pytest.raises(BadValue, match="No space left"):
        run.saw(ActivityKind.METHOD, rid="1", name="x", payload=None)
    run.close()
