"""A hub whose disk is full, or whose database somebody else holds, stays up: it answers what it can, says why, and goes
on when it is over. Real disks and real locks.
"""

import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.localhub.testing.process import LocalHubFailed
from tests.helpers.hub_process import HubProcess, hubs_until_the_end
from tests.helpers.mqtt_device import MqttDevice
from tests.helpers.small_disk import filled, small_disk
from tests.helpers.waiting import wait_until

__all__ = ["small_disk"]  # a fixture

LOCKED, FULL = "another program holds a lock on it", "the disk is full"
UNAVAILABLE = (503, "ServiceUnavailable")
NO_FOLDER = 12


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the write lock of a database, as somebody who looks into it with sqlite3 may."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@pytest.fixture
def start() -> Iterator[Callable[..., HubProcess]]:
    with hubs_until_the_end() as start:
        yield start


def outages(hub: HubProcess) -> list[str]:
    return [each["reason"] for each in hub.ok("GET", "/_local/troubles")]


def health(hub: HubProcess) -> tuple[int, Any]:
    answer = hub.request("GET", "/_local/health", token="")
    return answer.status_code, answer.json()


def lasted_s(hub: HubProcess) -> float:
    (trouble,) = hub.ok("GET", "/_local/troubles")
    return (datetime.now(timezone.utc) - datetime.fromisoformat(trouble["since"][:26] + "+00:00")).total_seconds()


def twin_job(value: int, starts_in_s: float) -> dict[str, Any]:
    at = datetime.now(timezone.utc) + timedelta(seconds=starts_in_s)
    patch = {"etag": "*", "properties": {"desired": {"value": value}}}
    return {"type": "scheduleUpdateTwin", "queryCondition": "*", "updateTwin": patch, "startTime": at.isoformat()}


def report(device: MqttDevice, value: int) -> int:
    """Change a reported property; gives the status that the hub answers with."""
    device.publish("$iothub/twin/PATCH/properties/reported/?$rid=1", {"a": value})
    return int(device.next()[0].split("/")[3])


def said_once(hub: HubProcess, reason: str) -> None:
    begun, over = (line for line in hub.errors.splitlines() if reason in line)
    assert "ERROR" in begun and "The hub stays up" in begun
    assert "works again" in over
    assert "Traceback" not in hub.errors


def test_a_job_and_a_message_that_are_due_while_the_database_is_locked_wait_for_its_end(
    start: Callable[..., HubProcess], tmp_path: Path
) -> None:
    hub = start(tmp_path)
    hub.new_device("d1")
    hub.ok("PUT", "/jobs/v2/due", twin_job(7, 1.0))
    soon = (datetime.now(timezone.utc) + timedelta(seconds=1)).isoformat()
    message = {"body": "MQ==", "messageId": "m1", "expiryTimeUtc": soon, "ack": "full"}
    hub.ok("POST", "/_local/devices/d1/messages", message)
    with locked(tmp_path / "hub.db"):
        wait_until("it says so", lambda: outages(hub) == [LOCKED])
        assert health(hub) == (503, {"status": "trouble"}), "without a word of what it is"
        wait_until("it has lasted longer than any lock was ever waited for", lambda: lasted_s(hub) > 7)
        assert hub.process.poll() is None
        assert hub.ok("GET", "/devices/d1")["deviceId"] == "d1"
        assert hub.refused("PUT", "/devices/d2", {"deviceId": "d2"}) == UNAVAILABLE
        assert hub.refused("PATCH", "/twins/d1", {"tags": {"a": 1}}) == UNAVAILABLE
    wait_until("it is over", lambda: outages(hub) == [])
    assert health(hub) == (200, {"status": "up"})
    assert hub.wait_for_job("due")["deviceJobStatistics"]["succeededCount"] == 1
    (record,) = hub.ok("GET", "/messages/serviceBound/feedback")
    assert (record["originalMessageId"], record["statusCode"]) == ("m1", "Expired")
    assert "tags" not in hub.ok("GET", "/twins/d1") or hub.ok("GET", "/twins/d1")["tags"] == {}
    hub.new_device("d2")
    assert hub.stop() == 0
    said_once(hub, LOCKED)


def test_calls_that_a_job_has_made_are_stored_once_the_lock_is_gone_and_nobody_is_called_twice(
    start: Callable[..., HubProcess], tmp_path: Path
) -> None:
    hub = start(tmp_path)
    device = MqttDevice(hub, "d1", hub.new_device("d1")["authentication"]["symmetricKey"]["primaryKey"])
    assert device.connect() == 0
    calls: list[str] = []
    with closing(sqlite3.connect(tmp_path / "hub.db", isolation_level=None, check_same_thread=False)) as other:

        def answer(method: str, _value: object) -> tuple[int, object]:
            calls.append(method)
            other.execute("BEGIN IMMEDIATE")  # before the answer is out: it cannot be stored
            return 200, "done"

        device.answer_methods(answer)
        method = {"methodName": "reboot", "payload": None, "responseTimeoutInSeconds": 30}
        job = {"type": "scheduleDeviceMethod", "queryCondition": "*", "cloudToDeviceMethod": method}
        hub.ok("PUT", "/jobs/v2/calls", job)
        wait_until("it says so", lambda: outages(hub) == [LOCKED])
        assert hub.ok("GET", "/jobs/v2/calls")["deviceJobStatistics"]["runningCount"] == 1
        other.execute("ROLLBACK")
    assert hub.wait_for_job("calls")["deviceJobStatistics"]["succeededCount"] == 1
    assert calls == ["reboot"]
    device.close()
    assert hub.stop() == 0


