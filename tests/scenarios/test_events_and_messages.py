"""Events and messages over AMQP, as a user at a terminal meets them, with a local hub."""

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.any_hub import AnyHub
from tests.helpers.az import EXTENSIONS, Az, Ran
from tests.helpers.hub_process import HubProcess
from tests.helpers.waiting import wait_until

READY = "Starting event monitor"
JSON = {"iothub-contenttype": "application/json", "iothub-contentencoding": "utf-8"}


def telemetry(hub: AnyHub, device: str, body: Any, **more: str) -> None:
    """A device sends one message."""
    hub.ok("POST", f"/devices/{device}/messages/events", body, headers={**JSON, **more})


def send(hub: ScenarioHub, device: str, *words: str) -> Ran:
    return hub.az.run("iot device c2d-message send", "-n", hub.name, "-d", device, *words)


def feedback(hub: ScenarioHub, *words: str) -> Ran:
    return hub.az.run("iot hub monitor-feedback", "-n", hub.name, *words)


def settle(hub: ScenarioHub, device: str, verb: str) -> None:
    """The device receives the oldest message, once there is one, and settles it."""
    path = f"/devices/{device}/messages/deviceBound"
    locks: list[str] = []

    def receive() -> bool:
        got = hub.for_devices.request("GET", path)
        locks.extend([got.headers["ETag"].strip('"')] if got.status_code == 200 else [])
        return bool(locks)

    wait_until(f"a message for {device}", receive)
    more = {"reject": ""} if verb == "reject" else {}
    assert hub.for_devices.request("DELETE", f"{path}/{locks[0]}", query=more).status_code == 204


