"""What a script can trust: each exit code, with the result printed before it in every format."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.az import Ran
from tests.helpers.waiting import wait_until


@pytest.fixture(scope="module")
def answering(hub: ScenarioHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A device that answers every method with 500."""
    hub.new_device("answers-500")
    device = hub.az.start(
        f"iot device simulate -n {hub.name} -d answers-500 --mrc 500",
        output=tmp_path_factory.mktemp("exit") / "o",
    )
    hub.wait_for_connection("answers-500")
    yield "answers-500"
    device.send_signal(signal.SIGINT)
    device.wait(30)


@pytest.fixture(scope="module")
def asleep(hub: ScenarioHub) -> str:
    """A device that is never on line."""
    hub.new_device("asleep")
    return "asleep"


def method_job(hub: ScenarioHub, job: str, condition: str, *more: str) -> Ran:
    return hub.az.run(
        f"iot hub job create -n {hub.name} --job-id {job} --jt scheduleDeviceMethod --mn x --wait --interval 1",
        "-q",
        condition,
        *more,
    )


def twin_job(hub: ScenarioHub, job: str, condition: str, *more: str) -> Ran:
    return hub.az.run(
        f"iot hub job create -n {hub.name} --job-id {job} --jt scheduleUpdateTwin --wait",
        "--patch",
        '{"tags":{"a":1}}',
        "-q",
        condition,
        *more,
    )


def call(hub: ScenarioHub, device: str, *more: str) -> Ran:
    return hub.az.run(f"iot hub invoke-device-method -n {hub.name} -d {device} --mn x", *more)


def test_0_when_all_devices_succeeded(hub: ScenarioHub, asleep: str) -> None:
    ran = twin_job(hub, "exit-0", f"deviceId = '{asleep}'")
    assert (ran.code, ran.json["status"]) == (0, "completed")
    assert "Job exit-0 is completed: 1 of 1 device succeeded" in ran.stderr


@pytest.mark.parametrize(
    ("options", "printed"),
    [
        (("-o", "json"), '"status": "completed"'),
        (("-o", "table"), "exit-4-table"),
        (("-o", "tsv", "--query", "deviceJobStatistics.failedCount"), "1\n"),
        (("-o", "none"), ""),
    ],
)
def test_4_a_device_failed_and_the_result_is_printed_in_any_format(
    hub: ScenarioHub, asleep: str, options: tuple[str, ...], printed: str
) -> None:
    ran = method_job(hub, f"exit-4-{options[1]}", f"deviceId = '{asleep}'", "--ttl", "1", *options)
    assert ran.code == 4 and printed in ran.stdout
    assert (ran.stdout == "") is (options == ("-o", "none"))
    assert "not all devices succeeded" in ran.stderr


def test_4_an_answer_outside_the_success_status(hub: ScenarioHub, answering: str) -> None:
    ran = method_job(hub, "exit-4-500", f"deviceId = '{answering}'")
    assert ran.code == 4 and ran.json["deviceJobStatistics"]["succeededCount"] == 1
    assert hub.az.run(f"iot hub job wait -n {hub.name} --job-id exit-4-500").code == 4
    own = ("iot", "hub", "job", "wait", "-n", hub.name, "--job-id", "exit-4-500", "--success-status", "200,500-599")
    assert hub.az.run(*own).code == 0
    called = call(hub, answering)
    assert called.code == 4 and called.json["status"] == 500
    assert call(hub, answering, "--success-status", "500").code == 0
    assert call(hub, answering, "--exit-zero").code == 0


def test_4_a_device_that_is_off_line_or_3_one_that_is_not_there(hub: ScenarioHub, asleep: str) -> None:
    ran = call(hub, asleep, "--timeout", "5")
    assert (ran.code, ran.stdout) == (4, "") and "DeviceNotOnline" in ran.stderr
    assert call(hub, asleep, "--timeout", "5", "--exit-zero").code == 0
    assert call(hub, "nobody").code == 3


@pytest.mark.parametrize("options", [("-o", "json"), ("-o", "table"), ("-o", "tsv", "--query", "status")])
def test_5_a_job_that_failed(hub: ScenarioHub, options: tuple[str, ...]) -> None:
    ran = twin_job(hub, f"exit-5-{options[1]}", "this is no condition", *options)
    assert ran.code == 5 and "failed" in ran.stdout
    assert "ended as failed: SqlQueryParser" in ran.stderr


@pytest.mark.parametrize("options", [("-o", "json"), ("-o", "table"), ("-o", "tsv", "--query", "status")])
def test_7_waiting_ran_out(hub: ScenarioHub, asleep: str, options: tuple[str, ...]) -> None:
    ran = method_job(hub, f"exit-7-{options[1]}", f"deviceId = '{asleep}'", "--duration", "1", *options)
    assert ran.code == 7 and "running" in ran.stdout
    assert f"az iot hub job wait --job-id exit-7-{options[1]}" in ran.stderr


def test_7_ctrl_c_ends_the_waiting_and_the_job_goes_on(hub: ScenarioHub, asleep: str, tmp_path: Path) -> None:
    words = ("iot", "hub", "job", "create", "-n", hub.name, "--job-id", "exit-7-c", "--jt", "scheduleDeviceMethod")
    more = ("--mn", "x", "-q", f"deviceId = '{asleep}'", "--wait")
    waiting = hub.az.start(*words, *more, output=tmp_path / "o")
    wait_until("it waits", lambda: "Job exit-7-c is running" in (tmp_path / "o.err").read_text())
    waiting.send_signal(signal.SIGINT)
    assert waiting.wait(30) == 7
    assert json.loads((tmp_path / "o").read_text())["status"] == "running"
    assert "Traceback" not in (tmp_path / "o.err").read_text()
    assert hub.az.json(f"iot hub job show -n {hub.name} --job-id exit-7-c")["status"] == "running"


@pytest.mark.parametrize("options", [("-o", "json"), ("-o", "table"), ("-o", "tsv", "--query", "status")])
def test_8_no_device_matched(hub: ScenarioHub, options: tuple[str, ...]) -> None:
    ran = twin_job(hub, f"exit-8-{options[1]}", "tags.nothing = 'has this'", *options)
    assert ran.code == 8 and "completed" in ran.stdout
    assert "no device matched" in ran.stderr


def test_those_who_want_the_old_way_get_0(hub: ScenarioHub) -> None:
    ran = twin_job(hub, "exit-old", "tags.nothing = 'has this'", "--exit-zero")
    assert (ran.code, ran.json["status"]) == (0, "completed")


def test_3_a_job_that_nobody_knows(hub: ScenarioHub) -> None:
    for verb in ("wait", "show"):
        ran = hub.az.run("iot hub job", verb, "-n", hub.name, "--job-id", "nobody-knows")
        assert (ran.code, ran.stdout) == (3, "")


def test_1_a_bad_range_is_refused_before_anything_is_sent(hub: ScenarioHub, asleep: str) -> None:
    ran = method_job(hub, "exit-1", f"deviceId = '{asleep}'", "--success-status", "good")
    assert ran.code == 1 and "--success-status" in ran.stderr
    assert hub.az.run(f"iot hub job show -n {hub.name} --job-id exit-1").code == 3
