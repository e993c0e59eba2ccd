"""A hub is brought back to a snapshot: all that it held, or, where that is not possible, nothing has changed."""

import base64
import json
import stat
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.localhub.testing import LocalHub, LocalHubRefused, Snapshot
from tests.helpers.device_certificates import make
from tests.helpers.hub_process import HubProcess
from tests.helpers.mqtt_device import MqttDevice
from tests.helpers.snapshot_contents import ABOUT, about, changed_by, dump, parts, with_parts
from tests.helpers.waiting import wait_until

LATER = (datetime.now(timezone.utc) + timedelta(days=1)).isoformat()
EVENTS = "/_local/events"


@pytest.fixture(scope="module")
def hub() -> Iterator[LocalHub]:
    with LocalHub() as hub:
        yield hub


@pytest.fixture(scope="module")
def full(hub: LocalHub) -> Snapshot:
    """One of a hub that holds some of everything."""
    hub.create_device("pump-1")
    hub.request("PUT", "/devices/gateway", {"deviceId": "gateway", "capabilities": {"iotEdge": True}})
    hub.request("PUT", "/devices/pump-1/modules/motor", {"deviceId": "pump-1", "moduleId": "motor"})
    for number in range(3):
        hub.patch_twin("pump-1", tags={"number": number}, desired={"interval": number})
    hub.add_ca("root", make("root", ca=True).pem)
    content = {"deviceContent": {"properties.desired.fan": {"speed": 3}}}
    hub.request("PUT", "/configurations/fan", {"id": "fan", "content": content, "targetCondition": "tags.site = 'x'"})
    wait_until("it has its results", lambda: hub.request("GET", "/configurations/fan")["systemMetrics"]["results"])
    hub.send("pump-1", "open the valve")
    job = {
        "type": "scheduleUpdateTwin",
        "updateTwin": {"etag": "*", "tags": {}},
        "startTime": LATER,
        "queryCondition": "*",
    }
    hub.request("PUT", "/jobs/v2/later", {"jobId": "later", "maxExecutionTimeInSeconds": 60, **job})
    for body in ("one", "two"):
        hub.request("POST", "/devices/pump-1/messages/events", body)
    return hub.snapshot()


def key_of(identity: dict[str, Any]) -> str:
    return str(identity["authentication"]["symmetricKey"]["primaryKey"])


def use(hub: LocalHub) -> None:
    """Change all that a hub may hold."""
    hub.request("DELETE", "/devices/gateway", headers={"If-Match": "*"})
    hub.create_device("another")
    hub.patch_twin("pump-1", tags={"number": None}, desired={"interval": 9})
    hub.request("DELETE", "/devices/pump-1/commands")
    hub.request("POST", "/jobs/v2/later/cancel")
    hub.request("DELETE", "/configurations/fan")
    hub.request("DELETE", "/_local/certificates/root")
    hub.request("POST", "/devices/another/messages/events", "three")


def test_the_clock_is_as_far_ahead_as_it_was() -> None:
    with LocalHub() as hub:
        hub.advance("2h")
        ahead = hub.snapshot()
        hub.request("POST", "/_local/reset")
        hub.restore(ahead)
        assert timedelta(hours=2) <= hub.now() - datetime.now(timezone.utc) + timedelta(minutes=1) < timedelta(hours=3)
        hub.request("POST", "/_local/reset")
        now_again = hub.snapshot()
        hub.advance("5h")
        hub.restore(now_again)
        assert hub.now() - datetime.now(timezone.utc) < timedelta(minutes=1)


def test_all_that_a_hub_held_is_there_again(hub: LocalHub, full: Snapshot) -> None:
    before = hub.request("GET", EVENTS), hub.twin("pump-1"), hub.device_connection_string("pump-1", "motor")
    use(hub)
    assert dump(hub.snapshot().content) != dump(full.content)
    hub.restore(full)
    assert dump(hub.snapshot().content) == dump(full.content)
    assert before == (hub.request("GET", EVENTS), hub.twin("pump-1"), hub.device_connection_string("pump-1", "motor"))


def test_so_it_is_after_everything_was_removed(hub: LocalHub, full: Snapshot) -> None:
    hub.reset()
    full.restore()
    assert dump(hub.snapshot().content) == dump(full.content)
    hub.request("POST", "/devices/pump-1/messages/events", "three")
    assert [each.body for each in hub.events("pump-1")] == ["one", "two", "three"]
    assert hub.events()[-1].number == 3
    hub.restore(full)


def test_at_the_end_of_a_with_statement_a_hub_is_as_it_was(hub: LocalHub, full: Snapshot) -> None:
    with hub.snapshot(), pytest.raises(ZeroDivisionError), hub.snapshot():
        use(hub)
        raise ZeroDivisionError
    assert dump(hub.snapshot().content) == dump(full.content)


def test_faults_are_cleared(hub: LocalHub, full: Snapshot) -> None:
    with hub.fault("status", status=429, route="GET /twins/**"):
        hub.restore(full)
        assert hub.twin("pump-1")["deviceId"] == "pump-1" and hub.faults() == []


def test_another_hub_that_stores_on_disk_takes_it_and_keeps_it(full: Snapshot, tmp_path: Path) -> None:
    file = tmp_path / "full.snapshot"
    full.save(file)
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        full.save(file)
    with LocalHub("--keep-events", data_dir=tmp_path / "hub") as other:
        own = other.connection_string
        other.restore(file)
        other.stop()
        other.start()
        assert dump(other.snapshot().content) == dump(full.content) and other.connection_string == own
        assert not [each.name for each in (tmp_path / "hub").iterdir() if "snapshot" in each.name]


