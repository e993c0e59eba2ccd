"""Simulated devices and their hub, real processes, under trouble: each device recovers or reports, nothing leaks."""

import base64
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.helpers.busy_hub import busy_hub
from tests.helpers.far_hub import far_hub
from tests.helpers.hub_process import HubProcess, hubs_until_the_end
from tests.helpers.short_form import IN_FULL
from tests.helpers.simulator_process import SimulatorProcess
from tests.helpers.waiting import wait_until

pytestmark = pytest.mark.local_hub("restarts, blocks and overloads the hub")

DEVICES, RESTARTS = (1000, 3) if IN_FULL else (100, 1)
SOAK_DEVICES, SOAK_S = (1000, 1800.0) if IN_FULL else (100, 30.0)
SPARE_FILES = 4  # what a look-up of the host's name has open meanwhile


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., HubProcess]]:
    """Starts hubs on one data folder, one after the other."""
    with hubs_until_the_end() as begin:
        yield lambda ports=(0, 0): begin(tmp_path, ports=ports)


def registered(hub: HubProcess, count: int) -> list[str]:
    """The ids of so many new devices."""
    ids = [f"d{number:04d}" for number in range(count)]
    for first in range(0, count, 100):
        hub.ok("POST", "/devices", [{"id": each, "importMode": "create"} for each in ids[first : first + 100]])
    return ids


def simulator_of(hub: HubProcess, ids: list[str], **more: Any) -> SimulatorProcess:
    https_port, mqtt_port = hub.ports
    told = {"host": "localhost", "httpsPort": https_port, "mqttPort": mqtt_port, "ca": str(hub.ca), **more}
    return SimulatorProcess(policy="iothubowner", key=hub.key(), ids=ids, **told)


def all_ready(simulator: SimulatorProcess, count: int) -> dict[str, Any]:
    wait_until(f"{count} devices are ready", lambda: simulator.counts()["ready"] == count, limit_s=120)
    return simulator.counts()


def gaps_of(acknowledged: dict[str, list[int]]) -> dict[str, set[int]]:
    """By device: messages that are not acknowledged although later ones are."""
    missing = {each: set(range(1, max(numbers) + 1)) - set(numbers) for each, numbers in acknowledged.items()}
    return {each: numbers for each, numbers in missing.items() if numbers}


def test_devices_reconnect_after_each_restart_and_send_again_what_was_in_flight(
    start: Callable[..., HubProcess],
) -> None:
    seed = random.SystemRandom().randrange(10**6) if IN_FULL else 11
    chance, hub = random.Random(seed), start()
    ids = registered(hub, DEVICES)
    with simulator_of(hub, ids, messages=100_000, intervalSeconds=1.0, remembers=True) as simulator:
        files = all_ready(simulator, DEVICES)["files"]
        for number in range(RESTARTS):
            time.sleep(chance.uniform(1, 3))
            ports = hub.ports
            hub.kill()
            time.sleep(chance.uniform(0, 3))
            hub = start(ports)
            assert all_ready(simulator, DEVICES)["files"] <= files + SPARE_FILES, f"seed {seed}"
            assert answered(hub, f"after-{number}") == DEVICES
        before = simulator.counts()["seen"]["acknowledged"]
        wait_until("all send again", lambda: simulator.counts()["seen"]["acknowledged"] > before + 2 * DEVICES)
        end = simulator.end()
    assert end["failures"] == {} and end["dropped"] == 0
    assert end["seen"]["lost"] == DEVICES * RESTARTS, f"seed {seed}"
    assert end["seen"].get("not-connected", 0) <= 5 * DEVICES * RESTARTS, "the pauses hold while the hub is away"
    assert len(end["acknowledged"]) == DEVICES and gaps_of(end["acknowledged"]) == {}, f"seed {seed}"


def test_the_hub_has_all_messages_that_it_acknowledged_over_cut_connections(start: Callable[..., HubProcess]) -> None:
    hub = start()
    ids = registered(hub, 50)
    there: list[tuple[str, int]] = []
    last = 0

    def collect() -> int:
        nonlocal last
        while page := hub.ok("GET", f"/_local/events?after={last}")["events"]:
            assert page[0]["number"] == last + 1, "the hub keeps only so many"
            last = page[-1]["number"]
            there.extend((each["deviceId"], number_of(each)) for each in page)
        return len(there)

    def sent_more_than(count: int) -> bool:
        return collect() > count

    with (
        far_hub(hub.ports[1], 0.1) as far,
        simulator_of(hub, ids, mqttPort=far.port, messages=100_000, intervalSeconds=0.5, remembers=True) as simulator,
    ):
        for _ in range(3):
            all_ready(simulator, 50)
            aim = collect() + 100
            wait_until("some are sent", partial(sent_more_than, aim))
            far.cut()
            wait_until("the cut is seen", lambda: collect() and simulator.counts()["ready"] < 50)
        all_ready(simulator, 50)
        end = simulator.end()
    collect()
    acknowledged = {(device, number) for device, numbers in end["acknowledged"].items() for number in numbers}
    assert end["seen"]["lost"] == 150 and end["failures"] == {}
    assert gaps_of(end["acknowledged"]) == {}
    assert acknowledged <= set(there)
    assert len(there) > len(set(there)), "at least once: some came twice, as their acknowledgement was cut off"


