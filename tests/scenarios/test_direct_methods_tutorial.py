"""The tutorial "get started with device management": two sessions, a simulated device, direct methods."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.waiting import wait_until

ANSWER = {"result": "Direct method successful"}


@pytest.fixture(scope="module")
def first_session(hub: ScenarioHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A simulated device in a session of its own; gives the file that holds what the session shows."""
    output = tmp_path_factory.mktemp("session") / "simulate.txt"
    hub.new_device("SampleDevice")
    simulator = hub.az.start(
        f"iot device simulate --device-id SampleDevice --hub-name {hub.name} --method-response-code 201",
        "--method-response-payload",
        json.dumps(ANSWER),
        output=output,
    )
    hub.wait_for_connection("SampleDevice")
    yield output
    simulator.send_signal(signal.SIGINT)
    code = simulator.wait(30)
    errors = Path(f"{output}.err").read_text()
    assert code == 0, errors
    assert "Traceback" not in errors
    wait_until("Ctrl-C left the device disconnected", lambda: hub.state_of("SampleDevice") == "Disconnected")


def test_a_method_without_payload_is_answered_and_shown_on_both_sides(hub: ScenarioHub, first_session: Path) -> None:
    answer = hub.az.json(
        f"iot hub invoke-device-method --device-id SampleDevice --hub-name {hub.name} --method-name SampleMethod",
    )
    assert answer == {"status": 201, "payload": ANSWER}
    wait_until("the first session shows the call", lambda: "SampleMethod" in first_session.read_text())


def test_a_method_with_payload_is_answered_and_its_payload_shown(hub: ScenarioHub, first_session: Path) -> None:
    answer = hub.az.json(
        f"iot hub invoke-device-method --device-id SampleDevice --hub-name {hub.name} --method-name SampleMethod",
        "--method-payload",
        '{ "SamplePayload": "PayloadValue" }',
    )
    assert answer == {"status": 201, "payload": ANSWER}
    wait_until("the first session shows the payload", lambda: "PayloadValue" in first_session.read_text())


def test_a_method_on_a_device_that_is_offline_is_an_error_that_says_so(hub: ScenarioHub) -> None:
    hub.new_device("offline-1")
    ran = hub.az.run(f"iot hub invoke-device-method -d offline-1 -n {hub.name} --mn reboot --timeout 5")
    assert ran.code == 4
    assert ran.stdout == ""
    assert "404103" in ran.stderr or "DeviceNotOnline" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("payload", ["0", "{}", "false", "[]", "null", '""'])
def test_what_the_device_answers_may_be_any_json_value(hub: ScenarioHub, tmp_path: Path, payload: str) -> None:
    device = f"falsy-{json.dumps(payload).encode().hex()}"
    hub.new_device(device)
    simulator = hub.az.start(
        f"iot device simulate -d {device} -n {hub.name} --mrc 0",
        "--mrp",
        payload,
        output=tmp_path / "out",
    )
    try:
        hub.wait_for_connection(device)
        answer = hub.az.json(f"iot hub invoke-device-method -d {device} -n {hub.name} --mn ping --exit-zero")
    finally:
        simulator.send_signal(signal.SIGINT)
        simulator.wait(30)
    assert answer == {"status": 0, "payload": json.loads(payload)}