class Monitor:
    """A monitor-events that runs beside the test."""

    def __init__(self, az: Az, output: Path) -> None:
        self._az = az
        self._output = output
        self.process: Popen[bytes] | None = None

    def start(self, *words: str) -> None:
        """Start it, and wait until events can come."""
        self.process = self._az.start("iot hub monitor-events", *words, output=self._output)
        wait_until("events can come", lambda: READY in self.said())

    def said(self) -> str:
        return Path(f"{self._output}.err").read_text()

    def shown(self) -> list[Any]:
        """The payloads that were shown, in whole lines."""
        lines = [line for line in self._output.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return [json.loads(line)["event"]["payload"] for line in lines]

    def end(self) -> int:
        """End it by Ctrl-C, if it has not ended; gives its exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGINT)
        return self.process.wait(30)


@pytest.fixture
def monitor(az: Az, tmp_path: Path) -> Iterator[Monitor]:
    made = Monitor(az, tmp_path / "events.out")
    yield made
    made.end()


def test_events_are_shown_as_they_come_until_ctrl_c(hub: ScenarioHub, monitor: Monitor) -> None:
    for device in ("ev-1", "ev-2", "other"):
        hub.new_device(device)
    telemetry(hub.for_devices, "ev-1", "before")
    monitor.start("-n", hub.name, "-d", "ev-*", "--timeout", "0")
    for device in ("other", "ev-1", "ev-2"):
        telemetry(hub.for_devices, device, {"from": device})
    wait_until("both events are shown", lambda: len(monitor.shown()) == 2)
    assert monitor.end() == 0
    assert sorted(each["from"] for each in monitor.shown()) == ["ev-1", "ev-2"]
    assert "filtering on device: ev-*, use ctrl-c to stop..." in monitor.said()
    assert "Stopped: 2 events, 1 not wanted." in monitor.said() and "Traceback" not in monitor.said()


def test_an_event_has_the_references_members_and_nothing_else_is_on_stdout(hub: ScenarioHub, tmp_path: Path) -> None:
    hub.new_device("ev-whole")
    telemetry(hub.for_devices, "ev-whole", {"t": "\x1b[31m"}, **{"iothub-messageid": "m-1", "iothub-app-site": "north"})
    words = ("iot hub monitor-events", "-n", hub.name, "-d", "ev-whole", "-e", "0", "--mc", "1", "--timeout", "60")
    whole = hub.az.run(*words, "--properties", "all")
    assert (whole.code, whole.stdout.count("\n")) == (0, 1) and "\x1b" not in whole.stdout
    event = json.loads(whole.stdout)["event"]
    assert list(event) == ["origin", "module", "interface", "component", "properties", "annotations", "payload"]
    assert (event["origin"], event["payload"]) == ("ev-whole", {"t": "\x1b[31m"})
    assert event["properties"]["system"]["message_id"] == "m-1"
    assert event["properties"]["application"] == {"site": "north"}
    assert event["annotations"]["iothub-connection-device-id"] == "ev-whole"
    yaml = hub.az.run(*words, "--query", "event.origin", "-o", "yaml")
    assert yaml.stdout.startswith("---\nev-whole\n")
    file = tmp_path / "events.jsonl"
    filed = hub.az.run(*words, "--transport", "amqp_ws", "--output-file", str(file), "--query", "event.origin")
    assert (filed.code, filed.stdout, json.loads(file.read_text())) == (0, "", "ev-whole")


def test_when_nothing_comes_in_time_the_exit_code_says_so(hub: ScenarioHub) -> None:
    hub.new_device("ev-silent")
    login = str(hub.document["connectionString"])  # the hub itself is asked where its events are
    query = ("--device-query", "SELECT * FROM devices WHERE deviceId = 'ev-silent'")
    ran = hub.az.run("iot hub monitor-events", "-l", login, *query, "--timeout", "1")
    assert (ran.code, ran.stdout) == (7, "") and "The time is over: 0 events" in ran.stderr
    named = ("-n", hub.name, "--default-eventhub", "--policy-name", "service")
    endpoint = hub.az.json("iot hub connection-string show", *named)["connectionString"]
    assert endpoint == hub.document["eventHubsConnectionString"]
    ran = hub.az.run("iot hub monitor-events", "-l", endpoint, "-d", "ev-silent", "--timeout", "1", "--exit-zero")
    assert (ran.code, ran.stdout) == (0, "")
    ran = hub.az.run(
        "iot hub monitor-events", "-n", hub.name, "--device-query", "SELECT * FROM devices WHERE false = 1"
    )
    assert ran.code == 1 and "Traceback" not in ran.stderr


def test_over_a_restart_of_the_hub_no_event_is_lost_and_none_comes_twice(
    az: Az, tmp_path: Path, monitor: Monitor
) -> None:
    states = str(az.config_dir / "iotjobs" / "hubs")
    first = HubProcess(tmp_path / "hub", "--keep-events", "1", "--state-dir", states, "--amqp-port", "0")
    ports, amqp = first.ports, str(first.info["amqpPort"])
    first.new_device("ev-restart")
    telemetry(first, "ev-restart", 1)
    monitor.start("-n", str(first.info["hostName"]), "-e", "0", "--mc", "4")
    telemetry(first, "ev-restart", 2)
    wait_until("what came before is shown", lambda: monitor.shown() == [1, 2])
    first.kill()
    second = HubProcess(tmp_path / "hub", "--keep-events", "1", "--state-dir", states, "--amqp-port", amqp, ports=ports)
    try:
        telemetry(second, "ev-restart", 3)
        telemetry(second, "ev-restart", 4)
        assert monitor.process is not None and monitor.process.wait(60) == 0
    finally:
        second.stop()
    assert monitor.shown() == [1, 2, 3, 4]
    assert "Connected again" in monitor.said() and "4 events." in monitor.said()


def test_a_message_is_sent_and_what_became_of_it_is_waited_for(hub: ScenarioHub, tmp_path: Path) -> None:
    hub.new_device("c2d-wait")
    words = ("-n", hub.name, "-d", "c2d-wait", "--ack", "full", "--mid", "m-wait", "--props", "a=1", "--wait")
    waiting = hub.az.start("iot device c2d-message send", *words, output=tmp_path / "o")
    settle(hub, "c2d-wait", "complete")
    assert waiting.wait(30) == 0
    shown = (tmp_path / "o").read_text()
    assert shown.startswith("---\nfeedback:\n") and "originalMessageId: m-wait" in shown
    assert "statusCode: Success" in shown


def test_without_wait_a_message_is_sent_without_a_word_and_feedback_comes_later(hub: ScenarioHub) -> None:
    for device in ("c2d-1", "c2d-2"):
        hub.new_device(device)
        sent = send(hub, device, "--ack", "full", "--mid", f"m-{device}", "--data", "hello", "--transport", "amqp_ws")
        assert (sent.code, sent.stdout) == (0, "")
    settle(hub, "c2d-1", "complete")
    settle(hub, "c2d-2", "reject")
    rejected = feedback(hub, "-w", "m-c2d-2", "-o", "json")
    assert rejected.code == 4
    record = json.loads(rejected.stdout)["feedback"]
    assert (record["deviceId"], record["statusCode"]) == ("c2d-2", "Rejected")
    completed = feedback(hub, "-d", "C2D-1", "--wait-on-msg", "m-c2d-1")
    assert completed.code == 0 and "statusCode: Success" in completed.stdout


def test_a_message_to_nobody_and_one_too_late_are_errors(hub: ScenarioHub) -> None:
    nobody = send(hub, "nobody-at-all")
    assert nobody.code == 3 and "not registered" in nobody.stderr
    late = send(hub, "nobody-at-all", "--expiry", "1000")
    assert late.code == 1 and "is past" in late.stderr


def test_of_what_the_extension_brings_events_alone_load_the_event_hubs_sdk(hub: ScenarioHub) -> None:
    """Its azure-core, certifi, requests and the like stay az's own."""
    words = ("-n", hub.name, "--timeout", "1", "--exit-zero")
    ran = hub.az.run("iot hub monitor-events", *words, environment={"PYTHONVERBOSE": "1"})
    assert ran.code == 0
    folder = re.escape(str(EXTENSIONS / "iotjobs"))
    loaded = set(re.findall(rf"code object from '?{folder}/([\w.]+(?:/\w+)?)", ran.stderr))
    packages = {each if each.startswith("azure") else each.partition("/")[0] for each in loaded}
    assert packages == {"azext_iotjobs", "azure/eventhub"}
