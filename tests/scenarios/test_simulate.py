"""One simulated device, as a user meets it."""

import base64
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import ScenarioHub
from tests.helpers.hub_process import sas
from tests.helpers.waiting import looks, wait_until

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


def events(hub: ScenarioHub, device: str) -> list[dict[str, Any]]:
    """What the hub received from a device."""
    key = hub.document["connectionString"].split("SharedAccessKey=")[1]
    found: list[dict[str, Any]] = []
    number = 0
    for _ in looks(f"the last event of {device}"):
        page = requests.get(
            f"https://{hub.name}/_local/events?after={number}",
            headers={"Authorization": sas(key, "localhost", policy="iothubowner")},
            verify=hub.document["caCertificatePath"],
            proxies={"https": ""},
            timeout=30,
        ).json()["events"]
        if not page:
            return found
        found += [event for event in page if event["deviceId"] == device]
        number = page[-1]["number"]
    return found


def test_messages_are_sent_and_the_command_ends(hub: ScenarioHub) -> None:
    hub.new_device("sim-count")
    ran = hub.az.run(
        f"iot device simulate -n {hub.name} -d sim-count --msg-count 3 --msg-interval 1 --data Hello "
        "--properties 'site=north;$.mid=m 1'",
        "--init-reported-properties",
        '{"fw": "1.0"}',
    )
    assert ran.code == 0, ran.stderr
    assert "3 messages sent" in ran.stderr
    sent = events(hub, "sim-count")
    bodies = [json.loads(base64.b64decode(each["body"])) for each in sent]
    assert [body["data"] for body in bodies] == ["Hello #1", "Hello #2", "Hello #3"]
    assert len({body["id"] for body in bodies}) == 3
    assert {each["properties"]["site"] for each in sent} == {"north"}
    assert sent[0]["systemProperties"]["contentType"] == "application/json"
    assert sent[0]["systemProperties"]["messageId"] == "m 1"
    twin = hub.az.json(f"iot hub device-twin show -n {hub.name} -d sim-count")
    assert twin["properties"]["reported"]["fw"] == "1.0"
    assert hub.state_of("sim-count") == "Disconnected"


def test_without_an_answer_of_ones_own_the_call_is_told_back(hub: ScenarioHub, tmp_path: Path) -> None:
    hub.new_device("sim-echo")
    device = hub.az.start(f"iot device simulate -n {hub.name} -d sim-echo", output=tmp_path / "o")
    hub.wait_for_connection("sim-echo")
    answer = hub.az.json(f"iot hub invoke-device-method -n {hub.name} -d sim-echo --mn ping --mp '[1]'")
    device.send_signal(signal.SIGTERM)
    assert device.wait(30) == 0
    assert answer["status"] == 200
    assert answer["payload"]["methodName"] == "ping"
    assert answer["payload"]["methodRequestPayload"] == [1]


def test_control_characters_never_reach_the_terminal_raw(hub: ScenarioHub, tmp_path: Path) -> None:
    hub.new_device("sim-raw")
    device = hub.az.start(f"iot device simulate -n {hub.name} -d sim-raw", output=tmp_path / "o")
    hub.wait_for_connection("sim-raw")
    payload = '{"x": "\\u001b[31mred\\u0007"}'
    hub.az.json(f"iot hub invoke-device-method -n {hub.name} -d sim-raw --mn m", "--mp", payload)
    wait_until("it is shown", lambda: "red" in (tmp_path / "o").read_text())
    device.send_signal(signal.SIGINT)
    device.wait(30)
    assert "\x1b" not in (tmp_path / "o").read_text()
    assert "\x07" not in (tmp_path / "o").read_text()


def test_a_lost_connection_is_tried_again_until_the_hub_is_back(hub: ScenarioHub, tmp_path: Path) -> None:
    """A hub of its own, killed and started again on the same ports and data."""
    az, data = hub.az, str(tmp_path / "hub")
    first = az.json("iot local-hub start --detach --https-port 0 --mqtt-port 0 --amqp-port 0", "--data-dir", data)
    ports = ("--https-port", str(first["httpsPort"]), "--mqtt-port", str(first["mqttPort"]), "--amqp-port", "0")
    name = first["hostName"]
    az.json(f"iot hub device-identity create -n {name} -d sim-back")
    device = az.start(f"iot device simulate -n {name} -d sim-back", output=tmp_path / "o")
    mine = ScenarioHub(az, first)
    try:
        mine.wait_for_connection("sim-back")
        os.kill(first["pid"], signal.SIGKILL)
        wait_until("it says so", lambda: "connection lost" in (tmp_path / "o.err").read_text())
        az.json("iot local-hub start --detach", "--data-dir", data, *ports)
        mine.wait_for_connection("sim-back")
        answer = az.json(f"iot hub invoke-device-method -n {name} -d sim-back --mn x --mp null")
        assert answer["status"] == 200
    finally:
        device.send_signal(signal.SIGINT)
        assert device.wait(30) == 0
        az.run("iot local-hub stop", *ports[:2])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("-d", "nobody-here"), "DeviceNotFound"),
        (("-d", "sim-wrong", "--key", KEY), "refused"),
        (("-d", "sim-wrong", "--key", "no base64!"), "base64"),
        (("-d", "sim-wrong", "--cp", "cert.pem", "--kp", "key.pem"), "cert.pem cannot be read"),
        (("-d", "sim-wrong", "--cp", "cert.pem"), "--key-file-path"),
        (("-d", "sim-wrong", "--cp", "c", "--kp", "k", "--key", KEY), "two ways"),
        (("-d", "sim-wrong", "--protocol", "http", "--websocket"), "--websocket"),
        (("-d", "sim-wrong", "--msg-count", "0"), "--msg-count"),
        (("-d", "sim-wrong", "--msg-interval", "0"), "--msg-interval"),
        (("-d", "sim-wrong", "--properties", "novalue"), "key=value"),
        (("-d", "sim-wrong", "--mrc", "teapot"), "--method-response-code"),
        (("-d", "sim-wrong", "--mrp", "{broken"), "--method-response-payload"),
        (("-d", "sim-wrong", "--irp", "[]"), "--init-reported-properties"),
        (("-d", "sim-wrong", "--receive-settle", "reject"), "--receive-settle"),
    ],
)
def test_what_is_wrong_is_said_and_the_command_ends(hub: ScenarioHub, options: tuple[str, ...], said: str) -> None:
    if hub.az.run(f"iot hub device-identity show -n {hub.name} -d sim-wrong").code:
        hub.new_device("sim-wrong")
    ran = hub.az.run(f"iot device simulate -n {hub.name}", *options)
    assert ran.code in (1, 3)
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
    assert KEY not in ran.stderr
