"""Expectations of many simulated devices, and what a run writes meanwhile: with the real az, as in a pipeline."""

import json
import os
import pty
import re
import signal
import subprocess
import threading
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.conftest import ScenarioHub
from tests.helpers import prometheus
from tests.helpers.az import AZ
from tests.helpers.waiting import wait_until

METRICS = re.compile(r"http://127\.0\.0\.1:\d+/metrics")


class Run:
    """A simulation that runs beside the test."""

    def __init__(self, hub: ScenarioHub, folder: Path, prefix: str, count: int, *options: str) -> None:
        self.events_path = folder / "events.jsonl"
        self._output = folder / "out"
        self.process = hub.az.start(
            f"iot device simulate -n {hub.name} --prefix {prefix} --count {count} --create --delete-after",
            "--events",
            str(self.events_path),
            *options,
            output=self._output,
        )

    @property
    def said(self) -> str:
        return Path(f"{self._output}.err").read_text()

    def wait_for(self, text: str) -> None:
        wait_until(f"it says: {text}", lambda: text in self.said or self.process.poll() is not None)
        assert text in self.said

    def end(self) -> tuple[int, dict[str, Any]]:
        code = self.process.wait(60)
        return code, json.loads(self._output.read_text() or "null")

    def events(self, kind: str) -> list[dict[str, Any]]:
        lines = self.events_path.read_text(encoding="ascii").splitlines()
        return [line for line in map(json.loads, lines) if line["event"] == kind]


@contextmanager
def running(hub: ScenarioHub, folder: Path, prefix: str, count: int, *options: str) -> Iterator[Run]:
    run = Run(hub, folder, prefix, count, *options)
    try:
        run.wait_for(f"All {count} devices are connected")
        yield run
    finally:
        if run.process.poll() is None:
            run.process.send_signal(signal.SIGINT)
            run.process.wait(60)


def job(hub: ScenarioHub, job_id: str, *devices: str) -> dict[str, Any]:
    return dict(
        hub.az.json(
            f"iot hub job create -n {hub.name} --job-id {job_id} --job-type scheduleDeviceMethod "
            "--method-name reboot --wait",
            "--method-payload",
            '{"delay": 5}',
            "--device-ids",
            ",".join(devices),
        )
    )


def test_if_all_come_true_the_code_is_0_and_events_and_metrics_count_what_a_job_did(
    hub: ScenarioHub, tmp_path: Path
) -> None:
    names = [f"vt-{number}" for number in range(1, 6)]
    expected = ("--expect", "method reboot on all within 90s", "--expect", "connected on 100% within 30s")
    options = (*expected, "--until", "method done on all", "--metrics-port", "0")
    with running(hub, tmp_path, "vt-", 5, *options) as run:
        found = METRICS.search(run.said)
        assert found is not None
        assert job(hub, "verdict-true", *names)["deviceJobStatistics"]["succeededCount"] == 5

        def scraped() -> dict[str, prometheus.Family]:
            return prometheus.parse(requests.get(found[0], timeout=10).text)

        def calls() -> float:
            samples = scraped()["iotjobs_simulator_method_calls_total"].samples
            return samples.get(("", (("method", "reboot"),)), 0.0)

        wait_until("the job's calls are in the metrics", lambda: calls() == 5)
        assert scraped()["iotjobs_simulator_devices_connected"].value() == 5
        assert requests.get(found[0].removesuffix("metrics"), timeout=10).status_code == 404
        words = ("--device-ids", ",".join(names), "--method-name", "done")
        assert hub.az.run(f"iot hub invoke-device-method -n {hub.name}", *words).code == 0
        code, result = run.end()
    assert code == 0, run.said
    assert result["endedBy"] == "until method done on all"
    assert [each["cameTrue"] for each in result["expectations"]] == [True, True]
    assert {each["name"]: each["answered"] for each in result["methods"]["byName"]} == {"reboot": 5, "done": 5}
    assert 0 < result["methods"]["answerSeconds"]["p50"] <= result["methods"]["answerSeconds"]["p99"] < 30
    received = Counter((line["device"], line["name"]) for line in run.events("method"))
    assert received == Counter((name, method) for name in names for method in ("reboot", "done"))
    assert {json.dumps(line["payload"]) for line in run.events("method") if line["name"] == "reboot"} == {
        '{"delay": 5}'
    }
    assert len(run.events("answer")) == 10


