"""What the hub has acknowledged is there after its end, however that came; jobs go on."""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.helpers.hub_process import HubProcess
from tests.helpers.mqtt_device import MqttDevice, wait_for_connection_state

ROUNDS = 30 if os.environ.get("IOTJOBS_TORTURE") else 3


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], HubProcess]]:
    """Starts hubs on one data folder, one after the other."""
    started: list[HubProcess] = []

    def start() -> HubProcess:
        started.append(HubProcess(tmp_path))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.kill()


def key_of(hub: HubProcess, device: str) -> str:
    return str(hub.ok("GET", f"/devices/{device}")["authentication"]["symmetricKey"]["primaryKey"])


def twin_job(condition: str, value: int, **more: object) -> dict:
    patch = {"etag": "*", "properties": {"desired": {"value": value}}}
    return {"type": "scheduleUpdateTwin", "queryCondition": condition, "updateTwin": patch, **more}


def method_job(condition: str, **more: object) -> dict:
    method = {"methodName": "reboot", "payload": None, "responseTimeoutInSeconds": 30, "connectTimeoutInSeconds": 0}
    return {"type": "scheduleDeviceMethod", "queryCondition": condition, "cloudToDeviceMethod": method, **more}


def ahead(seconds: float) -> str:
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).isoformat()


@pytest.mark.parametrize("end", [HubProcess.stop, HubProcess.kill])
def test_keys_connection_strings_and_the_ca_stay(start: Callable[[], HubProcess], end: Callable) -> None:
    first = start()
    device = first.new_device("d1")
    ca = Path(first.info["caCertificatePath"]).read_bytes()
    end(first)
    second = start()
    assert second.ok("GET", "/devices/d1") == device
    assert Path(second.info["caCertificatePath"]).read_bytes() == ca


def test_nobody_is_connected_after_a_kill(start: Callable[[], HubProcess]) -> None:
    first = start()
    first.new_device("d1")
    device = MqttDevice(first, "d1", key_of(first, "d1"))
    assert device.connect() == 0
    wait_for_connection_state(first, "d1", "Connected")
    first.kill()
    device.close()
    assert start().ok("GET", "/devices/d1")["connectionState"] == "Disconnected"


def test_a_job_that_was_due_while_the_hub_was_down_runs_at_once(start: Callable[[], HubProcess]) -> None:
    first = start()
    first.new_device("d1")
    first.ok("PUT", "/jobs/v2/due", twin_job("deviceId = 'd1'", 7, startTime=ahead(1)))
    first.kill()
    time.sleep(1)
    second = start()
    assert second.wait_for_job("due")["status"] == "completed"
    assert second.ok("GET", "/twins/d1")["properties"]["desired"]["value"] == 7


def test_a_running_job_goes_on_with_the_devices_that_it_had(start: Callable[[], HubProcess]) -> None:
    first = start()
    first.new_device("d1")
    first.ok("PUT", "/jobs/v2/waits", method_job("STARTSWITH(deviceId, 'd')", maxExecutionTimeInSeconds=120))
    while first.ok("GET", "/jobs/v2/waits")["status"] != "running":
        pass
    first.kill()
    second = start()
    second.new_device("d2")  # too late for this job
    device = MqttDevice(second, "d1", key_of(second, "d1"))
    assert device.connect() == 0
    device.answer_methods(lambda _method, _value: (200, "after the kill"))
    job = second.wait_for_job("waits")
    device.close()
    assert job["deviceJobStatistics"]["deviceCount"] == job["deviceJobStatistics"]["succeededCount"] == 1


def test_a_method_that_was_in_flight_is_not_called_again_and_says_so(start: Callable[[], HubProcess]) -> None:
    calls: list[str] = []
    first = start()
    first.new_device("d1")
    device = MqttDevice(first, "d1", key_of(first, "d1"))
    assert device.connect() == 0
    device.subscribe("$iothub/methods/POST/#")
    first.ok("PUT", "/jobs/v2/cut", method_job("deviceId = 'd1'", maxExecutionTimeInSeconds=120))
    calls.append(device.next()[0])  # called, and never answered
    first.kill()
    device.close()
    second = start()
    again = MqttDevice(second, "d1", key_of(second, "d1"))
    assert again.connect() == 0
    again.answer_methods(lambda method, _value: calls.append(method) or (200, None))
    job = second.wait_for_job("cut")
    again.close()
    assert (job["status"], job["deviceJobStatistics"]["failedCount"]) == ("completed", 1)
    assert len(calls) == 1
    query = {"query": "SELECT * FROM devices.jobs WHERE jobId = 'cut'"}
    (row,) = second.ok("POST", "/devices/query", query)
    assert "not known" in row["error"]["description"]


def test_a_kept_session_and_its_messages_outlive_the_hub(start: Callable[[], HubProcess]) -> None:
    first = start()
    first.new_device("d1")
    device = MqttDevice(first, "d1", key_of(first, "d1"), clean_session=False)
    assert device.connect() == 0
    device.subscribe("$iothub/methods/POST/#", "devices/d1/messages/devicebound/#", qos=1)
    device.close()
    wait_for_connection_state(first, "d1", "Disconnected")
    first.ok("POST", "/_local/devices/d1/messages", {"body": "MQ=="})
    first.kill()
    second = start()
    again = MqttDevice(second, "d1", key_of(second, "d1"), clean_session=False)
    again.on_method = lambda _method, _value: (200, "still listening")
    assert again.connect() == 0
    assert again.next()[1] == 1
    call = {"methodName": "reboot", "payload": None, "responseTimeoutInSeconds": 10}
    assert second.ok("POST", "/twins/d1/methods", call)["payload"] == "still listening"
    again.close()


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_kill_at_a_random_moment_loses_nothing_that_was_acknowledged(
    start: Callable[[], HubProcess], seed: int
) -> None:
    chance = random.Random(seed)
    hub = start()
    for number in range(20):
        hub.new_device(f"d{number}")
    tags: dict[str, int] = {}
    created = {f"d{number}" for number in range(20)}
    jobs: set[str] = set()
    moment = threading.Timer(chance.uniform(0.05, 1.0), hub.kill)
    moment.start()
    try:
        for number in range(10_000):
            device = f"d{chance.randrange(20)}"
            what = chance.choice(["twin", "device", "job"])
            if what == "twin" and hub.request("PATCH", f"/twins/{device}", {"tags": {"n": number}}).ok:
                tags[device] = number
            elif what == "device" and hub.request("PUT", f"/devices/new{number}", {}).ok:
                created.add(f"new{number}")
            elif what == "job":
                job = f"j{number}"
                if hub.request("PUT", f"/jobs/v2/{job}", twin_job("STARTSWITH(deviceId, 'd')", number)).ok:
                    jobs.add(job)
    except OSError:  # requests' errors are: the hub is gone
        pass
    moment.join()
    after = start()
    for device in created:
        assert after.request("GET", f"/devices/{device}").ok, device
    for device, number in tags.items():
        assert after.ok("GET", f"/twins/{device}")["tags"]["n"] >= number
    for job in jobs:
        ended = after.wait_for_job(job)
        assert (ended["status"], ended["deviceJobStatistics"]["succeededCount"]) == ("completed", 20), job
    for number in range(20):
        desired = after.ok("GET", f"/twins/d{number}")["properties"]["desired"]
        known = after.ok("GET", "/jobs/v2/query?jobStatus=completed")
        # Each job wrote once: a twin's version counts them, no more and no less.
        assert desired["$version"] == 1 + len(known) if len(known) < 100 else desired["$version"] >= 101