def test_a_device_is_disconnected_and_connects_again(tmp_path: Path) -> None:
    with HubProcess(tmp_path) as hub:
        key = key_of(hub.new_device("pump-1"))
        snapshot = hub.local.snapshot()
        other_key = key_of(hub.new_device("another"))
        devices = [MqttDevice(hub, "pump-1", key), MqttDevice(hub, "another", other_key)]
        for each in devices:
            assert each.connect() == 0
        snapshot.restore()
        for each in devices:
            each.wait_for_loss()
        assert hub.local.twin("pump-1")["connectionState"] == "Disconnected"
        again = MqttDevice(hub, "pump-1", key)
        assert again.connect() == 0
        assert MqttDevice(hub, "another", other_key).connect() != 0
        again.answer_methods(lambda _name, payload: (200, payload))
        assert hub.local.call("pump-1", "ping", {"n": 1})["payload"] == {"n": 1}
        again.close()


def test_a_job_that_runs_is_as_if_it_had_not_been(tmp_path: Path) -> None:
    with HubProcess(tmp_path) as hub:
        key = key_of(hub.new_device("pump-1"))
        snapshot = hub.local.snapshot()
        running = {"type": "scheduleDeviceMethod", "cloudToDeviceMethod": {"methodName": "reboot"}}
        hub.ok("PUT", "/jobs/v2/j1", json={"jobId": "j1", **running, "queryCondition": "*"})
        wait_until("the job runs", lambda: hub.ok("GET", "/jobs/v2/j1")["status"] == "running")
        waiting = hub.local.snapshot()
        snapshot.restore()
        assert hub.ok("GET", "/jobs/v2/j1")["status"] == "unknown"
        waiting.restore()
        assert hub.ok("GET", "/jobs/v2/j1")["status"] == "running"
        device = MqttDevice(hub, "pump-1", key)
        assert device.connect() == 0
        device.answer_methods(lambda _name, _payload: (200, {}))
        wait_until("the job is done", lambda: hub.ok("GET", "/jobs/v2/j1")["status"] == "completed")
        device.close()


NOTHING = "This is not a snapshot of a local hub, or it is damaged."
NEWER = "A newer version of the local hub made the snapshot"
OTHER = "is not as the hub has written it."
TRIGGER = "CREATE TRIGGER other AFTER INSERT ON twins BEGIN SELECT RAISE(ABORT, 'no'); END"
LARGE_PAGES = ("PRAGMA journal_mode = DELETE", "PRAGMA page_size = 16384", "VACUUM")


def _with_format(content: bytes, number: int) -> bytes:
    return with_parts(content, {ABOUT: json.dumps({**about(content), "format": number}).encode()})


def _with_sql(content: bytes, name: str, *statements: str) -> bytes:
    return with_parts(content, {name: changed_by(parts(content)[name], *statements)})


def _one_byte_off(content: bytes) -> bytes:
    at = content.index(b"pump-1")
    return content[:at] + b"q" + content[at + 1 :]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda content: b"", NOTHING),
        (lambda content: b"devices: []", NOTHING),
        (lambda content: content[:-1000], NOTHING),
        (_one_byte_off, NOTHING),
        (lambda content: with_parts(content, {ABOUT: b"[]"}), "This is a ZIP file, but not a snapshot"),
        (lambda content: with_parts(content, {"hub.db": b"text" * 999}), "The snapshot is damaged: hub.db"),
        (lambda content: _with_sql(content, "hub.db", "DROP TABLE twins"), "hub.db: the table twins is missing"),
        (lambda content: with_parts(content, {"hub.db": b""}), f"hub.db {OTHER}"),
        (lambda content: _with_sql(content, "hub.db", "PRAGMA user_version = 0"), f"hub.db {OTHER}"),
        (lambda content: _with_sql(content, "hub.db", "PRAGMA user_version = 1"), f"hub.db {OTHER}"),
        (lambda content: _with_sql(content, "hub.db", TRIGGER), f"hub.db {OTHER}"),
        (lambda content: _with_sql(content, "events.db", *LARGE_PAGES), f"events.db {OTHER}"),
        (lambda content: _with_format(content, 0), f"snapshot.json {OTHER}"),
        (lambda content: _with_format(content, True), "This is a ZIP file, but not a snapshot"),
        (lambda content: _with_format(content, 2), NEWER),
        (lambda content: _with_sql(content, "hub.db", "PRAGMA user_version = 999"), f"{NEWER}: hub.db: its format"),
        (lambda content: _with_sql(content, "events.db", "PRAGMA user_version = 999"), f"{NEWER}: events.db"),
        (
            lambda content: _with_sql(content, "events.db", "INSERT INTO partitions VALUES (4, 0)"),
            "The snapshot's events are in 5 partitions, and this hub has 4",
        ),
    ],
)
def test_what_is_no_whole_snapshot_is_refused_and_changes_nothing(
    hub: LocalHub, full: Snapshot, spoil: Callable[[bytes], bytes], said: str
) -> None:
    with pytest.raises(LocalHubRefused) as caught:
        hub.restore(Snapshot(hub, spoil(full.content)))
    assert (caught.value.status, caught.value.error_code) == (400, "ArgumentInvalid")
    assert said in caught.value.text
    assert dump(hub.snapshot().content) == dump(full.content)
    assert "Traceback" not in hub.errors


def test_it_is_for_the_owner_alone(hub: LocalHub, full: Snapshot) -> None:
    other: Any = {"Authorization": "SharedAccessSignature sr=a&sig=a&se=1&skn=device"}
    for verb in ("GET", "PUT"):
        with pytest.raises(LocalHubRefused) as caught:
            hub.request(verb, "/_local/snapshot", base64.b64encode(full.content).decode(), headers=other)
        assert caught.value.status == 401