def number_of(event: dict[str, Any]) -> int:
    """Which of its device's messages it is."""
    body = json.loads(base64.b64decode(event["body"]))
    return int(body["data"].rpartition("#")[2])


def answered(hub: HubProcess, job: str) -> int:
    """How many devices answer a method job over all."""
    method = {"methodName": "reboot", "payload": "x" * 1000, "responseTimeoutInSeconds": 60}
    document = {"type": "scheduleDeviceMethod", "queryCondition": "*", "cloudToDeviceMethod": method}
    hub.ok("PUT", f"/jobs/v2/{job}", {**document, "maxExecutionTimeInSeconds": 120})
    return int(hub.wait_for_job(job)["deviceJobStatistics"]["succeededCount"])


def test_disabled_and_deleted_devices_are_given_up_and_the_others_stay(start: Callable[..., HubProcess]) -> None:
    hub = start()
    ids = registered(hub, 10)
    with simulator_of(hub, ids) as simulator:
        files = all_ready(simulator, 10)["files"]
        hub.ok("DELETE", f"/devices/{ids[0]}", headers={"If-Match": "*"})
        disabled = {**hub.ok("GET", f"/devices/{ids[1]}"), "status": "disabled"}
        hub.ok("PUT", f"/devices/{ids[1]}", disabled, headers={"If-Match": "*"})
        wait_until("both are given up", lambda: simulator.counts()["seen"].get("refused") == 2)
        counts = simulator.counts()
        assert counts["ready"] == 8 and counts["files"] <= files - 2 + SPARE_FILES
        end = simulator.end()
    assert sorted(end["failures"]) == ids[:2]
    assert end["seen"]["lost"] == 2 and end["seen"]["not-connected"] == 2, "each tried once more with a fresh token"


def test_two_clients_of_one_id_back_off_from_each_other_and_say_so(start: Callable[..., HubProcess]) -> None:
    hub = start()
    ids = registered(hub, 3)
    with simulator_of(hub, ids) as simulator, simulator_of(hub, ids[:1]) as other:
        wait_until("they met", lambda: simulator.counts()["seen"].get("lost", 0) >= 3, limit_s=60)
        seconds = 6.0
        before = simulator.counts()["seen"]["lost"]
        time.sleep(seconds)
        assert simulator.counts()["seen"]["lost"] - before <= 3, "the pauses have grown to two seconds and more"
        other.end()
        all_ready(simulator, 3)
        end = simulator.end()
    assert any("another client" in reason for reason in end["reasons"])
    assert end["failures"] == {}
    assert end["seen"]["ready"] == 3 + end["seen"]["lost"], "nobody else was thrown out"


def test_a_busy_hub_is_given_time_and_then_accepts_all_devices(tmp_path: Path) -> None:
    with busy_hub(tmp_path, refusals=1) as hub:
        ids = [f"d{number}" for number in range(20)]
        with SimulatorProcess(
            host="localhost", httpsPort=1, mqttPort=hub.port, ca=str(hub.ca_file), policy="p", key="AAAA", ids=ids
        ) as simulator:
            all_ready(simulator, 20)
            end = simulator.end()
    assert end["seen"]["not-connected"] == 20
    for first, second in hub.connects.values():
        assert 10 <= second - first < 20


def test_a_long_simulation_does_not_grow(start: Callable[..., HubProcess], capsys: pytest.CaptureFixture[str]) -> None:
    hub = start()
    ids = registered(hub, SOAK_DEVICES)
    with simulator_of(hub, ids, messages=1_000_000, intervalSeconds=1.0 if SOAK_DEVICES < 200 else 5.0) as simulator:
        began = time.monotonic()
        counts = all_ready(simulator, SOAK_DEVICES)
        curve, jobs, restarted = [(0.0, counts["rss_kb"])], 0, False
        while time.monotonic() - began < SOAK_S:
            jobs += 1
            assert answered(hub, f"soak-{jobs}") == SOAK_DEVICES
            if not restarted and time.monotonic() - began > SOAK_S / 4:
                restarted, ports = True, hub.ports
                hub.kill()
                hub = start(ports)
                all_ready(simulator, SOAK_DEVICES)
            time.sleep(SOAK_S / 120)
            curve.append((time.monotonic() - began, simulator.status("VmRSS")))
        assert simulator.counts()["files"] <= counts["files"] + SPARE_FILES
        end = simulator.end()
    with capsys.disabled():
        shown = curve[:: max(1, len(curve) // 30)]
        sys.stdout.write("\nsoak, seconds:MB " + " ".join(f"{at:.0f}:{kb / 1024:.1f}" for at, kb in shown) + "\n")
    assert end["failures"] == {} and end["dropped"] == 0
    settled = [kb for at, kb in curve if SOAK_S / 3 < at]
    first, last = median(settled[: len(settled) // 3]), median(settled[-(len(settled) // 3) :])
    assert last - first < max(0.03 * first, 1500), f"grew from {first} to {last} KB"
