"""A direct method on many devices, or on modules, as a user calls it."""

import csv
import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.model.text import counted
from azext_iotjobs.simulator.behaviour import Behaviour, MethodRule
from azext_iotjobs.simulator.template import constant
from azext_iotjobs.transport.http import Request
from tests.conftest import ScenarioHub
from tests.helpers.az import AZ, Ran
from tests.helpers.hub_process import sas
from tests.helpers.mqtt_device import MqttDevice
from tests.helpers.scenario_devices import ScenarioDevices
from tests.helpers.waiting import wait_until

COUNT = 30  # devices that answer; the last three with 503
COLUMNS = (
    "deviceId moduleId status errorClass errorCode errorText methodStatus payload started finished durationSeconds"
)
ANSWERS = "STARTSWITH(deviceId, 'many-')"


def behaviour(number: int) -> Behaviour:
    status = 503 if number >= COUNT - 3 else 200
    payload = constant({"why": "\x1b[2Jbusy"} if status == 503 else {"ok": True})
    return Behaviour(any_method=MethodRule(status=status, payload=payload))


@pytest.fixture(scope="module")
def fleet(hub: ScenarioHub) -> Iterator[ScenarioDevices]:
    fleet = ScenarioDevices(hub, {f"many-{number:02}": behaviour(number) for number in range(COUNT)})
    hub.new_device("sleeps")
    yield fleet
    fleet.close()


def words(hub: ScenarioHub, *more: str) -> tuple[str, ...]:
    return ("iot", "hub", "invoke-device-method", "-n", hub.name, "--mn", "x", "--timeout", "5", "--ct", "0", *more)


def call(hub: ScenarioHub, *more: str, stdin: str | None = None) -> Ran:
    ran = hub.az.run(*words(hub, *more), stdin=stdin)
    assert "Traceback" not in ran.stderr
    return ran


@pytest.fixture(scope="module")
def odd(hub: ScenarioHub) -> Iterator[str]:
    """Two devices; what one of them answers has no UTF-8 form, in a name and in a value."""
    answers = {"odd-1": {"x\udfff": "\ud800 ü"}, "odd-2": {"where": "Zürich"}}
    devices = ScenarioDevices(
        hub, {name: Behaviour(any_method=MethodRule(payload=constant(each))) for name, each in answers.items()}
    )
    yield "odd-1,odd-2"
    devices.close()


