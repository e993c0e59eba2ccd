"""What the hub has acknowledged is there after its end, however that came; jobs go on."""

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.configuration_actor import Configurer
from tests.helpers.hub_process import HubProcess, hubs_until_the_end
from tests.helpers.mqtt_device import MqttDevice, wait_for_connection_state
from tests.helpers.restart_actors import (
    Actor,
    AmqpCorrespondent,
    AmqpReceiver,
    AmqpTelemeter,
    BulkWriter,
    Correspondent,
    MethodJobber,
    Registrar,
    TwinJobber,
    TwinWriter,
    key_of,
)
from tests.helpers.short_form import IN_FULL
from tests.helpers.waiting import looks, wait_until

pytestmark = pytest.mark.local_hub("stops and kills the hub")

KILLS = 50 if IN_FULL else 3


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], HubProcess]]:
    """Starts hubs on one data folder, one after the other."""
    with hubs_until_the_end() as begin:
        yield lambda: begin(tmp_path)


def twin_job(condition: str, value: int, **more: object) -> dict[str, Any]:
    patch = {"etag": "*", "properties": {"desired": {"value": value}}}
    return {"type": "scheduleUpdateTwin", "queryCondition": condition, "updateTwin": patch, **more}


def method_job(condition: str, **more: object) -> dict[str, Any]:
    method = {"methodName": "reboot", "payload": None, "responseTimeoutInSeconds": 30, "connectTimeoutInSeconds": 0}
    return {"type": "scheduleDeviceMethod", "queryCondition": condition, "cloudToDeviceMethod": method, **more}


def ahead(seconds: float) -> str:
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).isoformat()


@pytest.mark.parametrize("end", [HubProcess.stop, HubProcess.kill])
def test_keys_connection_strings_and_the_ca_stay(
    start: Callable[[], HubProcess], end: Callable[[HubProcess], object]
) -> None:
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
    wait_until("the job runs", lambda: first.ok("GET", "/jobs/v2/waits")["status"] == "running")
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

    def called(method: str, _value: Any) -> tuple[int, Any]:
        calls.append(method)
        return 200, None

    again.answer_methods(called)
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


def kill_while_starting(data_dir: Path, chance: random.Random) -> None:
    """Start a hub and end it before it is ready, or just when it is."""
    words = ("--https-port", "0", "--mqtt-port", "0", "--amqp-port", "0", "--data-dir", str(data_dir))
    repository = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        [sys.executable, "-m", "azext_iotjobs.localhub", *words], cwd=repository, stdout=subprocess.DEVNULL
    )
    time.sleep(chance.uniform(0.1, 0.7))
    process.kill()
    process.wait()


def act_until_gone(actor: Actor, hub: HubProcess, chance: random.Random) -> None:
    try:
        for _ in looks("the hub is killed"):
            actor.act(hub, chance)
    except OSError:  # requests' errors are: the hub is gone
        pass


def act_and_kill(actors: list[Actor], hub: HubProcess, chance: random.Random) -> None:
    """All act at once, and in the midst of it the hub is killed."""
    with ThreadPoolExecutor(len(actors)) as threads:
        acting = [threads.submit(act_until_gone, each, hub, random.Random(chance.random())) for each in actors]
        time.sleep(chance.uniform(0.02, 0.8))
        hub.kill()
    for each in acting:
        each.result()
    for actor in actors:
        actor.end()


def test_kills_at_random_moments_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(10**6) if IN_FULL else 59
    chance, kills, actor = random.Random(seed), 0, None
    methods = MethodJobber("m")
    actors = [
        *(Registrar(f"r{each}") for each in range(3)),
        TwinWriter("w1"),
        TwinWriter("w2"),
        BulkWriter("b"),
        TwinJobber("t"),
        methods,
        Correspondent("c"),
        Configurer("cf"),
        AmqpCorrespondent("a"),
        AmqpReceiver("ar"),
        AmqpTelemeter("at"),
    ]
    hub = HubProcess(tmp_path, "--keep-events")
    try:
        for actor in actors:
            actor.prepare(hub)
            actor.begin(hub)
        while kills < KILLS:
            kills += 1
            act_and_kill(actors, hub, chance)
            for _ in range(chance.choice([0, 0, 1, 2])):
                kill_while_starting(tmp_path, chance)
            hub = HubProcess(tmp_path, "--keep-events")
            for actor in actors:
                actor.begin(hub)
            for actor in actors:
                actor.check(hub)
            counted, listed = hub.ok("GET", "/statistics/devices"), hub.ok("GET", "/devices?top=1000")
            assert counted["totalDeviceCount"] == counted["enabledDeviceCount"] == len(listed) < 1000
            assert "Traceback" not in hub.errors and "ERROR" not in hub.errors, hub.errors
    except Exception as err:
        raise AssertionError(f"seed {seed}, kill {kills}, {actor and actor.name}: {err}") from err
    finally:
        for actor in actors:
            actor.end()
        hub.kill()
    calls = len(methods.calls)
    assert calls > 0 and max(methods.calls.values()) == 1, f"seed {seed}: {methods.uncertain} of {calls} uncertain"


@pytest.mark.parametrize("seed", range(10 if IN_FULL else 2))
def test_a_hub_that_is_killed_in_its_first_starts_begins_well_in_the_next(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(3):
        kill_while_starting(tmp_path, chance)
    with HubProcess(tmp_path) as first:
        device = first.new_device("d1")
        ca = Path(first.info["caCertificatePath"]).read_bytes()
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
        first.kill()
    with HubProcess(tmp_path) as second:
        assert second.ok("GET", "/devices/d1") == device
        assert Path(second.info["caCertificatePath"]).read_bytes() == ca