def test_if_one_does_not_come_true_the_code_is_4_and_the_result_names_the_devices(
    hub: ScenarioHub, tmp_path: Path
) -> None:
    report = tmp_path / "report.xml"
    expected = ("--expect", "method reboot on all within 10m", "--report", str(report))
    with running(hub, tmp_path, "vf-", 4, *expected) as run:
        job(hub, "verdict-false", "vf-2", "vf-4")
        run.process.send_signal(signal.SIGINT)
        code, result = run.end()
    assert code == 4
    (verdict,) = result["expectations"]
    assert (verdict["cameTrue"], verdict["reason"], verdict["devicesTrue"]) == (False, "not before the end", 2)
    assert (verdict["missingCount"], verdict["missing"]) == (2, ["vf-1", "vf-3"])
    assert "NOT true" in run.said and "vf-1, vf-3" in run.said
    assert [line["device"] for line in run.events("missing")] == ["vf-1", "vf-3"]
    failure = ElementTree.parse(report).getroot().find("testsuite/testcase/failure")
    assert failure is not None and "missing: vf-1, vf-3" in str(failure.text)
    assert result["creation"]["deleted"] == 4, "what the run made goes, whatever the verdict"


def test_a_killed_run_has_every_call_that_was_answered_in_its_events(hub: ScenarioHub, tmp_path: Path) -> None:
    with running(hub, tmp_path, "vk-", 3) as run:
        assert job(hub, "verdict-kill", "vk-1", "vk-2", "vk-3")["deviceJobStatistics"]["succeededCount"] == 3
        os.kill(run.process.pid, signal.SIGKILL)
        run.process.wait(30)
    assert {line["device"] for line in run.events("method")} == {"vk-1", "vk-2", "vk-3"}
    hub.az.json(f"iot device simulate -n {hub.name} --clean-up")


def test_on_a_terminal_one_line_is_rewritten_and_what_a_caller_sends_moves_no_cursor(
    hub: ScenarioHub, tmp_path: Path
) -> None:
    """stderr is a terminal, stdout a file."""
    hub.new_device("vl-1")
    ours, theirs = pty.openpty()
    words = (
        "iot",
        "device",
        "simulate",
        "-n",
        hub.name,
        "--device-ids",
        "vl-1",
        "--until",
        "all methods",
        "-o",
        "table",
    )
    with open(tmp_path / "out", "wb") as output:
        process = subprocess.Popen(
            [str(AZ), *words], stdout=output, stderr=theirs, env=hub.az.environment, cwd=hub.az.config_dir
        )
    os.close(theirs)
    shown = bytearray()
    reader = threading.Thread(target=_read_all, args=(ours, shown))
    reader.start()
    wait_until("the line is there", lambda: b"\r1 of 1 connected" in shown)
    hub.az.json(f"iot hub invoke-device-method -n {hub.name} -d vl-1", "--method-name", "a\x1b[2Jb")
    assert process.wait(60) == 0
    reader.join(30)
    os.close(ours)
    assert re.sub(rb"\x1b\[(K|\d*m)|[\r\n]", b"", bytes(shown)).decode().isprintable(), (
        "only our own erasing, and colours"
    )
    table = (tmp_path / "out").read_text()
    assert "a\\x1b[2Jb" in table and "\x1b" not in table


def test_ctrl_c_ends_a_run_with_its_result_and_a_wrong_expectation_starts_none(
    hub: ScenarioHub, tmp_path: Path
) -> None:
    with running(hub, tmp_path, "vc-", 2) as run:
        run.process.send_signal(signal.SIGINT)
        code, result = run.end()
    assert (code, result["endedBy"], result["devices"]["count"]) == (0, "stopped", 2)
    wrong = hub.az.run(
        f"iot device simulate -n {hub.name} --prefix vw- --count 2 --create --expect 'reboot on all'",
    )
    assert wrong.code == 1
    assert "'reboot' is not a claim" in wrong.stderr and "method NAME" in wrong.stderr
    assert "registered" not in wrong.stderr
    rows = hub.az.json(
        f"iot hub query -n {hub.name}", "-q", "SELECT deviceId FROM devices WHERE STARTSWITH(deviceId, 'vw-')"
    )
    assert rows == []


def _read_all(file: int, into: bytearray) -> None:
    while True:
        try:
            part = os.read(file, 4096)
        except OSError:  # how a terminal ends on Linux
            return
        if not part:
            return
        into += part