@pytest.mark.parametrize("environment", [{}, {"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}])
def test_an_answer_without_utf_8_form_costs_nothing_of_the_others(
    hub: ScenarioHub, odd: str, environment: dict[str, str]
) -> None:
    ran = hub.az.run(*words(hub, "--device-ids", odd), environment=environment)
    rows = {row["deviceId"]: row["payload"] for row in ran.json}
    assert rows["odd-2"] == {"where": "Zürich"}
    assert rows["odd-1"]["x\udfff"] == "\ud800 ü"
    assert "discarded" not in ran.stderr and "Traceback" not in ran.stderr
    shown = hub.az.run(*words(hub, "--device-ids", odd, "-o", "yaml"), environment=environment)
    assert "where" in shown.stdout and ("Zürich" in shown.stdout or "Z\\u00FCrich" in shown.stdout)
    assert "discarded" not in shown.stderr and "Traceback" not in shown.stderr


def test_a_list_with_one_off_line_one_unknown_and_one_left_out(hub: ScenarioHub, fleet: ScenarioDevices) -> None:
    before = len(fleet.calls)
    ran = call(hub, "--device-ids", "many-00,many-01,sleeps,nobody,many-29", "--exclude", "many-01")
    rows = {row["deviceId"]: row for row in ran.json}
    assert ran.code == 4 and sorted(fleet.calls[before:]) == ["many-00", "many-29"]
    assert {name: (row["status"], row["errorClass"], row["methodStatus"]) for name, row in rows.items()} == {
        "many-00": ("completed", None, 200),
        "sleeps": ("failed", "offline", None),
        "nobody": ("failed", "not-found", None),
        "many-29": ("completed", "rejected", 503),
    }
    assert set(rows["many-00"]) == set(COLUMNS.split())
    assert rows["many-00"]["payload"] == {"ok": True} and 0 <= rows["many-00"]["durationSeconds"] < 5
    assert 'many-00 200 {"ok": true}' in ran.stderr and "\x1b" not in ran.stderr
    assert "4 called" in ran.stderr and "3 failed" in ran.stderr


def test_success_is_what_the_user_says_and_errors_alone_is_silent(hub: ScenarioHub, fleet: ScenarioDevices) -> None:
    ran = call(hub, "--device-ids", "many-29", "--success-status", "503", "--only-show-errors")
    assert (ran.code, ran.stderr) == (0, "")
    assert call(hub, "--device-ids", "many-29", "--exit-zero").code == 0


@pytest.mark.parametrize(
    "text", ["many-02\nmany-03\n", '["many-02", {"deviceId": "many-03"}]', "deviceId\nmany-02\nmany-03"]
)
def test_devices_come_from_standard_input(hub: ScenarioHub, fleet: ScenarioDevices, text: str) -> None:
    ran = call(hub, "--devices-file", "-", "--query", "[].deviceId", stdin=text)
    assert ran.code == 0 and sorted(ran.json) == ["many-02", "many-03"]


def test_rows_go_into_a_new_file_and_equal_answers_are_one(
    hub: ScenarioHub, fleet: ScenarioDevices, tmp_path: Path
) -> None:
    path = tmp_path / "rows.csv"
    options = ("-q", ANSWERS, "--output-file", str(path), "--columns", "deviceId,methodStatus")
    ran = call(hub, *options, "--group-output", "--concurrency", "7")
    assert ran.code == 4
    assert [(each["status"], each["payload"], each["errorClass"], each["count"]) for each in ran.json] == [
        (200, {"ok": True}, None, COUNT - 3),
        (503, {"why": "\x1b[2Jbusy"}, "rejected", 3),
    ]
    assert [len(each["devices"]) for each in ran.json] == [10, 3]
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == COUNT and set(rows[0]) == {"deviceId", "methodStatus"}
    assert "many-00" not in ran.stderr and "many-29 503" in ran.stderr, "with a file, stderr names who failed"
    assert [each.name for each in tmp_path.iterdir()] == ["rows.csv"]
    before = (len(fleet.calls), path.read_bytes())
    refused = call(hub, *options)
    assert refused.code == 1 and "--overwrite" in refused.stderr
    assert (len(fleet.calls), path.read_bytes()) == before


def test_rows_go_to_stdout_as_they_come_until_nobody_reads(hub: ScenarioHub, fleet: ScenarioDevices) -> None:
    lines = call(hub, "-q", ANSWERS, "--output-file", "-", "--format", "jsonl").stdout.splitlines()
    assert len({json.loads(line)["deviceId"] for line in lines}) == COUNT
    before = len(fleet.calls)
    head = subprocess.run(
        f"'{AZ}' {' '.join(words(hub))} -q '*' --rate 10 --output-file - | head -c 1",
        shell=True,
        env=hub.az.environment,
        cwd=hub.az.config_dir,
        capture_output=True,
        text=True,
        check=False,
    )
    assert head.stdout == "d" and "Traceback" not in head.stderr
    assert len(fleet.calls) - before < COUNT, "no further device is called"


def test_what_would_be_done_is_shown_and_too_many_are_refused(hub: ScenarioHub, fleet: ScenarioDevices) -> None:
    before = len(fleet.calls)
    plan = call(hub, "-q", ANSWERS, "--dry-run", "--max-devices", "30").json
    assert (plan["dryRun"], plan["deviceCount"], len(plan["sample"])) == (True, COUNT, 10)
    assert plan["request"] == {
        "methodName": "x",
        "payload": {},
        "responseTimeoutInSeconds": 5,
        "connectTimeoutInSeconds": 0,
    }
    assert call(hub, "-d", "many-00", "--dry-run").json["deviceCount"] == 1
    refused = call(hub, "-q", ANSWERS, "--max-devices", "29")
    assert (refused.code, refused.stdout) == (1, "") and "30 devices are selected" in refused.stderr
    assert len(fleet.calls) == before


def test_8_no_device_matched(hub: ScenarioHub, fleet: ScenarioDevices) -> None:
    ran = call(hub, "-q", "tags.nothing = 'has this'")
    assert (ran.code, ran.json) == (8, []) and "No device matched" in ran.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "--device-id is missing"),
        (("-d", ""), "--device-id is empty"),
        (("-q", " "), "blank"),
        (("--devices-file", "-"), "no device"),
        (("-d", "many-00", "-q", "*"), "--query-condition is for many"),
        (("-d", "many-00", "--output-file", "f"), "--output-file is for many"),
        (("-q", "*", "--concurrency", "0"), "--concurrency 0: give 1 to 200"),
        (("-q", "*", "--columns", "deviceId,deleted"), "--columns"),
        (("-q", "*", "--ct", "6"), "--connect-timeout 6 is longer than --timeout 5"),
        (("-q", "FROM devices.modules"), "invoke-module-method"),
    ],
)
def test_what_does_not_fit_is_said_and_nobody_is_called(
    hub: ScenarioHub, fleet: ScenarioDevices, options: tuple[str, ...], said: str
) -> None:
    before = len(fleet.calls)
    ran = call(hub, *options)
    assert (ran.code, ran.stdout, len(fleet.calls)) == (1, "", before) and said in ran.stderr


