"""A hub with a tier: what is above its throttles is held up, then refused; its jobs keep to their pace and slots."""

import base64
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.hub_process import HubProcess
from tests.helpers.mqtt_device import MqttDevice

pytestmark = pytest.mark.local_hub("needs a hub of each tier")

QUERY = {"query": "SELECT deviceId FROM devices"}


@pytest.fixture
def small(tmp_path: Path) -> Iterator[HubProcess]:
    """One unit of the smallest paid tier."""
    hub = HubProcess(tmp_path, "--in-memory", "--sku", "S1")
    yield hub
    assert hub.stop() == 0


@pytest.fixture
def fast(tmp_path: Path) -> Iterator[HubProcess]:
    """The same, whose quotas' time passes forty times as fast."""
    hub = HubProcess(tmp_path, "--in-memory", "--sku", "S1", "--time-scale", "40")
    yield hub
    assert hub.stop() == 0


def used(hub: HubProcess, name: str) -> dict[str, Any]:
    (meter,) = [each for each in hub.ok("GET", "/_local/quotas")["throttles"] if each["name"] == name]
    return dict(meter)


def twin_job(**members: Any) -> dict[str, Any]:
    patch = {"etag": "*", "tags": {"a": 1}}
    return {"type": "scheduleUpdateTwin", "queryCondition": "*", "updateTwin": patch, **members}


def test_queries_above_the_throttle_are_late_then_refused_as_the_service_does(tmp_path: Path) -> None:
    with HubProcess(tmp_path, "--in-memory", "--sku", "S1", "--time-scale", "10") as hub:

        def ask(_number: int) -> tuple[Any, float]:
            begun = time.monotonic()
            answer = hub.request("POST", "/devices/query", QUERY)
            return answer, time.monotonic() - begun

        with ThreadPoolExecutor(40) as pool:
            answers = list(pool.map(ask, range(40)))
        passed = [took_s for answer, took_s in answers if answer.ok]
        refused = [answer for answer, _ in answers if not answer.ok]
        meter = used(hub, "queries")
        assert (meter["passed"], meter["refused"]) == (len(passed), len(refused))
        assert len(passed) >= 23 and refused and meter["delayed"] >= 3
        assert max(passed) >= 0.5, "the last ones of the queue wait for nearly a second"
        for answer in refused:
            assert (answer.status_code, answer.headers["iothub-errorcode"]) == (429, "ThrottlingBacklogTimeout")
            assert "Retry-After" not in answer.headers
            assert answer.headers["Connection"] == "close"
            body = answer.json()
            assert body["Message"].startswith("ErrorCode:ThrottlingBacklogTimeout;")
            assert "10 seconds" in body["Message"]
            assert body["ExceptionMessage"].startswith("Tracking ID:")


def test_a_job_over_thirty_devices_takes_three_seconds_in_the_smallest_tier(small: HubProcess) -> None:
    small.ok("POST", "/devices", [{"id": f"d{number}", "importMode": "create"} for number in range(30)])
    begun = time.monotonic()
    small.ok("PUT", "/jobs/v2/paced", twin_job())
    statistics = small.wait_for_job("paced")["deviceJobStatistics"]
    assert 2.5 <= time.monotonic() - begun < 10
    assert statistics["succeededCount"] == 30
    meter = used(small, "jobs device operations")
    assert (meter["passed"], meter["refused"]) == (30, 0)
    assert used(small, "twin updates")["passed"] == 0


def test_a_job_that_waits_for_its_time_holds_the_only_slot(fast: HubProcess) -> None:
    ahead = (datetime.now(timezone.utc) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    fast.ok("PUT", "/jobs/v2/first", twin_job(startTime=ahead))
    assert fast.refused("PUT", "/jobs/v2/second", twin_job()) == (429, "ThrottlingMaxActiveJobCountExceeded")
    assert fast.ok("GET", "/_local/quotas")["activeJobs"] == {"count": 1, "limit": 1}
    fast.ok("POST", "/jobs/v2/first/cancel")
    fast.ok("PUT", "/jobs/v2/second", twin_job())


def test_telemetry_above_the_throttle_is_acknowledged_late_and_none_is_lost(small: HubProcess) -> None:
    key = small.new_device("talker")["authentication"]["symmetricKey"]["primaryKey"]
    device = MqttDevice(small, "talker", key)
    try:
        assert device.connect() == 0
        begun = time.monotonic()
        sent = [device.publish("devices/talker/messages/events/", number, qos=1) for number in range(200)]
        for each in sent:
            each.wait_for_publish(20)
        assert time.monotonic() - begun >= 0.9, "100 at once, 100 a second after them"
    finally:
        device.close()
    arrived = [int(base64.b64decode(each["body"])) for each in small.events_of("talker")]
    assert arrived == [*range(200)]
    assert used(small, "new device connections")["passed"] == 1
    assert used(small, "telemetry sends")["passed"] == 200


def test_each_request_counts_against_its_own_throttle(fast: HubProcess) -> None:
    fast.new_device("pump")
    fast.ok("PATCH", "/twins/pump", {"tags": {"a": 1}})
    fast.ok("GET", "/twins/pump")
    call = {"methodName": "m", "payload": "x" * 9000}
    assert fast.refused("POST", "/twins/pump/methods", call) == (404, "DeviceNotOnline")
    renewal = {"policyKey": "primaryKey", "devices": [{"id": "pump"}, {"id": "pump"}]}
    fast.ok("POST", "/devices/keys/regenerate", renewal)
    fast.ok("POST", "/_local/devices/pump/messages", {"body": ""})
    fast.ok("GET", "/jobs/v2/query")
    batch = [{"body": "", "properties": {}}] * 3
    media_type = {"Content-Type": "application/vnd.microsoft.iothub.json"}
    fast.ok("POST", "/devices/pump/messages/events", batch, headers=media_type)
    fast.ok("GET", "/devices/pump/messages/deviceBound")
    assert fast.refused("GET", "/twins/pump", policy="registryRead") == (401, "IotHubUnauthorizedAccess")
    counted = {each["name"]: each["counted"] for each in fast.ok("GET", "/_local/quotas")["throttles"]}
    assert {name: count for name, count in counted.items() if count} == {
        "registry operations": 3,
        "twin updates": 1,
        "twin reads": 1,
        "direct methods": 3,
        "cloud-to-device sends": 1,
        "jobs operations": 1,
        "telemetry sends": 3,
        "cloud-to-device receives": 1,
    }


def test_a_hub_without_a_tier_limits_and_counts_nothing(hub: HubProcess) -> None:
    for _ in range(30):
        hub.ok("POST", "/devices/query", QUERY)
    quotas = hub.ok("GET", "/_local/quotas")
    assert (quotas["sku"], quotas["units"], quotas["throttles"]) == ("unlimited", None, [])
    assert quotas["activeJobs"]["limit"] is None