def test_a_device_learns_that_its_twin_cannot_be_stored_now_and_stays_connected(
    start: Callable[..., HubProcess], tmp_path: Path
) -> None:
    hub = start(tmp_path)
    device = MqttDevice(hub, "d1", hub.new_device("d1")["authentication"]["symmetricKey"]["primaryKey"])
    assert device.connect() == 0
    device.subscribe("$iothub/twin/res/#")
    with locked(tmp_path / "hub.db"):
        assert report(device, 1) == 503
    wait_until("it is over", lambda: outages(hub) == [])
    assert report(device, 2) == 204
    device.close()
    assert hub.ok("GET", "/twins/d1")["properties"]["reported"]["a"] == 2


def test_what_waits_for_a_device_that_went_during_the_lock_comes_again(
    start: Callable[..., HubProcess], tmp_path: Path
) -> None:
    hub = start(tmp_path)
    key = hub.new_device("d1")["authentication"]["symmetricKey"]["primaryKey"]
    device = MqttDevice(hub, "d1", key, manual_ack=True)
    assert device.connect() == 0
    device.subscribe("devices/d1/messages/devicebound/#", qos=1)
    hub.ok("POST", "/_local/devices/d1/messages", {"body": "MQ=="})
    device.next()
    with locked(tmp_path / "hub.db"):
        device.close()
        wait_until("it says so", lambda: outages(hub) == [LOCKED])
    wait_until("it is over", lambda: outages(hub) == [])
    wait_until("it waits again", lambda: hub.request("GET", "/devices/d1/messages/deviceBound").status_code == 200)


def test_a_full_disk_does_not_end_the_hub_and_what_it_has_acknowledged_is_kept(
    small_disk: Path, start: Callable[..., HubProcess]
) -> None:
    hub = start(small_disk / "hub")
    hub.new_device("d1")
    made: list[str] = []
    with filled(small_disk):
        while hub.request("PUT", f"/devices/x{len(made)}", {"deviceId": f"x{len(made)}"}).ok:
            made.append(f"x{len(made)}")
        assert outages(hub) == [FULL]
        assert hub.refused("PUT", "/jobs/v2/j", twin_job(1, 0)) == UNAVAILABLE
        assert hub.ok("GET", "/devices/d1")["deviceId"] == "d1"
        bulk = [{"id": f"b{number}", "importMode": "create"} for number in range(50)]
        assert hub.refused("POST", "/devices", bulk) == UNAVAILABLE
        assert hub.process.poll() is None
    wait_until("it is over", lambda: outages(hub) == [])
    hub.ok("PUT", "/jobs/v2/j", twin_job(2, 0))
    assert hub.wait_for_job("j")["deviceJobStatistics"]["succeededCount"] == len(made) + 1
    hub.kill()
    again = start(small_disk / "hub")
    assert {each["deviceId"] for each in again.ok("GET", "/devices?top=1000")} == {"d1", *made}
    said_once(hub, FULL)


def test_a_hub_that_may_not_write_so_large_a_file_says_so_and_stays_up(
    start: Callable[..., HubProcess], tmp_path: Path
) -> None:
    if sys.platform != "linux":
        pytest.skip("another process's limits are set on Linux alone")
    import resource

    hub = start(tmp_path)
    hub.new_device("d1")
    pid, size = hub.process.pid, (tmp_path / "hub.db-wal").stat().st_size
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    assert hub.refused("PUT", "/devices/d2", {"deviceId": "d2"}) == UNAVAILABLE
    (reason,) = outages(hub)
    assert "disk" in reason
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    wait_until("it is over", lambda: outages(hub) == [])
    hub.new_device("d2")
    assert hub.stop() == 0


@pytest.mark.parametrize("what", ["a full disk", "a lock"])
def test_a_start_that_cannot_write_says_why_in_one_line(
    small_disk: Path, start: Callable[..., HubProcess], what: str
) -> None:
    folder = small_disk / "hub"
    if what == "a lock":
        assert start(folder).stop() == 0
    with locked(folder / "hub.db") if what == "a lock" else filled(small_disk), pytest.raises(LocalHubFailed) as failed:
        HubProcess(folder)
    assert failed.value.exit_code == NO_FOLDER
    (line,) = failed.value.errors.splitlines()
    assert str(folder) in line
    assert (LOCKED if what == "a lock" else FULL) in line
    assert "reset" not in line
    assert not list(folder.glob(".*"))