def test_4_ctrl_c_calls_nobody_else_and_keeps_the_rows(
    hub: ScenarioHub, fleet: ScenarioDevices, tmp_path: Path
) -> None:
    before = len(fleet.calls)
    calling = hub.az.start(*words(hub, "-q", ANSWERS, "--rate", "4"), output=tmp_path / "o")
    wait_until("some are called", lambda: len(fleet.calls) >= before + 3)
    calling.send_signal(signal.SIGINT)
    assert calling.wait(30) == 4
    rows = json.loads((tmp_path / "o").read_text())
    assert sorted(row["deviceId"] for row in rows) == sorted(fleet.calls[before:]) and len(rows) < COUNT
    errors = (tmp_path / "o.err").read_text()
    uncalled = counted(COUNT - len(rows), "device was", "devices were")
    assert f"{uncalled} not called" in errors and "Traceback" not in errors


def test_4_a_second_ctrl_c_leaves_at_once(hub: ScenarioHub, fleet: ScenarioDevices, tmp_path: Path) -> None:
    before = len(fleet.calls)
    patient = words(hub, "--device-ids", "sleeps,many-00", "--timeout", "60", "--ct", "60")
    calling = hub.az.start(*patient, output=tmp_path / "o")
    wait_until("one has answered", lambda: "many-00 200" in (tmp_path / "o.err").read_text())
    calling.send_signal(signal.SIGINT)
    wait_until("it waits for the other", lambda: "1 call under way" in (tmp_path / "o.err").read_text())
    calling.send_signal(signal.SIGINT)
    assert calling.wait(10) == 4
    assert [row["deviceId"] for row in json.loads((tmp_path / "o").read_text())] == ["many-00"]
    errors = (tmp_path / "o.err").read_text()
    assert "may have been called" in errors and "Traceback" not in errors and len(fleet.calls) == before + 1


def test_modules_are_called_by_name_or_condition(hub: ScenarioHub, fleet: ScenarioDevices) -> None:
    made: list[MqttDevice] = []
    for device in ("many-00", "many-01"):
        fleet.client.transport.send(
            Request(method="PUT", path=f"/devices/{device}/modules/motor", body={"moduleId": "motor"}, has_body=True)
        )
        answer = fleet.client.transport.send(Request(method="GET", path=f"/devices/{device}/modules/motor"))
        key = json.loads(answer.body)["authentication"]["symmetricKey"]["primaryKey"]
        made.append(_module(hub, device, key))
    command = ("iot", "hub", "invoke-module-method", "-n", hub.name, "--mn", "turn", "--mp", "[1]", "--timeout", "5")
    try:
        assert hub.az.json(*command, "-d", "many-00", "-m", "motor") == {"status": 201, "payload": [1]}
        ran = hub.az.run(*command, "-m", "motor", "--device-ids", "many-00,many-01,many-02", "--ct", "0")
        assert (ran.code, [(row["deviceId"], row["moduleId"], row["errorClass"]) for row in _sorted(ran.json)]) == (
            4,
            [("many-00", "motor", None), ("many-01", "motor", None), ("many-02", "motor", "not-found")],
        )
        rows = hub.az.json(*command, "-q", "FROM devices.modules WHERE moduleId = 'motor'")
        assert [(row["deviceId"], row["methodStatus"]) for row in _sorted(rows)] == [("many-00", 201), ("many-01", 201)]
        plan = hub.az.json(*command, "-m", "motor", "-q", ANSWERS, "--dry-run")
        assert plan["request"]["moduleId"] == "motor"
        ran = hub.az.run(*command, "-d", "many-00")
        assert ran.code == 1 and "--module-id is missing" in ran.stderr
    finally:
        for each in made:
            each.close()


def _module(hub: ScenarioHub, device: str, key: str) -> MqttDevice:
    module = MqttDevice(
        hub.for_devices,
        f"{device}/motor",
        key,
        username=f"localhost/{device}/motor/?api-version=2021-04-12",
        password=sas(key, f"localhost/devices/{device}/modules/motor"),
    )
    module.connect()
    module.answer_methods(lambda _name, payload: (201, payload))
    return module


def _sorted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: str(row["deviceId"]))
